"""ADC maps in one unit, whatever their header says or leaves out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gclnm.errors import QuantityError
from gclnm.harmonize.mr.body import body_mask
from gclnm.images.volume import Step, Volume
from gclnm.prepare.known import WITHOUT_VALUE

__all__ = ["ADC_UNIT", "ADC_UNITS", "UNSTATED", "standard_units"]

ADC_UNIT = "1e-6 mm2/s"
# What values in a unit have to be multiplied with.
_FACTORS: Mapping[str, float] = {ADC_UNIT: 1.0, "1e-3 mm2/s": 1e3, "mm2/s": 1e6}
ADC_UNITS = tuple(_FACTORS)
# Median of a body's ADC in 1e-6 mm2/s: from fat and bone to free water.
_PLAUSIBLE = (300.0, 3500.0)
UNSTATED = "ADC, unit unknown"


def standard_units(volume: Volume) -> Volume:
    """An MR volume with its ADC in 1e-6 mm2/s; signal and other maps as they are.

    The unit is, in this order: what the user supplied (fact ``unit``); the unit of the real-world value
    map; and where there is neither, as in most vendors' files, the one in which the median of the body's
    voxels above 0 lies between 300 and 3500 x 1e-6 mm2/s. The ranges of the three units in use do not
    overlap. A unit of the header in which the median is not plausible is refused: some exports scale the
    values and keep the unit. The user's is taken, and the history tells what the median is. Voxels at or
    below 0 have no ADC (scanners write 0 there): they become NaN, counted in the fact ``without_value``.

    Raises
    ------
    QuantityError
        Code ``adc-unit``: no unit fits, or the header's does not.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(3, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> values = np.array([[[0.0, 0.001, 0.0012]]])
    >>> found = standard_units(Volume(values, grid, quantity="ADC, unit unknown"))
    >>> found.quantity, round(float(np.nanmax(found.array))), found.history[-1].note
    ('1e-6 mm2/s', 1200, 'unit mm2/s by the range of the values; voxels at or below 0 have no value')
    """
    named = volume.quantity
    if named != UNSTATED and named not in _FACTORS:
        return volume
    if any(step.name in ("adc", "adc unit") for step in volume.history):
        return volume
    median = _median(volume)
    supplied = volume.facts.get("unit") if "unit" in _overridden(volume) else None
    if isinstance(supplied, str) and supplied in _FACTORS:
        unit, source = supplied, "supplied by the user"
    elif named in _FACTORS:
        unit, source = named, "stated in the header"
    else:
        unit, source = _by_range(median), "by the range of the values"
    if not _fits(median, unit):
        if unit != supplied:
            raise _refused(unit, median)
        source += f", although a median of {median:.3g} in the body is not plausible in it"
    factor = _FACTORS[unit]
    values = np.where(volume.array > 0, volume.array * np.float32(factor), np.float32(np.nan))
    lacking = int(np.count_nonzero(np.isnan(values)))
    told = {"median": float(f"{median:.6g}"), "factor": factor, WITHOUT_VALUE: lacking}
    step = Step("adc unit", told, f"unit {unit} {source}; voxels at or below 0 have no value")
    return volume.with_(step, array=values, quantity=ADC_UNIT, facts={**volume.facts, WITHOUT_VALUE: lacking})


def _overridden(volume: Volume) -> list[str]:
    return str(volume.facts.get("overridden") or "").split(";")


def _median(volume: Volume) -> float:
    """Median of the body's voxels above 0: some maps have noise around the body, and 0 is no value."""
    try:
        values = volume.array[body_mask(volume).array]
    except QuantityError:  # a few slices of a small ROI
        values = volume.array
    values = values[values > 0]
    return float(np.median(values)) if values.size else 0.0


def _fits(median: float, unit: str) -> bool:
    return unit in _FACTORS and _PLAUSIBLE[0] <= median * _FACTORS[unit] <= _PLAUSIBLE[1]


def _by_range(median: float) -> str:
    return next((unit for unit in _FACTORS if _fits(median, unit)), "")


def _refused(unit: str, median: float) -> QuantityError:
    said = f"is not in {unit} as its header says" if unit else "states no unit and fits none"
    return QuantityError(
        f"the ADC map {said}: the median of the body's voxels above 0 is {median:.3g}",
        fix=f"Supply its unit ({', '.join(_FACTORS)}) as override, or fit the ADC anew from the DWI.",
        code="adc-unit",
    )
