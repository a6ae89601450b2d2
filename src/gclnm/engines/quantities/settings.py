"""Which quantities are measured on the image as scanned, beside the radiomics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import field_validator

from gclnm import vocabulary
from gclnm.engines.settings import Chosen, family_field, in_order
from gclnm.prepare.settings import Positive, Settings

__all__ = ["ACCEPTS", "Quantities"]

# What voxel values must be: thresholds of 2.5 and 4.0 are in g/mL, which SUVbsa (cm2/mL) is not.
ACCEPTS = {
    "pet": ("SUVbw", "SUVlbm", "SUVibw"),
    "spectral": ("mg/mL",),
    "adc": ("1e-6 mm2/s",),
}
# Tissues that quantities refer to, by what is in the names of these.
_REFERENCES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "pet": {"liver": ("Liver", "PERCIST"), "blood": ("Blood",)},
    "spectral": {"aorta": ("NIC",)},
    "adc": {},
}


class Quantities(Settings):
    """Quantities on the image as scanned, never resampled: ``all`` of a family, a list of names, or nothing.

    Columns are ``native_<family>_<name>``; `gclnm.vocabulary.table` explains each.

    Examples
    --------
    >>> Quantities(pet=["TLG2p5", "SUVmax"]).columns
    ('native_pet_SUVmax', 'native_pet_TLG2p5')
    """

    pet: Chosen = family_field("pet")
    """SUV of FDG PET: maximum, mean, peak, metabolic volume, total lesion glycolysis, and ratios to liver and
    blood pool (ROIs of role ``liver``, and ``blood`` or ``aorta``)."""
    spectral: Chosen = family_field("spectral")
    """Iodine maps: mean concentration, and its ratio to the aorta (an ROI of role ``aorta``)."""
    adc: Chosen = family_field("adc")
    """ADC maps: mean and minimum."""
    adc_disc_mm2: Positive = 40.0
    """Area of the disc that ``ADCmin`` moves through each slice of the ROI."""

    @field_validator(*vocabulary.NATIVE, mode="before")
    @classmethod
    def _true_is_all(cls, value: Any) -> Any:
        return "all" if value is True else value

    @field_validator(*vocabulary.NATIVE)
    @classmethod
    def _known_and_ordered(cls, value: Chosen, info: Any) -> Chosen:
        return in_order(value, info.field_name)

    @property
    def chosen(self) -> dict[str, tuple[str, ...]]:
        """Names of the quantities by family, in the order of the columns; empty families left out."""
        asked = {family: getattr(self, family) for family in vocabulary.NATIVE}
        found = {f: vocabulary.names(f) if value == "all" else value for f, value in asked.items()}
        return {family: value for family, value in found.items() if value}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(f"native_{family}_{name}" for family, names in self.chosen.items() for name in names)

    @property
    def diagnostics(self) -> tuple[str, ...]:
        """Names of the diagnostics: what the tissues that ratios refer to are like."""
        tissues = [
            tissue
            for family, names in self.chosen.items()
            for tissue, marks in _REFERENCES[family].items()
            if any(mark in name for name in names for mark in marks)
        ]
        return tuple(f"{tissue}_{what}" for tissue in tissues for what in ("mean", "sd", "voxels"))

    def require(self, quantities: Sequence[str]) -> None:
        """Refuse families that do not measure what voxel values are.

        Raises
        ------
        ValueError
            Names the family, and the quantities that it measures.

        Examples
        --------
        >>> Quantities(adc="all").require(["1e-6 mm2/s"])
        """
        for family in self.chosen:
            if not quantities or not set(quantities) <= set(ACCEPTS[family]):
                known = " or ".join(ACCEPTS[family])
                given = " or ".join(quantities) or "anything"
                raise ValueError(f"quantities.{family} measures {known}, and quantity is {given}")
