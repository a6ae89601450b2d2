"""New names for what a deposit must not tell: patients, samples, readers, centres, time points by date."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from gclnm.store.clinical.cells import cell_text

__all__ = ["Guard", "Pseudonyms", "is_date", "ordinals"]

# Of shorter ids nothing can be said, and the report names them: a stage may be called "1" as a patient is.
SHORTEST_ID = 4
UID = re.compile(r"(?<![\d.])[0-2](?:\.\d+){4,}(?![\d.])")
DAY = re.compile(
    r"(?<!\d)(?:19|20)\d\d(?P<sep>[-/.年]?)(?:0?[1-9]|1[0-2])(?:(?P=sep)|月)(?:0?[1-9]|[12]\d|3[01])(?!\d)"
)
# What a column is called that says where or when, or that holds an identifier.
TELLING_NAME = re.compile(
    r"医院|机构|单位|设备|医生|日期"
    r"|(^|_)(uids?|station|institution|hospitals?|clinic|accession|serial|address|operator|physician|date|datetime)($|_)"
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


def ordinals(days: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], str]:
    """Time points that are dates as T1, T2 ... of each patient, in their order.

    Parameters
    ----------
    days
        Every time point of a patient, of all files: one day has one number in them.

    Examples
    --------
    >>> ordinals({"A": ["2021-03-04", "2020-12-01", "20210304"], "B": ["2022-01-01"]})
    {('A', '2021-03-04'): 'T2', ('A', '2020-12-01'): 'T1', ('A', '20210304'): 'T2', ('B', '2022-01-01'): 'T1'}
    """
    found = {}
    for patient, values in days.items():
        given = list(dict.fromkeys(value for value in values if value))
        order = sorted({_day(value) for value in given})
        found.update({(patient, value): f"T{order.index(_day(value)) + 1}" for value in given})
    return found


def _day(text: str) -> tuple[tuple[int, ...], str]:
    """What time points are sorted and told apart by: the numbers, then the words beside the day."""
    plain = re.sub(r"(?<!\d)(\d{4})(\d\d)(\d\d)(?!\d)", r"\1-\2-\3", text)
    return tuple(int(part) for part in re.findall(r"\d+", plain)) or (0,), re.sub(
        r"[\d\W年月日]+", " ", plain
    ).strip()


class Guard:
    """Says which columns tell who a patient is, where they were scanned, or when.

    Parameters
    ----------
    ids
        Every patient id, sample_id and UID of the store.

    Attributes
    ----------
    too_short
        Ids that are not looked for: any stage or number may be written like them.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        given = set(ids)
        plain = {cell_text(item).casefold() for item in given}
        # A spreadsheet drops the zeros that an id begins with.
        plain |= {item.lstrip("0") for item in plain if item.isdecimal()}
        self._ids = {item for item in plain if _can_be_found(item)}
        self.too_short = tuple(sorted(item for item in given if not _can_be_found(cell_text(item))))

    def why_not(self, name: str, values: Iterable[Any]) -> str:
        """Why a column stays out of a deposit; empty: it may go in."""
        if TELLING_NAME.search(name.lower()):
            return "its name says that it holds an identifier, a place or a date"
        seen = list(dict.fromkeys(values))
        if any(self.holds_id(cell_text(value)) for value in seen):
            return "it holds ids of the store"
        for words, tells in (
            ("it holds UIDs", lambda text: UID.search(text) is not None),
            ("it holds dates", is_date),
        ):
            if any(_tells(value, tells) for value in seen):
                return words
        known = [value for value in seen if value == value]
        return "it holds dates" if known and all(map(_is_day_number, known)) else ""

    def holds_id(self, text: str) -> bool:
        """Whether a text is an id of the store, or has one among its words."""
        plain = cell_text(text).casefold()
        words = {plain, *re.split(r"[\s,;:/|\"']+", plain), *re.split(r"[^0-9a-z\u00c0-\uffff]+", plain)}
        # Chinese has no blanks: what is Latin in it is a word, and so is every longer number anywhere.
        words |= {*re.findall(r"[0-9a-z]+(?:[-_.][0-9a-z]+)*", plain), *re.findall(r"[0-9a-z]+", plain)}
        words |= {part for run in re.findall(r"\d{4,}", plain) for part in (run, run.lstrip("0"))}
        return not self._ids.isdisjoint(words)


def _can_be_found(item: str) -> bool:
    """Whether an id says what it is: of three characters those with letters and digits, longer ones all."""
    mixed = any(c.isdigit() for c in item) and any(c.isalpha() for c in item)
    return len(item) >= (SHORTEST_ID - 1 if mixed else SHORTEST_ID)


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
