"""CT in Hounsfield units: checked for plausibility, clamped where the recipe says so."""

from __future__ import annotations

from typing import Any

import numpy as np

from gclnm.errors import QuantityError
from gclnm.harmonize.ct.settings import CtSettings
from gclnm.images.volume import Step, Volume

__all__ = ["hounsfield"]

SAMPLE = 1_000_000


def hounsfield(volume: Volume, settings: CtSettings | None = None) -> Volume:
    """A CT volume in HU with the result of a plausibility check in its history, or a refusal.

    Refused are other quantities (material and perfusion maps, modified HU) and values that look like
    stored ones: nothing below -200, and more than one voxel in twenty between 850 and 1150, where water is
    before the intercept of -1024 is added. A field of view without air, or soft tissue off its usual
    place, is only noted: crops and phantoms are like that. Values are clamped only where
    ``settings.clamp_hu`` says so: between -1024 and 3071, metal does not ring when voxels are interpolated.

    Raises
    ------
    QuantityError
        Code ``not-hu`` or ``not-rescaled``.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> hounsfield(Volume(np.array([[[-1000.0, 40.0]]]), grid, quantity="HU")).history[-1].note
    'plausible HU'
    """
    if volume.quantity != "HU":
        raise QuantityError(
            f"the CT values are not HU but {volume.quantity}",
            fix="Take the series in HU of the same scan, or state what the map shows (material).",
            code="not-hu",
        )
    values = volume.array.ravel()
    values = values[:: max(1, values.size // SAMPLE)]
    if values.min() > -200 and np.mean((values > 850) & (values < 1150)) > 0.05:
        raise QuantityError(
            "the CT values look like stored ones, not HU: nothing below -200, water near 1000",
            fix="Export the series with its Rescale Intercept applied or stated.",
            code="not-rescaled",
        )
    checked = volume.with_(Step("hu", *_plausibility(values)))
    return checked if settings is None or settings.clamp_hu is None else _clamped(checked, settings.clamp_hu)


def _clamped(volume: Volume, limits: tuple[float, float]) -> Volume:
    outside = int(np.count_nonzero((volume.array < limits[0]) | (volume.array > limits[1])))
    step = Step("clamp", {"voxels": outside, "low": limits[0], "high": limits[1]}, "as the recipe says")
    return volume.with_(step, array=np.clip(volume.array, *limits))


def _plausibility(values: Any) -> tuple[dict[str, Any], str]:
    """Numbers and a verdict: air at the bottom, soft tissue where it belongs (body CT)."""
    tissue = values[(values > -150) & (values < 250)]
    low = float(np.percentile(values, 1))
    middle = float(np.median(tissue)) if tissue.size else None
    told: dict[str, Any] = {"percentile_1": round(low, 1)}
    odd = [] if low < -900 else ["no air in the field of view"]
    if middle is None or not -120 <= middle <= 80:
        odd.append("soft tissue is not where it usually is")
    if middle is not None:
        told["median_soft_tissue"] = round(middle, 1)
    return told, "; ".join(odd) or "plausible HU"
