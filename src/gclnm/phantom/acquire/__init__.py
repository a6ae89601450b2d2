"""What each scanner sees of a body: tissue values, texture, blur, noise. No DICOM here."""
