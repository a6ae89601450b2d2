"""Numbers that differ from slice to slice, as one fact of a volume."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

__all__ = ["pack", "unpack"]

_MISSING = "-"


def pack(values: Iterable[float | None]) -> str:
    """One number a slice as text, runs of equal ones written once; empty when no slice has any.

    Examples
    --------
    >>> pack([0.0, 0.0, 240000.0]), pack([None, 1.5]), pack([None, None])
    ('0.0*2 240000.0', '- 1.5', '')
    """
    words = [_MISSING if value is None else repr(float(value)) for value in values]
    if set(words) <= {_MISSING}:
        return ""
    runs = [(word, sum(1 for _ in run)) for word, run in groupby(words)]
    return " ".join(word if n == 1 else f"{word}*{n}" for word, n in runs)


def unpack(packed: object) -> list[float | None]:
    """The numbers that :func:`pack` wrote, in the order of the slices; empty for anything but text.

    Examples
    --------
    >>> unpack("0.0*2 240000.0"), unpack(None)
    ([0.0, 0.0, 240000.0], [])
    """
    found: list[float | None] = []
    for run in packed.split() if isinstance(packed, str) else ():
        word, _, times = run.partition("*")
        found += [None if word == _MISSING else float(word)] * int(times or 1)
    return found
