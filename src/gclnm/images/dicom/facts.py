"""What the header says that later steps need: scanner and image type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from gclnm.images.dicom.elements import text, words
from gclnm.images.dicom.frames import field_strength_t
from gclnm.images.dicom.objects import modality_of, sop_class_of

if TYPE_CHECKING:
    from gclnm.images.volume import Fact

__all__ = ["scanner_facts"]


def scanner_facts(dataset: Dataset) -> dict[str, Fact]:
    """Modality, scanner and image type of an object; no person, no place, no date."""
    facts: dict[str, Fact] = {
        "modality": modality_of(dataset),
        "sop_class": sop_class_of(dataset),
        "manufacturer": text(dataset, "Manufacturer"),
        "model": text(dataset, "ManufacturerModelName"),
        "image_type": ";".join(words(dataset, "ImageType")),
    }
    field = field_strength_t(dataset)
    if field is not None:
        facts["field_strength_t"] = field
    return facts
