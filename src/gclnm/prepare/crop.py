"""Cutting an image and its ROI to the box of the ROI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gclnm.errors import GeometryError
from gclnm.images.volume import Mask, Step, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.geometry import Geometry

__all__ = ["bounding_box", "crop", "cut", "padded_box", "require_same_grid"]

Image = TypeVar("Image", Volume, Mask)


def bounding_box(mask: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last index (x, y, z) of the smallest box that holds all voxels of a mask.

    Raises
    ------
    GeometryError
        Code ``empty-mask``: there is none.

    Examples
    --------
    >>> from gclnm.images.geometry import Geometry
    >>> inside = np.zeros((4, 5, 6), dtype=bool)
    >>> inside[1:3, 2, 1:6] = True
    >>> low, high = bounding_box(Mask(inside, Geometry(size=(6, 5, 4), spacing_mm=(1.0, 1.0, 1.0))))
    >>> low.tolist(), high.tolist()
    ([1, 2, 1], [5, 2, 2])
    """
    others = [tuple(other for other in range(3) if other != 2 - axis) for axis in range(3)]
    filled = [np.flatnonzero(mask.array.any(axis=axes)) for axes in others]
    if not filled[0].size:
        raise GeometryError("the mask has no voxel", fix="Check the contour.", code="empty-mask")
    return np.array([f[0] for f in filled]), np.array([f[-1] for f in filled])


def crop(image: Image, around: Mask, pad_voxels: int) -> Image:
    """The part of an image or a mask around an ROI.

    Parameters
    ----------
    image
        Image or mask.
    around
        ROI on the same grid.
    pad_voxels
        Voxels kept on each side of the ROI's box, as far as the image goes.

    Raises
    ------
    GeometryError
        Code ``other-grid``: the ROI lies on another grid. Code ``empty-mask``: it has no voxel.

    Examples
    --------
    >>> from gclnm.images.geometry import Geometry
    >>> inside = np.zeros((9, 9, 9), dtype=bool)
    >>> inside[4, 4, 4] = True
    >>> roi = Mask(inside, Geometry(size=(9, 9, 9), spacing_mm=(1.0, 1.0, 1.0)))
    >>> crop(roi, roi, 2).geometry.size
    (5, 5, 5)
    """
    require_same_grid(image, around)
    grid = padded_box(image.geometry, around, pad_voxels)
    step = Step("crop", {"pad_voxels": pad_voxels})
    return image.with_(step, array=cut(image.array, image.geometry, grid), geometry=grid)


def padded_box(grid: Geometry, around: Mask, pad_voxels: int) -> Geometry:
    """The part of a grid that holds an ROI and ``pad_voxels`` on each side, as far as the grid goes."""
    low, high = bounding_box(around)
    first = np.maximum(low - pad_voxels, 0)
    x, y, z = (int(i) for i in first)
    columns, rows, slices = (int(n) for n in np.minimum(high + pad_voxels + 1, grid.size) - first)
    return grid.crop((x, y, z), (columns, rows, slices))


def cut(array: NDArray[Any], old: Geometry, new: Geometry) -> NDArray[Any]:
    """Voxels (z, y, x) of a part of a grid."""
    first = np.rint(old.to_index([new.origin_mm])[0]).astype(int)[::-1]
    return array[tuple(slice(a, a + n) for a, n in zip(first, new.shape, strict=True))]


def require_same_grid(image: Volume | Mask, around: Mask) -> None:
    """Refuse an ROI on another grid than the image's.

    Raises
    ------
    GeometryError
        Code ``other-grid``.
    """
    if not image.geometry.agrees(around.geometry):
        raise GeometryError(
            "image and ROI lie on different grids",
            fix="Bring the ROI to the image with gclnm.prepare.onto(mask, volume).",
            code="other-grid",
        )
