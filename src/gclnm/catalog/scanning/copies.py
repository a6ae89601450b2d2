"""Objects that share a SOP instance UID: copies of one, or different objects that should not share it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gclnm.catalog.scanning.problems import Problems
from gclnm.images.dicom.assemble import distinct, instance_key
from gclnm.images.dicom.frames import FrameHeader
from gclnm.images.dicom.rois import RoiHeader

__all__ = [
    "Regions",
    "SortedFrames",
    "content_digest",
    "note_rival_images",
    "note_rival_regions",
    "sort_frames",
    "sort_regions",
]

PREAMBLE = 128
META_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
CHUNK = 1 << 20


def content_digest(file: str) -> str:
    """SHA-256 of a DICOM file without its preamble and file meta information.

    Archives write these anew when they export an object; the object stays the same. A file that
    cannot be read is equal to no other.
    """
    digest = hashlib.sha256()
    try:
        with open(file, "rb") as stream:
            head = stream.read(PREAMBLE + 16)
            stream.seek(0)
            if head[PREAMBLE : PREAMBLE + 12] == b"DICM" + META_LENGTH:
                stream.seek(len(head) + int.from_bytes(head[PREAMBLE + 12 :], "little"))
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except OSError:
        digest.update(b"unreadable " + file.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


@dataclass(frozen=True)
class Regions:
    """The ROIs of one structure set or segmentation; ``suffix`` tells it from others of the same UID."""

    rois: tuple[RoiHeader, ...]
    suffix: str = ""
    rivals: int = 0


def sort_regions(found: Iterable[tuple[RoiHeader, ...]]) -> tuple[list[Regions], list[RoiHeader]]:
    """Structure sets and segmentations that differ, and a header of each copy.

    Objects of one UID are copies when their content is equal. Where it differs every one is kept:
    which of them is meant is not for a program to say. Their suffix comes from their content, so
    that it does not depend on where a file lies.
    """
    groups: dict[tuple[str, str], list[tuple[RoiHeader, ...]]] = defaultdict(list)
    for rois in found:
        groups[rois[0].patient_id, rois[0].sop_uid or rois[0].file].append(rois)
    kept: list[Regions] = []
    copies: list[RoiHeader] = []
    for members in groups.values():
        if len(members) == 1:
            kept.append(Regions(members[0]))
            continue
        by_content: dict[str, tuple[RoiHeader, ...]] = {}
        for rois in members:
            key = content_digest(rois[0].file)
            if key in by_content:
                copies.append(rois[0])
            else:
                by_content[key] = rois
        rivals = len(by_content) - 1
        kept += [Regions(r, f"@{key[:8]}" if rivals else "", rivals) for key, r in by_content.items()]
    return kept, copies


@dataclass(frozen=True)
class SortedFrames:
    """Frames of images that count, and those of the same UID as one of them.

    ``copies`` agree with it in series, place and size, ``recoded`` too but in another transfer syntax,
    ``rivals`` do not agree.
    """

    kept: Sequence[FrameHeader]
    copies: Sequence[FrameHeader]
    recoded: Sequence[FrameHeader]
    rivals: Sequence[FrameHeader]


def sort_frames(frames: Sequence[FrameHeader]) -> SortedFrames:
    """Which frames count; pixels are not compared, since a copy may be compressed otherwise."""
    kept, again = distinct(frames)
    if not again:
        return SortedFrames(kept, (), (), ())
    first = {instance_key(frame): frame for frame in kept}
    copies, recoded, rivals = [], [], []
    for frame in again:
        original = first[instance_key(frame)]
        if _place(frame) != _place(original):
            rivals.append(frame)
        elif frame.transfer_syntax != original.transfer_syntax:
            recoded.append(frame)
        else:
            copies.append(frame)
    return SortedFrames(kept, copies, recoded, rivals)


def _place(frame: FrameHeader) -> tuple[object, ...]:
    size = (frame.rows, frame.columns, frame.n_frames)
    return (frame.series_uid, frame.position, frame.orientation, frame.spacing, size)


def note_rival_images(problems: Problems, number: int, patient_id: str, folder: str) -> None:
    """Say that images of one folder have the UID of others and are not copies of them."""
    problems.add(
        "error",
        "same-uid",
        f"{number} image{'s' * (number != 1)} with the SOPInstanceUID of another of differing"
        " series, place or size: the one that was found first counts",
        patient_id=patient_id,
        where=folder,
        fix="Find out which is right and take the other out of the folder, or export it again.",
    )


def note_rival_regions(problems: Problems, regions: Regions, patient_id: str) -> None:
    """Say that a structure set or segmentation shares its UID with others of differing content."""
    first = regions.rois[0]
    kind = "structure set" if first.kind == "rtstruct" else "segmentation"
    problems.add(
        "error",
        "same-uid",
        f"{kind} with the SOPInstanceUID of {regions.rivals} other{'s' * (regions.rivals != 1)} of"
        " differing content: each is kept, with a segmentation_id of its own",
        patient_id=patient_id,
        where=first.file,
        fix="Find out which is right and take the other out of the folder, or name readers (rater=).",
    )
