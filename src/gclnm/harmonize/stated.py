"""Image files without a header of their own (NIfTI and kin): a map is what the user says it is."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from gclnm.errors import QuantityError
from gclnm.harmonize.ct.iodine import UNITS_MG_ML
from gclnm.harmonize.mr.units import ADC_UNITS, UNSTATED
from gclnm.images.volume import Volume

__all__ = ["as_stated"]

# What such files are taken for when nothing is stated.
_TAKEN = {"MR": "arbitrary", "CT": "HU"}


def as_stated(volume: Volume) -> Volume:
    """The volume with the quantity that an overridden ``unit`` or ``material`` makes it; others unchanged.

    Raises
    ------
    QuantityError
        Code ``not-stated``: what is stated is no map of that modality, or too little.

    Examples
    --------
    >>> import numpy as np
    >>> from gclnm.images import Geometry
    >>> grid = Geometry((1, 1, 1), (1.0, 1.0, 1.0))
    >>> facts = {"modality": "MR", "values_unstated": True, "unit": "mm2/s", "overridden": "unit"}
    >>> as_stated(Volume(np.full((1, 1, 1), 0.001), grid, facts=facts)).quantity
    'ADC, unit unknown'
    """
    facts = volume.facts
    modality = str(facts.get("modality"))
    names = str(facts.get("overridden") or "").split(";")
    unit, material = (str(facts[name]) if name in names else "" for name in ("unit", "material"))
    if not facts.get("values_unstated") or not (unit or material):
        return volume
    if volume.quantity != _TAKEN.get(modality):
        return volume
    if modality == "MR":
        if material or unit not in ADC_UNITS:
            _refuse(
                f"{material or unit} is stated of an MR image", f"ADC maps are in {', '.join(ADC_UNITS)}."
            )
        return replace(volume, quantity=UNSTATED)
    if unit not in UNITS_MG_ML:
        said = f"the unit {unit}" if unit else f"the material {material}, and no unit,"
        _refuse(f"{said} is stated of a CT image", f"Maps of a material are in {', '.join(UNITS_MG_ML)}.")
    if not material:
        _refuse(f"the unit {unit} is stated of a CT image, and not the material", "State `material`, too.")
    if material == "iodine":
        return replace(volume, quantity=unit)
    if unit != "mg/mL":
        _refuse(f"a map of {material} in {unit} is not converted", "Store it in mg/mL.")
    return replace(volume, quantity=unit)


def _refuse(what: str, fix: str) -> NoReturn:
    raise QuantityError(what, fix=fix, code="not-stated")
