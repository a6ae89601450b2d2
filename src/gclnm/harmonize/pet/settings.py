"""What a recipe may ask of PET."""

from __future__ import annotations

from typing import Literal

from gclnm.prepare.settings import Settings

__all__ = ["PetSettings"]


class PetSettings(Settings):
    """Settings of :func:`gclnm.harmonize.pet.suv`.

    Examples
    --------
    >>> PetSettings().quantity, PetSettings(quantity="SUVlbm").lean_mass
    ('SUVbw', 'janmahasatian')
    """

    quantity: Literal["SUVbw", "SUVlbm", "SUVbsa", "SUVibw"] = "SUVbw"
    """What activity is normalized by: body weight, lean body mass, body surface area (Du Bois) or ideal body
    weight; a recipe that asks for another than `SUVbw` says so in its own `quantity` too."""
    lean_mass: Literal["janmahasatian", "james"] = "janmahasatian"
    """Formula of lean body mass: Janmahasatian 2005 (the EANM's guideline 2.0; holds in obesity) or James."""
    strict: bool = False
    """Refuse a header that needs a repair (dose in MBq, weight in grams, a wrong Series Time ...) or whose
    times differ by more than 10 s or make an unlikely uptake, and an image whose highest SUV is unlikely,
    instead of taking the only plausible reading and telling it."""

    @property
    def normalizer(self) -> str:
        """The DICOM term (SUVType) of the quantity.

        Examples
        --------
        >>> PetSettings(quantity="SUVlbm", lean_mass="james").normalizer
        'LBMJAMES128'
        """
        if self.quantity == "SUVlbm":
            return {"janmahasatian": "LBMJANMA", "james": "LBMJAMES128"}[self.lean_mass]
        return self.quantity[3:].upper()
