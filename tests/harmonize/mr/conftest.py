"""A made MR image whose tissue, shading and noise are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from gclnm.images import Geometry, Mask, Volume


@dataclass(frozen=True)
class Phantom:
    """``volume`` is tissue times field plus noise; all arrays (z, y, x)."""

    volume: Volume
    tissue: np.ndarray
    field: np.ndarray
    body: np.ndarray
    roi: Mask


def phantom(shape=(10, 40, 48), spacing=(6.0, 6.0, 8.0), *, shading=0.4, noise=2.0, seed=0) -> Phantom:
    """An ellipse of tissue of level 100 with 25 organs of 60, 140 and 200, and a ball of 140 as ROI."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    body = (y / 0.8) ** 2 + (x / 0.9) ** 2 < 1
    tissue = np.where(body, 100.0, 0.0)
    for _ in range(25):
        centre, radius = rng.uniform(-0.6, 0.6, 3), rng.uniform(0.1, 0.25)
        organ = ((z - centre[0]) / 2) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2
        tissue[organ] = rng.choice([60.0, 140.0, 200.0])
    inside = ((z / 2) ** 2 + y**2 + (x - 0.3) ** 2) < 0.15**2
    tissue[inside] = 140.0
    tissue *= body
    field = np.exp(shading * (0.6 * x + 0.8 * y + 0.5 * (x * x - y * y) + 0.3 * z))
    signal = np.abs(tissue * field + rng.normal(0, noise, shape))
    grid = Geometry(size=shape[::-1], spacing_mm=spacing)
    volume = Volume(signal, grid, facts={"modality": "MR"})
    return Phantom(volume, tissue, field, body, Mask(inside, grid))


@pytest.fixture
def made() -> Callable[..., Phantom]:
    """Makes a phantom."""
    return phantom
