"""Voxels of a map that have no value: NaN, in a volume whose facts say that they are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from gclnm.images.volume import Mask, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.volume import Volume

__all__ = ["AFTER_KNOWN", "WITHOUT_VALUE", "among_known", "filled", "known_voxels"]

# The fact that says how many voxels are NaN on purpose; any other NaN is an error of the image.
WITHOUT_VALUE = "without_value"
AFTER_KNOWN = "leaving out voxels without a value"

Number = TypeVar("Number", bound=np.floating)


def known_voxels(volume: Volume) -> Mask | None:
    """The voxels of an image that have a value; None when all are meant to have one.

    Examples
    --------
    >>> from gclnm.images import Geometry, Volume
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> adc = Volume([[[900.0, np.nan]]], grid, "1e-6 mm2/s", {"without_value": 1})
    >>> known_voxels(adc).array.tolist()
    [[[True, False]]]
    """
    if not volume.facts.get(WITHOUT_VALUE):
        return None
    return Mask(~np.isnan(volume.array), volume.geometry)


def among_known(mask: Mask, known: Mask | None) -> Mask:
    """The voxels of an ROI that have a value; its history counts them where some have not.

    Parameters
    ----------
    mask
        The ROI.
    known
        As `known_voxels` gives it, on the same grid.
    """
    if known is None or known.array[mask.array].all():
        return mask
    inside = mask.array & known.array
    step = Step("known", {"voxels": [mask.n_voxels, int(np.count_nonzero(inside))]}, AFTER_KNOWN)
    return mask.with_(step, array=inside)


def filled(array: NDArray[Number], known: Mask | None) -> NDArray[Number]:
    """The image with the nearest known value, in mm, where there is none: for interpolation and filters.

    Parameters
    ----------
    array
        The image, (z, y, x).
    known
        As `known_voxels` gives it, at least one voxel.
    """
    if known is None:
        return array
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(
        ~known.array,
        sampling=known.geometry.spacing_mm[::-1],
        return_distances=False,
        return_indices=True,
    )
    found: NDArray[Number] = array[tuple(nearest)]
    return found
