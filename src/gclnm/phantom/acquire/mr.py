"""What a MR scanner sees of a body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.phantom.acquire.common import Picture, Shift, blur, grain, seen, square_grid
from gclnm.phantom.body.tissues import Tissue

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from gclnm.images import Geometry
    from gclnm.phantom.biology import Biology
    from gclnm.phantom.body.anatomy import Anatomy
    from gclnm.phantom.scanners.mr import MrScanner

__all__ = ["acquire_mr"]


def acquire_mr(
    body: Anatomy, biology: Biology, scanner: MrScanner, rng: Generator, *, shift: Shift, frame: str
) -> Picture:
    """T2-weighted signal with a coil's bias field and Rician noise, in the scanner's own units."""
    pixel = scanner.fov_mm / scanner.matrix
    grid = square_grid(
        scanner.matrix, pixel, scanner.slices, scanner.spacing_mm, scanner.tilt_deg, shift, frame
    )
    values, labels = seen(body, biology, grid, shift, 1, 0.10)
    # Parenchyma is never flat on T2: a little patient-wide texture keeps organs from looking painted.
    values *= 1 + 0.05 * grain(rng, grid, 3.0) * (labels != Tissue.AIR)
    values = blur(values, grid, scanner.blur_mm, 0.3 * scanner.thickness_mm)
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
