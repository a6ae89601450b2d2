"""Leaving voxels out of an ROI by their intensity, by a range and by their distance from the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import EngineError
from gclnm.images.volume import Step
from gclnm.prepare.crop import require_same_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.volume import Mask, Volume
    from gclnm.prepare.settings import Resegment

__all__ = ["intensity_mask", "kept", "resegment"]


def resegment(volume: Volume, mask: Mask, settings: Resegment) -> Mask:
    """The intensity mask: the voxels of an ROI whose values stay in.

    The mask that is given remains the morphological mask of the IBSI (EKTN, re-segmentation IFBI, 1OYL
    for the range, 7ACA for outliers).

    Parameters
    ----------
    volume
        The image, resampled.
    mask
        The whole ROI on the same grid.
    settings
        Range and largest distance from the mean. Both are measured on the whole ROI; a voxel stays in
        when both say so.

    Returns
    -------
    Mask
        At least two voxels; its history says how many were left out.

    Raises
    ------
    EngineError
        Code ``nothing-in-range``: at most one voxel would remain.
    GeometryError
        Code ``other-grid``: image and mask lie on different grids.

    Examples
    --------
    >>> from gclnm.images import Geometry, Mask, Volume
    >>> from gclnm.prepare.settings import Resegment
    >>> grid = Geometry(size=(4, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> image, roi = Volume([[[-900, 30, 45, 60]]], grid, quantity="HU"), Mask([[[1, 1, 1, 1]]], grid)
    >>> resegment(image, roi, Resegment(range=(-150, 250))).n_voxels
    3
    """
    require_same_grid(volume, mask)
    return intensity_mask(volume.array, mask, settings)


def intensity_mask(array: NDArray[np.floating], mask: Mask, settings: Resegment) -> Mask:
    """As `resegment`, for the voxels (z, y, x) of an image on the mask's grid."""
    values = array[mask.array]
    inside = kept(values, settings)
    remaining = int(np.count_nonzero(inside))
    if remaining <= 1:
        raise EngineError(
            f"at most one voxel of the ROI lies in the range {_words(settings)}",
            fix="Check that the ROI lies on this image, or widen prepare.resegment.",
            code="nothing-in-range",
        )
    stays = np.zeros(mask.array.shape, dtype=bool)
    stays[mask.array] = inside
    told: dict[str, Any] = {"range": _words(settings), "voxels": [values.size, remaining]}
    return mask.with_(Step("resegment", told), array=stays)


def kept(values: NDArray[np.floating], settings: Resegment) -> NDArray[np.bool_]:
    """Which values of an ROI stay in.

    Parameters
    ----------
    values
        Intensities of the whole ROI, (voxel,).
    settings
        Range and largest distance from the mean.

    Examples
    --------
    >>> from gclnm.prepare.settings import Resegment
    >>> kept(np.array([0.0, 4.0, 10.0]), Resegment(range=(0.4, None), mode="relative")).tolist()
    [False, True, True]
    """
    inside = np.ones(values.shape, dtype=bool)
    if not values.size:
        return inside
    if settings.range is not None:
        low, high = _limits(values, settings.range, settings.mode)
        inside &= values >= low
        if high is not None:
            inside &= values <= high
    if settings.sigma is not None:
        mean, spread = (float(s) for s in (values.mean(dtype=np.float64), values.std(dtype=np.float64)))
        # Of equal values none is an outlier, whatever the last bit of their mean.
        inside &= np.abs(values - mean) <= settings.sigma * spread + 1e-9 * abs(mean)
    return inside


def _limits(values: NDArray[np.floating], span: tuple[float, float | None], mode: str) -> tuple[Any, Any]:
    """Lowest and highest value, in the precision of the image, as pyradiomics compares them."""
    low, high = span
    if mode == "relative":
        top = values.max()
        return top * low, None if high is None else top * high
    if mode == "sigma":
        mean, spread = values.mean(), values.std()
        return mean + spread * low, None if high is None else mean + spread * high
    return low, high


def _words(settings: Resegment) -> str:
    parts = []
    if settings.range is not None:
        limits = " to ".join(f"{limit:g}" for limit in settings.range if limit is not None)
        parts.append(f"{limits} ({settings.mode})")
    if settings.sigma is not None:
        parts.append(f"within {settings.sigma:g} standard deviations of the mean")
    return " and ".join(parts)
