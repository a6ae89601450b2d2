"""DICOM segmentations: one segment as a mask on the grid of its own frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import GeometryError, ReadError
from gclnm.images.dicom.files import (
    frame_count,
    group_item,
    number,
    quiet,
    read_dataset,
    text,
    truncated,
)
from gclnm.images.dicom.pixels import stored_frames
from gclnm.images.dicom.stack import Plane, stack
from gclnm.images.geometry import Geometry
from gclnm.images.volume import Mask, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

__all__ = ["read_seg", "segment_numbers"]

THRESHOLD = 0.5


def segment_numbers(path: str) -> dict[int, str]:
    """Segment numbers of a segmentation and their labels."""
    dataset = read_dataset(path)
    with quiet():
        items = dataset.get("SegmentSequence") or ()
        return {int(item.SegmentNumber): text(item, "SegmentLabel") for item in items}


def read_seg(path: str, segment: int) -> Mask:
    """One segment of a DICOM SEG (binary, fractional or label map) on the grid of the segmentation.

    Empty frames are usually left out of the file, so the grid spans the frames that are there (of all
    segments); :func:`gclnm.prepare.grid.onto` brings the mask to the image's grid. A fractional segment
    is inside from half of Maximum Fractional Value on.

    Raises
    ------
    ReadError
        Code ``no-such-segment``, ``segment-empty``, or the file cannot be read.
    GeometryError
        Frames without positions, or that do not lie on one regular grid.
    """
    dataset = read_dataset(path)
    kind = text(dataset, "SegmentationType").upper()
    frames = [_Frame(dataset, index) for index in range(frame_count(dataset))]
    if segment not in segment_numbers_of(dataset):
        raise ReadError("the segmentation has no segment of this number", where=path, code="no-such-segment")
    geometry, slices = _grid(frames, text(dataset, "FrameOfReferenceUID"), path)
    wanted = [f for f in frames if kind == "LABELMAP" or f.segment == segment]
    pixels = _pixels(dataset, [f.index for f in wanted], path) if wanted else np.zeros((0, 1, 1))
    array = np.zeros(geometry.shape, dtype=bool)
    settings: dict[str, Any] = {"type": kind.lower(), "frames": len(wanted)}
    for frame, values in zip(wanted, pixels, strict=True):
        array[slices[frame.index]] |= _inside(values, kind, segment, dataset)
    if not array.any():
        raise ReadError("the segment is empty", where=path, code="segment-empty")
    if kind == "FRACTIONAL":
        settings["threshold"] = THRESHOLD
    return Mask(array, geometry, (Step("segment", settings),))


def segment_numbers_of(dataset: Dataset) -> set[int]:
    """Segment numbers that a segmentation declares."""
    with quiet():
        return {int(number(item, "SegmentNumber") or 0) for item in dataset.get("SegmentSequence") or ()}


class _Frame:
    """Where a frame lies and which segment it shows."""

    def __init__(self, dataset: Dataset, index: int) -> None:
        self.index = index
        identity = group_item(dataset, index, "SegmentIdentificationSequence")
        self.segment = int(number(identity, "ReferencedSegmentNumber") or 0)
        self.plane = Plane(
            position=_three(group_item(dataset, index, "PlanePositionSequence"), "ImagePositionPatient"),
            orientation=_floats(
                group_item(dataset, index, "PlaneOrientationSequence"), "ImageOrientationPatient"
            ),
            spacing_mm=_two(group_item(dataset, index, "PixelMeasuresSequence"), "PixelSpacing"),
            rows=int(dataset.Rows),
            columns=int(dataset.Columns),
            thickness_mm=number(group_item(dataset, index, "PixelMeasuresSequence"), "SliceThickness"),
            step_mm=number(group_item(dataset, index, "PixelMeasuresSequence"), "SpacingBetweenSlices"),
        )


def _floats(item: Dataset | None, keyword: str) -> tuple[float, ...] | None:
    try:
        return tuple(float(part) for part in text(item, keyword).split("\\"))
    except ValueError:
        return None


def _three(item: Dataset | None, keyword: str) -> tuple[float, float, float] | None:
    values = _floats(item, keyword)
    return None if values is None or len(values) != 3 else (values[0], values[1], values[2])


def _two(item: Dataset | None, keyword: str) -> tuple[float, float] | None:
    values = _floats(item, keyword)
    return None if values is None or len(values) != 2 else (values[0], values[1])


def _grid(frames: list[_Frame], frame_uid: str, path: str) -> tuple[Geometry, dict[int, int]]:
    """Regular grid through all frames, and the slice that each frame takes."""
    if any(f.plane.position is None or f.plane.orientation is None for f in frames):
        raise GeometryError("a frame of the segmentation has no position", where=path, code="no-position")
    first, _ = stack([frames[0].plane], frame_uid=frame_uid, where=path)
    normal = np.array(first.direction)[:, 2]
    positions = np.array([f.plane.position for f in frames], dtype=float)
    along = positions @ normal
    levels = _distinct(along)
    step = _step(levels, frames[0].plane)
    index = (along - levels[0]) / step
    slices = np.round(index).astype(int)
    origin = positions[int(np.argmin(along))]
    sideways = positions - origin - np.outer((positions - origin) @ normal, normal)
    if np.abs(index - slices).max() > 0.1 or np.abs(sideways).max() > 0.1 * min(first.spacing_mm[:2]):
        raise GeometryError(
            "the frames of the segmentation do not lie on one regular grid", where=path, code="uneven-slices"
        )
    orientations = np.array([f.plane.orientation for f in frames], dtype=float)
    if np.abs(orientations - orientations[0]).max() > 1e-3:
        raise GeometryError(
            "the frames of the segmentation differ in orientation", where=path, code="mixed-orientation"
        )
    x, y, z = (float(value) for value in origin)
    geometry = Geometry(
        size=(first.size[0], first.size[1], int(slices.max()) + 1),
        spacing_mm=(first.spacing_mm[0], first.spacing_mm[1], round(step, 6)),
        origin_mm=(x, y, z),
        direction=first.direction,
        frame_uid=frame_uid,
    )
    return geometry, {f.index: int(k) for f, k in zip(frames, slices, strict=True)}


def _distinct(along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sorted heights, those within 0.01 mm taken as one (segments repeat the planes)."""
    ordered = np.sort(along)
    return ordered[np.concatenate(([True], np.diff(ordered) > 0.01))]


def _step(levels: NDArray[np.float64], plane: Plane) -> float:
    """Slice spacing: as declared where it fits the frames, else the smallest distance of two frames."""
    gaps = np.diff(levels)
    for declared in (plane.step_mm, plane.thickness_mm):
        if declared and declared > 0:
            steps = np.round(gaps / declared)
            if np.abs(gaps - steps * declared).max(initial=0) < 0.1 * declared and steps.min(initial=1) >= 1:
                # Rounding of the declared value must not add up over many slices.
                return float(gaps.sum() / steps.sum()) if len(gaps) else float(declared)
    if not len(gaps):
        return 1.0
    steps = np.round(gaps / gaps.min())
    return float(gaps.sum() / steps.sum())


def _pixels(dataset: Dataset, frames: list[int], path: str) -> NDArray[Any]:
    if int(number(dataset, "BitsAllocated") or 8) != 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return stored_frames(dataset, frames, path)
    count = int(dataset.Rows) * int(dataset.Columns)
    data = np.frombuffer(bytes(dataset.PixelData), np.uint8)
    want = -(-count * frame_count(dataset) // 8)
    if len(data) < want:
        raise truncated(path, len(data), want)
    # Bits of all frames follow each other without a gap, lowest bit first (PS3.5 8.1.1).
    parts = []
    for frame in frames:
        start, stop = frame * count, (frame + 1) * count
        bits = np.unpackbits(data[start // 8 : -(-stop // 8)], bitorder="little")
        parts.append(bits[start % 8 : start % 8 + count])
    return np.stack(parts).reshape(len(frames), int(dataset.Rows), int(dataset.Columns))


def _inside(values: NDArray[Any], kind: str, segment: int, dataset: Dataset) -> NDArray[np.bool_]:
    if kind == "LABELMAP":
        return np.asarray(values == segment)
    if kind == "FRACTIONAL":
        largest = number(dataset, "MaximumFractionalValue") or 255.0
        return np.asarray(values >= THRESHOLD * largest)
    return np.asarray(values > 0)
