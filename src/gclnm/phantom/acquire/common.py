"""What all scanners share: grids, what is there to be seen, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gclnm.images import Geometry
from gclnm.phantom.body.tissues import TISSUE_VALUES, Tissue

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from gclnm.phantom.biology import Biology
    from gclnm.phantom.body.anatomy import Anatomy

__all__ = ["Picture", "Shift", "blur", "grain", "seen", "square_grid"]

Shift = tuple[float, float, float]


@dataclass(frozen=True)
class Picture:
    """One acquired volume before it becomes DICOM: values (z, y, x) in ``unit`` on a grid."""

    array: NDArray[np.float32]
    geometry: Geometry
    unit: str


def square_grid(
    columns: int, voxel_mm: float, slices: int, spacing_mm: float, tilt_deg: float, middle: Shift, frame: str
) -> Geometry:
    """A square grid about ``middle``, tilted about the x axis."""
    angle = np.deg2rad(tilt_deg)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    direction = ((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c))
    half = np.array([(columns - 1) / 2 * voxel_mm] * 2 + [(slices - 1) / 2 * spacing_mm])
    # Whole micrometres, so that what a header can hold is exactly what was drawn.
    x, y, z = (round(float(value), 3) for value in np.asarray(middle) - np.asarray(direction) @ half)
    return Geometry((columns, columns, slices), (voxel_mm, voxel_mm, spacing_mm), (x, y, z), direction, frame)


def seen(
    body: Anatomy, biology: Biology, grid: Geometry, shift: Shift, channel: int, texture: float
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Ideal values of one modality and the tissues they come from."""
    labels = body.paint(grid, shift)
    table = np.array([TISSUE_VALUES[tissue][channel] for tissue in Tissue], dtype=np.float32)
    values = table[labels]
    for lesion in body.lesions:
        inside = np.nonzero(labels == lesion.tissue)
        index = np.stack(inside[::-1], axis=1)
        x, y, z = (grid.to_physical(index) - np.asarray(shift)).T
        strength = texture * biology.patchiness * (1 if lesion.tissue is Tissue.TUMOUR else 0.5)
        gain = biology.activity if channel == 2 else 1.0
        values[inside] = table[lesion.tissue] * gain + strength * biology.at(x, y, z)
    return values, labels


def blur(values: NDArray[np.float32], grid: Geometry, blur_mm: float, slice_mm: float) -> NDArray[np.float32]:
    """Point spread function: ``blur_mm`` in plane, ``slice_mm`` across (standard deviations)."""
    from scipy.ndimage import gaussian_filter

    x, y, z = grid.spacing_mm
    return np.asarray(gaussian_filter(values, (slice_mm / z, blur_mm / y, blur_mm / x)), np.float32)


def grain(rng: Generator, grid: Geometry, grain_mm: float) -> NDArray[np.float32]:
    """Noise of unit variance, correlated in plane."""
    from scipy.ndimage import gaussian_filter

    x, y, _ = grid.spacing_mm
    noise = gaussian_filter(
        rng.standard_normal(grid.shape, dtype=np.float32), (0, grain_mm / y, grain_mm / x)
    )
    return np.asarray(noise / noise.std(), np.float32)
