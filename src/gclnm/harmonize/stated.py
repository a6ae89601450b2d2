"""MR image files without a header of their own (NIfTI and kin): an ADC map is what the user says is one."""

from __future__ import annotations

from dataclasses import replace

from gclnm.errors import QuantityError
from gclnm.harmonize.mr.units import ADC_UNITS, UNSTATED
from gclnm.images.volume import Volume

__all__ = ["as_stated"]


def as_stated(volume: Volume) -> Volume:
    """An MR volume with the quantity that an overridden ``unit`` makes it; others unchanged.

    Raises
    ------
    QuantityError
        Code ``not-stated``: what is stated is no map of MR.

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
    names = {"unit", "material"}.intersection(str(facts.get("overridden") or "").split(";"))
    if not facts.get("values_unstated") or not names or volume.quantity != "arbitrary":
        return volume
    unit = facts.get("unit") if "unit" in names else None
    if "material" in names or unit not in ADC_UNITS:
        said = facts.get("material") if "material" in names else unit
        raise QuantityError(
            f"{said} is stated of an MR image",
            fix=f"ADC maps are in {', '.join(ADC_UNITS)}.",
            code="not-stated",
        )
    return replace(volume, quantity=UNSTATED)
