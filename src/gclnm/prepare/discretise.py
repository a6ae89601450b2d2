"""Grey levels: intensities of an ROI in bins of fixed width or of fixed number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.images.volume import Step
from gclnm.prepare.crop import require_same_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.volume import Mask, Volume
    from gclnm.prepare.settings import Discretise, Resegment

__all__ = ["discretise", "grey_levels", "lower_bound", "n_levels"]


def discretise(
    volume: Volume, mask: Mask, settings: Discretise, *, resegment: Resegment | None = None
) -> Volume:
    """Grey levels of an ROI, from 1; 0 outside.

    Parameters
    ----------
    volume
        The image, resampled.
    mask
        The intensity mask on the same grid.
    settings
        Width or number of bins, and where the first begins.
    resegment
        What the mask was re-segmented by: with ``origin="minimum"`` the first bin begins at the lower
        limit of its range.

    Returns
    -------
    Volume
        In the quantity ``"grey level"``.

    Raises
    ------
    GeometryError
        Code ``other-grid``: image and mask lie on different grids.

    Notes
    -----
    Fixed width: IBSI Q3RU, fixed number: IBSI K15C (reference manual, intensity discretisation).

    Examples
    --------
    >>> from gclnm.images import Geometry, Mask, Volume
    >>> from gclnm.prepare.settings import Discretise, Resegment
    >>> grid = Geometry(size=(4, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> image, roi = Volume([[[-130, 0, 24, 25]]], grid, quantity="HU"), Mask([[[0, 1, 1, 1]]], grid)
    >>> discretise(image, roi, Discretise(bin_width=25)).array.tolist()
    [[[0.0, 1.0, 1.0, 2.0]]]
    >>> from_range = Discretise(bin_width=25, origin="minimum")
    >>> discretise(image, roi, from_range, resegment=Resegment(range=(-150, 250))).array.tolist()
    [[[0.0, 7.0, 7.0, 8.0]]]
    """
    require_same_grid(volume, mask)
    values = volume.array[mask.array]
    lowest = lower_bound(resegment)
    levels = np.zeros(volume.array.shape, dtype=np.float32)
    if values.size:
        levels[mask.array] = grey_levels(values, settings, lowest)
    told: dict[str, Any] = {"levels": int(levels.max())}
    if settings.bin_width is None:
        told |= {"bin_count": settings.bin_count}
    else:
        told |= {"bin_width": settings.bin_width, "origin": settings.origin}
    return volume.with_(Step("discretise", told), array=levels, quantity="grey level")


def lower_bound(resegment: Resegment | None) -> float | None:
    """The lowest intensity that a range in units of the image lets in; None without one."""
    if resegment is None or resegment.range is None or resegment.mode != "absolute":
        return None
    return resegment.range[0]


def grey_levels(
    values: NDArray[np.floating], settings: Discretise, lowest: float | None = None
) -> NDArray[np.int64]:
    """The grey level of each value, from 1.

    Parameters
    ----------
    values
        Intensities of the ROI, (voxel,), at least one.
    settings
        Width or number of bins, and where the first begins.
    lowest
        Lower limit of the re-segmentation range; for ``origin="minimum"``.

    Notes
    -----
    By number: N equal bins from the smallest to the largest value, which counts to the last. By width
    w: floor((x - origin) / w) + 1 for ``"minimum"``; for ``"zero"`` the edges are those that pyradiomics
    makes, multiples of w in the precision of the image. Of a width that is no binary fraction, such as
    0.1, these miss the multiples by rounding: a value on an edge may get one level more, all of them
    when it is the minimum. ``"minimum"`` has not that weakness.

    Examples
    --------
    >>> from gclnm.prepare.settings import Discretise
    >>> grey_levels(np.array([3.0, 5.0, 9.0, 12.0]), Discretise(bin_count=3)).tolist()
    [1, 1, 3, 3]
    """
    if settings.bin_width is None:
        edges = np.histogram_bin_edges(values, settings.bin_count or 1)
        edges[-1] += 1
        return np.asarray(np.digitize(values, edges), dtype=np.int64)
    if settings.origin == "minimum":
        # In the precision of the image, as the range is compared: what stays in is not below its limit.
        low = values.min() if lowest is None else values.dtype.type(lowest)
        return np.floor((values - np.float64(low)) / settings.bin_width).astype(np.int64) + 1
    minimum, maximum = values.min(), values.max()
    low = minimum - (minimum % settings.bin_width)
    edges = np.arange(low, maximum + 2 * settings.bin_width, settings.bin_width)
    return np.asarray(np.digitize(values, edges), dtype=np.int64)


def n_levels(values: NDArray[np.floating], settings: Discretise, lowest: float | None = None) -> float:
    """How many grey levels an ROI gets, those without voxels included, without making them.

    Examples
    --------
    >>> from gclnm.prepare.settings import Discretise
    >>> n_levels(np.array([-3.0, 41.0]), Discretise(bin_width=10))
    6.0
    """
    if settings.bin_width is None:
        return float(settings.bin_count or 0)
    low, high = float(values.min()), float(values.max())
    if settings.origin == "minimum":
        return float(np.floor((high - (low if lowest is None else lowest)) / settings.bin_width) + 1)
    return float(np.floor(high / settings.bin_width) - np.floor(low / settings.bin_width) + 1)
