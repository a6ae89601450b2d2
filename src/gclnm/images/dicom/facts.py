"""What the header says that later steps need: scanner, image type and, for PET, all that SUV depends on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from gclnm.images.dicom.elements import (
    as_text,
    day_number,
    first_item,
    number,
    private,
    seconds_of_day,
    text,
    words,
)
from gclnm.images.dicom.frames import FrameHeader, field_strength_t
from gclnm.images.dicom.objects import modality_of, sop_class_of

if TYPE_CHECKING:
    from gclnm.images.volume import Fact

__all__ = ["mr_facts", "pet_facts", "scanner_facts", "slice_facts"]

_DAY_S = 86400.0


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


def slice_facts(dataset: Dataset) -> dict[str, Fact]:
    """What SUV needs of one PET slice. Times are seconds from midnight of the Series Date, never dates."""
    item = first_item(dataset, "RadiopharmaceuticalInformationSequence")
    series_day = day_number(text(dataset, "SeriesDate"))
    acquired_day = day_number(text(dataset, "AcquisitionDate"))
    injected = text(item, "RadiopharmaceuticalStartDateTime")
    return {
        "units": text(dataset, "Units").upper(),
        "suv_type": text(dataset, "SUVType").upper(),
        "decay_correction": text(dataset, "DecayCorrection").upper(),
        "corrected_image": ";".join(words(dataset, "CorrectedImage")),
        "attenuation_method_named": bool(text(dataset, "AttenuationCorrectionMethod")),
        "series_type": ";".join(words(dataset, "SeriesType")),
        "rescale_intercept": number(dataset, "RescaleIntercept"),
        "weight_kg": number(dataset, "PatientWeight"),
        "height_m": number(dataset, "PatientSize"),
        "sex": text(dataset, "PatientSex").upper(),
        "dose_bq": number(item, "RadionuclideTotalDose"),
        "half_life_s": number(item, "RadionuclideHalfLife"),
        "nuclide": text(first_item(item, "RadionuclideCodeSequence"), "CodeValue"),
        "injection_clock_s": seconds_of_day(text(item, "RadiopharmaceuticalStartTime")),
        "injection_s": _since(day_number(injected), seconds_of_day(injected[8:]), series_day),
        "injection_other_offset": _other_offset(injected, text(dataset, "TimezoneOffsetFromUTC")),
        "series_s": seconds_of_day(text(dataset, "SeriesTime")),
        "acquisition_s": _since(acquired_day, seconds_of_day(text(dataset, "AcquisitionTime")), series_day),
        "frame_reference_ms": number(dataset, "FrameReferenceTime"),
        "frame_duration_ms": number(dataset, "ActualFrameDuration"),
        "decay_factor": number(dataset, "DecayFactor"),
        "vendor_scan_clock_s": _vendor_scan_clock(dataset),
    }


# These may differ from slice to slice: beds and frames have their own.
_PER_SLICE = frozenset(
    {"acquisition_s", "frame_reference_ms", "frame_duration_ms", "decay_factor", "vendor_scan_clock_s"}
)


def pet_facts(slices: Sequence[dict[str, Fact]]) -> dict[str, Fact]:
    """Facts of a PET series from those of its slices.

    What must be one value in a series is taken from the first slice; the names of those that differ are
    listed under ``differing``. Of the beds the first one counts: the smallest Frame Reference Time.

    Examples
    --------
    >>> pet_facts([{"units": "BQML", "acquisition_s": 90.0}, {"units": "CNTS", "acquisition_s": 60.0}])
    {'units': 'BQML', 'differing': 'units', 'acquisition_first_s': 60.0, 'acquisition_last_s': 90.0}
    """
    common = [key for key in slices[0] if key not in _PER_SLICE]
    facts: dict[str, Fact] = {key: slices[0][key] for key in common if slices[0][key] not in ("", None)}
    facts["differing"] = ";".join(
        key for key in common if any(other.get(key) != slices[0][key] for other in slices)
    )
    times = [t for t in (s.get("acquisition_s") for s in slices) if isinstance(t, float)]
    if times:
        facts["acquisition_first_s"], facts["acquisition_last_s"] = min(times), max(times)
    first = min(slices, key=lambda s: _sortable(s.get("frame_reference_ms")))
    for key in ("frame_reference_ms", "frame_duration_ms", "decay_factor", "vendor_scan_clock_s"):
        if first.get(key) is not None:
            facts[f"first_{key}"] = first[key]
    return facts


def _sortable(value: Fact) -> float:
    return value if isinstance(value, float) else float("inf")


def _since(day: int | None, seconds: float | None, series_day: int | None) -> float | None:
    """Seconds from midnight of the series' day; a missing date counts as that day."""
    if seconds is None:
        return None
    days = day - series_day if day is not None and series_day is not None else 0
    return days * _DAY_S + seconds


def _other_offset(injected: str, offset: str) -> bool:
    """Whether a date-time names an offset from UTC that is not the one of the object's other times."""
    named = re.search(r"[+-]\d{4}$", injected)
    return named is not None and named[0].replace("-0000", "+0000") != offset.replace("-0000", "+0000")


def _vendor_scan_clock(dataset: Dataset) -> float | None:
    """Clock time of GE's scan (0009,100D), which its decay correction refers to; its date is unreliable."""
    return seconds_of_day(as_text(private(dataset, 0x0009, "GEMS_PETD_01", 0x0D))[8:])
