"""Regions that one DICOM object outlines, without voxels: ROIs of an RTSTRUCT, segments of a SEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydicom.dataset import Dataset

from gclnm.images.dicom.elements import Groups, as_number, items, number, stamp, text, whole
from gclnm.images.dicom.frames import Plane, plane_of
from gclnm.images.dicom.stack import sparse_stack

__all__ = [
    "RoiHeader",
    "contours_of",
    "frame_uid_of",
    "is_closed",
    "rtstruct_headers",
    "seg_headers",
    "segment_of",
]

# Some write the term of the standard (the third) with one more underscore.
CLOSED = frozenset({"CLOSED_PLANAR", "CLOSED_PLANAR_XOR", "CLOSEDPLANAR_XOR"})


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
        "sop_uid": text(dataset, "SOPInstanceUID"),
        "series_uid": text(dataset, "SeriesInstanceUID"),
        "study_uid": text(dataset, "StudyInstanceUID"),
        "patient_id": text(dataset, "PatientID"),
        "patient_sex": text(dataset, "PatientSex"),
        "deidentified": text(dataset, "PatientIdentityRemoved").upper() == "YES",
    }


def rtstruct_headers(file: str, dataset: Dataset) -> tuple[RoiHeader, ...]:
    """The ROIs of a structure set, in its order; contours are counted, their points are not read."""
    series = _referenced_series(dataset)
    owner = _owner(file, dataset)
    created = stamp(text(dataset, "StructureSetDate"), text(dataset, "StructureSetTime"))
    rois = []
    for roi in items(dataset, "StructureSetROISequence"):
        number = whole(roi, "ROINumber")
        drawn = contours_of(dataset, number)
        closed = [contour for contour in drawn if is_closed(contour)]
        own = {uid for contour in drawn for uid in _referenced(contour, "ContourImageSequence")}
        rois.append(
            RoiHeader(
                **owner,
                kind="rtstruct",
                number=number if number is not None else -1,
                name=text(roi, "ROIName"),
                n_contours=len(closed),
                frame_uid=frame_uid_of(dataset, roi),
                referenced=tuple(sorted(own or {uid for sops in series.values() for uid in sops})),
                referenced_series=tuple(uid for uid, sops in series.items() if own & sops) or tuple(series),
                approval=text(dataset, "ApprovalStatus"),
                created=created,
                reason=_why_empty(number, len(drawn), len(closed)),
            )
        )
    return tuple(rois)


def contours_of(dataset: Dataset, number: int | None) -> Sequence[Dataset]:
    """All that was drawn of the ROI of a number: closed contours, open lines and points."""
    for item in items(dataset, "ROIContourSequence"):
        if whole(item, "ReferencedROINumber") == number:
            return items(item, "ContourSequence")
    return ()


def is_closed(contour: Dataset) -> bool:
    """Whether a contour says that it is closed, and has as many points as that takes."""
    count = number(contour, "NumberOfContourPoints")
    return text(contour, "ContourGeometricType").upper() in CLOSED and (count is None or count >= 3)


def frame_uid_of(dataset: Dataset, roi: Dataset | None) -> str:
    """Frame of reference that the coordinates of an ROI are in: its own, else the structure set's first."""
    frames = items(dataset, "ReferencedFrameOfReferenceSequence")
    known = (text(item, "FrameOfReferenceUID") for item in frames)
    return text(roi, "ReferencedFrameOfReferenceUID") or next((uid for uid in known if uid), "")


def _why_empty(number: int | None, n_drawn: int, n_closed: int) -> str:
    if number is None:
        return "the ROI has no number"
    if n_drawn == 0:
        return "the ROI has no contours"
    return "the ROI has only points or open lines, no closed contour" if n_closed == 0 else ""


def _referenced(dataset: Dataset, keyword: str) -> set[str]:
    found = (text(item, "ReferencedSOPInstanceUID") for item in items(dataset, keyword))
    return {uid for uid in found if uid}


def _referenced_series(dataset: Dataset) -> dict[str, set[str]]:
    """Images of each series that a structure set references."""
    series: dict[str, set[str]] = {}
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in items(frame, "RTReferencedStudySequence"):
            for one in items(study, "RTReferencedSeriesSequence"):
                uid = text(one, "SeriesInstanceUID")
                series.setdefault(uid, set()).update(_referenced(one, "ContourImageSequence"))
    return series


def seg_headers(file: str, dataset: Dataset) -> tuple[RoiHeader, ...]:
    """The segments of a segmentation object, with the grid that their frames span."""
    frames = Groups.of(dataset)
    grid, reason = _seg_grid(frames)
    by_segment: dict[int | None, list[Groups]] = {}
    for frame in frames:
        by_segment.setdefault(segment_of(frame), []).append(frame)
    series = {
        text(item, "SeriesInstanceUID"): _referenced(item, "ReferencedInstanceSequence")
        for item in items(dataset, "ReferencedSeriesSequence")
    }
    everything = {uid for sops in series.values() for uid in sops}
    owner = _owner(file, dataset)
    segments = []
    for item in items(dataset, "SegmentSequence"):
        number = whole(item, "SegmentNumber")
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
                name=text(item, "SegmentLabel") or text(item, "SegmentDescription"),
                n_contours=len(own_frames or frames),
                frame_uid=text(dataset, "FrameOfReferenceUID"),
                referenced=tuple(sorted(own)),
                referenced_series=tuple(uid for uid, sops in series.items() if own & sops) or tuple(series),
                approval=text(dataset, "ApprovalStatus"),
                created=stamp(text(dataset, "ContentDate"), text(dataset, "ContentTime")),
                reason=reason or missing,
            )
        )
    return tuple(segments)


def segment_of(frame: Groups) -> int | None:
    """Number of the segment that a frame of a segmentation shows; None in a label map."""
    found = as_number(frame.get("SegmentIdentificationSequence", "ReferencedSegmentNumber"))
    return None if found is None else int(found)


def _sources(frame: Groups) -> set[str]:
    derivation = frame.item("DerivationImageSequence")
    return _referenced(derivation, "SourceImageSequence") if derivation is not None else set()


def _seg_grid(frames: list[Groups]) -> tuple[dict[str, Any], str]:
    """The grid that the frames of all segments lie on, or why there is none."""
    found, _ = sparse_stack([Plane(**plane_of(frame)) for frame in frames])
    if found.faults:
        return {}, f"the frames of the segmentation make no grid: {found.faults[0].what}"
    grid = {"size": found.size, "spacing": found.spacing, "origin": found.origin}
    return grid | {"direction": found.direction}, ""
