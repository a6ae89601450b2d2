"""What a PET scanner sees of a body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.phantom.acquire.common import Picture, Shift, blur, grain, seen, square_grid

if TYPE_CHECKING:
    from numpy.random import Generator

    from gclnm.phantom.biology import Biology
    from gclnm.phantom.body.anatomy import Anatomy
    from gclnm.phantom.scanners.pet import PetScanner

__all__ = ["acquire_pet"]


def acquire_pet(
    body: Anatomy, biology: Biology, scanner: PetScanner, rng: Generator, *, shift: Shift, frame: str
) -> Picture:
    """SUVbw one hour after injection: partial volume, and noise that grows with the signal."""
    grid = square_grid(
        scanner.matrix, scanner.voxel_mm, scanner.slices, scanner.spacing_mm, 0.0, shift, frame
    )
    values, _ = seen(body, biology, grid, shift, 2, 2.6)
    values = blur(np.maximum(values, 0), grid, scanner.blur_mm, scanner.blur_mm)
    noise = blur(grain(rng, grid, 2.2), grid, 0.0, 1.8)
    values += scanner.noise * np.sqrt(np.maximum(values, 0.02)) * 1.6 * noise
    return Picture(np.maximum(values, 0).astype(np.float32), grid, "SUVbw")
