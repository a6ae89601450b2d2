"""The grid of a stack of slices, from their positions and orientations and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import GeometryError
from gclnm.images.geometry import Geometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Plane", "stack"]

# Positions in headers are rounded (0.1 mm on thin slices), scanners are not that bad: a tenth of the
# spacing is rounding, half of it is a slice that is missing or was moved.
GAP_TOLERANCE = 0.1
# In-plane drift of the slices, in units of the in-plane spacing, per slice: tilt of 1 degree on 5 mm
# slices is 0.09 mm a slice.
DRIFT_TOLERANCE = 0.05
DIRECTION_TOLERANCE = 2e-3


@dataclass(frozen=True)
class Plane:
    """Where one slice lies: what its header says."""

    position: tuple[float, float, float] | None
    orientation: tuple[float, ...] | None
    spacing_mm: tuple[float, float] | None
    rows: int
    columns: int
    thickness_mm: float | None = None
    step_mm: float | None = None


def stack(planes: Sequence[Plane], *, frame_uid: str = "", where: str = "") -> tuple[Geometry, list[int]]:
    """Grid of slices and their order along the normal.

    Parameters
    ----------
    planes
        One for each slice, in any order.
    frame_uid
        DICOM frame of reference.
    where
        Named in errors.

    Returns
    -------
    geometry, order
        The grid, and the indices of ``planes`` from the first slice to the last.

    Raises
    ------
    GeometryError
        Code ``no-position``, ``mixed-size``, ``mixed-orientation``, ``duplicate-slice``, ``missing-slice``,
        ``uneven-slices`` or ``gantry-tilt``.

    Examples
    --------
    >>> axial = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    >>> slices = [Plane((0.0, 0.0, z), axial, (0.5, 0.5), 4, 4) for z in (10.0, 0.0, 5.0)]
    >>> grid, order = stack(slices)
    >>> grid.spacing_mm, grid.origin_mm, order
    ((0.5, 0.5, 5.0), (0.0, 0.0, 0.0), [1, 2, 0])
    """
    first = planes[0]
    if any((p.rows, p.columns) != (first.rows, first.columns) for p in planes):
        raise GeometryError("slices differ in rows or columns", where=where, fix=_SPLIT, code="mixed-size")
    if any(p.position is None or p.orientation is None or p.spacing_mm is None for p in planes):
        raise GeometryError(
            "a slice has no position, orientation or pixel spacing", where=where, code="no-position"
        )
    spacing = np.array([p.spacing_mm for p in planes], dtype=float)
    if not np.allclose(spacing, spacing[0], rtol=1e-3, atol=1e-4):
        raise GeometryError("slices differ in pixel spacing", where=where, fix=_SPLIT, code="mixed-size")
    axes = _axes(np.array([p.orientation for p in planes], dtype=float), where)
    positions = np.array([p.position for p in planes], dtype=float)
    along = positions @ axes[2]
    order = np.argsort(along, kind="stable")
    step = _step(along[order], first, where)
    _check_drift(positions[order], axes, spacing[0], where)
    rows_mm, columns_mm = spacing[0]
    geometry = Geometry(
        size=(first.columns, first.rows, len(planes)),
        # A nanometre is below every header's rounding; it would only make equal grids look unequal.
        spacing_mm=(float(columns_mm), float(rows_mm), round(step, 6)),
        origin_mm=_triple(positions[order[0]]),
        direction=(_triple(axes[:, 0]), _triple(axes[:, 1]), _triple(axes[:, 2])),
        frame_uid=frame_uid,
    )
    return geometry, [int(i) for i in order]


_SPLIT = "Load the parts of the series one by one, as the scan lists them."


def _triple(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in vector)
    return (x, y, z)


def _axes(orientations: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """Unit vectors of x, y and z as rows."""
    if np.abs(orientations - orientations[0]).max() > DIRECTION_TOLERANCE:
        raise GeometryError("slices differ in orientation", where=where, fix=_SPLIT, code="mixed-orientation")
    x, y = orientations[0][:3], orientations[0][3:]
    lengths = np.linalg.norm([x, y], axis=1)
    if not np.allclose(lengths, 1, atol=0.01) or abs(x @ y) > 0.01:
        raise GeometryError(
            "Image Orientation (Patient) does not hold two perpendicular unit vectors",
            where=where,
            code="bad-orientation",
        )
    x = x / lengths[0]
    y = y - (x @ y) * x
    y = y / np.linalg.norm(y)
    return np.array([x, y, np.cross(x, y)]) + 0.0  # no negative zeros


def _step(along: NDArray[np.float64], first: Plane, where: str) -> float:
    """Slice spacing from sorted positions along the normal."""
    if len(along) == 1:
        # One slice has no spacing to measure; without any word about it 1 mm is as good as another.
        return next((abs(v) for v in (first.thickness_mm, first.step_mm) if v), 1.0)
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    if gaps.min() < 0.01 * max(usual, 0.01) or usual <= 0:
        raise GeometryError(
            f"{int((gaps < 0.01 * max(usual, 0.01)).sum())} slices lie where another one lies",
            where=where,
            fix="Split the series by time, echo, b-value or acquisition, or remove the copies.",
            code="duplicate-slice",
        )
    wide = gaps > (1.5 * usual)
    if wide.any():
        missing = int(np.round(gaps[wide] / usual - 1).sum())
        raise GeometryError(
            f"{missing} slice{' is' if missing == 1 else 's are'} missing inside the stack",
            where=where,
            fix="Export the whole series again; slices are never made up.",
            code="missing-slice",
        )
    even = np.linspace(along[0], along[-1], len(along))
    step = float((along[-1] - along[0]) / (len(along) - 1))
    if np.abs(along - even).max() > GAP_TOLERANCE * step:
        raise GeometryError(
            f"slices are unevenly spaced: {gaps.min():.3g} to {gaps.max():.3g} mm",
            where=where,
            fix="Resample the series on the scanner or leave it out.",
            code="uneven-slices",
        )
    return step


def _check_drift(
    positions: NDArray[np.float64], axes: NDArray[np.float64], spacing: NDArray[np.float64], where: str
) -> None:
    if len(positions) < 2:
        return
    sideways = np.abs((positions - positions[0]) @ axes[:2].T).max(axis=0)
    per_slice = sideways / (len(positions) - 1)
    if (per_slice > DRIFT_TOLERANCE * spacing[::-1]).any() and (sideways > 0.5 * spacing[::-1]).any():
        raise GeometryError(
            "slices are shifted against each other (tilted gantry)",
            where=where,
            fix="Resample the series to an upright stack first.",
            code="gantry-tilt",
        )
