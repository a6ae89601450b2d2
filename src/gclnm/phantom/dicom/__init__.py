"""Pictures and contours as DICOM objects."""
