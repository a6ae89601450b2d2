"""Facts that a user may supply in place of what a header says: their units and bounds, for every modality."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite

from gclnm.harmonize.pet.overrides import OVERRIDES as PET
from gclnm.harmonize.pet.overrides import Override

__all__ = ["OVERRIDES", "Override", "stated"]

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")

OVERRIDES: Mapping[str, Override] = {
    **PET,
    "unit": Override(
        "unit of a material or ADC map",
        words=("mg/mL", "100 ug/mL", "ug/mL", "g/mL", "1e-6 mm2/s", "1e-3 mm2/s", "mm2/s"),
    ),
    "material": Override("material that a map shows", words=("iodine", "water")),
}
"""By the key of ``Volume.facts``."""


def stated(name: str, text: str) -> float | str:
    """The value of a fact that a cell of a table states; clock times also as ``HH:MM`` or ``HH:MM:SS``.

    Raises
    ------
    ValueError
        With what is expected.

    Examples
    --------
    >>> stated("weight_kg", "70"), stated("injection_clock_s", "13:05"), stated("sex", "f")
    (70.0, 47100.0, 'F')
    """
    fact = OVERRIDES[name]
    if fact.words:
        fitting = [word for word in fact.words if word.casefold() == text.casefold()]
        if not fitting:
            raise ValueError(f"is one of {', '.join(fact.words)}")
        return fitting[0]
    number = _number(text, clock=fact.unit == "s from midnight")
    if not isfinite(number) or not fact.low <= number <= fact.high:
        raise ValueError(f"is a number from {fact.low:g} to {fact.high:g} ({fact.unit})")
    return number


def _number(text: str, *, clock: bool) -> float:
    time = _CLOCK.fullmatch(text) if clock else None
    try:
        if time is None:
            return float(text)
        return int(time[1]) * 3600 + int(time[2]) * 60 + float(time[3] or 0)
    except ValueError:
        return float("nan")
