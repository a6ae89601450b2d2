"""Means over spheres and discs: geometry, the image's edge, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.engines.quantities.around import disc, means_around, sphere
from gclnm.images import Geometry


def grid(*spacing_mm: float) -> Geometry:
    return Geometry(size=(20, 20, 20), spacing_mm=spacing_mm)


def test_a_sphere_of_fine_voxels_holds_a_cubic_centimetre() -> None:
    assert len(sphere(grid(0.5, 0.5, 0.5))) * 0.5**3 == pytest.approx(1000, rel=0.01)


def test_coarse_voxels_leave_the_voxel_itself() -> None:
    assert sphere(grid(7.0, 7.0, 7.0)).tolist() == [[0, 0, 0]]


def test_offsets_follow_the_axes_of_the_array() -> None:
    thick = sphere(grid(2.0, 3.0, 5.0))
    assert np.abs(thick).max(axis=0).tolist() == [1, 2, 3]
    assert np.abs(disc(grid(2.0, 3.0, 1.0), 40.0)).max(axis=0).tolist() == [0, 1, 1]


def test_a_disc_of_fine_voxels_has_its_area() -> None:
    assert len(disc(grid(0.1, 0.1, 3.0), 40.0)) * 0.01 == pytest.approx(40, rel=0.01)


def by_definition(array: np.ndarray, inside: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The mean over all voxels nearer than the radius, distances in millimetres between positions."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in array.shape), indexing="ij"), axis=-1)
    places = geometry.to_physical(index.reshape(-1, 3)[:, ::-1])
    radius = 10 * (3 / (4 * np.pi)) ** (1 / 3)
    near = np.linalg.norm(places[inside.ravel()][:, None] - places[None], axis=2) <= radius
    return np.array([array.ravel()[row].mean() for row in near])


SPACINGS = st.tuples(*[st.floats(1.7, 8.0)] * 3)
OBLIQUE = ((0.8, -0.6, 0.0), (0.48, 0.64, -0.6), (0.36, 0.48, 0.8))


@given(spacing=SPACINGS, seed=st.integers(0, 2**32 - 1))
def test_means_are_those_of_the_definition_on_any_grid(spacing, seed: int) -> None:
    rng = np.random.default_rng(seed)
    geometry = Geometry(size=(5, 6, 4), spacing_mm=spacing, origin_mm=(3.0, -7.0, 11.0), direction=OBLIQUE)
    array = rng.normal(size=geometry.shape)
    inside = rng.random(geometry.shape) < 0.3
    inside[tuple(rng.integers(geometry.shape))] = True
    np.testing.assert_allclose(
        means_around(array, inside, sphere(geometry)), by_definition(array, inside, geometry), atol=1e-12
    )


def test_voxels_beyond_the_edge_and_without_a_number_are_left_out() -> None:
    geometry = grid(5.0, 5.0, 5.0)
    array = np.array([[[1.0, 3.0, np.nan]]])
    inside = np.array([[[True, True, True]]])
    assert means_around(array, inside, sphere(geometry)).tolist() == [2.0, 2.0, 3.0]


def test_a_mean_of_nothing_is_nan() -> None:
    lonely = np.full((1, 1, 1), np.nan)
    assert np.isnan(means_around(lonely, np.ones((1, 1, 1), bool), sphere(grid(7.0, 7.0, 7.0)))).all()
