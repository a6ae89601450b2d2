"""gclnm: from the DICOM of many scanners to a versioned, validated radiomics feature store."""
