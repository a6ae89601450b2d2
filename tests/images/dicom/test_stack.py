"""Slices to a grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gclnm.errors import GeometryError
from gclnm.images.dicom.frames import Plane
from gclnm.images.dicom.stack import sparse_stack, stack

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def plane(z: float, **changes: object) -> Plane:
    base = Plane(position=(0.0, 0.0, z), orientation=AXIAL, spacing=(0.5, 0.5), rows=4, columns=4)
    return replace(base, **changes)  # type: ignore[arg-type]


def planes(heights: list[float]) -> list[Plane]:
    return [plane(float(z)) for z in heights]


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
        Plane(
            position=tuple(np.round(origin + k * step * axes[:, 2], 4)),
            orientation=orientation,
            spacing=(0.6, 0.8),
            rows=5,
            columns=7,
        )
        for k in range(n)
    ]
    order = list(range(n))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = stack([slices[k] for k in order])
    geometry = found.geometry()
    assert [order[k] for k in found.order] == list(range(n))
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
        ([0, 3, 6, 10.2, 13.2], "uneven-spacing"),
        ([0, 21, 39], "uneven-spacing"),
    ],
)
def test_a_stack_with_holes_or_copies_is_refused_and_not_interpolated(
    heights: list[float], code: str
) -> None:
    with pytest.raises(GeometryError) as caught:
        stack(planes(heights)).geometry()
    assert caught.value.code == code
    assert caught.value.fix


@pytest.mark.parametrize(
    ("jitter", "flagged", "faulty"),
    [(0.03, False, False), (0.1, True, False), (0.14, True, False), (0.2, True, True), (-0.9, True, True)],
)
def test_a_slice_may_lie_off_the_even_grid_by_a_twentieth_of_the_spacing(
    jitter: float, flagged: bool, faulty: bool
) -> None:
    found = stack(planes([0.0, 3.0, 6.0 + jitter, 9.0, 12.0]))
    assert ("uneven-spacing" in found.flags, bool(found.faults)) == (flagged, faulty)
    assert found.spacing[2] == 3.0


def test_rounded_positions_are_no_unevenness() -> None:
    geometry = stack(planes([round(1.25 * k, 1) for k in range(40)])).geometry()
    assert geometry.spacing_mm[2] == pytest.approx(1.25, abs=2e-3)


def test_thin_slices_are_not_excused_by_rounding() -> None:
    assert stack(planes([0.0, 0.3, 0.66, 0.9])).faults


@pytest.mark.parametrize("n", [20, 400])
def test_a_tilted_gantry_is_refused_however_little_each_slice_moves(n: int) -> None:
    slices = [plane(5.0 * k, position=(0.0, 6.0 * k / n, 5.0 * k)) for k in range(n)]
    with pytest.raises(GeometryError) as caught:
        stack(slices).geometry()
    assert caught.value.code == "gantry-tilt"


def test_slices_of_other_size_spacing_orientation_or_frame_are_refused() -> None:
    first, *rest = planes([0.0, 3.0, 6.0])
    for odd, code in (
        (replace(first, rows=5), "mixed-size"),
        (replace(first, spacing=(0.6, 0.6)), "mixed-size"),
        (replace(first, orientation=(0.0, 1.0, 0.0, 0.0, 0.0, 1.0)), "mixed-orientation"),
        (replace(first, position=None), "no-geometry"),
        (replace(first, frame_uid="1.2"), "mixed-frames"),
    ):
        with pytest.raises(GeometryError) as caught:
            stack([*rest, odd]).geometry()
        assert caught.value.code == code


def test_axes_that_are_not_perpendicular_are_refused() -> None:
    with pytest.raises(GeometryError, match="perpendicular"):
        stack([plane(0.0, orientation=(1.0, 0.0, 0.0, 0.5, 0.8, 0.0))]).geometry()


def test_one_slice_takes_its_thickness() -> None:
    assert stack([plane(7.0, slice_thickness=5.0)]).geometry().spacing_mm[2] == 5.0


@pytest.mark.parametrize(
    ("heights", "declared", "step", "slices"),
    [
        ([0.0, 3.0, 9.0], None, 3.0, [0, 1, 3]),
        ([0.0, 6.0, 12.0], 3.0, 3.0, [0, 2, 4]),
        ([9.0, 0.0, 9.0, 3.0], None, 3.0, [3, 0, 3, 1]),
        ([5.0], 2.5, 2.5, [0]),
        ([0.0, 9.81, 13.08], 3.3, 3.27, [0, 3, 4]),
    ],
)
def test_frames_of_segments_may_repeat_places_and_leave_some_out(
    heights: list[float], declared: float | None, step: float, slices: list[int]
) -> None:
    found, index = sparse_stack([plane(z, slice_spacing=declared) for z in heights])
    assert not found.faults
    assert index == slices
    assert found.geometry().spacing_mm[2] == pytest.approx(step)
    assert found.size[2] == max(slices) + 1


def test_frames_of_segments_off_a_grid_are_refused() -> None:
    for odd in (
        [plane(0.0), plane(3.0), plane(7.4)],
        [plane(0.0), plane(3.0, position=(0.4, 0.0, 3.0)), plane(6.0)],
        [plane(0.0), plane(3.0, orientation=None)],
    ):
        assert sparse_stack(odd)[0].faults
