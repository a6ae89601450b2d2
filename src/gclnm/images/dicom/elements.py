"""Reading single values of a DICOM data set without trusting them: what cannot be decoded is absent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from gclnm.images.limits import MOST_FRAMES, too_large

__all__ = [
    "Groups",
    "as_number",
    "as_numbers",
    "as_text",
    "as_texts",
    "day_number",
    "first_item",
    "frame_count",
    "items",
    "number",
    "numbers",
    "private",
    "read",
    "seconds_of_day",
    "stamp",
    "text",
    "texts",
    "whole",
    "words",
]


# Frames that no functional group describes have no place; a few are listed all the same.
MOST_WITHOUT_GROUPS = 4096


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def read(dataset: Dataset | None, keyword: str) -> Any:
    """Value of a standard element; None where it is absent or cannot be decoded."""
    # Half the time of dataset.get(keyword), which looks the keyword up anew.
    return None if dataset is None else _value(dataset, _tag(keyword))


def _value(dataset: Dataset, tag: BaseTag) -> Any:
    if tag not in dataset:
        return None
    try:
        return dataset[tag].value
    except Exception:  # pydicom raises whatever its converters raise on a damaged value
        return None


def private(dataset: Dataset, group: int, creator: str, element: int) -> Any:
    """Value of a private element, found by its creator in whichever block that sits; None without it.

    ``creator`` is compared without case and outer blanks.
    """
    for tag in _creator_tags(group):
        if tag in dataset and as_text(_value(dataset, tag)).casefold() == creator.casefold():
            return _value(dataset, Tag(group, tag.element << 8 | element))
    return None


@cache
def _creator_tags(group: int) -> tuple[BaseTag, ...]:
    # Creators are numbered from 10 on; more than 16 in one group were never seen.
    return tuple(Tag(group, block) for block in range(0x10, 0x20))


def items(dataset: Dataset | None, keyword: str) -> Sequence[Dataset]:
    """Items of a sequence; empty when it is absent or is not one."""
    found = read(dataset, keyword)
    return found if isinstance(found, Sequence) and not isinstance(found, str | bytes) else ()


def first_item(dataset: Dataset | None, keyword: str) -> Dataset | None:
    """First item of a sequence, or None."""
    found = items(dataset, keyword)
    return found[0] if found else None


def as_texts(value: Any) -> tuple[str, ...]:
    """A value, single or multiple, as stripped strings; empty ones are left out."""
    if value is None:
        return ()
    if isinstance(value, bytes):
        value = value.decode("latin-1").split("\\")
    if isinstance(value, str) or not isinstance(value, Sequence):
        word = str(value).strip(" \0")
        return (word,) if word else ()
    return tuple(word for word in (str(part).strip(" \0") for part in value) if word)


def as_text(value: Any) -> str:
    """A value as one stripped string; several values are joined by a backslash, as in DICOM."""
    return "\\".join(as_texts(value))


def as_numbers(value: Any) -> tuple[float, ...]:
    """A value, single or multiple, as finite floats; what is not a number is left out."""
    found = []
    for part in as_texts(value):
        try:
            result = float(part)
        except ValueError:
            continue
        if math.isfinite(result):
            found.append(result)
    return tuple(found)


def as_number(value: Any) -> float | None:
    """The first number of a value, if it holds one."""
    found = as_numbers(value)
    return found[0] if found else None


def text(dataset: Dataset | None, keyword: str) -> str:
    """An element as one stripped string; empty when absent."""
    return as_text(read(dataset, keyword))


def texts(dataset: Dataset | None, keyword: str) -> tuple[str, ...]:
    """The values of an element as stripped strings."""
    return as_texts(read(dataset, keyword))


def words(dataset: Dataset | None, keyword: str) -> tuple[str, ...]:
    """The values of an element in upper case."""
    return tuple(word.upper() for word in texts(dataset, keyword))


def numbers(dataset: Dataset | None, keyword: str) -> tuple[float, ...]:
    """The values of an element as finite floats."""
    return as_numbers(read(dataset, keyword))


def number(dataset: Dataset | None, keyword: str) -> float | None:
    """The first number of an element, if it holds one."""
    return as_number(read(dataset, keyword))


def whole(dataset: Dataset | None, keyword: str) -> int | None:
    """The first number of an element as an integer, if it holds one that DICOM can mean (32 bits)."""
    found = number(dataset, keyword)
    return None if found is None or abs(found) >= 1 << 32 else int(found)


def frame_count(dataset: Dataset) -> int:
    """Number of frames; 1 for single-frame objects.

    Raises
    ------
    ReadError
        Code ``too-large``: more than 2^18.
    """
    count = max(whole(dataset, "NumberOfFrames") or 1, 1)
    if count > MOST_FRAMES:
        raise too_large(f"the header asks for {count} frames, more than {MOST_FRAMES}")
    return count


_TIME = re.compile(r"(\d{2}):?(?:(\d{2}):?(?:(\d{2})(?:\.(\d{1,6}))?)?)?")


def stamp(day: str, clock: str) -> str:
    """Date and time as one sortable string; parts that are not digits are left out.

    Examples
    --------
    >>> stamp("20200131", "102254.5")
    '20200131102254.500000'
    >>> stamp("", "1022")
    '102200.000000'
    >>> stamp("***", "")
    ''
    """
    day = day if re.fullmatch(r"\d{8}", day) else ""
    found = _TIME.fullmatch(clock)
    if not found:
        return day
    hours, minutes, seconds, fraction = found.groups()
    return f"{day}{hours}{minutes or '00'}{seconds or '00'}.{(fraction or '').ljust(6, '0')}"


def seconds_of_day(clock: str) -> float | None:
    """Seconds since midnight of a DICOM time ``HHMM[SS[.ffffff]]``; an older form has colons.

    Examples
    --------
    >>> seconds_of_day("112011.50"), seconds_of_day("11:20"), seconds_of_day("")
    (40811.5, 40800.0, None)
    """
    found = _TIME.match(clock)
    if not found or not found[2]:
        return None
    return int(found[1]) * 3600.0 + int(found[2]) * 60.0 + float(f"{found[3] or 0}.{found[4] or 0}")


def day_number(day: str) -> int | None:
    """Number of a DICOM date (its first eight digits; an older form has dots)."""
    found = re.match(r"(\d{4})[.:-]?(\d{2})[.:-]?(\d{2})", day)
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3])).toordinal()
    except ValueError:
        return None


class Groups:
    """Where the attributes of one frame stand: its own functional groups, the shared ones, the top level.

    In a single-frame object only the top level is there, so one look-up serves classic and enhanced objects.

    Parameters
    ----------
    dataset
        The object.
    frame, shared
        Items of its per-frame and shared functional groups.

    Examples
    --------
    >>> classic = Dataset()
    >>> classic.KVP = 120
    >>> float(Groups(classic).get("CTXRayDetailsSequence", "KVP"))
    120.0
    """

    def __init__(self, dataset: Dataset, frame: Dataset | None = None, shared: Dataset | None = None) -> None:
        self.dataset = dataset
        self._levels = [level for level in (frame, shared, dataset) if level is not None]

    @classmethod
    def of(cls, dataset: Dataset) -> list[Groups]:
        """One for each frame of an object.

        Raises
        ------
        ReadError
            Code ``too-large``: the object says that it has far more frames than it describes.
        """
        per_frame = items(dataset, "PerFrameFunctionalGroupsSequence")
        shared = first_item(dataset, "SharedFunctionalGroupsSequence")
        count = frame_count(dataset) if "NumberOfFrames" in dataset else len(per_frame) or 1
        if count > max(2 * len(per_frame), MOST_WITHOUT_GROUPS):
            raise too_large(f"the header asks for {count} frames and describes {len(per_frame)}")
        return [cls(dataset, per_frame[k] if k < len(per_frame) else None, shared) for k in range(count)]

    def item(self, keyword: str) -> Dataset | None:
        """First item of a functional group: the frame's own, else the shared one, else the top level's."""
        for level in self._levels:
            found = first_item(level, keyword)
            if found is not None:
                return found
        return None

    def get(self, group: str, attribute: str) -> Any:
        """Value of an attribute in a functional group, else of the same attribute at the top level."""
        for level in self._levels:
            found = read(first_item(level, group), attribute)
            if found is not None:
                return found
        return read(self.dataset, attribute)

    def levels(self) -> Iterator[Dataset]:
        """The frame's groups, the shared ones, the top level."""
        yield from self._levels
