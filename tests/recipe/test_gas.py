"""A wall beside gas: the built-in CT recipes must not let the interpolation carry gas into the wall."""

from __future__ import annotations

import numpy as np
import pytest

import gclnm

GRID = gclnm.Geometry(size=(40, 40, 14), spacing_mm=(0.8, 0.8, 3.0))
NO_FILTERS = {"log": None, "wavelet": None}


def wall(gas: bool, axis: int) -> tuple[gclnm.Volume, gclnm.Mask]:
    """A wall of 40 HU and 10 HU noise, drawn exactly, with gas or more wall beside it."""
    rng = np.random.default_rng(3)
    image = rng.normal(40, 10, GRID.shape)
    lumen = [slice(None)] * 3
    lumen[axis] = slice(0, GRID.shape[axis] // 2)
    if gas:
        image[tuple(lumen)] = -1000
    inside = np.zeros(GRID.shape, dtype=bool)
    half = GRID.shape[axis] // 2
    box = [slice(8, 32), slice(8, 32), slice(3, 11)][::-1]
    box[axis] = slice(half, half + (4 if axis == 0 else 12))
    inside[tuple(box)] = True
    return gclnm.Volume(image, GRID, quantity="HU"), gclnm.Mask(inside, GRID)


@pytest.mark.parametrize("axis", [0, 1], ids=["gas above", "gas in front"])
@pytest.mark.parametrize("name", ["ct", "ct-2d"])
def test_gas_beside_a_wall_does_not_become_its_intensity(name: str, axis: int) -> None:
    recipe = gclnm.Recipe.named(name).with_(prepare__filters=NO_FILTERS)
    alone = gclnm.features(*wall(False, axis), recipe)
    beside = gclnm.features(*wall(True, axis), recipe)
    assert beside["original_firstorder_Mean"] == pytest.approx(alone["original_firstorder_Mean"], abs=3)
    assert beside["original_firstorder_Maximum"] < alone["original_firstorder_Maximum"] + 10


def test_a_spline_would_carry_gas_into_the_wall() -> None:
    recipe = gclnm.Recipe.named("ct").with_(
        prepare__filters=NO_FILTERS, prepare__resample__interpolator="bspline"
    )
    alone = gclnm.features(*wall(False, 0), recipe)
    beside = gclnm.features(*wall(True, 0), recipe)
    assert beside["original_firstorder_Mean"] > alone["original_firstorder_Mean"] + 10
