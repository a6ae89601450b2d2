"""DICOM: headers to volumes and regions (scan), and their voxels (load)."""
