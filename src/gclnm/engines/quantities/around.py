"""Means of the voxels around each voxel of an ROI: spheres for peaks, discs for minima."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.geometry import Geometry

__all__ = ["disc", "means_around", "sphere"]

# Of a sphere of 1 cm^3.
_PEAK_RADIUS_MM = 10.0 * (3.0 / (4.0 * math.pi)) ** (1.0 / 3.0)


def sphere(geometry: Geometry) -> NDArray[np.int64]:
    """Offsets of voxels whose centres lie within a sphere of 1 cm^3 (radius 6.2035 mm), (n, 3) in z, y, x.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> len(sphere(Geometry(size=(9, 9, 9), spacing_mm=(4.6875, 4.6875, 3.27))))
    15
    """
    return _offsets(geometry, _PEAK_RADIUS_MM, flat=False)


def disc(geometry: Geometry, area_mm2: float) -> NDArray[np.int64]:
    """Offsets of the voxels of one slice whose centres lie within a disc, (n, 3) in z, y, x.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> len(disc(Geometry(size=(9, 9, 9), spacing_mm=(2.0, 2.0, 5.0)), 40.0))
    9
    """
    return _offsets(geometry, math.sqrt(area_mm2 / math.pi), flat=True)


def _offsets(geometry: Geometry, radius_mm: float, *, flat: bool) -> NDArray[np.int64]:
    spacing = np.array(geometry.spacing_mm[::-1])
    reach = np.floor(radius_mm / spacing).astype(int)
    if flat:
        reach[0] = 0
    every = np.array(list(product(*(range(-n, n + 1) for n in reach))), dtype=np.int64)
    near: NDArray[np.bool_] = ((every * spacing) ** 2).sum(axis=1) <= radius_mm**2
    return every[near]


def means_around(
    array: NDArray[np.floating],
    inside: NDArray[np.bool_],
    offsets: NDArray[np.int64],
    beyond: float = math.nan,
) -> NDArray[np.float64]:
    """For each voxel of the ROI, the mean of the voxels at offsets from it.

    Voxels that are not finite numbers are left out of a mean.

    Parameters
    ----------
    array
        The image, (z, y, x).
    inside
        The ROI, (z, y, x).
    offsets
        As `sphere` and `disc` give them, (n, 3); the voxel itself is one of them.
    beyond
        What voxels beyond the image are taken for; by default they are left out.

    Returns
    -------
    ndarray
        (voxel of the ROI,), in the order of ``array[inside]``.

    Examples
    --------
    >>> line = np.array([[[1.0, 2.0, 6.0]]])
    >>> steps = np.array([[0, 0, -1], [0, 0, 0], [0, 0, 1]])
    >>> means_around(line, line > 1, steps).tolist()
    [3.0, 4.0]
    """
    reach = np.abs(offsets).max(axis=0)
    box, indices = _box(array, inside, reach, beyond)
    strides = np.array([box.shape[1] * box.shape[2], box.shape[2], 1])
    values = box.ravel()
    total = np.zeros(indices.size)
    count = np.zeros(indices.size)
    for step in offsets @ strides:
        found = values[indices + step]
        finite = np.isfinite(found)
        total += np.where(finite, found, 0.0)
        count += finite
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count)


def _box(
    array: NDArray[np.floating], inside: NDArray[np.bool_], reach: NDArray[np.int64], beyond: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The image around the ROI, ``beyond`` outside of it, and the ROI's voxels as flat indices."""
    places = np.nonzero(inside)
    low = np.array([axis.min() for axis in places]) - reach
    high = np.array([axis.max() for axis in places]) + reach + 1
    box = np.full(tuple(high - low), beyond)
    first, last = np.maximum(low, 0), np.minimum(high, array.shape)
    target = tuple(slice(a, b) for a, b in zip(first - low, last - low, strict=True))
    box[target] = array[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    moved = tuple(axis - start for axis, start in zip(places, low, strict=True))
    return box, np.asarray(np.ravel_multi_index(moved, box.shape))
