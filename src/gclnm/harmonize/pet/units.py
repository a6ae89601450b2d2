"""From Units and Decay Correction to factors: one a slice where the header makes slices differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gclnm.harmonize.pet.body import NORMALIZERS, of_body, weight
from gclnm.harmonize.pet.dose import dose, half_life
from gclnm.harmonize.pet.frames import Frames, frames_of, loss
from gclnm.harmonize.pet.header import EXPORT, Header, term
from gclnm.harmonize.pet.injection import elapsed
from gclnm.harmonize.pet.reference import reference

__all__ = ["Stored", "stored"]

# Terms of PS3.3 C.8.9.1.1.3 that come up and are no SUV.
_UNITS = frozenset(
    {
        "CNTS",
        "NONE",
        "CM2",
        "CM2ML",
        "PCNT",
        "CPS",
        "MLG",
        "1CM",
        "PROPCNTS",
        "PROPCPS",
        "MLML",
        "GML",
        "BQML",
    }
)
_DECAYS = frozenset({"START", "ADMIN", "NONE"})
# What Philips' SUV factor was made of by the scanner, so that a user's value needs the other way.
_IN_SUV_FACTOR = (
    "weight_kg",
    "dose_bq",
    "half_life_s",
    "injection_clock_s",
    "reference_clock_s",
    "uptake_min",
    "decay_correction",
)
# Two ways to one factor that differ more than their rounding.
_AGREE = 0.02


@dataclass(frozen=True)
class Stored:
    """What voxel values times ``factors`` are: SUV of ``kind`` (a term of SUVType).

    ``factors`` has one number, or one a slice.
    """

    factors: tuple[float, ...]
    kind: str


def stored(header: Header) -> Stored:
    """Factors to the SUV that Units leads to most directly.

    * GML: it is SUV of the kind that SUVType says (BW when absent), CM2ML of BSA; nothing is decayed again.
    * BQML: body weight / (activity at the time that the image is decay-corrected to).
    * CNTS: Philips' private factors, of which (7053,1000) gives SUVbw and (7053,1009) Bq/mL; the second
      where the user supplied what the first one holds already (weight, dose, times).

    Everything else is refused by name: proportional counts have no scale.

    Raises
    ------
    QuantityError
        Names the attribute, and what to supply.
    """
    header.same("units")
    units = header.text("units")
    if units in ("GML", "CM2ML"):
        return _already(header, units)
    if units == "BQML":
        found = _activity(header)
        _check_philips(header, found)
        return found
    if units == "CNTS":
        return _counts(header)
    shown = term(units, _UNITS)
    header.refuse(
        f"Units (0054,1001) is {shown}: it cannot be turned into SUV without a guess",
        f"{EXPORT} Or supply units (BQML/GML) with Samples.override(table) where you know them."
        if not units
        else EXPORT,
    )


def _already(header: Header, units: str) -> Stored:
    header.same("suv_type")
    kind = header.text("suv_type") or ("BW" if units == "GML" else "BSA")
    if kind not in NORMALIZERS or (kind == "BSA") != (units == "CM2ML"):
        shown = term(kind, frozenset(NORMALIZERS))
        header.refuse(f"SUVType {shown} does not go with Units {units}", EXPORT)
    header.told["suv_type"] = kind
    return Stored((1.0,), kind)


def _counts(header: Header) -> Stored:
    """Philips' counts: (7053,1000) first, as QIBA has it; both ways are compared where both are complete."""
    header.same("philips_suv_factor", "philips_activity_factor", "decay_correction")
    suv_factor, activity = header.number("philips_suv_factor"), header.number("philips_activity_factor")
    # Philips' SUV factor takes the image as decay-corrected.
    usable = suv_factor is not None and suv_factor > 0 and _decay(header) != "NONE"
    supplied = any(header.overridden(key) for key in _IN_SUV_FACTOR)
    if suv_factor is not None and usable and not (supplied and activity is not None and activity > 0):
        header.told["path"] = "(7053,1000)"
        if activity is not None and activity > 0:
            _compare_paths(header, suv_factor, activity)
        return Stored((suv_factor,), "BW")
    if activity is not None and activity > 0:
        header.told["path"] = "(7053,1009)"
        found = _activity(header)
        if usable:
            header.note("the user's values count, not Philips' factor (7053,1000)")
            header.told["factor_by_vendor"] = suv_factor
        return Stored(tuple(activity * factor for factor in found.factors), "BW")
    header.refuse(
        "Units (0054,1001) is CNTS, and no factor of Philips (7053,1000) or (7053,1009) is in the header",
        EXPORT,
    )


def _compare_paths(header: Header, suv_factor: float, activity: float) -> None:
    from gclnm.errors import QuantityError

    trial = Header(header.facts)
    try:
        other = activity * _activity(trial).factors[0]
    except QuantityError:
        # The other path needs more of the header; nothing depends on it here.
        return
    header.told["factor_by_activity"] = other
    if abs(other / suv_factor - 1) > _AGREE:
        words = (
            f"by (7053,1009) and the dose SUV would be {100 * (other / suv_factor - 1):+.1f} % of (7053,1000)"
        )
        header.doubt(words, EXPORT)


def _check_philips(header: Header, found: Stored) -> None:
    """Bq/mL of Philips: the ratio of its factors says SUV per Bq/mL too. They must not be applied."""
    suv_factor, activity = header.number("philips_suv_factor"), header.number("philips_activity_factor")
    if suv_factor is None or activity is None or min(suv_factor, activity) <= 0:
        return
    header.told["factor_by_vendor"] = suv_factor / activity
    off = suv_factor / activity / found.factors[0] - 1
    if abs(off) > _AGREE:
        header.note(f"the vendor's own factors would give SUV {100 * off:+.1f} % off")


def _decay(header: Header) -> str:
    """Decay Correction; DECY in Corrected Image must agree with it."""
    header.same("decay_correction", "corrected_image")
    decay = header.text("decay_correction")
    listed = header.words("corrected_image")
    if not decay and "DECY" in listed:
        header.doubt("DecayCorrection is missing: START, since CorrectedImage lists DECY", EXPORT)
        decay = "START"
    if decay not in _DECAYS:
        shown = term(decay, _DECAYS)
        header.refuse(
            f"DecayCorrection (0054,1102) is {shown}, not START, ADMIN or NONE",
            header.supply("decay_correction"),
        )
    if decay == "NONE" and "DECY" in listed:
        header.refuse("CorrectedImage (0028,0051) lists DECY, yet DecayCorrection is NONE", EXPORT)
    if decay != "NONE" and listed and "DECY" not in listed:
        header.refuse("CorrectedImage (0028,0051) does not list DECY, yet DecayCorrection says so", EXPORT)
    if decay != "NONE" and not listed and not header.overridden("decay_correction"):
        header.doubt("CorrectedImage is empty: DecayCorrection is believed", EXPORT)
    header.told["decay_correction"] = decay
    return decay


def _activity(header: Header) -> Stored:
    """SUVbw per Bq/mL: W / (D0 2^(-t/T)), t from the injection to what decay is corrected to."""
    decay = _decay(header)
    _refuse_missing(header, decay)
    weight_kg = weight(header)
    grams, dose_bq = 1000.0 * weight_kg, dose(header, weight_kg)
    if decay == "ADMIN":
        return Stored((grams / dose_bq,), "BW")
    half_life_s = half_life(header)
    if decay == "NONE":
        return Stored(tuple(grams / dose_bq * k for k in _uncorrected(header, half_life_s)), "BW")
    # Minutes from the user leave the times of the header out.
    reference_s = 0.0 if header.overridden("uptake_min") else reference(header, half_life_s)
    seconds = elapsed(header, reference_s, half_life_s)
    return Stored((grams / (dose_bq * 2.0 ** (-seconds / half_life_s)),), "BW")


def _refuse_missing(header: Header, decay: str) -> None:
    """Name everything that a stripped header lacks at once."""
    needed = {"weight_kg": "PatientWeight", "dose_bq": "RadionuclideTotalDose"}
    missing = {key: name for key, name in needed.items() if header.number(key) is None}
    if decay != "ADMIN" and not header.overridden("uptake_min"):
        if all(header.time(key) is None for key in ("injection_s", "injection_clock_s", "vendor_uptake_s")):
            missing["injection_clock_s"] = "RadiopharmaceuticalStartDateTime"
        times = ("series_s", "vendor_reference_clock_s", "reference_clock_s")
        if all(header.time(key) is None for key in times) and not header.slices("acquisition_s"):
            missing["reference_clock_s"] = "SeriesTime"
    if len(missing) > 1:
        names = list(missing.values())
        header.refuse(
            f"{', '.join(names[:-1])} and {names[-1]} are missing",
            f"Supply {', '.join(missing)} with Samples.override(table), or take a series that has them.",
        )


def _uncorrected(header: Header, half_life_s: float) -> Sequence[float]:
    """Decay from the injection to each frame, and during it; one number a slice (Decay Correction NONE)."""
    frames = frames_of(header, header.time("series_s"))
    acquired, durations = _complete(header, frames)
    first_s = min(acquired)
    seconds = elapsed(header, first_s, half_life_s)
    header.told["reference"] = "each Acquisition Time"
    rate = math.log(2) / half_life_s
    found = [
        loss(length, half_life_s) * math.exp(rate * (seconds + start - first_s))
        for start, length in zip(acquired, durations, strict=True)
    ]
    return found if len(set(found)) > 1 else found[:1]


def _complete(header: Header, frames: Frames) -> tuple[list[float], list[float]]:
    acquired = [t for t in frames.acquired_s if t is not None]
    durations = [t for t in frames.duration_s if t is not None]
    if not acquired or len(acquired) < len(frames.acquired_s):
        header.refuse("AcquisitionTime is missing, which DecayCorrection NONE needs of each slice", EXPORT)
    if len(durations) < len(acquired):
        header.refuse("ActualFrameDuration is missing or not in ms, which DecayCorrection NONE needs", EXPORT)
    if not frames.of_beds:
        header.refuse(
            "AcquisitionTime is one for all beds, yet DecayCorrection NONE needs that of each bed", EXPORT
        )
    return acquired, durations


def of_kind(header: Header, found: Stored, kind: str) -> tuple[float, ...]:
    """Factors to SUV of another kind: times its normalizer, over that of the kind that was found."""
    if kind == found.kind:
        return found.factors
    ratio = of_body(header, kind) / of_body(header, found.kind)
    return tuple(factor * ratio for factor in found.factors)
