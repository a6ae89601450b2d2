"""Which frames of a series make one volume: by what they show, then by what tells repeats apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gclnm.images.dicom.bvalues import same_b
from gclnm.images.dicom.frames import FrameHeader
from gclnm.images.dicom.stack import SAME_AXES, SAME_PLACE_MM, heights

__all__ = ["Group", "clusters", "split_series"]

Frames = list[FrameHeader]
Group = tuple[str, Frames]
Key = Callable[[FrameHeader], Any]

MOST_ORIENTATIONS = 12


def split_series(frames: Sequence[FrameHeader]) -> list[Group]:
    """Groups of frames, each with the label that tells it from the others of its series.

    Kind of frame, keV, orientation and b-value always separate. Where positions then still repeat,
    the first of frame type, echo, gradient direction, time position, acquisition and time that
    explains the repeats separates them. Repeats that nothing explains stay together.
    """
    groups: list[Group] = [("", _with_implied_b(list(frames)))]
    for level in (_by_kind, _by_energy, _by_orientation, _by_b):
        groups = [(_join(label, part), members) for label, group in groups for part, members in level(group)]
    return [(_join(label, part), members) for label, group in groups for part, members in _repeats(group)]


def clusters(values: Sequence[float], same: Callable[[float, float], bool]) -> list[int]:
    """Number of the cluster of each value; a cluster holds what is the same as its lowest value.

    Examples
    --------
    >>> clusters([0.0, 1000.0, 0.004, 990.0], same_b)
    [0, 1, 0, 1]
    """
    order = np.argsort(values, kind="stable")
    numbers = [0] * len(values)
    lowest, current = None, -1
    for index in order:
        if lowest is None or not same(lowest, values[index]):
            lowest, current = values[index], current + 1
        numbers[int(index)] = current
    return numbers


def _join(label: str, part: str) -> str:
    return "/".join(word for word in (label, part) if word)


def _with_implied_b(frames: Frames) -> Frames:
    """b of what is not diffusion-weighted removed; 0 where others of the series are weighted and one is not.

    Vendors write b = 0 on series of any kind: alone it is no evidence of diffusion.
    """
    signal = ("image", "trace")
    weights = [f for f in frames if f.kind in signal and not same_b(f.b_nominal or 0.0, 0.0)]
    stated = any(f.b_source != "text" for f in weights)
    weighted = stated or any(f.sequence == "DWI" for f in weights)
    result = []
    for frame in frames:
        diffusion = weighted or frame.sequence == "DWI"
        if frame.kind not in signal or (frame.b_nominal is not None and not diffusion):
            frame = replace(frame, b_value=None, b_nominal=None, b_source="", b_direction=())
        elif weighted and frame.b_nominal is None:
            frame = replace(frame, b_value=0.0, b_nominal=0.0, b_source="implied")
        if weighted and frame.kind in signal:
            frame = replace(frame, sequence="DWI", sequence_source="b-value" if stated else "words")
        result.append(frame)
    return result


def _partition(frames: Frames, key: Key) -> list[Frames]:
    parts: dict[Hashable, Frames] = {}
    for frame in frames:
        parts.setdefault(key(frame), []).append(frame)
    return list(parts.values())


def _labelled(parts: list[Frames], label: Callable[[int, FrameHeader], str]) -> list[Group]:
    if len(parts) == 1:
        return [("", parts[0])]
    return [(label(number, part[0]), part) for number, part in enumerate(parts, start=1)]


def _by_kind(frames: Frames) -> list[Group]:
    return _labelled(_partition(frames, lambda f: f.kind), lambda _, f: f.kind)


def _by_energy(frames: Frames) -> list[Group]:
    def key(frame: FrameHeader) -> Hashable:
        return None if frame.energy_kev is None else round(frame.energy_kev, 1)

    def label(_: int, frame: FrameHeader) -> str:
        return "polychromatic" if frame.energy_kev is None else f"{frame.energy_kev:g}keV"

    return _labelled(_partition(frames, key), label)


def _by_orientation(frames: Frames) -> list[Group]:
    parts: list[Frames] = []
    for frame in frames:
        for part in parts:
            if _same_axes(part[0], frame):
                part.append(frame)
                break
        else:
            parts.append([frame])
    if len(parts) > MOST_ORIENTATIONS:  # radial slices: no stack at all
        return [("", frames)]
    return _labelled(parts, lambda number, _: f"stack={number}")


def _same_axes(a: FrameHeader, b: FrameHeader) -> bool:
    if a.orientation is None or b.orientation is None:
        return a.orientation is b.orientation
    return max(abs(x - y) for x, y in zip(a.orientation, b.orientation, strict=True)) <= SAME_AXES


def _by_b(frames: Frames) -> list[Group]:
    known = [f for f in frames if f.b_nominal is not None]
    if not known:
        return [("", frames)]
    numbers = clusters([f.b_nominal or 0.0 for f in known], same_b)
    parts = [[f for f, n in zip(known, numbers, strict=True) if n == m] for m in range(max(numbers) + 1)]
    rest = [f for f in frames if f.b_nominal is None]

    def label(_: int, frame: FrameHeader) -> str:
        b = frame.b_nominal
        return "b=none" if b is None else f"b={0.0 if same_b(b, 0.0) else b:g}"

    return _labelled([*parts, rest] if rest else parts, label)


# What may tell frames at one position apart, most meaningful first.
VALUE_KEYS: tuple[tuple[str, Key], ...] = (
    ("type", lambda f: f.image_type),
    ("te", lambda f: f.te_ms if f.te_ms is not None else f.echo_number),
    ("dir", lambda f: tuple(round(x, 3) for x in f.b_direction)),
    ("t", lambda f: f.temporal_position),
    ("trigger", lambda f: f.trigger_time),
    ("acq", lambda f: f.acquisition_number),
    ("t", lambda f: f.acquisition_time),
    ("t", lambda f: f.content_time),
)
PARTIAL = ("type", "te", "dir", "t")
RANK_KEYS: tuple[tuple[str, Key], ...] = (
    ("t", lambda f: f.acquisition_time or None),
    ("t", lambda f: f.content_time or None),
    ("rep", lambda f: f.instance_number),
)


def _repeats(frames: Frames) -> list[Group]:
    """Frames at one position more than once, taken apart where something explains the repeats."""
    tiled = any(f.tiles for f in frames)
    if not tiled and any(f.position is None or not _same_axes(f, frames[0]) for f in frames):
        return [("", frames)]
    places = _places(frames)
    most = max(Counter(places).values())
    if most == 1:
        return [("", frames)]
    for name, key in VALUE_KEYS:
        parts = _partition(frames, key)
        # A value of its own for every slice explains nothing: times may be like that.
        if 1 < len(parts) <= 2 * most and all(_distinct(part) for part in parts):
            return _labelled(_in_order(parts, name), _namer(name))
    for name, key in VALUE_KEYS:
        parts = _partition(frames, key)
        if name in PARTIAL and 1 < len(parts) <= most:
            return _nested(_in_order(parts, name), name)
    for name, key in RANK_KEYS:
        ranked = _ranked(frames, places, key)
        if ranked:
            return _labelled(ranked, _namer(name))
    parts = _partition(frames, lambda f: f.acquisition_number)
    return _nested(parts, "acq") if 1 < len(parts) <= most else [("", frames)]


def _nested(parts: list[Frames], name: str) -> list[Group]:
    groups = _labelled(parts, _namer(name))
    return [(_join(label, inner), members) for label, part in groups for inner, members in _repeats(part)]


def _places(frames: Sequence[FrameHeader]) -> list[int]:
    return clusters(list(heights(frames)), lambda a, b: abs(a - b) <= SAME_PLACE_MM)


def _distinct(frames: Frames) -> bool:
    places = _places(frames)
    return len(set(places)) == len(places)


def _ranked(frames: Frames, places: list[int], key: Key) -> list[Frames]:
    """The k-th frame of every position by ``key``; empty unless every position has the same number."""
    stacks: dict[int, Frames] = {}
    for frame, place in zip(frames, places, strict=True):
        stacks.setdefault(place, []).append(frame)
    if len({len(stack) for stack in stacks.values()}) > 1:
        return []
    for stack in stacks.values():
        values = [key(frame) for frame in stack]
        if None in values or len(set(values)) < len(values):
            return []
    ordered = [sorted(stack, key=key) for stack in stacks.values()]
    return [list(level) for level in zip(*ordered, strict=True)]


def _in_order(parts: list[Frames], name: str) -> list[Frames]:
    def first(part: Frames) -> tuple[float, int, str, str, int]:
        frame = part[0]
        te = (frame.te_ms or frame.echo_number or 0.0) if name == "te" else 0.0
        return (
            te,
            frame.temporal_position or 0,
            frame.acquisition_time,
            min(f.content_time for f in part),
            min(f.instance_number or 0 for f in part),
        )

    return sorted(parts, key=first)


def _namer(name: str) -> Callable[[int, FrameHeader], str]:
    def label(number: int, frame: FrameHeader) -> str:
        if name == "te" and frame.te_ms is not None:
            return f"te={frame.te_ms:g}"
        if name == "acq" and frame.acquisition_number is not None:
            return f"acq={frame.acquisition_number}"
        return f"{name}={number}"

    return label
