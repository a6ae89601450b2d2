"""Masks brought to the image's grid."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gclnm.errors import GeometryError
from gclnm.images import Geometry, Mask, Volume
from gclnm.prepare.grid import onto

GRID = Geometry(size=(20, 18, 16), spacing_mm=(1.0, 1.2, 2.0), origin_mm=(-5.0, 3.0, 40.0), frame_uid="1.2")
AXES = Rotation.from_euler("xyz", [10, 25, -40], degrees=True).as_matrix()


def image(grid: Geometry = GRID) -> Volume:
    return Volume(np.zeros(grid.shape), grid)


def box() -> np.ndarray:
    array = np.zeros(GRID.shape, bool)
    array[4:9, 5:12, 6:13] = True
    array[6, 8, 9] = False
    return array


def test_a_mask_on_the_same_grid_is_returned_as_it_is() -> None:
    mask = Mask(box(), replace(GRID, origin_mm=(-5.0, 3.0, 40.0005), frame_uid=""))
    assert onto(mask, image()) is mask


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(-3, 5)] * 3),
    st.tuples(*[st.integers(12, 22)] * 3),
    st.permutations([0, 1, 2]),
    st.tuples(*[st.booleans()] * 3),
    st.booleans(),
)
def test_crops_flips_and_swapped_axes_are_copied_exactly(
    start: tuple[int, int, int],
    size: tuple[int, int, int],
    order: list[int],
    flips: tuple[bool, bool, bool],
    oblique: bool,
) -> None:
    """The same voxels, stored with other axes and extents, as NIfTI and SEG writers do."""
    axes = AXES if oblique else np.eye(3)
    grid = replace(GRID, direction=tuple(map(tuple, axes)))
    cropped = grid.crop(start, size)
    index = np.moveaxis(np.indices(size), 0, -1) + start  # image index of each voxel, x, y, z
    inside = ((index >= 0) & (index < GRID.size)).all(axis=-1)
    values = np.zeros(size, bool)
    values[inside] = box().T[tuple(index[inside].T)]
    values, directions = values.transpose(order), axes[:, order]
    spacing = np.array(GRID.spacing_mm)[order]
    origin = np.array(cropped.origin_mm)
    for axis, flip in enumerate(flips):
        if flip:
            origin = origin + directions[:, axis] * spacing[axis] * (values.shape[axis] - 1)
            directions = directions.copy()
            directions[:, axis] *= -1
            values = np.flip(values, axis)
    stored = Geometry(values.shape, tuple(spacing), tuple(origin), tuple(map(tuple, directions)))
    kept = np.zeros(GRID.size, bool)
    kept[tuple(slice(max(a, 0), max(a + n, 0)) for a, n in zip(start, size, strict=True))] = True
    expected = box() & kept.T
    if not expected.any():
        return
    placed = onto(Mask(values.T, stored), image(grid))
    np.testing.assert_array_equal(placed.array, expected)
    if stored.distance_mm(grid) > 1e-3:
        assert placed.history[-1].settings["interpolation"] == "copy"


def ball(grid: Geometry, centre: np.ndarray, radius: float) -> Mask:
    z, y, x = np.indices(grid.shape)
    points = grid.to_physical(np.column_stack([x.ravel(), y.ravel(), z.ravel()]))
    return Mask((np.linalg.norm(points - centre, axis=1) < radius).reshape(grid.shape), grid)


@pytest.mark.parametrize("spacing", [(0.4, 0.4, 0.5), (1.5, 1.5, 2.5)])
def test_a_ball_keeps_its_volume_between_oblique_grids(spacing: tuple[float, float, float]) -> None:
    target = Geometry((60, 60, 40), (0.8, 0.8, 1.2), (-24.0, -24.0, -24.0))
    extent = np.array([48.0, 48.0, 48.0])
    size = tuple(int(n) for n in extent / spacing)
    source = Geometry(size, spacing, tuple(-AXES @ (extent / 2)), tuple(map(tuple, AXES)))  # type: ignore[arg-type]
    mask = ball(source, np.array([0.3, -0.2, 0.1]), 9.0)
    placed = onto(mask, image(target))
    expected = 4 / 3 * np.pi * 9.0**3
    assert placed.n_voxels * target.voxel_volume_mm3 == pytest.approx(expected, rel=0.02)
    direct = ball(target, np.array([0.3, -0.2, 0.1]), 9.0)
    assert (placed.array ^ direct.array).sum() < 0.12 * direct.n_voxels
    told = json.loads(json.dumps(placed.history[-1].to_dict()))["settings"]
    assert told["interpolation"].startswith("linear")
    assert told["voxel_centres_apart_mm"] > 0.1
    assert told["volume_mm3"][0] == pytest.approx(mask.n_voxels * source.voxel_volume_mm3, abs=1e-3)


def test_voxels_outside_the_image_are_counted() -> None:
    shifted = replace(GRID, origin_mm=(-5.0, 3.0, 40.0 - 2.0 * 6))
    placed = onto(Mask(box(), shifted), image())
    assert placed.n_voxels == box()[6:].sum()
    assert placed.history[-1].settings["mask_voxels_outside_image"] == box()[:6].sum()


def test_another_frame_of_reference_is_refused() -> None:
    with pytest.raises(GeometryError) as caught:
        onto(Mask(box(), replace(GRID, frame_uid="9.9")), image())
    assert caught.value.code == "other-frame"


def test_a_mask_outside_the_image_is_refused() -> None:
    with pytest.raises(GeometryError) as caught:
        onto(Mask(box(), replace(GRID, origin_mm=(500.0, 3.0, 40.0))), image())
    assert caught.value.code == "mask-outside-image"


def test_a_mask_thinner_than_the_images_voxels_is_refused() -> None:
    fine = Geometry((8, 8, 8), (0.1, 0.1, 0.1), (0.2, 9.4, 50.6))
    thin = np.zeros(fine.shape, bool)
    thin[3, 3, :] = True
    with pytest.raises(GeometryError) as caught:
        onto(Mask(thin, fine), image())
    assert caught.value.code == "mask-lost"
