"""Facts that a user may supply in place of what a header says: their units and bounds, for every modality."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

__all__ = ["OVERRIDES", "Override"]

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")


@dataclass(frozen=True)
class Override:
    """One fact that a user may replace, for a patient or a sample.

    Parameters
    ----------
    meaning
        What it is.
    unit
        Unit of a number; empty for words. ``"s from midnight"`` is also read as ``HH:MM`` or ``HH:MM:SS``.
    low, high
        Bounds of a number, both included.
    words
        The words that are allowed, where it is no number.

    Examples
    --------
    >>> OVERRIDES["weight_kg"].read("70"), OVERRIDES["injection_clock_s"].read("13:05")
    (70.0, 47100.0)
    """

    meaning: str
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    words: tuple[str, ...] = ()

    def read(self, text: str) -> float | str:
        """The value that a cell of a table states.

        Raises
        ------
        ValueError
            With what is expected.
        """
        if self.words:
            fitting = [word for word in self.words if word.casefold() == text.casefold()]
            if not fitting:
                raise ValueError(f"is one of {', '.join(self.words)}")
            return fitting[0]
        number = self._number(text)
        if not isfinite(number) or not self.low <= number <= self.high:
            raise ValueError(f"is a number from {self.low:g} to {self.high:g} ({self.unit})")
        return number

    def _number(self, text: str) -> float:
        clock = _CLOCK.fullmatch(text) if self.unit == "s from midnight" else None
        try:
            if clock is None:
                return float(text)
            return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3] or 0)
        except ValueError:
            return float("nan")


OVERRIDES: Mapping[str, Override] = {
    "weight_kg": Override("body weight (PatientWeight)", "kg", 2.0, 400.0),
    "height_m": Override("height (PatientSize)", "m", 0.3, 2.5),
    "sex": Override("sex (PatientSex)", words=("M", "F", "O")),
    "dose_bq": Override("injected activity (RadionuclideTotalDose)", "Bq", 1e6, 5e9),
    "half_life_s": Override("half-life (RadionuclideHalfLife)", "s", 60.0, 1e6),
    "injection_clock_s": Override(
        "clock time of the injection (RadiopharmaceuticalStartTime)", "s from midnight", 0.0, 86400.0
    ),
    "unit": Override(
        "unit of a material or ADC map", words=("mg/mL", "100 ug/mL", "ug/mL", "1e-6 mm2/s", "1e-3 mm2/s")
    ),
}
"""By the key of ``Volume.facts``."""
