"""Signed distances of simple bodies: negative inside, about millimetres near the surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["Points", "Tube", "Warp", "ellipsoid", "points_of_slice", "radial_depth"]

REACH_MM = 16.0


@dataclass(frozen=True)
class Points:
    """Coordinates of many points in millimetres (LPS); three arrays of one shape."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    z: NDArray[np.float32]

    def where(self, chosen: NDArray[np.bool_]) -> Points:
        """Only the chosen points."""
        return Points(self.x[chosen], self.y[chosen], self.z[chosen])


def points_of_slice(affine: NDArray[np.float64], shape: tuple[int, int], index: int) -> Points:
    """Voxel centres of slice ``index`` of a grid, each coordinate an array (rows, columns)."""
    rows = np.arange(shape[0], dtype=np.float64)[:, None]
    columns = np.arange(shape[1], dtype=np.float64)[None, :]
    x, y, z = (
        (row[0] * columns + row[1] * rows + row[2] * index + row[3]).astype(np.float32) for row in affine[:3]
    )
    return Points(x, y, z)


def ellipsoid(
    points: Points,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    turn_deg: float = 0.0,
) -> NDArray[np.float32]:
    """Distance to an ellipsoid whose first two axes are turned about z."""
    angle = np.deg2rad(turn_deg)
    dx, dy, dz = points.x - centre[0], points.y - centre[1], points.z - centre[2]
    u = (np.float32(np.cos(angle)) * dx + np.float32(np.sin(angle)) * dy) / radii[0]
    v = (np.float32(np.cos(angle)) * dy - np.float32(np.sin(angle)) * dx) / radii[1]
    w = dz / radii[2]
    level = np.sqrt(u * u + v * v + w * w)
    return ((level - 1) * min(radii)).astype(np.float32)


def radial_depth(points: Points, half_x: float, half_y: float, power: float) -> NDArray[np.float32]:
    """Depth below the surface of an upright superelliptic cylinder, measured towards its axis.

    Negative outside, unlike the other functions here, because a depth is what layers need.
    """
    x, y = np.abs(points.x) / half_x, np.abs(points.y) / half_y
    level = np.maximum((x**power + y**power) ** (1 / power), 1e-3)
    return (np.hypot(points.x, points.y) * (1 / level - 1)).astype(np.float32)


@dataclass(frozen=True)
class Tube:
    """A bent tube of changing radius: a polyline of centres (n, 3) and radii (n,)."""

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]

    @classmethod
    def through(cls, knots: list[tuple[float, float, float]], radii: list[float], pieces: int = 12) -> Tube:
        """A smooth tube through ``knots``, cut into straight ``pieces``."""
        # Catmull-Rom: the ends are extended by mirroring.
        bare = np.asarray(knots, dtype=np.float64)
        points = np.vstack([2 * bare[0] - bare[1], bare, 2 * bare[-1] - bare[-2]])
        at = np.linspace(0, len(bare) - 1, pieces + 1)
        first = np.minimum(at.astype(int), len(bare) - 2)
        t = (at - first)[:, None]
        a, b, c, d = (points[first + k] for k in range(4))
        curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        return cls(curve, np.interp(at, np.arange(len(bare)), radii))

    def at(self, fraction: float) -> tuple[NDArray[np.float64], float]:
        """Centre and radius at a fraction of the way along."""
        where = fraction * (len(self.radii) - 1)
        index = np.arange(len(self.radii))
        centre = np.array([np.interp(where, index, self.centres[:, axis]) for axis in range(3)])
        return centre, float(np.interp(where, index, self.radii))

    def distance(self, points: Points) -> NDArray[np.float32]:
        """Distance to the tube's surface, exact up to 16 mm outside and never more than that."""
        best = np.full(points.x.shape, REACH_MM, dtype=np.float32)
        near = np.ones(points.x.shape, dtype=bool)
        margin = self.radii.max() + REACH_MM
        for axis, values in enumerate((points.x, points.y, points.z)):
            near &= values > self.centres[:, axis].min() - margin
            near &= values < self.centres[:, axis].max() + margin
        if near.any():
            best[near] = np.minimum(self._distance(points.where(near)), REACH_MM)
        return best

    def _distance(self, points: Points) -> NDArray[np.float32]:
        best = np.full(points.x.shape, np.inf, dtype=np.float32)
        for (a, b), (ra, rb) in zip(
            zip(self.centres, self.centres[1:], strict=False),
            zip(self.radii, self.radii[1:], strict=False),
            strict=True,
        ):
            axis = (b - a).astype(np.float32)
            dx, dy, dz = points.x - np.float32(a[0]), points.y - np.float32(a[1]), points.z - np.float32(a[2])
            along = np.clip((dx * axis[0] + dy * axis[1] + dz * axis[2]) / float(axis @ axis), 0, 1)
            away = np.sqrt(
                (dx - along * axis[0]) ** 2 + (dy - along * axis[1]) ** 2 + (dz - along * axis[2]) ** 2
            )
            np.minimum(best, away - (np.float32(ra) + along * np.float32(rb - ra)), out=best)
        return best


@dataclass(frozen=True)
class Warp:
    """A gentle bend of space that turns ellipsoids into organs.

    Each coordinate is moved by ``waves`` sine waves: ``amplitude_mm`` (3, n), ``wave`` (3, n, 3)
    in radians per mm, ``shift`` (3, n).
    """

    amplitude_mm: NDArray[np.float64]
    wave: NDArray[np.float64]
    shift: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: Generator, size_mm: float, waves: int = 3) -> Warp:
        """A random warp that moves points by about ``size_mm``."""
        length_mm = rng.uniform(55, 130, (3, waves, 1))
        heading = rng.normal(size=(3, waves, 3))
        heading /= np.linalg.norm(heading, axis=2, keepdims=True)
        amplitude = size_mm * rng.uniform(0.4, 1.0, (3, waves)) / np.sqrt(waves)
        return cls(amplitude, heading * 2 * np.pi / length_mm, rng.uniform(0, 2 * np.pi, (3, waves)))

    def __call__(self, points: Points) -> Points:
        """The points, moved."""
        moved = []
        for axis, values in enumerate((points.x, points.y, points.z)):
            total = values.astype(np.float32)
            for amplitude, wave, shift in zip(
                self.amplitude_mm[axis], self.wave[axis], self.shift[axis], strict=True
            ):
                phase = points.x * np.float32(wave[0]) + points.y * np.float32(wave[1])
                phase += points.z * np.float32(wave[2]) + np.float32(shift)
                total = (total + np.float32(amplitude) * np.sin(phase)).astype(np.float32)
            moved.append(total)
        return Points(*moved)
