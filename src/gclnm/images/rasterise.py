"""Closed contours in space to a mask on the grid of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gclnm.errors import GeometryError
from gclnm.images.geometry import Geometry
from gclnm.images.scanline import fill, touch
from gclnm.images.volume import Mask, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Contours", "mask_from_contours"]

# Contours of one plane: their writers round to 0.01 mm or so.
_SAME_PLANE = 0.1
# A contour may lean by half a slice; beyond that it was drawn on other slices than these.
_LEAN = 0.5


@dataclass(frozen=True)
class Contours:
    """Closed contours of one ROI, each (n, 3) in millimetres (LPS).

    Parameters
    ----------
    points_mm
        One array for each contour of at least three points.
    ignored
        Number of points, open lines and contours of fewer than three points that were left out.
    frame_uid
        Frame of reference that the coordinates belong to; empty when the file does not say.
    """

    points_mm: tuple[NDArray[np.float64], ...]
    ignored: int = 0
    frame_uid: str = ""


def mask_from_contours(
    contours: Contours, geometry: Geometry, rule: Literal["centre", "touch"] = "centre"
) -> Mask:
    """Rasterise contours on a grid.

    Contours of one plane are combined by exclusive or (holes as second contours; keyholes come out the
    same); a repeated contour counts once. A plane of contours belongs to the nearest slice; of several the
    nearest plane counts. Where all planes lie evenly more than one and a half slices apart (drawn on a
    coarser series), each slice takes the nearest plane within half their distance.

    Parameters
    ----------
    contours
        Closed contours in the frame of reference of the grid.
    geometry
        Any spacing and direction.
    rule
        ``"centre"``: voxels whose centre lies inside. ``"touch"``: also those that an outline touches.

    Returns
    -------
    Mask
        Its history tells the rule, contours, planes off the slices and how far, clipped and ignored ones.

    Raises
    ------
    GeometryError
        Code ``other-frame``, ``contours-not-in-slices``, ``mask-outside-image`` or ``mask-empty``.

    Examples
    --------
    >>> square = np.array([[0.5, 0.5, 3.0], [2.5, 0.5, 3.0], [2.5, 2.5, 3.0], [0.5, 2.5, 3.0]])
    >>> grid = Geometry(size=(4, 4, 3), spacing_mm=(1.0, 1.0, 3.0))
    >>> mask_from_contours(Contours((square,)), grid).n_voxels
    4
    """
    if contours.frame_uid and geometry.frame_uid and contours.frame_uid != geometry.frame_uid:
        raise GeometryError(
            "the contours belong to another frame of reference than the image",
            fix="Register the image, or pair the ROI with the series it was drawn on.",
            code="other-frame",
        )
    indexed, repeated = _distinct([np.round(geometry.to_index(p), 6) for p in contours.points_mm])
    planes = _planes(indexed, geometry)
    slices, settings = _assign(planes, geometry.size[2])
    inside = [polygon for plane in slices.values() for polygon in planes[plane].polygons]
    clipped = sum(not _within(polygon, geometry) for polygon in inside)
    if not slices or all(_apart(polygon, geometry) for polygon in inside):
        raise GeometryError(
            "the ROI lies outside the image",
            fix="Pair it with the series it was drawn on.",
            code="mask-outside-image",
        )
    array = np.zeros(geometry.shape, dtype=bool)
    paint = fill if rule == "centre" else touch
    for index, plane in slices.items():
        array[index] = paint(planes[plane].polygons, geometry.shape[1:])
    if not array.any():
        raise GeometryError(
            "the contours hold no voxel centre",
            fix='Take rule="touch", or leave the ROI out: it is smaller than a voxel.',
            code="mask-empty",
        )
    counts = {"clipped": clipped, "repeated": repeated, "ignored": contours.ignored}
    settings |= {key: value for key, value in counts.items() if value}
    step = Step("rasterise", {"rule": rule, "contours": len(indexed), **settings})
    return Mask(array, geometry, (step,))


@dataclass(frozen=True)
class _Plane:
    """Contours that lie at one height: slice coordinate, and (n, 2) polygons in pixels."""

    height: float
    polygons: tuple[NDArray[np.float64], ...]


def _distinct(
    contours: Sequence[NDArray[np.float64]],
) -> tuple[list[NDArray[np.float64]], int]:
    unique = {contour.tobytes(): contour for contour in contours}
    return list(unique.values()), len(contours) - len(unique)


def _planes(contours: Sequence[NDArray[np.float64]], geometry: Geometry) -> list[_Plane]:
    """Contours grouped by height, lowest first."""
    lean = max(float(np.ptp(contour[:, 2])) for contour in contours)
    if lean > _LEAN:
        raise GeometryError(
            f"contours cross up to {lean:.3g} slices: they were not drawn on slices of this image",
            fix="Pair the ROI with the series it was drawn on.",
            code="contours-not-in-slices",
        )
    ordered = sorted(contours, key=lambda contour: float(contour[:, 2].mean()))
    groups: list[list[NDArray[np.float64]]] = []
    for contour in ordered:
        height = float(contour[:, 2].mean())
        if groups and height - float(groups[-1][0][:, 2].mean()) <= _SAME_PLANE:
            groups[-1].append(contour)
        else:
            groups.append([contour])
    return [
        _Plane(float(np.mean([c[:, 2].mean() for c in group])), tuple(c[:, :2] for c in group))
        for group in groups
    ]


def _assign(planes: Sequence[_Plane], n_slices: int) -> tuple[dict[int, int], dict[str, Any]]:
    """Which plane each slice takes, and what to tell about it."""
    heights = np.array([plane.height for plane in planes])
    gaps = np.diff(heights)
    coarse = len(heights) > 2 and gaps.min() > 1.5 and np.ptp(gaps) < _SAME_PLANE * 2
    reach = float(gaps.mean()) / 2 if coarse else 0.5
    lowest = max(int(np.floor(heights[0] - reach)), 0)
    highest = min(int(np.ceil(heights[-1] + reach)), n_slices - 1)
    slices: dict[int, int] = {}
    for index in range(lowest, highest + 1):
        distance = np.abs(heights - index)
        nearest = int(np.argmin(distance))
        between = heights[0] <= index <= heights[-1]
        if _reaches(float(heights[nearest]) - index, reach, coarse=coarse, between=bool(between)):
            slices[index] = nearest
    off = np.abs(heights - np.round(heights))
    outside = int(((heights < -0.5) | (heights >= n_slices - 0.5)).sum())
    skipped = 0 if coarse or not slices else int(np.ptp(list(slices))) + 1 - len(slices)
    unused = len(heights) - outside - len(set(slices.values()))
    told: dict[str, Any] = {
        "planes": len(heights),
        "slices": len(slices),
        "planes_off_slices": int((off > 1e-3).sum()),
        "farthest_off_slices": round(float(off.max()), 4),
        "planes_outside": outside,
        "planes_not_nearest": max(unused, 0),
        "slices_skipped": skipped,
    }
    told = {key: value for key, value in told.items() if value or key in ("planes", "slices")}
    if coarse:
        told["coarser_planes_spread_to"] = round(reach, 3)
    return slices, told


def _reaches(distance: float, reach: float, *, coarse: bool, between: bool) -> bool:
    """Whether a slice takes a plane that lies ``distance`` slices above it."""
    if not coarse:
        # A plane midway between two slices belongs to the upper one only.
        return -reach <= distance < reach
    # Between coarser planes no slice is left out; beyond the outermost ones a tie adds nothing.
    return between or abs(distance) < reach - 1e-6


def _within(polygon: NDArray[np.float64], geometry: Geometry) -> bool:
    limits = np.array(geometry.size[:2]) - 0.5
    return bool((polygon >= -0.5).all() and (polygon <= limits).all())


def _apart(polygon: NDArray[np.float64], geometry: Geometry) -> bool:
    limits = np.array(geometry.size[:2]) - 0.5
    return bool((polygon.max(axis=0) < -0.5).any() or (polygon.min(axis=0) > limits).any())
