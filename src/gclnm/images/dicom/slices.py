"""Whether the frames of one volume stack up to a regular grid, and what is wrong where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gclnm.images.dicom.headers import FrameHeader
from gclnm.images.dicom.split import SAME_AXES, SAME_PLACE_MM, heights

__all__ = ["Stack", "stack"]

NAN3 = (float("nan"),) * 3
GAP = 1.5
UNEVEN = 0.02
TOO_UNEVEN = 0.1
SHEAR_SEEN_PX, SHEAR_ALLOWED_PX = 0.1, 0.5


@dataclass
class Stack:
    """Frames sorted along the slice normal, the grid they span, and what is odd about them."""

    frames: list[FrameHeader]
    spacing: tuple[float, float, float] = NAN3
    origin: tuple[float, float, float] = NAN3
    direction: tuple[float, ...] = ()
    flags: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)

    def odd(self, flag: str, reason: str = "") -> None:
        """Note a flag and, if it bars use, the reason."""
        self.flags.add(flag)
        if reason:
            self.reasons.append(reason)


def stack(frames: Sequence[FrameHeader]) -> Stack:
    """Sort frames along their normal, by geometry alone, and judge what they span."""
    result = Stack(sorted(frames, key=lambda f: (f.instance_number or 0, f.frame or 0, f.file)))
    _check_size(result)
    if result.frames[0].tiles:
        result.odd(
            result.frames[0].tiles,
            "each file holds a whole volume as tiles of one image, which is not read yet",
        )
        return result
    if any(f.position is None or f.orientation is None for f in frames):
        result.odd("no-geometry", "position or orientation is not in the header")
        return result
    if not _check_axes(result):
        return result
    place = heights(result.frames)
    order = np.argsort(place, kind="stable")
    result.frames = [result.frames[int(i)] for i in order]
    _set_grid(result, place[order])
    return result


def _check_size(result: Stack) -> None:
    sizes = {(f.rows, f.columns) for f in result.frames}
    spacings = {tuple(round(s, 4) for s in f.spacing) if f.spacing else None for f in result.frames}
    if len(sizes) > 1 or len(spacings) > 1:
        result.odd("mixed-size", f"slices have {max(len(sizes), len(spacings))} different sizes or spacings")
    if any(f.samples != 1 for f in result.frames):
        result.odd("colour", "colour images have no signal to measure")
    if None in spacings:
        result.odd("no-geometry", "pixel spacing is not in the header")


def _check_axes(result: Stack) -> bool:
    axes = np.array([f.orientation for f in result.frames])
    if np.abs(axes - axes[0]).max() > 2 * SAME_AXES:
        result.odd("mixed-orientation", "slices have different orientations")
        return False
    row, column = axes.mean(axis=0)[:3], axes.mean(axis=0)[3:]
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    if abs(lengths - 1).max() > 0.01 or abs(row @ column) > 0.01:
        result.odd("no-geometry", "the direction cosines in the header are not perpendicular unit vectors")
        return False
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    result.direction = tuple(float(v) for v in np.column_stack([row, column, np.cross(row, column)]).ravel())
    return True


def _set_grid(result: Stack, place: NDArray[np.float64]) -> None:
    first = result.frames[0]
    x, y = first.spacing or (float("nan"), float("nan"))
    positions = np.array([f.position for f in result.frames], dtype=float)
    result.origin = (float(positions[0, 0]), float(positions[0, 1]), float(positions[0, 2]))
    if len(place) == 1:
        result.odd("single-slice")
        result.spacing = (x, y, first.slice_thickness or first.slice_spacing or float("nan"))
        return
    steps = np.diff(place)
    repeats = int((steps <= SAME_PLACE_MM).sum())
    if repeats:
        result.odd("duplicate-slice", _repeated(repeats))
        steps = steps[steps > SAME_PLACE_MM]
    if steps.size:
        result.spacing = (
            x,
            y,
            float(np.median(steps)) if repeats else float(place[-1] - place[0]) / len(steps),
        )
        if not repeats:
            _check_steps(result, place, steps)
            _check_shear(result, positions, place)


def _repeated(count: int) -> str:
    where = "one position" if count == 1 else f"{count} positions"
    return f"several slices lie at {where}, and nothing in their headers tells them apart"


def _missing(count: int, places: int) -> str:
    if count == 1:
        return "1 slice is missing"
    return f"{count} slices are missing" + (f" at {places} places" if places > 1 else "")


def _check_steps(result: Stack, place: NDArray[np.float64], steps: NDArray[np.float64]) -> None:
    # The lower median: of two steps, one twice the other, the larger one is the gap.
    middle = float(np.sort(steps)[(len(steps) - 1) // 2])
    gaps = steps > GAP * middle
    if gaps.any():
        missing = int(np.round(steps[gaps] / middle - 1).sum())
        result.odd("missing-slice", _missing(missing, int(gaps.sum())))
        result.spacing = (*result.spacing[:2], middle)
        return
    regular = place[0] + np.arange(len(place)) * (place[-1] - place[0]) / (len(place) - 1)
    deviation = float(np.abs(place - regular).max()) / middle
    if deviation > TOO_UNEVEN:
        result.odd("uneven-spacing", f"slices lie up to {deviation:.0%} of their distance off a regular grid")
    elif max(deviation, float(np.abs(steps / middle - 1).max())) > UNEVEN:
        result.odd("uneven-spacing")


def _check_shear(result: Stack, positions: NDArray[np.float64], place: NDArray[np.float64]) -> None:
    """Positions that move sideways from slice to slice: a tilted gantry, or stacks that were mixed."""
    axes = np.array(result.direction).reshape(3, 3)[:, :2]
    pixel = min(result.spacing[:2])
    sideways = (positions - positions[0]) @ axes
    drift = float(np.abs(sideways).max()) / pixel
    if not drift > SHEAR_SEEN_PX:
        return
    per_mm = sideways[-1] / (place[-1] - place[0])
    linear = np.abs(sideways - np.outer(place - place[0], per_mm)).max() / pixel < SHEAR_SEEN_PX
    name = "gantry-tilt" if linear else "shifted-slices"
    angle = np.degrees(np.arctan(np.linalg.norm(per_mm)))
    words = (
        f"slices are sheared by {angle:.1f} degrees" if linear else "slices are shifted against each other"
    )
    result.odd(name, words if drift > SHEAR_ALLOWED_PX else "")
