"""Where the voxel centres of a new grid lie."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gclnm.errors import GeometryError
from gclnm.images import Geometry, Mask
from gclnm.prepare.align import new_grid
from gclnm.prepare.settings import Resample

AXES = tuple(map(tuple, Rotation.from_euler("xyz", [10, 25, -40], degrees=True).as_matrix()))
# In steps of a hundredth, so that sizes are never a rounding away from a whole number.
SPACINGS = st.tuples(*[st.integers(30, 400).map(lambda n: n / 100)] * 3)
SIZES = st.tuples(*[st.integers(1, 60)] * 3)


def middle(grid: Geometry) -> np.ndarray:
    return grid.to_physical([[(n - 1) / 2 for n in grid.size]])[0]


@given(SIZES, SPACINGS, SPACINGS)
def test_centred_grids_have_the_size_and_the_origin_of_the_ibsi_manual(size, old, new) -> None:
    """IBSI reference manual, interpolation grid dimensions (026Q) and position (QCY4)."""
    grid = new_grid(Geometry(size, old, (5.0, -3.0, 70.0)), Resample(spacing_mm=new, align="centre"))
    for n_a, s_a, x_a, n_b, s_b, x_b in zip(
        size, old, (5.0, -3.0, 70.0), grid.size, grid.spacing_mm, grid.origin_mm, strict=True
    ):
        assert n_b == math.ceil(round(n_a * s_a / s_b, 9))
        assert x_b == pytest.approx(x_a + (s_a * (n_a - 1) - s_b * (n_b - 1)) / 2)


def test_the_example_of_the_ibsi_manual() -> None:
    """A 4 x 4 grid of 3 mm becomes one of 6 x 6 at 2 mm, aligned by the centres."""
    old = Geometry(size=(4, 4, 1), spacing_mm=(3.0, 3.0, 1.0))
    grid = new_grid(old, Resample(spacing_mm=(2, 2, 0), align="centre"))
    assert grid.size == (6, 6, 1)
    np.testing.assert_allclose(old.to_index([grid.origin_mm])[0], [(3 - 2 / 3 * 5) / 2] * 2 + [0])


@given(SIZES, SPACINGS, SPACINGS)
def test_grids_in_any_direction_meet_in_the_middle(size, old, new) -> None:
    before = Geometry(size, old, (5.0, -3.0, 70.0), AXES, "1.2")
    after = new_grid(before, Resample(spacing_mm=new, align="centre"))
    np.testing.assert_allclose(middle(after), middle(before), atol=1e-9)
    assert (after.direction, after.frame_uid) == (before.direction, "1.2")


@given(SIZES, SPACINGS, SPACINGS)
def test_grids_aligned_by_the_corner_share_the_corner_of_the_first_voxel(size, old, new) -> None:
    before = Geometry(size, old, (5.0, -3.0, 70.0), AXES)
    after = new_grid(before, Resample(spacing_mm=new, align="corner"))
    corner = [grid.to_physical([[-0.5, -0.5, -0.5]])[0] for grid in (before, after)]
    np.testing.assert_allclose(*corner, atol=1e-9)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 19), st.integers(0, 29)), min_size=2, max_size=5),
    SPACINGS,
    st.integers(0, 6),
    st.sampled_from(["centre", "corner"]),
)
def test_the_grid_around_an_roi_is_a_part_of_the_whole_and_holds_the_roi(voxels, new, pad, align) -> None:
    old = Geometry((30, 20, 10), (0.9, 1.1, 2.5), (5.0, -3.0, 70.0), AXES)
    inside = np.zeros(old.shape, dtype=bool)
    inside[tuple(np.array(voxels).T)] = True
    roi = Mask(inside, old)
    settings = Resample(spacing_mm=new, pad_voxels=pad, align=align)
    part = new_grid(old, settings, roi)
    # An axis along which the ROI spans one voxel keeps its spacing.
    spans = np.ptp(np.array(voxels), axis=0)[::-1]
    kept = tuple(0.0 if span == 0 else s for span, s in zip(spans, new, strict=True))
    whole = new_grid(old, settings.model_copy(update={"spacing_mm": kept}))
    first = whole.to_index([part.origin_mm])[0]
    np.testing.assert_allclose(first, np.rint(first), atol=1e-6)
    assert (np.rint(first) >= 0).all()
    assert (np.rint(first) + part.size <= whole.size).all()
    centres = part.to_index(old.to_physical(np.array(voxels)[:, ::-1]))
    # By half a voxel less: there the whole grid may end.
    assert (centres > -1.0).all()
    assert (centres < np.array(part.size)).all()


def test_a_spacing_that_differs_by_rounding_moves_nothing() -> None:
    old = Geometry((100, 100, 20), (1.0000001, 0.9999999, 5.0))
    grid = new_grid(old, Resample(spacing_mm=(1, 1, 2.5), align="centre"))
    assert grid.size == (100, 100, 40)
    np.testing.assert_allclose(grid.origin_mm[:2], 0, atol=1e-9)
    assert new_grid(old, Resample(spacing_mm=(1, 1, 0), align="centre")) == old


def test_an_empty_roi_has_no_surroundings() -> None:
    old = Geometry((4, 4, 4), (1.0, 1.0, 1.0))
    with pytest.raises(GeometryError, match="no voxel") as caught:
        new_grid(old, Resample(spacing_mm=(2, 2, 2)), Mask(np.zeros(old.shape), old))
    assert caught.value.code == "empty-mask"


def test_a_spacing_of_zero_keeps_the_axis() -> None:
    old = replace(Geometry((10, 10, 7), (1.0, 1.0, 4.3)), origin_mm=(1.0, 2.0, 3.0))
    for align in ("centre", "corner"):
        grid = new_grid(old, Resample(spacing_mm=(2, 2, 0), align=align))
        assert (grid.size[2], grid.spacing_mm[2], grid.origin_mm[2]) == (7, 4.3, 3.0)
