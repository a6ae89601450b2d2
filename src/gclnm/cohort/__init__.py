"""Running a recipe over a cohort: samples to Dask, rows back, commits, progress, resume."""
