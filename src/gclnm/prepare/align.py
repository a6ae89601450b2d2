"""The grid of a new voxel size: where its voxel centres lie on the old one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gclnm.prepare.crop import bounding_box, padded_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.geometry import Geometry
    from gclnm.images.volume import Mask
    from gclnm.prepare.settings import Resample

__all__ = ["new_grid"]

# Spacings this close are the same, in pyradiomics' words numpy.allclose.
_SAME = 1e-5
# A size that exceeds a whole number by rounding only is that number.
_ROUNDING = 1e-6


def new_grid(old: Geometry, settings: Resample, around: Mask | None = None) -> Geometry:
    """The grid of another voxel size.

    ``centre``: the middles of both grids meet, and the new one covers the old one: ceil(n s / s') voxels
    along each axis (IBSI reference manual, "Align grid centers", 3WE3, and grid dimensions, 026Q).
    ``corner``: the corners of the first voxels meet (pyradiomics).

    Parameters
    ----------
    old
        The image's grid.
    settings
        New spacing, alignment, and voxels kept around the ROI.
    around
        ROI on the old grid: only its box and ``pad_voxels`` around are kept, and an axis along which
        it spans one voxel keeps its spacing (both as pyradiomics does). Voxel centres are those of
        the whole grid.

    Examples
    --------
    >>> from gclnm.images.geometry import Geometry
    >>> from gclnm.prepare.settings import Resample
    >>> old = Geometry(size=(5, 5, 1), spacing_mm=(3.0, 3.0, 3.0))
    >>> for align in ("centre", "corner"):
    ...     new = new_grid(old, Resample(spacing_mm=(2, 2, 0), align=align))
    ...     print(new.size, [round(x, 6) for x in new.origin_mm])
    (8, 8, 1) [-1.0, -1.0, 0.0]
    (8, 8, 1) [-0.5, -0.5, 0.0]
    """
    size, spacing = np.array(old.size), np.array(old.spacing_mm)
    wanted = np.array(settings.spacing_mm)
    wanted = np.where(wanted == 0, spacing, wanted)
    low, high = (np.zeros(3, dtype=np.int64), size - 1) if around is None else bounding_box(around)
    if around is not None:
        wanted = np.where(high == low, spacing, wanted)
    if settings.align == "centre":
        # A spacing of 1.0000001 for 1 would otherwise add a voxel and move the grid by half of one.
        wanted = np.where(np.isclose(spacing, wanted, rtol=_SAME), spacing, wanted)
    pad = settings.pad_voxels
    if np.allclose(spacing, wanted, rtol=_SAME):
        return old if around is None else padded_box(old, around, pad)
    ratio = spacing / wanted
    middle = settings.align == "centre"
    count = np.ceil(size * ratio - _ROUNDING) if middle else np.ceil(size * ratio)
    start = (size - 1 - (count - 1) / ratio) / 2 if middle else 0.5 * (wanted - spacing) / spacing
    first, last = np.zeros(3), count - 1
    if around is not None:
        # pyradiomics counts from the corner as if it were a centre; its box is kept.
        zero = start if middle else np.zeros(3)
        first = np.maximum(np.floor((low - 0.5 - zero) * ratio - pad), 0)
        last = np.minimum(np.ceil((high + 0.5 - zero) * ratio + pad), count - 1)
    dx, dy, dz = (float(s) for s in wanted)
    origin = _physical(old, start + first / ratio)
    return replace(old, size=_triple(last - first + 1), spacing_mm=(dx, dy, dz), origin_mm=origin)


def _triple(values: NDArray[np.generic]) -> tuple[int, int, int]:
    x, y, z = (int(value) for value in values)
    return (x, y, z)


def _physical(grid: Geometry, index: NDArray[np.float64]) -> tuple[float, float, float]:
    """Millimetres of a continuous index, by ITK's own arithmetic: the last bit moves voxels."""
    import SimpleITK as sitk

    probe = sitk.Image(1, 1, 1, sitk.sitkUInt8)
    probe.SetSpacing(grid.spacing_mm)
    probe.SetOrigin(grid.origin_mm)
    probe.SetDirection([value for row in grid.direction for value in row])
    x, y, z = probe.TransformContinuousIndexToPhysicalPoint([float(i) for i in index])
    return (x, y, z)
