"""DICOM segmentations: one segment as a mask on the grid of its own frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from gclnm.errors import ReadError
from gclnm.images.dicom.elements import Groups, frame_count, items, number, text, whole
from gclnm.images.dicom.files import quiet, read_dataset, truncated
from gclnm.images.dicom.frames import Plane, plane_of
from gclnm.images.dicom.pixels import pixel_bytes, stored_frames
from gclnm.images.dicom.rois import segment_of
from gclnm.images.dicom.stack import sparse_stack
from gclnm.images.volume import Mask, Step

__all__ = ["read_seg"]

THRESHOLD = 0.5
# The terms of PS3.3 C.8.20.2: any other word is of unknown meaning, and may be somebody's own.
KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")


@quiet()
def read_seg(path: str, segment: int) -> Mask:
    """One segment of a DICOM SEG (binary, fractional or label map) on the grid of the segmentation.

    Empty frames are usually left out of the file, so the grid spans the frames that are there (of all
    segments); :func:`gclnm.prepare.grid.onto` brings the mask to the image's grid. A fractional segment
    is inside from half of Maximum Fractional Value on.

    Raises
    ------
    ReadError
        Code ``segmentation-type``, ``no-such-segment``, ``segment-empty``, or the file cannot be read.
    GeometryError
        Frames without positions, or that do not lie on one regular grid.
    """
    dataset = read_dataset(path)
    kind = text(dataset, "SegmentationType").upper()
    if kind not in KINDS:
        raise ReadError(
            "SegmentationType (0062,0001) is not BINARY, FRACTIONAL or LABELMAP",
            where=path,
            fix="Export the segmentation again.",
            code="segmentation-type",
        )
    if segment not in {whole(item, "SegmentNumber") for item in items(dataset, "SegmentSequence")}:
        raise ReadError("the segmentation has no segment of this number", where=path, code="no-such-segment")
    frames = Groups.of(dataset)
    found, slices = sparse_stack([Plane(**plane_of(frame)) for frame in frames])
    geometry = found.geometry(path)
    wanted = [k for k, frame in enumerate(frames) if kind == "LABELMAP" or segment_of(frame) == segment]
    pixels = _pixels(dataset, wanted, path) if wanted else ()
    array = np.zeros(geometry.shape, dtype=bool)
    settings: dict[str, Any] = {"type": kind.lower(), "frames": len(wanted)}
    for frame, values in zip(wanted, pixels, strict=True):
        array[slices[frame]] |= _inside(values, kind, segment, dataset)
    if not array.any():
        raise ReadError("the segment is empty", where=path, code="segment-empty")
    if kind == "FRACTIONAL":
        settings["threshold"] = THRESHOLD
    return Mask(array, geometry, (Step("segment", settings),))


def _pixels(dataset: Dataset, frames: list[int], path: str) -> NDArray[Any]:
    if int(number(dataset, "BitsAllocated") or 8) != 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return stored_frames(dataset, frames, path)
    rows, columns = whole(dataset, "Rows") or 0, whole(dataset, "Columns") or 0
    count = rows * columns
    data = np.frombuffer(pixel_bytes(dataset, where=path), np.uint8)
    want = -(-count * frame_count(dataset) // 8)
    if len(data) < want:
        raise truncated(path, f"the file ends too early: {len(data)} of {want} bytes")
    # Bits of all frames follow each other without a gap, lowest bit first (PS3.5 8.1.1).
    parts = []
    for frame in frames:
        start, stop = frame * count, (frame + 1) * count
        bits = np.unpackbits(data[start // 8 : -(-stop // 8)], bitorder="little")
        parts.append(bits[start % 8 : start % 8 + count])
    return np.stack(parts).reshape(len(frames), rows, columns)


def _inside(values: NDArray[Any], kind: str, segment: int, dataset: Dataset) -> NDArray[np.bool_]:
    if kind == "LABELMAP":
        return np.asarray(values == segment)
    if kind == "FRACTIONAL":
        largest = number(dataset, "MaximumFractionalValue") or 255.0
        return np.asarray(values >= THRESHOLD * largest)
    return np.asarray(values > 0)
