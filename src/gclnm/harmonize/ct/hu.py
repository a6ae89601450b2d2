"""CT in Hounsfield units: checked for plausibility, clamped where the recipe says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import QuantityError
from gclnm.harmonize.ct.settings import CtSettings
from gclnm.images.air import AIR_HU
from gclnm.images.volume import Step, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["hounsfield"]

SAMPLE = 1_000_000
# Where the padding of resampled images was interpolated, a rim of it lies between -1024 and the image.
_FEW = 0.005
# The median soft tissue of a body: from mostly fat to organs in the portal venous phase.
_SOFT_HU = (-120.0, 130.0)


def hounsfield(volume: Volume, settings: CtSettings | None = None) -> Volume:
    """A CT volume in HU with the result of a plausibility check in its history, or a refusal.

    Refused are other quantities (material and perfusion maps, modified HU) and values that look like
    stored ones: next to nothing below -200, and of what is above 250 more than half, and more than one
    voxel in twenty of all, between 850 and 1150, where water is before the intercept of -1024 is added.
    Voxels of -1024 do not count: padding and what was below air are set to it. A field of view without
    air, or soft tissue off its usual place, is only noted: crops and phantoms are like that. Values are
    clamped only where ``settings.clamp_hu`` says so: between -1024 and 3071, metal does not ring when
    voxels are interpolated.

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
            fix="Take the series in HU of the same scan, or supply `material` (iodine or water) and `unit` of"
            " the map: samples.override(...).",
            code="not-hu",
        )
    values = volume.array.ravel()
    values = values[:: max(1, values.size // SAMPLE)]
    measured = values[values > AIR_HU]
    if _looks_stored(measured):
        raise QuantityError(
            "the CT values look like stored ones, not HU: no air at -1000, water near 1000",
            fix="Export the series with its Rescale Intercept applied or stated.",
            code="not-rescaled",
        )
    # Air that a scanner itself cut off at -1024 is air; what was set to it here tells nothing.
    checked = volume.with_(Step("hu", *_plausibility(measured if _was_filled(volume) else values)))
    return checked if settings is None or settings.clamp_hu is None else _clamped(checked, settings.clamp_hu)


def _clamped(volume: Volume, limits: tuple[float, float]) -> Volume:
    outside = int(np.count_nonzero((volume.array < limits[0]) | (volume.array > limits[1])))
    step = Step("clamp", {"voxels": outside, "low": limits[0], "high": limits[1]}, "as the recipe says")
    return volume.with_(step, array=np.clip(volume.array, *limits))


def _looks_stored(measured: NDArray[np.floating]) -> bool:
    """Whether water is near 1000 and air near zero."""
    if not measured.size or np.mean(measured < -200) > _FEW:
        return False
    watery = np.count_nonzero((measured > 850) & (measured < 1150))
    # The other half keeps bone that was cut out of its surroundings.
    return bool(watery > 0.05 * measured.size and watery > 0.5 * np.count_nonzero(measured > 250))


def _was_filled(volume: Volume) -> bool:
    """Whether loading set voxels to -1024 that no scanner measured so."""
    return any(step.settings.get("set_to") == AIR_HU for step in volume.history)


def _plausibility(values: NDArray[np.floating]) -> tuple[dict[str, Any], str]:
    """Numbers and a verdict: air at the bottom, soft tissue where it belongs (body CT)."""
    tissue = values[(values > -150) & (values < 250)]
    low = float(np.percentile(values, 1)) if values.size else AIR_HU
    middle = float(np.median(tissue)) if tissue.size else None
    told: dict[str, Any] = {"percentile_1": round(low, 1)}
    odd = [] if low < -900 else ["no air in the field of view"]
    if middle is None or not _SOFT_HU[0] <= middle <= _SOFT_HU[1]:
        odd.append("soft tissue is not where it usually is")
    if middle is not None:
        told["median_soft_tissue"] = round(middle, 1)
    return told, "; ".join(odd) or "plausible HU"
