"""Where voxels are: size, spacing, origin and direction of a regular grid in patient space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import GeometryError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Geometry"]

Triple = tuple[float, float, float]
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Geometry:
    """A regular grid in patient space: x, y, z order, millimetres, LPS as in DICOM.

    Parameters
    ----------
    size
        Voxels along x (columns), y (rows) and z (slices).
    spacing_mm
        Distance of voxel centres along x, y and z.
    origin_mm
        Centre of the first voxel.
    direction
        Rows of a 3 x 3 matrix whose columns are the unit vectors of the x, y and z axes.
    frame_uid
        DICOM frame of reference; empty where a file format has none (NIfTI, NRRD).

    Raises
    ------
    GeometryError
        When spacing is not positive or the direction is not orthonormal to 1e-3.

    Examples
    --------
    >>> grid = Geometry(size=(4, 3, 2), spacing_mm=(1.0, 1.0, 5.0), origin_mm=(0.0, 0.0, 10.0))
    >>> grid.shape
    (2, 3, 4)
    >>> grid.to_physical([[0, 0, 1]]).tolist()
    [[0.0, 0.0, 15.0]]
    """

    size: tuple[int, int, int]
    spacing_mm: Triple
    origin_mm: Triple = (0.0, 0.0, 0.0)
    direction: tuple[Triple, Triple, Triple] = IDENTITY
    frame_uid: str = ""

    def __post_init__(self) -> None:
        if any(n < 1 for n in self.size) or not all(s > 0 and np.isfinite(s) for s in self.spacing_mm):
            raise GeometryError(
                f"a grid needs positive size and spacing, not {self.size} and {self.spacing_mm}"
            )
        matrix = np.asarray(self.direction, dtype=float)
        if matrix.shape != (3, 3) or not np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-3):
            raise GeometryError("the axes of a grid must be perpendicular unit vectors")

    @classmethod
    def of(
        cls,
        size: Sequence[int],
        spacing_mm: Sequence[float],
        origin_mm: Sequence[float],
        direction: Sequence[float],
        frame_uid: str = "",
    ) -> Geometry:
        """A grid from plain numbers; ``direction`` row by row.

        Raises
        ------
        ValueError
            When their number is not 3, 3, 3 and 9.
        """
        columns, rows, slices = size
        dx, dy, dz = spacing_mm
        x, y, z = origin_mm
        a, b, c, d, e, f, g, h, i = direction
        matrix = ((a, b, c), (d, e, f), (g, h, i))
        return cls((columns, rows, slices), (dx, dy, dz), (x, y, z), matrix, frame_uid)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array: (z, y, x)."""
        return (self.size[2], self.size[1], self.size[0])

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in cubic millimetres."""
        return float(np.prod(self.spacing_mm))

    @cached_property
    def affine(self) -> NDArray[np.float64]:
        """4 x 4 matrix from indices (x, y, z) to millimetres (LPS)."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(self.direction) * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    def to_physical(self, index: ArrayLike) -> NDArray[np.float64]:
        """Millimetres (n, 3) of continuous indices (n, 3), both in x, y, z order."""
        return np.asarray(index, dtype=float) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Continuous indices (n, 3) of points (n, 3) in millimetres, both in x, y, z order."""
        shifted = np.asarray(points_mm, dtype=float) - self.affine[:3, 3]
        return shifted @ np.linalg.inv(self.affine[:3, :3]).T

    def corners_mm(self) -> NDArray[np.float64]:
        """The eight outermost voxel centres (8, 3) in millimetres."""
        return self.to_physical(list(product(*((0, n - 1) for n in self.size))))

    def distance_mm(self, other: Geometry) -> float:
        """Largest distance between equal corners of two grids; infinite when sizes differ."""
        if self.size != other.size:
            return float("inf")
        return float(np.linalg.norm(self.corners_mm() - other.corners_mm(), axis=1).max())

    def agrees(self, other: Geometry, tolerance: float = 0.01) -> bool:
        """Whether two grids are the same to ``tolerance``, a fraction of the smallest spacing."""
        return self.distance_mm(other) <= tolerance * min(self.spacing_mm)

    def crop(self, start: tuple[int, int, int], size: tuple[int, int, int]) -> Geometry:
        """Grid of a box that starts at index ``start`` (x, y, z; may be negative)."""
        x, y, z = (float(value) for value in self.to_physical([start])[0])
        return replace(self, size=size, origin_mm=(x, y, z))
