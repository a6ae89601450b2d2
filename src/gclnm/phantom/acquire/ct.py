"""What a CT scanner sees of a body."""

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
    from gclnm.phantom.scanners.ct import CtScanner

__all__ = ["acquire_ct"]


def acquire_ct(
    body: Anatomy, biology: Biology, scanner: CtScanner, rng: Generator, *, shift: Shift, frame: str
) -> Picture:
    """HU of one breath-hold in the portal venous phase, patient on a table."""
    pixel = scanner.fov_mm / scanner.matrix
    grid = square_grid(scanner.matrix, pixel, scanner.slices, scanner.spacing_mm, 0.0, shift, frame)
    values, labels = seen(body, biology, grid, shift, 0, 26.0)
    _lay_on_table(values, labels, grid, body, shift)
    values = blur(values, grid, scanner.blur_mm, 0.35 * scanner.thickness_mm)
    values += scanner.noise_hu * grain(rng, grid, scanner.grain_mm)
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
