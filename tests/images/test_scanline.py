"""Polygon filling against brute force and against areas that are known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gclnm.images.scanline import fill, touch

# Eighths of a pixel: vertices on centres, on borders and anywhere between, exact in floating point.
COORDINATE = st.integers(-16, 104).map(lambda n: n / 8)
POLYGON = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=12).map(np.array)
SHAPE = (10, 12)


def crossings(polygon: np.ndarray, x: float, y: float) -> int:
    """Edges that a ray from (x, y) to the left meets; a point on a left or upper edge is inside."""
    count = 0
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if min(y0, y1) <= y < max(y0, y1):
            count += (Fraction(x1) - Fraction(x0)) * (y - Fraction(y0)) / Fraction(y1 - y0) + Fraction(
                x0
            ) <= x
    return count


@settings(max_examples=100, deadline=None)
@given(st.lists(POLYGON, min_size=1, max_size=3))
def test_filling_equals_a_point_in_polygon_test_at_every_centre(polygons: list[np.ndarray]) -> None:
    rows, columns = SHAPE
    expected = [[sum(crossings(p, x, y) for p in polygons) % 2 for x in range(columns)] for y in range(rows)]
    np.testing.assert_array_equal(fill(polygons, SHAPE), np.array(expected, dtype=bool))


@settings(max_examples=100, deadline=None)
@given(POLYGON)
def test_touching_marks_every_square_that_the_outline_enters_and_nothing_far_away(
    polygon: np.ndarray,
) -> None:
    marked = touch([polygon], SHAPE)
    assert marked[fill([polygon], SHAPE)].all()
    t = np.linspace(0, 1, 201)[:, None]
    outline = np.concatenate(
        [a + t * (b - a) for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)]
    )
    # Strictly inside a pixel's square: no doubt that it is touched.
    inner = np.abs(outline - np.round(outline)).max(axis=1) < 0.499
    x, y = np.round(outline[inner]).astype(int).T
    ok = (x >= 0) & (x < SHAPE[1]) & (y >= 0) & (y < SHAPE[0])
    assert marked[y[ok], x[ok]].all()
    for row, column in np.argwhere(marked & ~fill([polygon], SHAPE)):
        assert np.abs(outline - [column, row]).max(axis=1).min() < 0.6


def disc(radius: float, centre: tuple[float, float], n: int = 2000) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.column_stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)])


def inside_disc(radius: float, centre: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    y, x = np.indices(shape)
    return np.hypot(x - centre[0], y - centre[1]) < radius


def test_a_disc_holds_the_centres_closer_than_its_radius() -> None:
    centre = (63.21, 64.37)
    np.testing.assert_array_equal(
        fill([disc(20.3, centre)], (128, 128)), inside_disc(20.3, centre, (128, 128))
    )


def test_a_second_contour_inside_is_a_hole() -> None:
    centre = (31.3, 30.8)
    ring = fill([disc(20.3, centre), disc(9.7, centre)], (64, 64))
    expected = inside_disc(20.3, centre, (64, 64)) & ~inside_disc(9.7, centre, (64, 64))
    np.testing.assert_array_equal(ring, expected)


def test_a_keyhole_contour_is_the_same_ring() -> None:
    centre = (31.3, 30.8)
    outer, inner = disc(20.3, centre), disc(9.7, centre)[::-1]
    keyhole = np.concatenate([outer, outer[:1], inner[-1:], inner, outer[:1]])
    np.testing.assert_array_equal(fill([keyhole], (64, 64)), fill([outer, inner], (64, 64)))


def test_neighbours_that_share_an_edge_share_no_pixel_and_leave_none() -> None:
    left = np.array([[1.0, 1.0], [4.0, 1.0], [4.0, 6.0], [1.0, 6.0]])
    right = np.array([[4.0, 1.0], [8.0, 1.0], [8.0, 6.0], [4.0, 6.0]])
    both = np.array([[1.0, 1.0], [8.0, 1.0], [8.0, 6.0], [1.0, 6.0]])
    a, b = fill([left], SHAPE), fill([right], SHAPE)
    assert not (a & b).any()
    np.testing.assert_array_equal(a | b, fill([both], SHAPE))
