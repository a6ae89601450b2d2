"""Bringing a mask to the grid of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import GeometryError
from gclnm.images.geometry import Geometry
from gclnm.images.volume import Mask, Step, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["onto"]

# Grids whose voxel centres meet to a hundredth of a voxel differ by rounding only.
_ALIGNED = 0.01
INSIDE = 0.5


def onto(mask: Mask, volume: Volume) -> Mask:
    """The mask on the grid of an image.

    A mask on the same grid is returned as it is. Where voxel centres meet (a cropped extent, flipped or
    swapped axes) voxels are copied; otherwise the mask is interpolated linearly and is inside from 0.5 on
    (IBSI's partial volume threshold for masks).

    Parameters
    ----------
    mask
        ROI on any grid.
    volume
        The image.

    Returns
    -------
    Mask
        Its history says how far the grids were apart and how many voxels were copied or lost.

    Raises
    ------
    GeometryError
        Code ``other-frame``: both name a frame of reference, and not the same. Code
        ``mask-outside-image``: no voxel of the mask lies in the image. Code ``mask-lost``: the mask is
        thinner than the image's voxels.

    Examples
    --------
    >>> image = Volume(np.zeros((4, 4, 4)), Geometry(size=(4, 4, 4), spacing_mm=(1.0, 1.0, 1.0)))
    >>> part = Geometry(size=(2, 2, 1), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(1.0, 1.0, 2.0))
    >>> placed = onto(Mask(np.ones((1, 2, 2)), part), image)
    >>> placed.n_voxels, placed.geometry == image.geometry
    (4, True)
    """
    source, target = mask.geometry, volume.geometry
    if source.frame_uid and target.frame_uid and source.frame_uid != target.frame_uid:
        raise GeometryError(
            "the mask belongs to another frame of reference than the image",
            fix="Register the image, or pair the mask with the series it was drawn on.",
            code="other-frame",
        )
    if source.agrees(target, _ALIGNED):
        return mask
    _check_overlap(mask, target)
    # Image index (x, y, z) -> mask index.
    matrix = np.linalg.inv(source.affine) @ target.affine
    aligned = _is_aligned(matrix, target)
    array = _resampled(mask, matrix, target, aligned)
    if not array.any():
        raise GeometryError(
            "nothing of the mask is left on the image's grid: it is thinner than the image's voxels",
            fix="Draw it on this image.",
            code="mask-lost",
        )
    step = Step("onto", _told(mask, matrix, target, int(array.sum()), aligned))
    return mask.with_(step, array=array, geometry=target)


def _check_overlap(mask: Mask, target: Geometry) -> None:
    inside = _inside_indices(mask, target)
    if not inside.any():
        raise GeometryError(
            "the mask lies outside the image",
            fix="Pair it with the image it was drawn on, or check its orientation.",
            code="mask-outside-image",
        )


def _inside_indices(mask: Mask, target: Geometry) -> NDArray[np.bool_]:
    """For each voxel of the mask: whether its centre lies in the image's box."""
    z, y, x = np.nonzero(mask.array)
    index = target.to_index(mask.geometry.to_physical(np.column_stack([x, y, z])))
    limits = np.array(target.size) - 0.5
    return np.asarray(((index >= -0.5 - 1e-6) & (index <= limits + 1e-6)).all(axis=1))


def _is_aligned(matrix: NDArray[np.float64], target: Geometry) -> bool:
    """Whether every voxel centre of the image meets one of the mask's (extended) grid."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in target.size])).reshape(3, -1).T
    exact = corners @ matrix[:3, :3].T + matrix[:3, 3]
    rounded = corners @ np.round(matrix[:3, :3]).T + np.round(matrix[:3, 3])
    one_to_one = round(abs(float(np.linalg.det(np.round(matrix[:3, :3]))))) == 1
    return one_to_one and bool(np.abs(exact - rounded).max() <= _ALIGNED)


def _resampled(mask: Mask, matrix: NDArray[np.float64], target: Geometry, aligned: bool) -> NDArray[np.bool_]:
    """Values on the image's grid; only the box that the mask can reach is computed."""
    from scipy import ndimage

    low, high = _reach(mask, matrix, target)
    result = np.zeros(target.shape, dtype=bool)
    shape = tuple(int(n) for n in (high - low)[::-1])
    if min(shape) < 1:
        return result
    if aligned:
        matrix = np.round(matrix)
    offset = matrix[:3, :3] @ low + matrix[:3, 3]
    values = ndimage.affine_transform(
        mask.array.astype(np.float32),
        matrix[:3, :3][::-1, ::-1],
        offset=offset[::-1],
        output_shape=shape,
        order=0 if aligned else 1,
        mode="grid-constant",
        cval=0.0,
        prefilter=False,
    )
    # Rounding must not decide about voxels that lie half inside.
    box = tuple(slice(int(a), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True))
    result[box] = values >= INSIDE - 1e-6
    return result


def _reach(
    mask: Mask, matrix: NDArray[np.float64], target: Geometry
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and past-the-last image index (x, y, z) of the box around the mask's voxels."""
    filled = [
        np.flatnonzero(mask.array.any(axis=tuple(a for a in range(3) if a != 2 - axis))) for axis in range(3)
    ]
    ends = [(int(f[0]) - 1, int(f[-1]) + 1) for f in filled]
    corners = np.array(np.meshgrid(*ends)).reshape(3, -1).T
    back = np.linalg.inv(matrix)
    index = corners @ back[:3, :3].T + back[:3, 3]
    low = np.clip(np.floor(index.min(axis=0)), 0, target.size).astype(np.int64)
    high = np.clip(np.ceil(index.max(axis=0)) + 1, 0, target.size).astype(np.int64)
    return low, high


def _told(
    mask: Mask, matrix: NDArray[np.float64], target: Geometry, n_voxels: int, aligned: bool
) -> dict[str, Any]:
    source = mask.geometry
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in target.size])).reshape(3, -1).T
    index = corners @ matrix[:3, :3].T + matrix[:3, 3]
    apart = np.linalg.norm((index - np.round(index)) * source.spacing_mm, axis=1).max()
    outside = int((~_inside_indices(mask, target)).sum())
    told: dict[str, Any] = {
        "interpolation": "copy" if aligned else "linear, inside from 0.5",
        "voxel_centres_apart_mm": round(float(apart), 4),
        "mask_spacing_mm": [round(s, 6) for s in source.spacing_mm],
        "image_spacing_mm": [round(s, 6) for s in target.spacing_mm],
        "volume_mm3": [
            round(mask.n_voxels * source.voxel_volume_mm3, 3),
            round(n_voxels * target.voxel_volume_mm3, 3),
        ],
    }
    if outside:
        told["mask_voxels_outside_image"] = outside
    return told
