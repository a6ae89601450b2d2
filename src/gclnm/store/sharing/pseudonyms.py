"""New names for what a deposit must not tell: patients, samples, readers, centres, time points by date."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

__all__ = ["Guard", "Pseudonyms", "is_date", "ordinals"]

# Of shorter ids nothing can be said: a stage may be called "1" as a patient is.
SHORTEST_ID = 4
UID = re.compile(r"(?<![\d.])[0-2](?:\.\d+){4,}(?![\d.])")
DAY = re.compile(
    r"(?<!\d)(?:19|20)\d\d(?P<sep>[-/.年]?)(?:0?[1-9]|1[0-2])(?:(?P=sep)|月)(?:0?[1-9]|[12]\d|3[01])(?!\d)"
)
# What a column is called that says where or when, or that holds an identifier.
TELLING_NAME = re.compile(
    r"(^|_)(uids?|station|institution|accession|serial|address|operator|physician|date|datetime)($|_)"
)


class Pseudonyms:
    """Random names, the same for one thing all through a deposit, in no order that tells anything.

    Parameters
    ----------
    taken
        What no new name may be: the store's own ids.
    """

    def __init__(self, taken: Collection[str]) -> None:
        self._taken = set(taken)
        self.patients: dict[str, str] = {}
        self.samples: dict[str, str] = {}
        self._codes: dict[str, dict[str, str]] = {}

    def patient(self, patient_id: str) -> str:
        """``P`` and eight digits or letters; no patient stays none."""
        return self._name(self.patients, patient_id, "P", 4) if patient_id else ""

    def sample(self, sample_id: str) -> str:
        """``S`` and sixteen digits or letters."""
        return self._name(self.samples, sample_id, "S", 8)

    def number(self, kind: str, values: Iterable[str]) -> None:
        """Give the values of a kind (``R`` for readers) the codes ``R1``, ``R2`` ... in random order."""
        found = sorted({value for value in values if value})
        secrets.SystemRandom().shuffle(found)
        self._codes[kind] = {value: f"{kind}{number}" for number, value in enumerate(found, 1)}

    def code(self, kind: str, value: str) -> str:
        """The code of a value; missing stays missing."""
        return self._codes[kind][value] if value else ""

    def has_codes(self, kind: str, values: Iterable[str]) -> bool:
        """Whether all values have a code."""
        return set(values) - {""} <= self._codes[kind].keys()

    def _name(self, known: dict[str, str], old: str, letter: str, digits: int) -> str:
        # A letter first: a spreadsheet would read 12e45678 as a number.
        while old not in known:
            new = letter + secrets.token_hex(digits)
            if new not in self._taken:
                self._taken.add(new)
                known[old] = new
        return known[old]


def is_date(text: str) -> bool:
    """Whether a text holds a calendar day.

    Examples
    --------
    >>> is_date("2021-03-04"), is_date("20210304"), is_date("2021年3月4日"), is_date("baseline 2")
    (True, True, True, False)
    """
    return DAY.search(text) is not None


def ordinals(values: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Time points that are dates as T1, T2 ... of each patient, in their order.

    Examples
    --------
    >>> ordinals(["2021-03-04", "2020-12-01", "2022-01-01", ""], ["A", "A", "B", "B"])
    ['T2', 'T1', 'T1', '']
    """
    of: dict[str, set[str]] = {}
    for value, group in zip(values, groups, strict=True):
        of.setdefault(group, set()).update({value} - {""})
    order = {group: sorted(found, key=_day) for group, found in of.items()}
    return [
        f"T{order[group].index(value) + 1}" if value else ""
        for value, group in zip(values, groups, strict=True)
    ]


def _day(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)) or (0,)


class Guard:
    """Says which columns tell who a patient is, where they were scanned, or when.

    Parameters
    ----------
    ids
        Every patient id, sample_id and UID of the store.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = {item for item in ids if len(item) >= SHORTEST_ID}

    def why_not(self, name: str, values: Iterable[Any]) -> str:
        """Why a column stays out of a deposit; empty: it may go in."""
        if TELLING_NAME.search(name.lower()):
            return "its name says that it holds an identifier, a place or a date"
        seen = list(dict.fromkeys(values))
        for words, tells in (
            ("it holds ids of the store", self.holds_id),
            ("it holds UIDs", lambda text: UID.search(text) is not None),
            ("it holds dates", is_date),
        ):
            if any(_tells(value, tells) for value in seen):
                return words
        known = [value for value in seen if value == value]
        return "it holds dates" if known and all(map(_is_day_number, known)) else ""

    def holds_id(self, text: str) -> bool:
        """Whether a text is an id of the store, or has one among its words."""
        words = {text, *re.split(r"[\s,;:/|\"']+", text), *re.split(r"[^0-9A-Za-z\u00c0-\uffff]+", text)}
        return not self._ids.isdisjoint(words)


def _tells(value: Any, tells: Callable[[str], bool]) -> bool:
    return isinstance(value, str) and tells(value)


def _is_day_number(value: Any) -> bool:
    """Whether a number is written like a day: 20210304."""
    if isinstance(value, str) or not 19000101 <= float(value) <= 21001231 or float(value) % 1:
        return False
    try:
        datetime.strptime(f"{int(value)}", "%Y%m%d")
    except ValueError:
        return False
    return True
