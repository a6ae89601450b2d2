"""Facts of a PET header that a user may replace: their units and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["OVERRIDES", "Override"]


@dataclass(frozen=True)
class Override:
    """One fact that a user may replace, for a patient or a sample.

    Parameters
    ----------
    meaning
        What it is; the DICOM attribute that it stands for.
    unit
        Unit of a number; empty for words.
    low, high
        Bounds of a number, both included.
    words
        The words that are allowed, where it is no number.

    Examples
    --------
    >>> OVERRIDES["weight_kg"].allows(71.0), OVERRIDES["weight_kg"].allows(71000.0)
    (True, False)
    >>> OVERRIDES["sex"].allows("F")
    True
    """

    meaning: str
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    words: tuple[str, ...] = ()

    def allows(self, value: object) -> bool:
        """Whether a value is one of the words, or a number within the bounds."""
        if self.words:
            return value in self.words
        return isinstance(value, int | float) and self.low <= value <= self.high


OVERRIDES: Mapping[str, Override] = {
    "weight_kg": Override("body weight (PatientWeight)", "kg", 2.0, 400.0),
    "height_m": Override("height (PatientSize)", "m", 0.3, 2.5),
    "sex": Override("sex (PatientSex)", words=("M", "F", "O")),
    "dose_bq": Override("injected activity (RadionuclideTotalDose)", "Bq", 1e6, 5e9),
    "half_life_s": Override("half-life (RadionuclideHalfLife)", "s", 60.0, 1e6),
    "injection_clock_s": Override(
        "clock time of the injection (RadiopharmaceuticalStartTime)", "s from midnight", 0.0, 86400.0
    ),
    "reference_clock_s": Override(
        "clock time that decay is corrected to, for START the start of the scan",
        "s from midnight",
        0.0,
        86400.0,
    ),
    "uptake_min": Override("minutes from the injection to the start of the scan", "min", 0.0, 14400.0),
    "units": Override("what voxel values are (Units)", words=("BQML", "GML", "CM2ML")),
    "suv_type": Override(
        "kind of SUV (SUVType)", words=("BW", "LBMJAMES128", "LBM", "LBMJANMA", "IBW", "BSA")
    ),
    "decay_correction": Override("what decay is corrected to (DecayCorrection)", words=("START", "ADMIN")),
}
"""By the key of ``Volume.facts``. Replacing ``injection_clock_s`` leaves the header's dates of injection out;
``uptake_min`` leaves out all times of injection and scan."""
