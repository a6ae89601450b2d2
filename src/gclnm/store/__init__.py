"""Feature sets that are kept: versioned, locked, validated; written by row, read as xarray or pandas."""
