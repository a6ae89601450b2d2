"""Reading single values of a DICOM data set without trusting them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

__all__ = [
    "FunctionalGroups",
    "items",
    "number",
    "numbers",
    "private",
    "read",
    "stamp",
    "text",
    "texts",
    "whole",
]


def text(content: Any) -> str:
    """A value as one stripped string; several values are joined by a backslash, as in DICOM."""
    return "\\".join(texts(content))


def texts(value: Any) -> tuple[str, ...]:
    """A value, single or multiple, as stripped strings."""
    if value is None:
        return ()
    if isinstance(value, bytes):
        value = value.decode("latin-1").split("\\")
    if isinstance(value, str) or not isinstance(value, Sequence):
        value = [value]
    return tuple(word for word in (str(part).strip(" \0") for part in value) if word)


def numbers(value: Any) -> tuple[float, ...]:
    """A value, single or multiple, as finite floats; what is not a number is left out."""
    found = []
    for part in texts(value):
        try:
            result = float(part)
        except ValueError:
            continue
        if math.isfinite(result):
            found.append(result)
    return tuple(found)


def number(value: Any) -> float | None:
    """The first number of a value, if it holds one."""
    found = numbers(value)
    return found[0] if found else None


def whole(value: Any) -> int | None:
    """The first number of a value as an integer, if it holds one."""
    found = number(value)
    return None if found is None else int(found)


def stamp(date: Any, time: Any) -> str:
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
    day = text(date) if re.fullmatch(r"\d{8}", text(date)) else ""
    clock = re.fullmatch(r"(\d{2})(\d{2})?(\d{2})?(?:\.(\d{1,6}))?", text(time).replace(":", ""))
    if not clock:
        return day
    hours, minutes, seconds, fraction = clock.groups()
    return f"{day}{hours}{minutes or '00'}{seconds or '00'}.{(fraction or '').ljust(6, '0')}"


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def read(dataset: Dataset, keyword: str) -> Any:
    """Value of a standard element, or None: half the time of ``dataset.get(keyword)``."""
    tag = _tag(keyword)
    return dataset[tag].value if tag in dataset else None


def items(dataset: Dataset | None, keyword: str) -> Sequence[Dataset]:
    """Items of a sequence; empty when it is absent or is not one."""
    found = None if dataset is None else read(dataset, keyword)
    return found if isinstance(found, Sequence) and not isinstance(found, str | bytes) else ()


@cache
def _creator_tags(group: int) -> tuple[BaseTag, ...]:
    # Creators are numbered from 10 on; more than 16 in one group were never seen.
    return tuple(Tag(group, block) for block in range(0x10, 0x20))


def private(dataset: Dataset, group: int, creator: str, element: int) -> Any:
    """Value of a private element, found by its creator in whichever block that sits; None without it.

    ``creator`` is compared without case and outer blanks.
    """
    for tag in _creator_tags(group):
        if tag in dataset and text(dataset[tag].value).casefold() == creator.casefold():
            found = Tag(group, tag.element << 8 | element)
            return dataset[found].value if found in dataset else None
    return None


class FunctionalGroups:
    """Look-up in the groups of one frame: the frame's own first, then the shared ones."""

    def __init__(self, frame: Dataset | None, shared: Dataset | None) -> None:
        self._levels = [level for level in (frame, shared) if level is not None]

    def item(self, keyword: str) -> Dataset | None:
        """First item of a functional group, or None."""
        for level in self._levels:
            found = items(level, keyword)
            if found:
                return found[0]
        return None

    def get(self, keyword: str, attribute: str) -> Any:
        """Value of an attribute in a functional group, or None."""
        for level in self._levels:
            for item in items(level, keyword)[:1]:
                if _tag(attribute) in item:
                    return read(item, attribute)
        return None

    def levels(self) -> Iterator[Dataset]:
        """The frame's data set, then the shared one."""
        yield from self._levels
