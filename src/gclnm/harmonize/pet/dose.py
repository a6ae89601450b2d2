"""Injected activity, and how fast it decays."""

from __future__ import annotations

from collections.abc import Mapping

from gclnm.harmonize.pet.header import Header

__all__ = ["HALF_LIVES_S", "dose", "half_life"]

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
    "C-128A2": 2.34e7,
}
F18_S = HALF_LIVES_S["C-111A1"]
_DOSE_BQ = (1e6, 5e9)
# Up to the first number mCi are common, up to the second given (Rb-82: 2220 MBq).
_MCI = (25.0, 60.0)
_MBQ_OF_MCI = 37.0
# More of any radionuclide is given to nobody (Rb-82: 2220 MBq at 45 kg; FDG has 2 to 7).
_MOST_MBQ_PER_KG = 50.0
# Bound of MIRP and Z-Rad: no injection is that weak in Bq, none that strong in MBq.
_LEAST_BQ = 1e4


def dose(header: Header, weight_kg: float) -> float:
    """Injected activity in Bq; MBq are repaired where they can be nothing else.

    1e6 to 5e9 are plausible Bq. Below 1e4 the number can be MBq, if that is not more than 50 MBq/kg. It may
    as well be mCi up to 25, and up to 60 while as mCi it would not be more than 50 MBq/kg either; between
    1e4 and 1e6 it may be kBq: all are refused.

    Raises
    ------
    QuantityError
        Missing, ambiguous or not plausible.
    """
    header.same("dose_bq")
    value, fix = header.number("dose_bq"), header.supply("dose_bq")
    if value is None:
        header.refuse("RadionuclideTotalDose is missing", fix)
    low, high = _DOSE_BQ
    common, most = _MCI
    if 0 < value <= common or common < value <= min(most, _MOST_MBQ_PER_KG * weight_kg / _MBQ_OF_MCI):
        header.refuse(f"RadionuclideTotalDose of {value:g} may be MBq or mCi, and cannot be Bq", fix)
    if value < _LEAST_BQ and low <= value * 1e6 <= high and not header.overridden("dose_bq"):
        if value > _MOST_MBQ_PER_KG * weight_kg:
            header.refuse(
                f"RadionuclideTotalDose of {value:g} is no Bq, and as MBq too much for {weight_kg:g} kg", fix
            )
        header.doubt(f"RadionuclideTotalDose of {value:g} taken as MBq", fix)
        value *= 1e6
    if not low <= value <= high:
        header.refuse(f"RadionuclideTotalDose of {value:g} Bq is not plausible", fix)
    injections = header.number("injections") or 1.0
    if injections > 1 and not header.overridden("dose_bq"):
        header.doubt(f"{injections:.0f} injections are listed: the first one counts", fix)
    header.told["dose_bq"] = value
    return value


def half_life(header: Header) -> float:
    """Half-life in s: the header's, if it is within 1 % of the radionuclide's.

    Minutes are repaired; a missing one is taken from the code of the radionuclide, or for FDG is that of
    F-18.

    Raises
    ------
    QuantityError
        It contradicts the radionuclide, is that of none, or nothing says it.
    """
    header.same("half_life_s", "nuclide")
    value, fix = header.number("half_life_s"), header.supply("half_life_s")
    known = _of_nuclide(header)
    if value is None:
        if known is None:
            header.refuse("RadionuclideHalfLife is missing, and no code names the radionuclide", fix)
        header.doubt(f"RadionuclideHalfLife is missing: {known:g} s of the radionuclide", fix)
        value = known
    possible = [known] if known is not None else list(HALF_LIVES_S.values())
    if not header.overridden("half_life_s"):
        if not _near(value, possible) and _near(60.0 * value, possible):
            header.doubt(f"RadionuclideHalfLife of {value:g} taken as minutes", fix)
            value *= 60.0
        if not _near(value, possible):
            header.refuse(f"RadionuclideHalfLife of {value:g} s is not that of the radionuclide", fix)
    header.told["half_life_s"] = value
    return value


def _of_nuclide(header: Header) -> float | None:
    """Half-life by the code of the radionuclide; FDG is labelled with F-18."""
    found = HALF_LIVES_S.get(header.text("nuclide"))
    return F18_S if found is None and header.text("tracer") == "FDG" else found


def _near(value: float, possible: list[float]) -> bool:
    return any(abs(value / right - 1) <= 0.01 for right in possible)
