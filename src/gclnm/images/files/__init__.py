"""NIfTI, NRRD and MetaImage files: what their headers say, and their voxels."""
