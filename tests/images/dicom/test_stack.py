"""Slices to a grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gclnm.errors import GeometryError
from gclnm.images.dicom.stack import Plane, stack

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def planes(heights: list[float]) -> list[Plane]:
    return [Plane((0.0, 0.0, z), AXIAL, (0.5, 0.5), 4, 4) for z in heights]


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.integers(2, 9),
    st.floats(0.4, 8.0),
    st.randoms(use_true_random=False),
)
def test_any_orientation_and_any_order_of_files_give_the_grid_that_was_scanned(
    angles: tuple[float, float, float], n: int, step: float, random: object
) -> None:
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    origin = np.array([12.0, -7.0, 31.0])
    # Headers hold about six decimals.
    orientation = tuple(np.round(np.concatenate([axes[:, 0], axes[:, 1]]), 6))
    slices = [
        Plane(tuple(np.round(origin + k * step * axes[:, 2], 4)), orientation, (0.8, 0.6), 5, 7)
        for k in range(n)
    ]
    order = list(range(n))
    random.shuffle(order)  # type: ignore[attr-defined]
    geometry, found = stack([slices[k] for k in order])
    assert [order[k] for k in found] == list(range(n))
    assert geometry.size == (7, 5, n)
    np.testing.assert_allclose(geometry.spacing_mm, (0.6, 0.8, step), atol=1e-3)
    far = origin + axes @ np.array([6 * 0.6, 4 * 0.8, (n - 1) * step])
    np.testing.assert_allclose(geometry.to_physical([[6, 4, n - 1]])[0], far, atol=2e-3)


@pytest.mark.parametrize(
    ("heights", "code"),
    [
        ([0, 3, 6, 12, 15], "missing-slice"),
        ([0, 3, 3, 6], "duplicate-slice"),
        ([0, 0, 0, 0], "duplicate-slice"),
        ([0, 3, 6, 10.2, 13.2], "uneven-slices"),
    ],
)
def test_a_stack_with_holes_or_copies_is_refused_and_not_interpolated(
    heights: list[float], code: str
) -> None:
    with pytest.raises(GeometryError) as caught:
        stack(planes([float(z) for z in heights]))
    assert caught.value.code == code


def test_rounded_positions_are_no_unevenness() -> None:
    geometry, _ = stack(planes([round(1.25 * k, 1) for k in range(40)]))
    assert geometry.spacing_mm[2] == pytest.approx(1.25, abs=2e-3)


def test_a_tilted_gantry_is_refused() -> None:
    slices = [Plane((0.0, 0.3 * k, 5.0 * k), AXIAL, (0.5, 0.5), 4, 4) for k in range(20)]
    with pytest.raises(GeometryError) as caught:
        stack(slices)
    assert caught.value.code == "gantry-tilt"


def test_slices_of_other_size_spacing_or_orientation_are_refused() -> None:
    first, *rest = planes([0.0, 3.0, 6.0])
    for odd, code in (
        (replace(first, rows=5), "mixed-size"),
        (replace(first, spacing_mm=(0.6, 0.6)), "mixed-size"),
        (replace(first, orientation=(0.0, 1.0, 0.0, 0.0, 0.0, 1.0)), "mixed-orientation"),
        (replace(first, position=None), "no-position"),
    ):
        with pytest.raises(GeometryError) as caught:
            stack([*rest, odd])
        assert caught.value.code == code


def test_axes_that_are_not_perpendicular_are_refused() -> None:
    with pytest.raises(GeometryError, match="perpendicular"):
        stack([replace(planes([0.0])[0], orientation=(1.0, 0.0, 0.0, 0.5, 0.8, 0.0))])


def test_one_slice_takes_its_thickness() -> None:
    geometry, _ = stack([replace(planes([7.0])[0], thickness_mm=5.0)])
    assert geometry.spacing_mm[2] == 5.0
