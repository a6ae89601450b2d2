"""Grey levels: pyradiomics' bins, the IBSI's, and what must hold for both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from gclnm.engines.upstream import quiet
from gclnm.errors import GeometryError
from gclnm.images import Geometry, Mask, Volume
from gclnm.prepare import Discretise, Resegment, discretise
from gclnm.prepare.discretise import grey_levels, lower_bound, n_levels
from gclnm.recipe import Recipe

GRID = Geometry((12, 10, 8), (0.9, 1.1, 2.5))
IMAGE = Volume(np.random.default_rng(5).normal(40, 90, size=GRID.shape), GRID, quantity="HU")
ROI = Mask(np.random.default_rng(6).random(GRID.shape) < 0.4, GRID)
HU = arrays(np.float32, st.integers(2, 80), elements=st.floats(-1000, 3000, width=32))
WHOLE = arrays(np.float32, st.integers(2, 80), elements=st.integers(-1000, 1000))
WIDTHS = st.sampled_from([0.1, 0.25, 0.3, 1.0, 7.0, 10.0, 25.0])


def by_pyradiomics(values: np.ndarray, **words: object) -> np.ndarray:
    with quiet():
        from radiomics.imageoperations import binImage

        return binImage(values, np.ones(values.shape, dtype=bool), **words)[0]


@given(HU, WIDTHS)
def test_multiples_of_the_width_are_pyradiomics_levels(values, width) -> None:
    ours = grey_levels(values, Discretise(bin_width=width))
    np.testing.assert_array_equal(ours, by_pyradiomics(values, binWidth=width))


@given(HU, st.integers(2, 200))
def test_a_fixed_number_gives_pyradiomics_levels(values, count) -> None:
    ours = grey_levels(values, Discretise(bin_count=count))
    np.testing.assert_array_equal(ours, by_pyradiomics(values, binCount=count))


@given(WHOLE, st.sampled_from([16, 32, 64]))
def test_a_fixed_number_follows_the_ibsi_and_puts_the_maximum_in_the_last_bin(values, count) -> None:
    """IBSI K15C: floor(N (x - min) / (max - min)) + 1, and N for the maximum."""
    low, high = int(values.min()), int(values.max())
    if low == high:
        return
    expected = [min(count * (int(x) - low) // (high - low) + 1, count) for x in values]
    assert grey_levels(values, Discretise(bin_count=count)).tolist() == expected


@given(WHOLE, st.integers(1, 60), st.one_of(st.none(), st.integers(-1200, -1000)))
def test_a_fixed_width_follows_the_ibsi_from_the_lowest_value(values, width, lowest) -> None:
    """IBSI Q3RU: floor((x - lowest) / w) + 1; lowest is the lower limit of the range, else the minimum."""
    low = int(values.min()) if lowest is None else lowest
    found = grey_levels(values, Discretise(bin_width=width, origin="minimum"), lowest)
    assert found.tolist() == [(int(x) - low) // width + 1 for x in values]


@given(WHOLE, st.integers(1, 60), st.integers(-20, 20), st.sampled_from(["zero", "minimum"]))
def test_a_shift_by_whole_bins_changes_no_level(values, width, bins, origin) -> None:
    settings = Discretise(bin_width=width, origin=origin)
    shifted = grey_levels(values + np.float32(width * bins), settings)
    np.testing.assert_array_equal(shifted, grey_levels(values, settings))


@given(WHOLE, st.integers(2, 60), st.integers(1, 59))
def test_a_shift_by_part_of_a_bin_matters_only_where_bins_begin_at_zero(values, width, shift) -> None:
    moved = values + np.float32(shift)
    free = Discretise(bin_width=width, origin="minimum")
    np.testing.assert_array_equal(grey_levels(moved, free), grey_levels(values, free))
    bound = Discretise(bin_width=width)
    low = np.floor(values.min() / width)
    np.testing.assert_array_equal(grey_levels(values, bound), np.floor(values / width) - low + 1)


@given(HU, WIDTHS)
def test_levels_begin_at_1_and_are_as_many_as_was_said(values, width) -> None:
    settings = Discretise(bin_width=width, origin="minimum")
    levels = grey_levels(values, settings)
    assert (levels.min(), levels.max()) == (1, n_levels(values, settings))


@given(WHOLE, st.sampled_from([0.25, 1.0, 7.0, 10.0, 25.0]))
def test_multiples_begin_at_1_and_are_as_many_as_was_said(values, width) -> None:
    settings = Discretise(bin_width=width)
    levels = grey_levels(values, settings)
    assert (levels.min(), levels.max()) == (1, n_levels(values, settings))


def test_a_width_that_is_no_binary_fraction_can_shift_pyradiomics_levels_by_one() -> None:
    """1.0 % 0.1 is almost 0.1: the first edge falls to 0.9. Kept, because numbers are pyradiomics'."""
    values = np.ones(2, dtype=np.float32)
    assert by_pyradiomics(values, binWidth=0.1).tolist() == [2, 2]
    assert grey_levels(values, Discretise(bin_width=0.1)).tolist() == [2, 2]
    assert grey_levels(values, Discretise(bin_width=0.1, origin="minimum")).tolist() == [1, 1]


def test_a_value_that_the_range_lets_in_has_a_level() -> None:
    # 0.7 is more than its float32.
    values = np.array([0.7, 1.0], dtype=np.float32)
    assert grey_levels(values, Discretise(bin_width=0.1, origin="minimum"), 0.7).min() == 1


def test_levels_of_a_volume_are_0_outside_and_from_the_range_on() -> None:
    settings, cut = Discretise(bin_width=10, origin="minimum"), Resegment(range=(-300, 400))
    levels = discretise(IMAGE, ROI, settings, resegment=cut)
    assert levels.quantity == "grey level"
    assert not levels.array[~ROI.array].any()
    values = IMAGE.array[ROI.array].astype(float)
    np.testing.assert_array_equal(levels.array[ROI.array], np.floor((values + 300) / 10) + 1)
    told = levels.history[-1].to_dict()["settings"]
    assert told == {"levels": int(levels.array.max()), "bin_width": 10.0, "origin": "minimum"}
    by_number = discretise(IMAGE, ROI, Discretise(bin_count=32))
    assert by_number.history[-1].to_dict()["settings"] == {"levels": 32, "bin_count": 32}


def test_only_a_range_in_units_of_the_image_gives_a_lowest_value() -> None:
    assert lower_bound(None) is None
    assert lower_bound(Resegment(sigma=3)) is None
    assert lower_bound(Resegment(range=(0.4, None), mode="relative")) is None
    assert lower_bound(Resegment(range=(-150, 250), sigma=3)) == -150


def test_an_roi_on_another_grid_has_no_levels() -> None:
    with pytest.raises(GeometryError, match="different grids"):
        discretise(IMAGE, Mask(ROI.array, Geometry(GRID.size, (1.0, 1.0, 1.0))), Discretise(bin_width=1))


def test_an_origin_goes_with_a_width() -> None:
    with pytest.raises(ValidationError, match="origin goes with bin_width"):
        Discretise(bin_count=32, origin="minimum")
    recipe = Recipe.named("ct").with_(prepare__discretise__origin="minimum")
    changed = recipe.with_(prepare__discretise__bin_count=32)
    assert changed.id == Recipe.named("ct").with_(prepare__discretise__bin_count=32).id
