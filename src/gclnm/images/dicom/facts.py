"""What the header says that later steps need: scanner and image type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from gclnm.images.dicom.elements import Groups, seconds_of_day, text, words
from gclnm.images.dicom.energy import spectral
from gclnm.images.dicom.frames import FrameHeader, field_strength_t
from gclnm.images.dicom.objects import modality_of, sop_class_of
from gclnm.images.dicom.uniformity import uniformity

if TYPE_CHECKING:
    from gclnm.images.volume import Fact

__all__ = ["mr_facts", "scanner_facts", "spectral_facts"]


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
    corrected = uniformity(dataset) if facts["modality"] == "MR" else ""
    if corrected:
        facts["uniformity"] = corrected
    return facts


def spectral_facts(groups: Groups) -> dict[str, Fact]:
    """Level, material and unit of a spectral CT frame; nothing for ordinary CT."""
    if modality_of(groups.dataset) != "CT":
        return {}
    shown = spectral(groups)
    if shown.kind == "polychromatic":
        return {}
    facts: dict[str, Fact] = {"spectral": shown.kind, "material": shown.material, "unit": shown.unit}
    if shown.energy_kev is not None:
        facts |= {"energy_kev": shown.energy_kev, "energy_source": shown.source}
    return {name: value for name, value in facts.items() if value}


def mr_facts(headers: Sequence[FrameHeader]) -> dict[str, Fact]:
    """When an MR volume was begun, seconds from midnight: of its acquisition, else of its content.

    Examples
    --------
    >>> mr_facts([FrameHeader(acquisition_time="20200131103000.500000"), FrameHeader()])
    {'acquisition_first_s': 37800.5}
    >>> mr_facts([FrameHeader(content_time="102551.000000")])
    {'acquisition_first_s': 37551.0}
    """
    for name in ("acquisition_time", "content_time"):
        clocks = [re.search(r"(\d{6}\.\d+)$", str(getattr(header, name))) for header in headers]
        seconds = [seconds_of_day(clock[1]) for clock in clocks if clock]
        known = [value for value in seconds if value is not None]
        if known:
            return {"acquisition_first_s": min(known)}
    return {}
