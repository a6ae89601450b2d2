"""Which of the facts that a user supplied took part in the SUV of an image."""

from __future__ import annotations

from gclnm.harmonize.pet.header import USER, Header
from gclnm.harmonize.pet.overrides import OVERRIDES

__all__ = ["tell_supplied"]

# Facts of the body that another kind of SUV needs: a table may hold them for several recipes.
_OF_OTHER_KINDS = frozenset({"height_m", "sex"})


def tell_supplied(header: Header) -> None:
    """List the overrides that took part in ``header.told``; call it when all else is told.

    Height and sex that this kind of SUV does not need are told in a note.

    Raises
    ------
    QuantityError
        Any other override has no effect: the user believes that SUV rests on it, and it does not.
    """
    supplied = sorted(key for key in header.words("overridden") if key in OVERRIDES)
    if not supplied:
        return
    idle = [key for key in supplied if not _took_part(header, key)]
    refused = [key for key in idle if key not in _OF_OTHER_KINDS]
    if refused:
        names = " and ".join(refused)
        why, instead = _why(header, refused)
        header.refuse(
            f"supplying {names} has no effect on this image: {why}",
            f"Leave {names} out for this image, or {instead}.",
        )
    if idle:
        header.note(f"supplied, and not needed for this kind of SUV: {', '.join(idle)}")
    if len(idle) < len(supplied):
        header.told["overridden"] = [key for key in supplied if key not in idle]


def _took_part(header: Header, key: str) -> bool:
    """Facts are told as they are used; of times, whose they are."""
    by_user = {name for name in ("injection", "reference") if header.told.get(name) == USER}
    if key == "uptake_min":
        return "injection" in by_user
    if key == "injection_clock_s":
        return "injection" in by_user and not header.overridden("uptake_min")
    if key == "reference_clock_s":
        return "reference" in by_user
    return key in header.told


def _why(header: Header, keys: list[str]) -> tuple[str, str]:
    """The reason, and what else the user may have meant."""
    told = header.told
    if "suv_type" in told:
        return "Units says that it is SUV already", "supply units (BQML) too where Units is wrong"
    if told.get("path") == "(7053,1000)":
        return (
            "Philips' factor (7053,1000) gives SUV, and there is no (7053,1009) to take another way",
            "take the series in Bq/mL (BQML)",
        )
    if header.overridden("uptake_min") and set(keys) <= {"injection_clock_s", "reference_clock_s"}:
        return "uptake_min stands for both times", "leave uptake_min out"
    if "suv_type" in keys:
        return "Units says that it is activity", "supply units (GML) too where Units is wrong"
    return (
        f"DecayCorrection is {told.get('decay_correction', 'absent')}",
        "supply decay_correction (START) too where DecayCorrection is wrong",
    )
