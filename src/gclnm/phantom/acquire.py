"""What each scanner sees of a body: tissue values, texture, blur, noise. No DICOM here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gclnm.images import Geometry
from gclnm.phantom.tissues import TISSUE_VALUES, Tissue

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from gclnm.phantom.anatomy import Anatomy
    from gclnm.phantom.scanners import CtScanner, MrScanner, PetScanner

__all__ = ["Biology", "Picture", "acquire_ct", "acquire_mr", "acquire_pet", "draw_biology"]

Shift = tuple[float, float, float]


@dataclass(frozen=True)
class Biology:
    """What is hidden in the lesions of one patient and shows in every modality.

    Parameters
    ----------
    patchiness
        Standard deviation of the texture, as a fraction of what the modality allows.
    patch_mm
        Its correlation length.
    activity
        Uptake of the tumour relative to the average.
    texture
        A random field of unit variance on a cube of 1.5 mm voxels, shared by all modalities.
    """

    patchiness: float
    patch_mm: float
    activity: float
    texture: NDArray[np.float32]

    def at(
        self, x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """The field at points (mm), repeated beyond the cube."""
        from scipy.ndimage import map_coordinates

        where = np.stack([z, y, x]) / 1.5
        return np.asarray(map_coordinates(self.texture, where, order=1, mode="grid-wrap"), np.float32)


def draw_biology(rng: Generator) -> Biology:
    """A patient's hidden biology; the tumours of two patients differ in grain and in strength."""
    from scipy.ndimage import gaussian_filter

    patch_mm = float(rng.uniform(2.0, 5.5))
    noise = gaussian_filter(rng.normal(size=(48, 48, 48)), patch_mm / 1.5, mode="wrap")
    return Biology(
        patchiness=float(rng.uniform(0.4, 1.0)),
        patch_mm=patch_mm,
        activity=float(rng.uniform(0.7, 1.5)),
        texture=(noise / noise.std()).astype(np.float32),
    )


@dataclass(frozen=True)
class Picture:
    """One acquired volume before it becomes DICOM: values (z, y, x) in ``unit`` on a grid."""

    array: NDArray[np.float32]
    geometry: Geometry
    unit: str


def _grid(
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


def _seen(
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


def _blur(
    values: NDArray[np.float32], grid: Geometry, blur_mm: float, slice_mm: float
) -> NDArray[np.float32]:
    """Point spread function: ``blur_mm`` in plane, ``slice_mm`` across (standard deviations)."""
    from scipy.ndimage import gaussian_filter

    x, y, z = grid.spacing_mm
    return np.asarray(gaussian_filter(values, (slice_mm / z, blur_mm / y, blur_mm / x)), np.float32)


def _grain(rng: Generator, grid: Geometry, grain_mm: float) -> NDArray[np.float32]:
    """Noise of unit variance, correlated in plane."""
    from scipy.ndimage import gaussian_filter

    x, y, _ = grid.spacing_mm
    noise = gaussian_filter(
        rng.standard_normal(grid.shape, dtype=np.float32), (0, grain_mm / y, grain_mm / x)
    )
    return np.asarray(noise / noise.std(), np.float32)


def acquire_ct(
    body: Anatomy, biology: Biology, scanner: CtScanner, rng: Generator, *, shift: Shift, frame: str
) -> Picture:
    """HU of one breath-hold in the portal venous phase, patient on a table."""
    pixel = scanner.fov_mm / scanner.matrix
    grid = _grid(scanner.matrix, pixel, scanner.slices, scanner.spacing_mm, 0.0, shift, frame)
    values, labels = _seen(body, biology, grid, shift, 0, 26.0)
    _lay_on_table(values, labels, grid, body, shift)
    values = _blur(values, grid, scanner.blur_mm, 0.35 * scanner.thickness_mm)
    values += scanner.noise_hu * _grain(rng, grid, scanner.grain_mm)
    return Picture(np.clip(values, -1024, 3071), grid, "HU")


def _lay_on_table(
    values: NDArray[np.float32], labels: NDArray[np.uint8], grid: Geometry, body: Anatomy, shift: Shift
) -> None:
    """A curved carbon-fibre table top below the patient."""
    columns, rows = np.arange(grid.size[0]), np.arange(grid.size[1])
    x = grid.origin_mm[0] + columns * grid.spacing_mm[0] - shift[0]
    y = grid.origin_mm[1] + rows * grid.spacing_mm[1] - shift[1]
    lowest = body.build.half_y_mm + 9 - 0.00075 * x**2
    gap = y[:, None] - lowest[None, :]
    shell = (np.abs(gap) < 2.0) | (np.abs(gap - 26) < 2.0)
    top = shell & (np.abs(x) < 205)[None, :]
    values[:, top] = np.where(labels[:, top] == Tissue.AIR, -250, values[:, top])


def acquire_mr(
    body: Anatomy, biology: Biology, scanner: MrScanner, rng: Generator, *, shift: Shift, frame: str
) -> Picture:
    """T2-weighted signal with a coil's bias field and Rician noise, in the scanner's own units."""
    pixel = scanner.fov_mm / scanner.matrix
    grid = _grid(scanner.matrix, pixel, scanner.slices, scanner.spacing_mm, scanner.tilt_deg, shift, frame)
    values, labels = _seen(body, biology, grid, shift, 1, 0.10)
    # Parenchyma is never flat on T2: a little patient-wide texture keeps organs from looking painted.
    values *= 1 + 0.05 * _grain(rng, grid, 3.0) * (labels != Tissue.AIR)
    values = _blur(values, grid, scanner.blur_mm, 0.3 * scanner.thickness_mm)
    values *= _coil(grid, rng)
    noise = rng.standard_normal((2, *grid.shape), dtype=np.float32) * np.float32(scanner.noise)
    signal = np.hypot(values + noise[0], noise[1])
    return Picture((signal * scanner.scale).astype(np.float32), grid, "arbitrary")


def _coil(grid: Geometry, rng: Generator) -> NDArray[np.float32]:
    """A smooth bias field between 0.7 and 1.3, brightest near the coil in front."""
    z, y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in grid.shape)
    a, b, c = rng.uniform(-1, 1, 3)
    field = (
        -0.5 * y[None, :, None]
        + 0.4 * a * x[None, None, :]
        + 0.3 * b * z[:, None, None]
        + 0.5 * c * x[None, None, :] * y[None, :, None]
    )
    low, high = field.min(), field.max()
    return np.asarray(0.7 + 0.6 * (field - low) / (high - low), np.float32)


def acquire_pet(
    body: Anatomy, biology: Biology, scanner: PetScanner, rng: Generator, *, shift: Shift, frame: str
) -> Picture:
    """SUVbw one hour after injection: partial volume, and noise that grows with the signal."""
    grid = _grid(scanner.matrix, scanner.voxel_mm, scanner.slices, scanner.spacing_mm, 0.0, shift, frame)
    values, _ = _seen(body, biology, grid, shift, 2, 2.6)
    values = _blur(np.maximum(values, 0), grid, scanner.blur_mm, scanner.blur_mm)
    noise = _blur(_grain(rng, grid, 2.2), grid, 0.0, 1.8)
    values += scanner.noise * np.sqrt(np.maximum(values, 0.02)) * 1.6 * noise
    return Picture(np.maximum(values, 0).astype(np.float32), grid, "SUVbw")
