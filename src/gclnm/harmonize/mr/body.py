"""The body in an MR image: where there is tissue and not air."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from gclnm.errors import QuantityError
from gclnm.images.volume import Mask, Step, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["body_mask"]

BINS = 200
# Noise of air within this fraction of the image's range counts as one level.
NOISE = 0.02
CLOSE_MM = 3.0
# A second breast or arm is part of the body; wrap-around and noise are not.
PART = 0.05
FEWEST = 1000
# Of two legs or breasts the larger holds half; noise and stripes are in many small parts.
LEAST_LARGEST = 0.4

# Several ROIs of one image ask for the same mask.
_KNOWN: WeakKeyDictionary[Volume, Mask] = WeakKeyDictionary()


def body_mask(volume: Volume) -> Mask:
    """Tissue without the air around it; air within (lung, bowel) counts as body.

    Otsu's threshold (Otsu 1979, 200 bins) on the logarithm of intensities, closing by 3 mm and filling of
    holes in each slice, then the largest connected part and those of at least a twentieth of it. On
    intensities themselves Otsu's threshold separates bright fat from dark organs instead of tissue from
    air. Tissue at the skin that is darker than about a tenth of the brightest may still count as air. The
    mask is the same for ``a * image + b``, a > 0.

    An image that shows no anatomy (noise, stripes) has a mask too. It is told by the bright voxels before
    closing: where the largest connected part holds less than 40 % of them, the mask's history has a note,
    which the steps that use it repeat. In real images of brain, breast and abdomen it held 88 % or more.

    Raises
    ------
    QuantityError
        Code ``no-body``: fewer than 1,000 voxels remain.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(20, 20, 10), spacing_mm=(1.0, 1.0, 1.0))
    >>> signal = np.random.default_rng(0).normal(3, 1, grid.shape)
    >>> signal[:, 4:16, 4:16] += 100
    >>> body_mask(Volume(signal, grid)).n_voxels
    1440
    """
    known = _KNOWN.get(volume)
    if known is not None:
        return known
    inside = _tissue(volume.array)
    largest = _largest(inside)
    radius = [max(0, round(CLOSE_MM / spacing)) for spacing in volume.geometry.spacing_mm[1::-1]]
    inside = np.stack([_filled(plane, radius[0], radius[1]) for plane in inside])
    inside = _large_parts(inside)
    voxels = int(inside.sum())
    if voxels < FEWEST:
        raise QuantityError(
            f"no body can be told from air in the image: {voxels} voxels",
            fix="Take an image that shows tissue and air, or a method that needs no body mask.",
            code="no-body",
        )
    told = {"threshold": "Otsu of log", "closing_mm": CLOSE_MM, "voxels": voxels, "largest_part": largest}
    step = Step("body", told, _doubt(largest))
    _KNOWN[volume] = Mask(inside, volume.geometry, (step,))
    return _KNOWN[volume]


def _tissue(array: NDArray[np.float32]) -> NDArray[np.bool_]:
    low, high = (float(value) for value in np.percentile(array, (1, 99)))
    if not high > low:
        return np.zeros(array.shape, dtype=bool)
    levels = np.log(np.clip((array - low) / (high - low), 0, 1) + NOISE)
    return np.asarray(levels > _otsu(levels))


def _largest(bright: NDArray[np.bool_]) -> float:
    """Share of the bright voxels that lie in their largest connected part."""
    from scipy import ndimage

    labels, _ = ndimage.label(bright)
    return round(float(np.bincount(labels[bright]).max(initial=0) / max(1, np.count_nonzero(bright))), 3)


def _doubt(largest: float) -> str:
    if largest >= LEAST_LARGEST:
        return ""
    return f"the image may show no anatomy: the largest connected part has {largest:.0%} of the bright voxels"


def _otsu(values: NDArray[np.floating]) -> float:
    """The threshold with the largest variance between the two classes."""
    counts, edges = np.histogram(values, bins=BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sums[:-1] / below - (sums[-1] - sums[:-1]) / above
    between = np.where((below > 0) & (above > 0), below * above * apart**2, 0.0)
    return float(edges[1 + int(np.argmax(between))])


def _filled(plane: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """One slice, closed and without holes; tissue at the edge of the image does not shrink."""
    from scipy import ndimage

    if rows and columns:
        y, x = np.ogrid[-rows : rows + 1, -columns : columns + 1]
        disk = (y / rows) ** 2 + (x / columns) ** 2 <= 1
        wide = np.pad(plane, ((rows, rows), (columns, columns)), mode="edge")
        # Eroding the complement's dilation: the border counts as tissue only where tissue reaches it.
        closed = ndimage.binary_erosion(ndimage.binary_dilation(wide, disk), disk, border_value=1)
        plane = closed[rows:-rows, columns:-columns]
    return np.asarray(ndimage.binary_fill_holes(plane))


def _large_parts(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy import ndimage

    labels, parts = ndimage.label(inside)
    sizes = np.bincount(labels.ravel(), minlength=parts + 1)
    sizes[0] = 0
    return np.asarray((sizes >= max(1.0, PART * sizes.max()))[labels])
