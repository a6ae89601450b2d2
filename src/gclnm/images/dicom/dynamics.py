"""Time points: MR volumes of one study that differ in nothing but when they were acquired."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

from gclnm.images.dicom.assemble import Assembled

__all__ = ["with_time_points"]

FEWEST = 3
_T1 = ("T1", "T1-FS", "DCE")


def with_time_points(volumes: Sequence[Assembled]) -> list[Assembled]:
    """The volumes, in their order, those of a time series numbered; T1 at three times or more is DCE.

    The time points may be parts of one series or series of their own. They are of one study, grid,
    echo time, repetition time, flip angle and sequence, and have different times: Temporal Position
    Identifier, else acquisition time, else content time. Inversion-prepared T1 (MPRAGE) that was
    repeated, and heart phases, are no DCE. Whether contrast was given plays no part: headers of
    real DCE series say ``NONE``.

    Parameters
    ----------
    volumes
        Of a whole study; of a single series where there is no more.

    Examples
    --------
    >>> from gclnm.images.dicom.assemble import assemble
    >>> from gclnm.images.dicom.frames import FrameHeader
    >>> frames = [
    ...     FrameHeader(file=f"{s}", sop_uid=f"{s}{z}", series_uid=f"{s}", modality="MR", rows=4, columns=4,
    ...                 position=(0.0, 0.0, z), orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    ...                 spacing=(1.0, 1.0), sequence="T1", acquisition_time=f"10{s}000.000000")
    ...     for s in (3, 1, 2) for z in (0.0, 5.0)
    ... ]
    >>> [(v.head.sequence, v.head.temporal_position) for v in with_time_points(assemble(frames))]
    [('DCE', 3), ('DCE', 1), ('DCE', 2)]
    """
    series: dict[Hashable, list[int]] = {}
    for index, volume in enumerate(volumes):
        if volume.head.modality == "MR" and volume.head.sequence in _T1 and volume.usable:
            series.setdefault(_same(volume), []).append(index)
    result = list(volumes)
    for members in series.values():
        order = _in_time([volumes[index] for index in members])
        for position, place in enumerate(order, start=1):
            result[members[place]] = _numbered(volumes[members[place]], position, len(order))
    return result


def _same(volume: Assembled) -> Hashable:
    """What is equal in all time points."""
    head = volume.head
    grid = (*volume.spacing, *volume.origin, *volume.direction)
    times = tuple(None if v is None else round(v, 1) for v in (head.te_ms, head.tr_ms, head.flip_angle_deg))
    base = (head.patient_id, head.study_uid, head.frame_uid, head.kind, head.fat_suppressed)
    prepared = head.sequence_source.startswith("inversion") or "trigger=" in volume.split
    # Nothing else is like these: a series of its own.
    alone = (volume.ref.volume_id,) if prepared else ()
    return (*base, times, volume.size, tuple(round(v, 2) + 0.0 for v in grid), alone)


_KEYS: tuple[Callable[[Assembled], Any], ...] = (
    lambda volume: volume.head.temporal_position,
    lambda volume: volume.started,
    lambda volume: volume.head.content_time,
)


def _in_time(volumes: Sequence[Assembled]) -> list[int]:
    """Places of the volumes in order of time; empty where nothing tells it, or there is one."""
    if len(volumes) < 2:
        return []
    for key in _KEYS:
        values = [key(volume) for volume in volumes]
        if None in values or "" in values or len(set(values)) < len(values):
            continue
        return sorted(range(len(values)), key=values.__getitem__)
    return []


def _numbered(volume: Assembled, position: int, count: int) -> Assembled:
    head = replace(volume.head, temporal_position=position)
    if count >= FEWEST and head.sequence != "DCE":
        head = replace(head, sequence="DCE", sequence_source="time points")
    return replace(volume, head=head)
