"""Regions that one DICOM object outlines, without voxels: ROIs of an RTSTRUCT, segments of a SEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset

from gclnm.images.dicom.elements import FunctionalGroups, items, numbers, read, stamp, text, whole

__all__ = ["RoiHeader", "rtstruct_headers", "seg_headers"]

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR")


@dataclass(frozen=True, slots=True)
class RoiHeader:
    """What the header says of one ROI or segment.

    Parameters
    ----------
    file, kind, sop_uid, series_uid, study_uid, patient_id
        Of the object that holds it.
    number, name
        ROI number and name; segment number and label.
    n_contours
        Closed contours of an ROI; frames of a segment.
    frame_uid
        Frame of reference that its coordinates are in.
    referenced
        SOP Instance UIDs of the images that it was drawn on, as its contours or frames say; where
        they do not, all that the object references.
    referenced_series
        The series these belong to.
    approval, created
        Approval status; date and time of the structure set, or of a segmentation's content.
    size, spacing, origin, direction
        Grid of a segmentation (x, y, z); empty for contours.
    reason
        Why it cannot be used; empty where it can.
    """

    file: str
    kind: Literal["rtstruct", "seg"]
    sop_uid: str
    series_uid: str
    study_uid: str
    patient_id: str
    patient_sex: str
    number: int
    name: str
    n_contours: int
    frame_uid: str
    referenced: tuple[str, ...]
    referenced_series: tuple[str, ...]
    approval: str = ""
    created: str = ""
    size: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()
    deidentified: bool = False
    reason: str = ""


def _owner(file: str, dataset: Dataset) -> dict[str, Any]:
    return {
        "file": file,
        "sop_uid": text(read(dataset, "SOPInstanceUID")),
        "series_uid": text(read(dataset, "SeriesInstanceUID")),
        "study_uid": text(read(dataset, "StudyInstanceUID")),
        "patient_id": text(read(dataset, "PatientID")),
        "patient_sex": text(read(dataset, "PatientSex")),
        "deidentified": text(read(dataset, "PatientIdentityRemoved")).upper() == "YES",
    }


def rtstruct_headers(file: str, dataset: Dataset) -> tuple[RoiHeader, ...]:
    """The ROIs of a structure set, in its order; contours are counted, their points are not read."""
    series = _referenced_series(dataset)
    contours = {
        whole(read(item, "ReferencedROINumber")): item for item in items(dataset, "ROIContourSequence")
    }
    frames = [
        text(read(item, "FrameOfReferenceUID"))
        for item in items(dataset, "ReferencedFrameOfReferenceSequence")
    ]
    owner = _owner(file, dataset)
    created = stamp(read(dataset, "StructureSetDate"), read(dataset, "StructureSetTime"))
    rois = []
    for roi in items(dataset, "StructureSetROISequence"):
        number = whole(read(roi, "ROINumber"))
        drawn = items(contours.get(number), "ContourSequence")
        closed = [c for c in drawn if text(read(c, "ContourGeometricType")).upper() in CLOSED]
        own = {uid for contour in drawn for uid in _referenced(contour, "ContourImageSequence")}
        frame = text(read(roi, "ReferencedFrameOfReferenceUID")) or next((uid for uid in frames if uid), "")
        holders = tuple(uid for uid, sops in series.items() if own & sops) or tuple(series)
        rois.append(
            RoiHeader(
                **owner,
                kind="rtstruct",
                number=number if number is not None else -1,
                name=text(read(roi, "ROIName")),
                n_contours=len(closed),
                frame_uid=frame,
                referenced=tuple(sorted(own or {uid for sops in series.values() for uid in sops})),
                referenced_series=holders,
                approval=text(read(dataset, "ApprovalStatus")),
                created=created,
                reason=_why_empty(number, len(drawn), len(closed)),
            )
        )
    return tuple(rois)


def _why_empty(number: int | None, n_drawn: int, n_closed: int) -> str:
    if number is None:
        return "the ROI has no number"
    if n_drawn == 0:
        return "the ROI has no contours"
    return "the ROI has only points or open lines, no closed contour" if n_closed == 0 else ""


def _referenced(dataset: Dataset, keyword: str) -> set[str]:
    found = (text(read(item, "ReferencedSOPInstanceUID")) for item in items(dataset, keyword))
    return {uid for uid in found if uid}


def _referenced_series(dataset: Dataset) -> dict[str, set[str]]:
    """Images of each series that a structure set references."""
    series: dict[str, set[str]] = {}
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in items(frame, "RTReferencedStudySequence"):
            for one in items(study, "RTReferencedSeriesSequence"):
                uid = text(read(one, "SeriesInstanceUID"))
                series.setdefault(uid, set()).update(_referenced(one, "ContourImageSequence"))
    return series


def seg_headers(file: str, dataset: Dataset) -> tuple[RoiHeader, ...]:
    """The segments of a segmentation object, with the grid that their frames span."""
    shared = next(iter(items(dataset, "SharedFunctionalGroupsSequence")), None)
    frames = [FunctionalGroups(own, shared) for own in items(dataset, "PerFrameFunctionalGroupsSequence")]
    grid, reason = _seg_grid(dataset, frames)
    by_segment: dict[int | None, list[FunctionalGroups]] = {}
    for frame in frames:
        segment = whole(frame.get("SegmentIdentificationSequence", "ReferencedSegmentNumber"))
        by_segment.setdefault(segment, []).append(frame)
    series = {
        text(read(item, "SeriesInstanceUID")): _referenced(item, "ReferencedInstanceSequence")
        for item in items(dataset, "ReferencedSeriesSequence")
    }
    everything = {uid for sops in series.values() for uid in sops}
    owner = _owner(file, dataset)
    segments = []
    for item in items(dataset, "SegmentSequence"):
        number = whole(read(item, "SegmentNumber"))
        own_frames = by_segment.get(number, [])
        # A label map has no segment per frame: every frame may hold every segment.
        own = {uid for frame in own_frames or frames for uid in _sources(frame)} or everything
        missing = "" if own_frames or None in by_segment else "the segment has no frames"
        segments.append(
            RoiHeader(
                **owner,
                **grid,
                kind="seg",
                number=number if number is not None else -1,
                name=text(read(item, "SegmentLabel")) or text(read(item, "SegmentDescription")),
                n_contours=len(own_frames or frames),
                frame_uid=text(read(dataset, "FrameOfReferenceUID")),
                referenced=tuple(sorted(own)),
                referenced_series=tuple(uid for uid, sops in series.items() if own & sops) or tuple(series),
                approval=text(read(dataset, "ApprovalStatus")),
                created=stamp(read(dataset, "ContentDate"), read(dataset, "ContentTime")),
                reason=reason or missing,
            )
        )
    return tuple(segments)


def _sources(frame: FunctionalGroups) -> set[str]:
    derivation = frame.item("DerivationImageSequence")
    return _referenced(derivation, "SourceImageSequence") if derivation is not None else set()


def _seg_grid(dataset: Dataset, frames: list[FunctionalGroups]) -> tuple[dict[str, Any], str]:
    """The grid that the frames of all segments lie on, or why there is none."""
    rows, columns = whole(read(dataset, "Rows")) or 0, whole(read(dataset, "Columns")) or 0
    positions, orientations = [], set()
    spacing: tuple[float, ...] = ()
    thickness: float | None = None
    for frame in frames:
        place = numbers(frame.get("PlanePositionSequence", "ImagePositionPatient"))
        cosines = numbers(frame.get("PlaneOrientationSequence", "ImageOrientationPatient"))
        if len(place) != 3 or len(cosines) != 6:
            return {}, "the segmentation has no position or orientation"
        positions.append(place)
        orientations.add(tuple(round(c, 4) for c in cosines))
        spacing = spacing or numbers(frame.get("PixelMeasuresSequence", "PixelSpacing"))
        steps = numbers(frame.get("PixelMeasuresSequence", "SpacingBetweenSlices")) or numbers(
            frame.get("PixelMeasuresSequence", "SliceThickness")
        )
        thickness = thickness or (steps[0] if steps else None)
    if not positions or len(spacing) != 2:
        return {}, "the segmentation has no frames on a grid"
    if len(orientations) > 1:
        return {}, "the frames of the segmentation have several orientations"
    cosines = numbers(frames[0].get("PlaneOrientationSequence", "ImageOrientationPatient"))
    return _grid(rows, columns, np.asarray(positions), np.asarray(cosines), spacing, thickness), ""


def _grid(
    rows: int,
    columns: int,
    positions: np.ndarray[Any, np.dtype[np.float64]],
    cosines: np.ndarray[Any, np.dtype[np.float64]],
    spacing: tuple[float, ...],
    thickness: float | None,
) -> dict[str, Any]:
    normal = np.cross(cosines[:3], cosines[3:])
    heights = np.unique(np.round(positions @ normal, 3))
    steps = np.diff(heights)
    # Empty frames may be left out: the smallest step is the distance of slices.
    step = float(steps.min()) if steps.size else float(thickness or 1.0)
    count = round(float(heights[-1] - heights[0]) / step) + 1
    first = positions[int(np.argmin(positions @ normal))]
    direction = np.column_stack([cosines[:3], cosines[3:], normal])
    return {
        "size": (columns, rows, count),
        "spacing": (spacing[1], spacing[0], step),
        "origin": tuple(float(value) for value in first),
        "direction": tuple(float(value) for value in direction.ravel()),
    }
