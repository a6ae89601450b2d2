"""A PET header as it is read: what it says, what was repaired, what is to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from gclnm.errors import QuantityError
from gclnm.harmonize.pet.overrides import OVERRIDES
from gclnm.images.perslice import unpack

__all__ = ["DAY_S", "EXPORT", "KEYWORDS", "USER", "Header", "apart", "term"]

DAY_S = 86400.0
USER = "given by the user"
EXPORT = "Export the series in Bq/mL (BQML) with the injection's data, or as SUVbw (GML)."
KEYWORDS: Mapping[str, str] = {
    "units": "Units",
    "suv_type": "SUVType",
    "decay_correction": "DecayCorrection",
    "corrected_image": "CorrectedImage",
    "weight_kg": "PatientWeight",
    "height_m": "PatientSize",
    "sex": "PatientSex",
    "dose_bq": "RadionuclideTotalDose",
    "half_life_s": "RadionuclideHalfLife",
    "nuclide": "RadionuclideCodeSequence",
    "injection_s": "RadiopharmaceuticalStartDateTime",
    "injection_clock_s": "RadiopharmaceuticalStartTime",
    "injection_offset": "TimezoneOffsetFromUTC",
    "series_s": "SeriesTime",
    "rescale_intercept": "RescaleIntercept",
    "philips_suv_factor": "SUV Scale Factor (7053,1000)",
    "philips_activity_factor": "Activity Concentration Scale Factor (7053,1009)",
}


@dataclass
class Header:
    """The facts of a volume while SUV is made of them.

    Parameters
    ----------
    facts
        Those of the volume.
    strict
        Refuse what would be told among the doubts.
    told
        Numbers and words of ours for the history.
    notes, doubts
        Sentences for the history: what is worth knowing; every repair of a header, and what contradicts.
    """

    facts: Mapping[str, Any]
    strict: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def text(self, key: str) -> str:
        """A fact as text; empty when absent."""
        return str(self.facts.get(key) or "")

    def words(self, key: str) -> list[str]:
        """A fact of several words."""
        return [word for word in self.text(key).split(";") if word]

    def number(self, key: str) -> float | None:
        """A fact as a number; None when it is absent, 0 or no number."""
        return self.time(key) or None

    def time(self, key: str) -> float | None:
        """A fact in seconds, of which 0 is one too."""
        value = self.facts.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def slices(self, key: str) -> list[float | None]:
        """What each slice has of its own."""
        return unpack(self.facts.get(key))

    def overridden(self, key: str) -> bool:
        """Whether the user replaced a fact."""
        return key in self.words("overridden")

    def same(self, *keys: str) -> None:
        """Refuse when slices disagree in one of the facts that the user did not replace."""
        differing = [key for key in self.words("differing") if key in keys and not self.overridden(key)]
        if differing:
            names = ", ".join(sorted(KEYWORDS[key] for key in differing))
            self.refuse(f"slices of the series disagree in {names}", "Split the series, or export it again.")

    def note(self, words: str) -> None:
        """Tell something in the history."""
        if words not in self.notes:
            self.notes.append(words)

    def doubt(self, words: str, fix: str) -> None:
        """Tell of a repair or a contradiction; strict settings refuse it."""
        if self.strict:
            self.refuse(f"{words}, which strict settings do not allow", fix)
        if words not in self.doubts:
            self.doubts.append(words)

    def refuse(self, what: str, fix: str) -> NoReturn:
        """No SUV.

        Raises
        ------
        QuantityError
            Code ``no-suv``.
        """
        raise QuantityError(f"no SUV can be computed: {what}", fix=fix, code="no-suv")

    def supply(self, *keys: str) -> str:
        """How to supply facts that the header lacks, or has wrong."""
        columns = " or ".join(
            f"{key} ({OVERRIDES[key].unit or '/'.join(OVERRIDES[key].words)})" for key in keys
        )
        return f"Supply {columns} with Samples.override(table), or take a series whose header is right."


def term(value: Any, known: frozenset[str]) -> str:
    """A defined term as it is; anything else may be somebody's own words, which are not kept.

    Examples
    --------
    >>> term("CNTS", frozenset({"CNTS"})), term("", frozenset()), term("Smith", frozenset())
    ('CNTS', 'absent', 'no defined term')
    """
    return "absent" if not value else str(value) if value in known else "no defined term"


def apart(one_s: float, other_s: float) -> float:
    """Seconds between two clock times of whatever day: -12 h to 12 h.

    Examples
    --------
    >>> apart(10.0, 86390.0), apart(0.0, 60.0)
    (20.0, -60.0)
    """
    return (one_s - other_s + DAY_S / 2) % DAY_S - DAY_S / 2
