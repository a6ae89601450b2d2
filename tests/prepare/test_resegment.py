"""The intensity mask: by range, as outliers, and both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gclnm.engines.upstream import quiet
from gclnm.errors import EngineError, GeometryError
from gclnm.images import Geometry, Mask, Volume
from gclnm.images.volume import from_sitk
from gclnm.prepare import Resegment, resegment
from gclnm.prepare.resegment import kept

GRID = Geometry((12, 10, 8), (0.9, 1.1, 2.5))
IMAGE = Volume(np.random.default_rng(5).normal(40, 90, size=GRID.shape), GRID, quantity="HU")
ROI = Mask(np.random.default_rng(6).random(GRID.shape) < 0.4, GRID)


@pytest.mark.parametrize(
    "asked",
    [
        {"range": (-50, 60)},
        {"range": (0, None)},
        {"range": (0.1, 0.4), "mode": "relative"},
        {"range": (-1, 0.5), "mode": "sigma"},
        {"range": (-0.3, None), "mode": "sigma"},
    ],
)
def test_a_range_keeps_the_voxels_that_pyradiomics_keeps(asked) -> None:
    settings = Resegment(**asked)
    with quiet():
        from radiomics.imageoperations import resegmentMask

        limits = [limit for limit in settings.range if limit is not None]
        words = {"resegmentRange": limits, "resegmentMode": settings.mode}
        theirs, _ = from_sitk(resegmentMask(IMAGE.to_sitk(), ROI.to_sitk(), **words))
    ours = resegment(IMAGE, ROI, settings)
    np.testing.assert_array_equal(ours.array, theirs == 1)
    assert 2 < ours.n_voxels < ROI.n_voxels


def test_limits_themselves_stay_in() -> None:
    values = np.array([-150.1, -150, 0.1, 250, 250.1], dtype=np.float32)
    assert kept(values, Resegment(range=(-150, 250))).tolist() == [False, True, True, True, False]
    assert kept(values, Resegment(range=(0.1, 250.1))).tolist() == [False, False, True, True, True]


def test_outliers_and_range_are_both_measured_on_the_whole_roi() -> None:
    """IBSI reference manual, re-segmentation: with both, the intersection."""
    values = np.concatenate([np.arange(-20.0, 21.0), [-400.0, 120.0]]).astype(np.float32)
    inside = Resegment(range=(-10, 1000), sigma=3)
    assert values[kept(values, inside)].tolist() == [*np.arange(-10.0, 21.0), 120.0]
    # One after the other would be another ROI: without -400 the value of 120 is an outlier.
    after = values[kept(values, Resegment(range=(-10, 1000)))]
    assert after[kept(after, Resegment(sigma=3))].tolist() == list(np.arange(-10.0, 21.0))


@given(st.floats(-3000, 3000, width=32), st.integers(1, 500))
def test_equal_values_have_no_outlier(value, count) -> None:
    assert kept(np.full(count, value, dtype=np.float32), Resegment(sigma=3)).all()


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=60), st.sampled_from([1.0, 2.0, 3.0]))
def test_the_outlier_filter_is_that_of_the_definition(numbers, sigma) -> None:
    values = np.array(numbers, dtype=np.float32)
    exact = np.array(numbers, dtype=float)
    distance = np.abs(exact - exact.mean()) / max(exact.std(), 1e-12)
    clear = np.abs(distance - sigma) > 1e-6
    expected = (distance <= sigma) | (exact.std() < 1e-9)
    np.testing.assert_array_equal(kept(values, Resegment(sigma=sigma))[clear], expected[clear])


def test_the_morphological_mask_is_left_as_it_was() -> None:
    before = ROI.array.copy()
    intensity = resegment(IMAGE, ROI, Resegment(range=(-50, 60), sigma=2))
    np.testing.assert_array_equal(ROI.array, before)
    assert not (intensity.array & ~ROI.array).any()
    told = intensity.history[-1].to_dict()["settings"]
    assert told["range"] == "-50 to 60 (absolute) and within 2 standard deviations of the mean"
    assert told["voxels"] == [ROI.n_voxels, intensity.n_voxels]


def test_a_range_without_voxels_is_refused_with_its_numbers() -> None:
    with pytest.raises(EngineError, match="range 2000 to 3000") as caught:
        resegment(IMAGE, ROI, Resegment(range=(2000, 3000)))
    assert caught.value.code == "nothing-in-range"


def test_image_and_mask_must_share_a_grid() -> None:
    with pytest.raises(GeometryError, match="different grids"):
        resegment(IMAGE, Mask(ROI.array, Geometry(GRID.size, (1.0, 1.0, 1.0))), Resegment(sigma=3))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "give a range, sigma or both"),
        ({"sigma": 3, "mode": "sigma"}, "mode says what the range means"),
        ({"range": (3, 1)}, "not above"),
        ({"sigma": 0}, "greater than 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(asked, words) -> None:
    with pytest.raises(ValidationError, match=words):
        Resegment(**asked)
