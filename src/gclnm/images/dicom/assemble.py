"""Frames of a series to volumes: split by what they show, sorted by place, judged by their grid."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gclnm.images.dicom.frames import FrameHeader
from gclnm.images.dicom.frametypes import KINDS
from gclnm.images.dicom.objects import ENHANCED_PET
from gclnm.images.dicom.split import split_series
from gclnm.images.dicom.stack import Fault, Stack, stack
from gclnm.images.sample import VolumeRef

__all__ = ["TILED", "Assembled", "assemble", "distinct", "series_key"]

MILD_TILT_DEG = 0.1
TILED = "each file holds a whole volume as tiles of one image, and does not say where each lies"


@dataclass(frozen=True)
class Assembled:
    """One volume of a series.

    Parameters
    ----------
    ref
        Where its voxels are, slices sorted along the slice normal.
    head
        Header of its middle frame; what is the same in all frames is read there.
    split
        What tells it from the other volumes of its series (``"b=800"``, ``"t=2"``); empty if alone.
    flags
        What is odd about it, sorted: ``missing-slice``, ``duplicate-slice``, ``mixed-orientation``,
        ``mixed-size``, ``mixed-frames``, ``gantry-tilt``, ``shifted-slices``, ``uneven-spacing``,
        ``single-slice``, ``localizer``, ``projection``, ``derived-map``, ``not-signal``, ``not-hu``,
        ``mosaic``, ``vframe``, ``no-geometry``, ``colour``, ``multi-file-multiframe``, ``enhanced-pet``,
        ``too-large``.
    usable, reason
        Whether its voxels can be read as one volume of signal, HU or activity; why not.
    sop_uids
        SOP Instance UIDs of its slices, in their order (one for a multi-frame object).
    size, spacing, origin, direction
        Its grid, x, y, z; NaN or empty where the header does not say.
    started
        Earliest acquisition time of its slices, ``[YYYYMMDD]HHMMSS.FFFFFF``; empty if not stated.
    sources
        SOP Instance UIDs of the images that its slices say they were made of, sorted; derived MR only.
    """

    ref: VolumeRef
    head: FrameHeader
    split: str
    flags: tuple[str, ...]
    usable: bool
    reason: str
    sop_uids: tuple[str, ...]
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]
    started: str
    sources: tuple[str, ...] = ()


def series_key(frame: FrameHeader) -> str:
    """SeriesInstanceUID, or a digest of what else identifies the series where there is none.

    Examples
    --------
    >>> series_key(FrameHeader(series_uid="1.2.3"))
    '1.2.3'
    """
    if frame.series_uid:
        return frame.series_uid
    known = (
        frame.patient_id,
        frame.study_uid,
        frame.study_date,
        frame.frame_uid,
        frame.modality,
        str(frame.series_number),
        frame.series_description,
        str(frame.acquisition_number),
        frame.kernel,
        frame.sop_uid if frame.frame is not None else "",
    )
    return "no-uid-" + hashlib.sha256("\0".join(known).encode()).hexdigest()[:24]


def instance_key(frame: FrameHeader) -> tuple[object, ...]:
    """What identifies one frame: its SOP Instance UID, or place and time where it has none."""
    if frame.sop_uid:
        return (frame.patient_id, frame.sop_uid, frame.frame)
    return (
        frame.patient_id,
        series_key(frame),
        frame.instance_number,
        frame.position,
        frame.acquisition_time,
        frame.content_time,
        frame.frame,
    )


def distinct(frames: Iterable[FrameHeader]) -> tuple[list[FrameHeader], list[FrameHeader]]:
    """Frames without copies, and the copies: the same object found again, as on a CD beside its study."""
    seen: set[tuple[object, ...]] = set()
    kept: list[FrameHeader] = []
    copies: list[FrameHeader] = []
    for frame in frames:
        key = instance_key(frame)
        (copies if key in seen else kept).append(frame)
        seen.add(key)
    return kept, copies


def assemble(frames: Sequence[FrameHeader]) -> list[Assembled]:
    """Volumes of one or several series, each sorted along its slice normal.

    A series is split by kind of frame, keV, orientation and b-value, and where positions repeat by
    frame type, echo, gradient direction, time and acquisition. Nothing is raised for a volume that
    cannot be used: it comes back with the reason. File names play no part.

    Parameters
    ----------
    frames
        Headers from :func:`gclnm.images.dicom.headers.read_header`, in any order; copies count once.

    Examples
    --------
    >>> axial = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    >>> slices = [
    ...     FrameHeader(file=f"{z}", sop_uid=f"{z}", series_uid="1.2", modality="CT", rows=4, columns=4,
    ...                 position=(0.0, 0.0, z), orientation=axial, spacing=(1.0, 1.0))
    ...     for z in (5.0, 0.0, 15.0)
    ... ]
    >>> volume, = assemble(slices)
    >>> volume.ref.files, volume.flags, volume.reason
    (('0.0', '5.0', '15.0'), ('missing-slice',), '1 slice is missing')
    """
    series: dict[tuple[str, str], list[FrameHeader]] = {}
    for frame in distinct(frames)[0]:
        series.setdefault((frame.patient_id, series_key(frame)), []).append(frame)
    return [volume for members in series.values() for volume in _volumes(members)]


def _volumes(frames: list[FrameHeader]) -> list[Assembled]:
    ordered = sorted(frames, key=lambda f: (f.instance_number or 0, f.frame or 0, f.sop_uid, f.file))
    groups = split_series(ordered)
    stacks = sum("stack=" in label for label, _ in groups)
    return [_assembled(label, members, mixed=stacks > 1 and "stack=" in label) for label, members in groups]


def _assembled(split: str, frames: list[FrameHeader], *, mixed: bool) -> Assembled:
    result = tiled_stack(frames) if frames[0].tiles else stack(frames)
    if mixed:
        result.odd("mixed-orientation")
    frames = [frames[k] for k in result.order]
    _check_objects(result, frames)
    head = frames[len(frames) // 2]
    files = tuple(dict.fromkeys(f.file for f in frames))
    key = series_key(head)
    ref = VolumeRef(
        volume_id=f"{key}/{split}" if split else key,
        kind="dicom",
        files=files,
        frames=tuple(f.frame or 0 for f in frames) if head.frame is not None and len(files) == 1 else (),
        modality=head.modality,
    )
    return Assembled(
        ref=ref,
        head=head,
        split=split,
        flags=tuple(sorted(result.flags)),
        usable=not result.faults,
        reason="; ".join(fault.what for fault in result.faults),
        sop_uids=tuple(dict.fromkeys(f.sop_uid for f in frames if f.sop_uid)),
        size=result.size,
        spacing=result.spacing,
        origin=result.origin,
        direction=result.direction,
        started=min((f.acquisition_time for f in frames if f.acquisition_time), default=""),
        sources=tuple(sorted({uid for f in frames for uid in f.sources})),
    )


def tiled_stack(frames: Sequence[FrameHeader]) -> Stack:
    """Frames that hold a whole volume each, as tiles of one image: no stack of slices."""
    first = frames[0]
    result = Stack((first.columns, first.rows, len(frames)), list(range(len(frames))))
    result.odd(first.tiles, TILED)
    return result


def _check_objects(result: Stack, frames: Sequence[FrameHeader]) -> None:
    """What the objects are, whatever their geometry."""
    head = frames[0]
    kind = KINDS[head.kind]
    for flag in kind.flags:
        result.odd(flag)
    if kind.reason:
        result.faults.insert(0, Fault(kind.name, kind.reason))
    if head.sop_class in ENHANCED_PET:
        result.odd("enhanced-pet", "enhanced PET objects are not supported yet")
    if any(f.samples != 1 for f in frames):
        result.odd("colour", "colour images have no signal to measure")
    if any(abs(f.tilt or 0.0) > MILD_TILT_DEG for f in frames):
        result.odd("gantry-tilt")
    if head.frame is not None and not _whole_files(frames):
        result.odd("multi-file-multiframe", "the volume is made of parts of several multi-frame files")
    if head.frame is None and head.n_frames > 1:
        result.odd("no-geometry", "a multi-frame file of a single-frame class has no place for its frames")


def _whole_files(frames: Sequence[FrameHeader]) -> bool:
    """Whether the frames are those of one file, or all frames of several: a reference names no others."""
    taken = Counter(f.file for f in frames)
    return len(taken) == 1 or all(taken[f.file] == f.n_frames for f in frames)
