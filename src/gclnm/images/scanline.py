"""Polygons to pixels: even-odd filling by the pixel-centre rule, and the pixels that an outline touches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["fill", "touch"]

_EDGE = 1e-9


def fill(polygons: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centre lies inside an odd number of polygons' windings (even-odd, exclusive or).

    Parameters
    ----------
    polygons
        Each (n, 2): x (column) and y (row) in pixels; the centre of pixel (0, 0) is (0, 0). They are
        closed by themselves.
    shape
        Rows and columns of the result.

    Notes
    -----
    Every row's centre line is cut with all edges at once; each crossing flips all pixels to its right. A
    centre that lies exactly on an edge belongs to the shape at its left and upper edges and not at the
    right and lower ones, so shapes that share an edge share no pixel.

    Examples
    --------
    >>> square = np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]])
    >>> int(fill([square], (4, 4)).sum())
    4
    """
    rows, columns = shape
    flips = np.zeros((rows, columns + 1), dtype=np.int64)
    for polygon in polygons:
        start, end = polygon, np.roll(polygon, -1, axis=0)
        down = start[:, 1] <= end[:, 1]
        upper, lower = np.where(down[:, None], start, end), np.where(down[:, None], end, start)
        first = np.clip(np.ceil(upper[:, 1]), 0, rows).astype(np.int64)
        count = np.clip(np.ceil(lower[:, 1]), 0, rows).astype(np.int64) - first
        edge = np.repeat(np.arange(len(count)), count)
        row = _ranges(first, count)
        height = lower[edge, 1] - upper[edge, 1]
        x = upper[edge, 0] + (row - upper[edge, 1]) / height * (lower[edge, 0] - upper[edge, 0])
        # Rounding must not decide about a centre that lies exactly on an edge.
        column = np.clip(np.ceil(x - _EDGE), 0, columns).astype(np.int64)
        np.add.at(flips, (row, column), 1)
    return (np.cumsum(flips, axis=1)[:, :columns] & 1).astype(bool)


def touch(polygons: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels that lie inside (see :func:`fill`) or that an outline passes through.

    Examples
    --------
    >>> speck = np.array([[1.1, 1.1], [1.2, 1.1], [1.2, 1.2]])
    >>> int(fill([speck], (4, 4)).sum()), int(touch([speck], (4, 4)).sum())
    (0, 1)
    """
    result = fill(polygons, shape)
    for polygon in polygons:
        points = _pieces(polygon)
        column, row = np.floor(points + 0.5).astype(np.int64).T
        inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
        result[row[inside], column[inside]] = True
    return result


def _pieces(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """A point inside each part into which pixel borders cut the edges of a polygon."""
    start, step = polygon, np.roll(polygon, -1, axis=0) - polygon
    edges, fractions = [np.arange(len(start))] * 2, [np.zeros(len(start)), np.ones(len(start))]
    for axis in (0, 1):
        low = np.minimum(start[:, axis], start[:, axis] + step[:, axis])
        high = np.maximum(start[:, axis], start[:, axis] + step[:, axis])
        first = np.ceil(low - 0.5).astype(np.int64)
        count = np.maximum(np.floor(high - 0.5).astype(np.int64) - first + 1, 0)
        count[step[:, axis] == 0] = 0
        edge = np.repeat(np.arange(len(count)), count)
        border = _ranges(first, count) + 0.5
        edges.append(edge)
        fractions.append((border - start[edge, axis]) / step[edge, axis])
    edge, fraction = np.concatenate(edges), np.clip(np.concatenate(fractions), 0, 1)
    order = np.lexsort((fraction, edge))
    edge, fraction = edge[order], fraction[order]
    same = edge[1:] == edge[:-1]
    middle = (fraction[1:] + fraction[:-1])[same] / 2
    edge = edge[1:][same]
    return np.asarray(start[edge] + middle[:, None] * step[edge])


def _ranges(first: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """``first[i], first[i] + 1 ...`` (``count[i]`` numbers) for every i, one after another."""
    offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(first, count) + offset
