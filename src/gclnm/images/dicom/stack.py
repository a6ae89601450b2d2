"""The grid that frames span, from their positions and orientations alone, and what is wrong with it.

One judgement for all: a volume is usable in the catalog exactly if its voxels load, and a segment alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from gclnm.errors import GeometryError
from gclnm.images.dicom.frames import Plane
from gclnm.images.geometry import Geometry
from gclnm.images.limits import MOST_PIXELS, MOST_VOXELS

__all__ = ["FIXES", "SAME_AXES", "SAME_PLACE_MM", "Fault", "Stack", "heights", "sparse_stack", "stack"]

SAME_PLACE_MM = 0.02
SAME_AXES = 1e-3
GAP = 1.5
# How far a slice may lie off the even grid that stands for the stack, as a part of the spacing. Real stacks
# jitter by hundredths of a millimetre, below 1 %; from 2 % on it is told. A twentieth displaces voxels by
# less than any resampling does; acquisitions that are uneven (21 and 18 mm) are off by more.
UNEVEN, TOO_UNEVEN = 0.02, 0.05
# Headers that round positions to 0.1 mm move thin slices by more than that: up to 0.05 mm each, and 0.1 mm
# against the line through both ends. It is believed to be rounding up to a tenth of the spacing.
ROUNDING_MM, MOST_ROUNDING = 0.1, 0.1
SHEAR_SEEN_PX, SHEAR_ALLOWED_PX = 0.1, 0.5

FIXES = {
    "missing-slice": "Export the whole series again; slices are never made up.",
    "duplicate-slice": "Split the series by time, echo, b-value or acquisition, or remove the copies.",
    "mixed-size": "Keep the slices of one size in a series of their own.",
    "mixed-orientation": "Keep the slices of one orientation in a series of their own.",
    "mixed-frames": "Keep the slices of one frame of reference in a series of their own.",
    "gantry-tilt": "Resample the series to an upright stack first.",
    "shifted-slices": "Keep each stack in a series of its own.",
    "uneven-spacing": "Export the series again, or resample it to a regular grid first.",
    "no-geometry": "Export the series with its position and orientation.",
    "too-large": "Export it again, or leave it out.",
}

Triple = tuple[float, float, float]
NAN3: Triple = (float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Fault:
    """Why frames make no volume: a code (a key of :data:`FIXES` where it is the geometry) and a sentence."""

    code: str
    what: str


@dataclass
class Stack:
    """The grid that frames span, and what is odd about it.

    Parameters
    ----------
    size
        Columns, rows, slices.
    order
        Indices of the frames along the slice normal.
    spacing, origin, direction
        x, y, z, millimetres, LPS; NaN or empty where the header does not say.
    frame_uid
        Frame of reference.
    flags
        What is odd.
    faults
        What of it bars use.
    """

    size: tuple[int, int, int]
    order: list[int]
    spacing: Triple = NAN3
    origin: Triple = NAN3
    direction: tuple[float, ...] = ()
    frame_uid: str = ""
    flags: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)

    def odd(self, flag: str, what: str = "") -> None:
        """Note a flag and, if it bars use, why."""
        self.flags.add(flag)
        if what:
            self.faults.append(Fault(flag, what))

    def geometry(self, where: str = "") -> Geometry:
        """The grid.

        Raises
        ------
        GeometryError
            The first fault, with its code. One slice without a thickness has no grid either.
        """
        for fault in self.faults:
            raise GeometryError(fault.what, where=where, fix=FIXES.get(fault.code, ""), code=fault.code)
        return Geometry.of(self.size, self.spacing, self.origin, self.direction, self.frame_uid)


def stack(planes: Sequence[Plane]) -> Stack:
    """The grid of slices that lie one behind the other, each place taken once.

    Parameters
    ----------
    planes
        One for each slice, in any order.

    Examples
    --------
    >>> axial = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    >>> slices = [
    ...     Plane(position=(0.0, 0.0, z), orientation=axial, spacing=(0.5, 0.5), rows=4, columns=4)
    ...     for z in (10.0, 0.0, 5.0)
    ... ]
    >>> found = stack(slices)
    >>> found.spacing, found.origin, found.order
    ((0.5, 0.5, 5.0), (0.0, 0.0, 0.0), [1, 2, 0])
    """
    result = _begun(planes)
    if not result.direction:
        return result
    along = heights(planes)
    result.order = [int(k) for k in np.argsort(along, kind="stable")]
    positions = _positions(planes)[result.order]
    result.origin = _triple(positions[0])
    along = along[result.order]
    if len(planes) == 1:
        result.odd("single-slice")
        result.spacing = (*result.spacing[:2], _declared(planes[0].slice_thickness, planes[0].slice_spacing))
        return result
    steps = np.diff(along)
    repeats = int((steps <= SAME_PLACE_MM).sum())
    if repeats:
        result.odd("duplicate-slice", _repeated(repeats))
        steps = steps[steps > SAME_PLACE_MM]
        step = float(np.median(steps)) if steps.size else float("nan")
    else:
        step = _checked_step(result, along)
        _check_shear(result, positions, along)
    result.spacing = (*result.spacing[:2], _nanometres(step))
    return result


def sparse_stack(planes: Sequence[Plane]) -> tuple[Stack, list[int]]:
    """The grid of frames that may share a place (segments) or leave some empty, and each frame's slice.

    The distance of slices is the declared one where it fits, else the smallest distance of two frames.
    """
    result = _begun(planes)
    if not result.direction:
        return result, []
    along = heights(planes)
    ordered = np.sort(along)
    levels = ordered[np.concatenate(([True], np.diff(ordered) > SAME_PLACE_MM))]
    first = planes[int(np.argmin(along))]
    step = _sparse_step(np.diff(levels), first)
    index = (along - levels[0]) / step
    slices = np.round(index).astype(int)
    if np.abs(index - slices).max() * step > _allowed(step):
        result.odd("uneven-spacing", "the frames do not lie on one regular grid")
    positions = _positions(planes)
    result.origin = _triple(positions[int(np.argmin(along))])
    result.spacing = (*result.spacing[:2], _nanometres(step))
    result.size = (*result.size[:2], int(slices.max()) + 1)
    if prod(result.size) > MOST_VOXELS:
        result.odd("too-large", f"the frames span more than {MOST_VOXELS} voxels")
    result.order = [int(k) for k in np.argsort(along, kind="stable")]
    _check_shear(result, positions[result.order], along[result.order])
    return result, [int(k) for k in slices]


def heights(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """Positions (n,) along the slice normal in mm; 0 where some frame has none."""
    if any(p.position is None or p.orientation is None for p in planes):
        return np.zeros(len(planes))
    axes = _cosines(planes)
    normal = np.cross(axes[:3], axes[3:])
    return np.asarray(_positions(planes) @ (normal / max(float(np.linalg.norm(normal)), 1e-9)))


def _positions(planes: Sequence[Plane]) -> NDArray[np.float64]:
    return np.array([p.position for p in planes], dtype=float)


def _cosines(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """Direction cosines (6,) of all frames: the median, which no order and no single frame decides."""
    return np.asarray(np.median(np.array([p.orientation for p in planes], dtype=float), axis=0))


def _begun(planes: Sequence[Plane]) -> Stack:
    """Size, pixel spacing and axes; without axes where the frames have none in common."""
    first = planes[0]
    result = Stack((first.columns, first.rows, len(planes)), list(range(len(planes))))
    result.frame_uid = first.frame_uid
    if first.columns * first.rows > MOST_PIXELS or prod(result.size) > MOST_VOXELS:
        result.odd("too-large", "the frames have more pixels than can be read")
    sizes = {(p.rows, p.columns) for p in planes}
    spacings = {tuple(round(s, 4) for s in p.spacing) if p.spacing else None for p in planes}
    if len(sizes) > 1 or len(spacings) > 1:
        result.odd("mixed-size", f"slices have {max(len(sizes), len(spacings))} different sizes or spacings")
    if len({p.frame_uid for p in planes}) > 1:
        result.odd("mixed-frames", "slices lie in several frames of reference")
    if None in spacings:
        result.odd("no-geometry", "pixel spacing is not in the header")
    if first.spacing:
        result.spacing = (first.spacing[0], first.spacing[1], float("nan"))
    if any(p.position is None or p.orientation is None for p in planes):
        result.odd("no-geometry", "position or orientation is not in the header")
    else:
        _set_axes(result, planes)
    return result


def _set_axes(result: Stack, planes: Sequence[Plane]) -> None:
    cosines = _cosines(planes)
    if np.abs(np.array([p.orientation for p in planes]) - cosines).max() > 2 * SAME_AXES:
        result.odd("mixed-orientation", "slices have different orientations")
        return
    row, column = cosines[:3], cosines[3:]
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    if abs(lengths - 1).max() > 0.01 or abs(row @ column) > 0.01:
        result.odd("no-geometry", "the direction cosines in the header are not perpendicular unit vectors")
        return
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    axes = np.column_stack([row, column, np.cross(row, column)]) + 0.0  # no negative zeros
    result.direction = tuple(float(v) for v in axes.ravel())


def _triple(vector: NDArray[np.float64]) -> Triple:
    x, y, z = (float(value) for value in vector)
    return (x, y, z)


def _nanometres(step: float) -> float:
    # Below every header's rounding; it would only make equal grids look unequal.
    return round(step, 6)


def _declared(*values: float | None) -> float:
    return next((abs(value) for value in values if value), float("nan"))


def _allowed(step: float) -> float:
    """How far a slice may lie off the grid, in mm."""
    return max(TOO_UNEVEN * step, min(ROUNDING_MM, MOST_ROUNDING * step))


def _repeated(count: int) -> str:
    where = "one position" if count == 1 else f"{count} positions"
    return f"several slices lie at {where}, and nothing in their headers tells them apart"


def _missing(count: int, places: int) -> str:
    if count == 1:
        return "1 slice is missing"
    return f"{count} slices are missing" + (f" at {places} places" if places > 1 else "")


def _checked_step(result: Stack, along: NDArray[np.float64]) -> float:
    """Slice spacing from sorted positions; gaps and unevenness are noted."""
    steps = np.diff(along)
    # The lower median: of two steps, one twice the other, the larger one is the gap.
    middle = float(np.sort(steps)[(len(steps) - 1) // 2])
    gaps = steps > GAP * middle
    if gaps.any():
        missing = int(np.round(steps[gaps] / middle - 1).sum())
        result.odd("missing-slice", _missing(missing, int(gaps.sum())))
        return middle
    step = float(along[-1] - along[0]) / len(steps)
    deviation = float(np.abs(along - np.linspace(along[0], along[-1], len(along))).max())
    if deviation > _allowed(step):
        result.odd(
            "uneven-spacing", f"slices lie up to {deviation / step:.0%} of their distance off a regular grid"
        )
    elif max(deviation / step, float(np.abs(steps / middle - 1).max())) > UNEVEN:
        result.odd("uneven-spacing")
    return step


def _sparse_step(gaps: NDArray[np.float64], plane: Plane) -> float:
    """Distance of slices from the distances of neighbouring frames, of which each is a multiple of it."""
    candidates = [d for d in (plane.slice_spacing, plane.slice_thickness) if d and d > 0]
    if not gaps.size:
        # One place has no distance to measure; without any word about it 1 mm is as good as another.
        return candidates[0] if candidates else 1.0
    for step in (*candidates, float(gaps.min())):
        counts = np.round(gaps / step)
        if counts.min() >= 1 and np.abs(gaps - counts * step).max() <= _allowed(step):
            break
    # Rounding of a declared value must not add up over many slices.
    return float(gaps.sum() / np.maximum(np.round(gaps / step), 1).sum())


def _check_shear(result: Stack, positions: NDArray[np.float64], along: NDArray[np.float64]) -> None:
    """Positions that move sideways from slice to slice: a tilted gantry, or stacks that were mixed."""
    axes = np.array(result.direction).reshape(3, 3)[:, :2]
    pixel = min(result.spacing[:2])
    sideways = (positions - positions[0]) @ axes
    drift = float(np.abs(sideways).max()) / pixel
    if not drift > SHEAR_SEEN_PX:
        return
    per_mm = sideways[-1] / max(float(along[-1] - along[0]), 1e-9)
    linear = np.abs(sideways - np.outer(along - along[0], per_mm)).max() / pixel < SHEAR_SEEN_PX
    name = "gantry-tilt" if linear else "shifted-slices"
    angle = np.degrees(np.arctan(np.linalg.norm(per_mm)))
    words = (
        f"slices are sheared by {angle:.1f} degrees" if linear else "slices are shifted against each other"
    )
    result.odd(name, words if drift > SHEAR_ALLOWED_PX else "")
