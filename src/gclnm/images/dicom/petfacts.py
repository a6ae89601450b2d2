"""What SUV needs of the headers of a PET series, as facts: numbers, defined terms, and never a date."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset

from gclnm.images.dicom.elements import (
    as_number,
    as_text,
    day_number,
    first_item,
    items,
    number,
    private,
    seconds_of_day,
    text,
    words,
)
from gclnm.images.perslice import pack

if TYPE_CHECKING:
    from gclnm.images.volume import Fact

__all__ = ["pet_facts", "slice_facts"]

_DAY_S = 86400.0
_PHILIPS = ("PHILIPS", "Philips PET Private Group")
_GE = ("GE", "GEMS_PETD_01")
_SIEMENS = ("SIEMENS", "SIEMENS MED PT")
# The codes are of CID 4021: SRT and SCT.
_FDG = re.compile(r"FDG|FLU\w*DEOX\w*GLUCOSE", re.IGNORECASE)
_FDG_CODES = frozenset({"C-B1031", "35321007"})
_NOT_CORRECTED = frozenset({"NONE", "NO", "NOT CORRECTED", "UNCORRECTED", "OFF", "N/A", "NA"})

# These may differ from slice to slice: beds and frames have their own.
_PER_SLICE = ("acquisition_s", "frame_reference_ms", "frame_duration_ms", "decay_factor")
_OF_FIRST_BED = ("vendor_reference_clock_s", "vendor_uptake_s")


def slice_facts(dataset: Dataset) -> dict[str, Fact]:
    """What SUV needs of one PET slice. Times are seconds from midnight of the Series Date, never dates.

    Private elements are found by their creator; without any creator (some de-identified files), by their
    number in block 10 of files of that manufacturer.
    """
    item = first_item(dataset, "RadiopharmaceuticalInformationSequence")
    series_day = day_number(text(dataset, "SeriesDate"))
    acquired_day = day_number(text(dataset, "AcquisitionDate"))
    return {
        "units": text(dataset, "Units").upper(),
        "suv_type": text(dataset, "SUVType").upper(),
        "decay_correction": text(dataset, "DecayCorrection").upper(),
        "corrected_image": ";".join(words(dataset, "CorrectedImage")),
        "attenuation_method_named": _attenuation_named(dataset),
        "series_type": ";".join(words(dataset, "SeriesType")),
        "rescale_intercept": number(dataset, "RescaleIntercept"),
        "weight_kg": number(dataset, "PatientWeight"),
        "height_m": number(dataset, "PatientSize"),
        "sex": text(dataset, "PatientSex").upper(),
        "dose_bq": number(item, "RadionuclideTotalDose"),
        "half_life_s": number(item, "RadionuclideHalfLife"),
        "nuclide": text(first_item(item, "RadionuclideCodeSequence"), "CodeValue"),
        "tracer": _tracer(item),
        "injections": float(len(items(dataset, "RadiopharmaceuticalInformationSequence"))) or None,
        "injection_clock_s": seconds_of_day(text(item, "RadiopharmaceuticalStartTime")),
        **_dated_injection(item, dataset, series_day),
        "series_s": seconds_of_day(text(dataset, "SeriesTime")),
        "acquisition_s": _since(acquired_day, seconds_of_day(text(dataset, "AcquisitionTime")), series_day),
        "frame_reference_ms": number(dataset, "FrameReferenceTime"),
        "frame_duration_ms": number(dataset, "ActualFrameDuration"),
        "decay_factor": number(dataset, "DecayFactor"),
        **_vendor_times(dataset),
        "philips_suv_factor": as_number(_private(dataset, 0x7053, _PHILIPS, 0x00)),
        "philips_activity_factor": as_number(_private(dataset, 0x7053, _PHILIPS, 0x09)),
    }


def pet_facts(slices: Sequence[dict[str, Fact]]) -> dict[str, Fact]:
    """Facts of a PET series from those of its slices, in the order of the array.

    What must be one value in a series is taken from the first slice; the names of those that differ are
    listed under ``differing``. What each slice has of its own is packed (:func:`gclnm.images.perslice.pack`).
    Of what a vendor writes once a bed the first bed counts: the smallest Frame Reference Time.

    Examples
    --------
    >>> pet_facts([{"units": "BQML", "acquisition_s": 90.0}, {"units": "CNTS", "acquisition_s": 60.0}])
    {'units': 'BQML', 'differing': 'units', 'acquisition_s': '90.0 60.0'}
    """
    common = [key for key in slices[0] if key not in (*_PER_SLICE, *_OF_FIRST_BED)]
    facts: dict[str, Fact] = {key: slices[0][key] for key in common if slices[0][key] not in ("", None)}
    facts["differing"] = ";".join(
        key for key in common if any(other.get(key) != slices[0][key] for other in slices)
    )
    for key in _PER_SLICE:
        packed = pack(_number(s.get(key)) for s in slices)
        if packed:
            facts[key] = packed
    first = min(slices, key=lambda s: _sortable(s.get("frame_reference_ms")))
    facts |= {key: first[key] for key in _OF_FIRST_BED if first.get(key) is not None}
    return facts


def _number(value: Fact) -> float | None:
    return value if isinstance(value, float) else None


def _sortable(value: Fact) -> float:
    return value if isinstance(value, float) else float("inf")


def _since(day: int | None, seconds: float | None, series_day: int | None) -> float | None:
    """Seconds from midnight of the series' day; a missing date counts as that day."""
    if seconds is None:
        return None
    days = day - series_day if day is not None and series_day is not None else 0
    return days * _DAY_S + seconds


def _attenuation_named(dataset: Dataset) -> bool:
    """Whether Attenuation Correction Method, free text, names one; the text itself is not kept."""
    method = text(dataset, "AttenuationCorrectionMethod").upper()
    return bool(method) and method not in _NOT_CORRECTED


def _tracer(item: Dataset | None) -> str:
    """``"FDG"`` or nothing: other words of Radiopharmaceutical may be anybody's."""
    code = text(first_item(item, "RadiopharmaceuticalCodeSequence"), "CodeValue")
    named = code in _FDG_CODES or _FDG.search(text(item, "Radiopharmaceutical"))
    return "FDG" if named else ""


def _dated_injection(item: Dataset | None, dataset: Dataset, series_day: int | None) -> dict[str, Fact]:
    """Radiopharmaceutical Start DateTime on the clock of the series, and what its offset from UTC allows.

    ``injection_offset`` is ``"shifted"`` when both name an offset and they differ, ``"local"`` or ``"utc"``
    when only the date-time names one (other than zero, or zero).
    """
    stamp = text(item, "RadiopharmaceuticalStartDateTime")
    injected = _since(day_number(stamp), seconds_of_day(stamp[8:]), series_day)
    own, series = _offset_s(stamp), _offset_s(text(dataset, "TimezoneOffsetFromUTC"))
    if injected is None or own is None or own == series:
        return {"injection_s": injected, "injection_offset": ""}
    if series is None:
        return {"injection_s": injected, "injection_offset": "local" if own else "utc"}
    return {"injection_s": injected + series - own, "injection_offset": "shifted"}


def _offset_s(stamp: str) -> float | None:
    """Seconds by which a clock is ahead of UTC, from the end of a date-time.

    Examples
    --------
    >>> _offset_s("20200301100000+0130"), _offset_s("-0000"), _offset_s("20200301100000")
    (5400.0, 0.0, None)
    """
    found = re.search(r"([+-])(\d{2})(\d{2})$", stamp)
    if found is None:
        return None
    seconds = int(found[2]) * 3600.0 + int(found[3]) * 60.0
    return seconds if found[1] == "+" or not seconds else -seconds


def _vendor_times(dataset: Dataset) -> dict[str, Fact]:
    """The time that a vendor's private group says decay is corrected to, and the uptake by its own dates.

    GE: scan (0009,100D) and administration (0009,103B). Their dates are unreliable against the public ones
    but shared by both. Siemens: decay correction (0071,1022).
    """
    scan = as_text(_private(dataset, 0x0009, _GE, 0x0D))
    clock = seconds_of_day(scan[8:])
    if clock is not None:
        given = as_text(_private(dataset, 0x0009, _GE, 0x3B))
        injected = _since(day_number(given), seconds_of_day(given[8:]), day_number(scan))
        uptake = None if injected is None else clock - injected
        return {"vendor_reference_clock_s": clock, "vendor_uptake_s": uptake}
    clock = seconds_of_day(as_text(_private(dataset, 0x0071, _SIEMENS, 0x22))[8:])
    return {"vendor_reference_clock_s": clock, "vendor_uptake_s": None}


def _private(dataset: Dataset, group: int, owner: tuple[str, str], element: int) -> Any:
    """A private element by its creator, else by its plain number in a file of that manufacturer."""
    maker, creator = owner
    found = private(dataset, group, creator, element)
    if found is not None or (group, 0x0010) in dataset:
        return found
    if not text(dataset, "Manufacturer").upper().startswith(maker):
        return None
    tag = (group, 0x1000 | element)
    try:
        return dataset[tag].value if tag in dataset else None
    except Exception:  # pydicom raises whatever its converters raise on a damaged value
        return None
