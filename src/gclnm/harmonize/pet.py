"""PET: to body-weight SUV when the header leaves no doubt; a refusal that says what is missing otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from gclnm.errors import QuantityError
from gclnm.images.dicom.objects import ENHANCED_PET
from gclnm.images.volume import Step, Volume

__all__ = ["HALF_LIVES_S", "suv"]

# European Pharmacopoeia and the SUV manual of the IBSI: the keys are codes of DICOM CID 4020 (SRT and SCT).
HALF_LIVES_S: Mapping[str, float] = {
    "C-111A1": 6586.2,
    "77004003": 6586.2,
    "C-105A1": 1223.1,
    "C-107A1": 597.9,
    "C-B1038": 122.24,
    "C-131A3": 4057.7,
    "C-127A": 45721.0,
    "C-168A4": 282240.0,
    "C-114A5": 360720.0,
    "C-159A2": 76.4,
}
# Terms of PS3.3 C.8.9.1.1.3 that come up and are no SUV.
_UNITS = frozenset(
    {"CNTS", "NONE", "CM2", "CM2ML", "PCNT", "CPS", "MLG", "1CM", "PROPCNTS", "PROPCPS", "MLML"}
)
_SUV_TYPES = frozenset({"BSA", "LBM", "LBMJAMES128", "LBMJANMA", "IBW"})
_DAY_S = 86400.0
# Two clocks of one scan: 10 s of F-18 decay are 0.1 %.
_CLOCK_S = 10.0
_KEYWORDS = {
    "units": "Units",
    "suv_type": "SUVType",
    "decay_correction": "DecayCorrection",
    "weight_kg": "PatientWeight",
    "dose_bq": "RadionuclideTotalDose",
    "half_life_s": "RadionuclideHalfLife",
    "nuclide": "RadionuclideCodeSequence",
    "injection_s": "RadiopharmaceuticalStartDateTime",
    "injection_clock_s": "RadiopharmaceuticalStartTime",
    "series_s": "SeriesTime",
    "rescale_intercept": "RescaleIntercept",
}

Facts = Mapping[str, Any]


def suv(volume: Volume) -> Volume:
    """Body-weight SUV (g/mL) of a PET volume.

    * Units GML with SUVType BW or none: the values are SUVbw already.
    * Units BQML: ``weight / (dose at the time that the image is decay-corrected to)``. For Decay
      Correction START that time is Series Time (QIBA's rule), if it is not after the first Acquisition
      Time and every other witness in the header (Decay Factor, GE's scan time) agrees to 10 s; for ADMIN
      it is the injection.

    Everything else is refused by name: counts, proportional counts, images without attenuation
    correction, missing or implausible weight, dose, half-life or times, slices that disagree.

    Raises
    ------
    QuantityError
        Names the DICOM attribute, and what to supply.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(4.0, 4.0, 3.0))
    >>> facts = {"modality": "PT", "units": "GML", "suv_type": "BW", "corrected_image": "ATTN;DECY"}
    >>> suv(Volume(np.array([[[1.0, 2.0]]]), grid, quantity="g/mL", facts=facts)).quantity
    'SUVbw'
    """
    facts = volume.facts
    _check_image(facts)
    units = facts.get("units")
    if units == "GML":
        _check_same(facts, ("units", "suv_type"))
        kind = facts.get("suv_type") or "BW"
        if kind != "BW":
            shown = _term(kind, _SUV_TYPES)
            _refuse(f"SUVType is {shown}: body-weight SUV is needed", "Export the series as SUVbw or Bq/mL.")
        return volume.with_(Step("suv", {"units": "GML", "factor": 1.0}), quantity="SUVbw")
    if units != "BQML":
        shown = _term(units, _UNITS)
        _refuse(f"Units (0054,1001) is {shown}: it cannot be turned into SUV without a guess", _EXPORT)
    factor, told = _factor(facts)
    values = (volume.array.astype(np.float64) * factor).astype(np.float32)
    return volume.with_(
        Step("suv", {"units": "BQML", "factor": factor, **told}), array=values, quantity="SUVbw"
    )


_EXPORT = "Export the series in Bq/mL (BQML) with the injection's data, or as SUVbw (GML)."


def _term(value: Any, known: frozenset[str]) -> str:
    """A defined term as it is; anything else may be somebody's own words, which are not kept."""
    return "absent" if not value else str(value) if value in known else "no defined term"


def _refuse(what: str, fix: str) -> NoReturn:
    raise QuantityError(f"no SUV can be computed: {what}", fix=fix, code="no-suv")


def _check_image(facts: Facts) -> None:
    if facts.get("sop_class") in ENHANCED_PET:
        _refuse("enhanced PET objects are not supported yet", "Export the series as classic PET slices.")
    if "REPROJECTION" in str(facts.get("series_type", "")).split(";"):
        _refuse("SeriesType is REPROJECTION: the image is a projection", "Take the series of type IMAGE.")
    corrected = str(facts.get("corrected_image") or "").split(";")
    named = not any(corrected) and facts.get("attenuation_method_named")
    if "units" in facts and "ATTN" not in corrected and not named:
        _refuse(
            "CorrectedImage (0028,0051) does not list ATTN: the image is not attenuation-corrected",
            "Take the attenuation-corrected series.",
        )
    if facts.get("rescale_intercept") or "rescale_intercept" in str(facts.get("differing", "")).split(";"):
        _refuse("RescaleIntercept is not 0, which PET does not allow", _EXPORT)


def _check_same(facts: Facts, keys: tuple[str, ...]) -> None:
    differing = set(str(facts.get("differing") or "").split(";")).intersection(keys)
    if differing:
        names = ", ".join(sorted(_KEYWORDS[key] for key in differing))
        _refuse(f"slices of the series disagree in {names}", "Split the series, or export it again.")


def _number(facts: Facts, key: str, low: float, high: float, unit: str) -> float:
    """A fact within plausible bounds."""
    value, name = facts.get(key), _KEYWORDS[key]
    if not isinstance(value, int | float) or value == 0:
        _refuse(f"{name} is missing", f"Supply {name} in {unit}, or take a series that has it.")
    if not low <= value <= high:
        _refuse(f"{name} of {value:g} {unit} is not plausible", f"Check its unit: {unit} is meant.")
    return float(value)


def _factor(facts: Facts) -> tuple[float, dict[str, Any]]:
    """SUVbw per Bq/mL, and what it was made of."""
    _check_same(facts, tuple(_KEYWORDS))
    decay = facts.get("decay_correction") or "absent"
    if decay not in ("START", "ADMIN"):
        shown = _term(decay, frozenset({"NONE", "absent"}))
        _refuse(f"DecayCorrection (0054,1102) is {shown}, not START or ADMIN", _EXPORT)
    if "DECY" not in str(facts.get("corrected_image") or "").split(";"):
        _refuse("CorrectedImage (0028,0051) does not list DECY, yet DecayCorrection says so", _EXPORT)
    weight_kg = _number(facts, "weight_kg", 2.0, 400.0, "kg")
    dose_bq = _number(facts, "dose_bq", 1e6, 5e9, "Bq")
    told: dict[str, Any] = {"decay_correction": decay, "weight_kg": weight_kg, "dose_bq": dose_bq}
    if decay == "ADMIN":
        return 1000.0 * weight_kg / dose_bq, told
    half_life_s = _half_life(facts)
    elapsed_s = _elapsed(facts, _reference(facts, half_life_s), half_life_s)
    told |= {"half_life_s": half_life_s, "reference": "Series Time", "uptake_min": round(elapsed_s / 60, 2)}
    return 1000.0 * weight_kg / (dose_bq * 2.0 ** (-elapsed_s / half_life_s)), told


def _half_life(facts: Facts) -> float:
    value = _number(facts, "half_life_s", 60.0, 1e6, "s")
    code = str(facts.get("nuclide") or "")
    known = [HALF_LIVES_S[code]] if code in HALF_LIVES_S else list(HALF_LIVES_S.values())
    if not any(abs(value / right - 1) <= 0.01 for right in known):
        _refuse(
            f"RadionuclideHalfLife of {value:g} s is not that of the radionuclide",
            "Check RadionuclideHalfLife and RadionuclideCodeSequence.",
        )
    return value


def _reference(facts: Facts, half_life_s: float) -> float:
    """The time that the image is decay-corrected to, seconds from midnight: Series Time without doubt."""
    series, acquired = (
        _time(facts, "series_s", "SeriesTime"),
        _time(facts, "acquisition_first_s", "AcquisitionTime"),
    )
    if series > acquired + 1.0:
        _refuse(
            f"SeriesTime is {series - acquired:.0f} s after the first AcquisitionTime: it was written later",
            "Take the original series: this one was processed again.",
        )
    if acquired - series > 3600.0:
        _refuse("SeriesTime is more than an hour before the first AcquisitionTime", _EXPORT)
    for name, other in _witnesses(facts, acquired, half_life_s):
        apart = abs((other - series + _DAY_S / 2) % _DAY_S - _DAY_S / 2)
        if apart > _CLOCK_S:
            _refuse(
                f"SeriesTime and {name} disagree by {apart:.0f} s about the start of the scan",
                "Find out which is right and correct SeriesTime.",
            )
    return series


def _time(facts: Facts, key: str, name: str) -> float:
    value = facts.get(key)
    if not isinstance(value, float):
        _refuse(f"{name} is missing", f"Supply {name}, or export the series with its times.")
    return value


def _witnesses(facts: Facts, acquired_s: float, half_life_s: float) -> list[tuple[str, float]]:
    """Other attributes that tell the reference time."""
    found = []
    vendor = facts.get("first_vendor_scan_clock_s")
    if isinstance(vendor, float):
        found.append(("the vendor's scan time (0009,100D)", vendor))
    keys = ("first_decay_factor", "first_frame_duration_ms", "first_frame_reference_ms")
    factor, duration_ms, start_ms = (facts.get(key) for key in keys)
    if factor is None or duration_ms is None or start_ms is None:
        return found
    # Some scanners write one Acquisition Time for all beds: only the first bed's is sure to be its own.
    if factor > 1 and duration_ms > 0 and start_ms < duration_ms:
        rate = math.log(2) / half_life_s
        length_s = duration_ms / 1000
        during = rate * length_s / (1 - math.exp(-rate * length_s))
        found.append(("DecayFactor", acquired_s - math.log(factor / during) / rate))
    return found


def _other_offset(facts: Facts) -> bool:
    """Whether the injection's date-time may be on another clock than the series, in any slice."""
    differing = str(facts.get("differing", "")).split(";")
    return bool(facts.get("injection_other_offset")) or "injection_other_offset" in differing


def _elapsed(facts: Facts, reference_s: float, half_life_s: float) -> float:
    """Seconds from injection to the reference time."""
    dated, clock = facts.get("injection_s"), facts.get("injection_clock_s")
    if isinstance(dated, float):
        elapsed = reference_s - dated
        if isinstance(clock, float) and abs((dated - clock + _DAY_S / 2) % _DAY_S - _DAY_S / 2) > 60:
            _refuse(
                "RadiopharmaceuticalStartDateTime and RadiopharmaceuticalStartTime disagree",
                "Find out which is right and correct the other.",
            )
        if not isinstance(clock, float) and _other_offset(facts):
            _refuse(
                "RadiopharmaceuticalStartDateTime has an offset from UTC that the times of the series lack",
                "Supply RadiopharmaceuticalStartTime on the clock of SeriesTime, or the offset of the series "
                "as TimezoneOffsetFromUTC.",
            )
    elif isinstance(clock, float):
        # A time without a date: after midnight it belongs to the day before.
        elapsed = (reference_s - clock) % _DAY_S
    else:
        _refuse(
            "RadiopharmaceuticalStartDateTime and RadiopharmaceuticalStartTime are missing",
            "Supply the time of injection.",
        )
    if not 0 <= elapsed <= 2 * half_life_s:
        _refuse(
            f"the injection would be {elapsed / 60:.0f} min before the scan, which is not plausible",
            "Check RadiopharmaceuticalStartDateTime against SeriesDate and SeriesTime.",
        )
    return elapsed
