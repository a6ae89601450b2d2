"""Contours of one ROI of an RT structure set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from gclnm.errors import ReadError
from gclnm.images.dicom.elements import items, whole
from gclnm.images.dicom.files import quiet, read_dataset
from gclnm.images.dicom.rois import contours_of, frame_uid_of, is_closed
from gclnm.images.dicom.whole import check_elements
from gclnm.images.limits import MOST_POINTS, too_large
from gclnm.images.rasterise import Contours

__all__ = ["read_contours"]

_DATA = (0x3006, 0x0050)


@quiet()
def read_contours(path: str, number: int) -> Contours:
    """Contours of the ROI of a number.

    Raises
    ------
    ReadError
        Code ``no-such-roi`` or ``roi-without-contours``, or the file cannot be read.
    """
    dataset = read_dataset(path)
    with open(path, "rb") as stream:
        check_elements(stream, dataset, path)
    rois = items(dataset, "StructureSetROISequence")
    roi = next((item for item in rois if whole(item, "ROINumber") == number), None)
    drawn = contours_of(dataset, number)
    if roi is None and not drawn:
        raise ReadError("the structure set has no ROI of this number", where=path, code="no-such-roi")
    _check_points(drawn, path)
    found = [_points(item, path) if is_closed(item) else np.empty((0, 3)) for item in drawn]
    points = tuple(contour for contour in found if len(contour) >= 3)
    ignored = len(found) - len(points)
    if not points:
        also = f" (only {ignored} points or open lines)" if ignored else ""
        raise ReadError(
            f"the ROI has no closed contours{also}",
            where=path,
            fix="Draw it, or leave it out of the pairing.",
            code="roi-without-contours",
        )
    return Contours(points, ignored, frame_uid_of(dataset, roi))


def _check_points(drawn: Sequence[Dataset], path: str) -> None:
    """Count the points of an ROI in the raw text, before any becomes a number."""
    values = (item.get_item(_DATA).value for item in drawn if _DATA in item)
    count = sum(value.count(b"\\") if isinstance(value, bytes) else len(value or ()) for value in values)
    if count > 3 * MOST_POINTS:
        raise too_large(f"the ROI has more than {MOST_POINTS} points", path)


def _points(item: Dataset, path: str) -> NDArray[np.float64]:
    """Contour Data as (n, 3): from the raw text, ten times as fast as pydicom's numbers."""
    if _DATA not in item:
        return np.empty((0, 3))
    value = item.get_item(_DATA).value
    if not value:
        return np.empty((0, 3))
    try:
        if isinstance(value, bytes):
            flat = np.array(value.rstrip(b" \0\\").split(b"\\"), dtype="S").astype(np.float64)
        else:
            flat = np.array([float(v) for v in value], dtype=np.float64)
        points = flat.reshape(-1, 3)
    except ValueError as error:
        raise ReadError("Contour Data (3006,0050) is not a list of points", where=path) from error
    if not np.isfinite(points).all():
        raise ReadError("Contour Data (3006,0050) holds no finite numbers", where=path)
    return points
