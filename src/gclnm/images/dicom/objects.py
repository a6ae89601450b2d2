"""Which DICOM objects are read, by SOP class."""

from __future__ import annotations

from pydicom.dataset import Dataset

from gclnm.images.dicom.elements import text

__all__ = [
    "DICOMDIR",
    "ENHANCED",
    "ENHANCED_PET",
    "RTSTRUCT",
    "SEGMENTATION",
    "is_image",
    "modality_of",
    "sop_class_of",
]

CLASSIC = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
}
ENHANCED = {
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "CT",  # legacy converted
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "MR",  # legacy converted
    "1.2.840.10008.5.1.4.1.1.128.1": "PT",  # legacy converted
    "1.2.840.10008.5.1.4.1.1.130": "PT",
}
ENHANCED_PET = frozenset(uid for uid, modality in ENHANCED.items() if modality == "PT")
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
DICOMDIR = "1.2.840.10008.1.3.10"


def sop_class_of(dataset: Dataset) -> str:
    """SOP Class UID of an object, from its file meta information where the data set lacks it."""
    return text(dataset, "SOPClassUID") or text(
        getattr(dataset, "file_meta", None), "MediaStorageSOPClassUID"
    )


def modality_of(dataset: Dataset) -> str:
    """``"CT"``, ``"MR"`` or ``"PT"`` for an image of these, by its SOP class; else what the header says.

    Examples
    --------
    >>> header = Dataset()
    >>> header.SOPClassUID, header.Modality = "1.2.840.10008.5.1.4.1.1.4", "OT"
    >>> modality_of(header)
    'MR'
    """
    sop_class = sop_class_of(dataset)
    return CLASSIC.get(sop_class) or ENHANCED.get(sop_class) or text(dataset, "Modality").upper()


def is_image(dataset: Dataset) -> bool:
    """Whether an object is an image of CT, MR or PET."""
    sop_class = sop_class_of(dataset)
    if sop_class:
        return sop_class in CLASSIC or sop_class in ENHANCED
    # Some anonymisers drop every UID; the modality still says what the object is.
    return "Rows" in dataset and text(dataset, "Modality").upper() in CLASSIC.values()
