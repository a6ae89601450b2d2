"""Cells of a clinical table: numbers, words, yes and no; what says nothing; what may not be stored."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from gclnm.catalog.pairing.names import normalise
from gclnm.counts import count
from gclnm.errors import InputError

__all__ = ["Cells", "cell_text", "convert", "value_map"]

# What says nothing, without regard to case. "-", "none" and "无" are not here: in a record they mean
# negative, no treatment, no such finding.
MISSING = frozenset(
    ("", "na", "n/a", "#n/a", "nan", "<na>", "nat", "null", "missing", "unknown", "未知", "不详", "缺失")
)
YES_NO = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0, "是": 1.0, "否": 0.0, "有": 1.0, "无": 0.0}
EXCEL_ERRORS = frozenset(("#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"))

NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.I | re.A)
# A number in the dress of another country or of a laboratory: reading it as text would hide it.
NUMBER_LIKE = re.compile(r"(?=.*\d)[<>≤≥~≈±]?=?\s*[+-]?[\d.]+(?:,\d+)*\s*%?", re.A)
LEADING_ZERO = re.compile(r"0\d+", re.A)

MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
DATE = re.compile(
    r"(?:1[89]|20|21)\d\d\s*(?:[-/年]\s*\d{1,2}|[.]\s*\d{1,2}\s*[.]\s*\d{1,2})(?:\s*[-/月]\s*\d{1,2})?\s*[月日]?"
    r"(?:[T\s].*)?"
    r"|\d{1,2}\s*([-/.])\s*\d{1,2}\s*\1\s*(?:\d{4}|\d\d)(?:\s.*)?"
    rf"|\d{{1,2}}[-\s.]*(?:{MONTHS})[a-z]*[-\s.,]*(?:\d{{4}}|\d\d)(?:\s.*)?"
    rf"|(?:{MONTHS})[a-z]*[-\s.]*\d{{1,2}}[-\s.,]+(?:\d{{4}}|\d\d)(?:\s.*)?",
    re.I | re.A,
)
COMPACT_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", re.A)
DATE_HEADER = re.compile(r"日期|时间|年月|(?<![a-z])(?:date|time)(?![a-z])", re.I)
# Days of a spreadsheet's calendar from 1941 to 2064: what a date becomes when its format is lost.
SERIAL_DAYS = (15_000, 60_000)
# National id (China), mobile number (China), e-mail.
IDENTIFYING = re.compile(r"\d{6}(?:19|20)\d{9}[\dXx]|(?:\+?86[-\s]?)?1[3-9]\d{9}|\S+@\S+\.\S+", re.A)
LONGEST = 64
EXACT_INTEGERS = 2**53
SHOWN = 8

TAKE_DAYS = "Give days, months or years since a day of the patient's own (diagnosis, surgery) instead."


@dataclass(frozen=True)
class Cells:
    """A column in the type in which it is stored: floats (NaN: missing) or text (``""``: missing)."""

    kind: str
    values: list[Any]
    mapped: list[list[Any]]
    missing: dict[str, int]


ValueMap = Mapping[Any, Any]


def cell_text(value: Any) -> str:
    """A cell as text: what a spreadsheet shows, normalised; whole numbers without decimals.

    Examples
    --------
    >>> cell_text(12.0), cell_text("１２ "), cell_text(True), cell_text(None)
    ('12', '12', 'true', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "true" if value else "false"
    if isinstance(value, Real):
        number = float(value)
        if math.isnan(number):
            return ""
        if isinstance(value, int):
            return str(int(value))
        return str(int(number)) if number.is_integer() and abs(number) < EXACT_INTEGERS else repr(number)
    return normalise(str(value)).replace("−", "-")


def value_map(name: str, given: ValueMap) -> dict[str, Any]:
    """A user's map with its keys as cells are compared; None stands for missing."""
    found: dict[str, Any] = {}
    for key, target in given.items():
        plain = cell_text(key)
        kind = type(target).__name__
        if target is not None and not isinstance(target, (str, bool, Real)):
            raise InputError(
                f"values= gives a {kind} for a cell", where=name, fix="Give a number, text, True or None."
            )
        if plain in found and found[plain] != target:
            raise InputError("values= gives one cell two meanings", where=f"{name}: {plain!r}")
        found[plain] = target
    return found


def convert(
    name: str,
    cells: Sequence[Any],
    numbers: Sequence[int],
    how: ValueMap | type | None = None,
    stored: str = "",
) -> Cells:
    """A column in one type.

    Parameters
    ----------
    name
        Its header, for errors.
    cells
        Its cells as they stood.
    numbers
        The rows that they stand in, for errors.
    how
        A map of values; ``str`` to take the cells as text; None to see what they are.
    stored
        Its name in the store, by which ``values=`` calls it; that of its header by default.

    Raises
    ------
    InputError
        When cells are dates, identify a person, are not in the map, or are numbers and words mixed.
    """
    column = _Column(name, [cell_text(cell) for cell in cells], numbers, stored or name)
    if isinstance(how, Mapping):
        mapping = value_map(name, how)
        if any(target is not None for target in mapping.values()):
            return _mapped(column, mapping)
        # A map to None alone says what is missing; the rest is what it is.
        return _typed(column, cells, MISSING | {key.casefold() for key in mapping}, None)
    if how is not None and how is not str:
        raise InputError("values= takes a mapping or str", where=name, fix='For example {"pN": {"N0": 0}}.')
    return _typed(column, cells, MISSING, how)


@dataclass(frozen=True)
class _Column:
    name: str
    texts: list[str]
    numbers: Sequence[int]
    stored: str = ""

    def where(self, wrong: Callable[[str], object]) -> str:
        """Column, rows and cells of an error: shown to the user, never stored."""
        rows = [(number, text) for number, text in zip(self.numbers, self.texts, strict=True) if wrong(text)]
        cells = ", ".join(repr(text[:40]) for text in dict.fromkeys(text for _, text in rows[:SHOWN]))
        return f"column {self.name!r}, row {rows[0][0]}{' and others' if len(rows) > 1 else ''}: {cells}"


def _mapped(column: _Column, mapping: Mapping[str, Any]) -> Cells:
    targets = [target for target in mapping.values() if target is not None]
    kinds = {_kind(target) for target in targets}
    if len(kinds) > 1:
        raise InputError(
            "values= gives numbers and text for one column",
            where=column.name,
            fix="Give all of one type; None stands for missing.",
        )
    unknown = {text for text in column.texts if text not in mapping and text.casefold() not in MISSING}
    plain = _plain_numbers(column, mapping, unknown) if kinds == {"number"} else {}
    unknown -= plain.keys()
    if unknown:
        raise InputError(
            f"{count(len(unknown), 'value of a column is', 'values of a column are')} not in its map",
            where=column.where(lambda text: text in unknown),
            fix=f"Found: {', '.join(map(repr, dict.fromkeys(column.texts)))}."
            f" Add them to values={{{column.stored!r}: {{...}}}}; None stands for missing.",
            code="unmapped-value",
        )
    kind = kinds.pop()
    none = "" if kind == "text" else math.nan
    found = [mapping.get(text, plain.get(text)) for text in column.texts]
    values = [none if value is None else value if kind == "text" else float(value) for value in found]
    if kind == "text":
        _refuse_cells(_Column(column.name, list(map(str, values)), column.numbers))
    missing = Counter(text for text, value in zip(column.texts, found, strict=True) if value is None and text)
    pairs = [[key, target] for key, target in mapping.items()]
    return Cells(kind, values, pairs, dict(missing))


def _plain_numbers(column: _Column, mapping: Mapping[str, Any], unknown: Collection[str]) -> dict[str, float]:
    """Numbers beside a map of other cells (``<0.5`` is 0.25), which stay what they are.

    All or none; and none where the map gives numbers another meaning: they are codes then, and one
    that it lacks is a gap.
    """
    codes = any(
        target is not None and NUMBER.fullmatch(text) and float(text) != target
        for text, target in mapping.items()
    )
    if codes or not all(NUMBER.fullmatch(text) for text in unknown):
        return {}
    there = [(n, text) for n, text in zip(column.numbers, column.texts, strict=True) if text in unknown]
    kept = _Column(column.name, [text for _, text in there], [n for n, _ in there])
    _refuse_cells(kept)
    _refuse_numbers(kept, [float(text) for text in kept.texts])
    return {text: float(text) for text in unknown}


def _kind(target: Any) -> str:
    return "yes/no" if isinstance(target, bool) else "text" if isinstance(target, str) else "number"


def _typed(column: _Column, cells: Sequence[Any], missing: frozenset[str], how: type | None) -> Cells:
    _refuse_times(column, cells)
    gone = [text.casefold() in missing for text in column.texts]
    there = [text for text, none in zip(column.texts, gone, strict=True) if not none]
    numbers = [n for n, none in zip(column.numbers, gone, strict=True) if not none]
    kept = _Column(column.name, there, numbers, column.stored)
    _refuse_cells(kept)
    kind = "text" if how is str else _seen(kept)
    spellings = Counter(text for text, none in zip(column.texts, gone, strict=True) if none and text)
    if kind == "text":
        texts = ["" if none else text for text, none in zip(column.texts, gone, strict=True)]
        return Cells(kind, texts, [], dict(spellings))
    read = float if kind == "number" else lambda text: YES_NO[text.casefold()]
    values = [math.nan if none else read(text) for text, none in zip(column.texts, gone, strict=True)]
    if kind == "number":
        _refuse_numbers(kept, [value for value in values if not math.isnan(value)])
        return Cells(kind, values, [], dict(spellings))
    pairs = [[text, YES_NO[text.casefold()]] for text in sorted(set(there))]
    return Cells(kind, values, pairs, dict(spellings))


def _seen(column: _Column) -> str:
    """The type of cells that nobody declared; doubt is refused, not decided."""
    texts = column.texts
    if all(NUMBER.fullmatch(text) for text in texts):
        return "number"
    if all(text.casefold() in YES_NO for text in texts):
        return "yes/no"
    if all(LEADING_ZERO.fullmatch(text) for text in texts):
        return "text"
    like = [text for text in texts if NUMBER.fullmatch(text) or NUMBER_LIKE.fullmatch(text)]
    if not like:
        return "text"
    odd = [text for text in texts if not NUMBER.fullmatch(text)]
    commas = all("," in text for text in odd)
    raise InputError(
        "a column holds numbers with a comma" if commas else "a column holds numbers and other things",
        where=column.where(lambda text: not NUMBER.fullmatch(text)),
        fix=(
            "Read the file with pandas.read_csv(path, decimal=',') or thousands=',', whichever is meant,"
            " and pass the DataFrame."
            if commas
            else f"values={{{column.stored!r}: {{...}}}} maps every value (to None alone: what is missing);"
            f" values={{{column.stored!r}: str}} takes the column as text."
        ),
        code="mixed-column",
    )


def _refuse_times(column: _Column, cells: Sequence[Any]) -> None:
    times = (datetime.date, datetime.time, datetime.timedelta)
    found = [n for n, cell in zip(column.numbers, cells, strict=True) if isinstance(cell, times)]
    if found:
        raise _date(f"column {column.name!r}, row {found[0]}")


def _refuse_cells(column: _Column) -> None:
    """Dates, persons, free text, spreadsheet errors: what no store may or can hold."""
    texts = column.texts
    if any(DATE.fullmatch(text) for text in texts):
        raise _date(column.where(DATE.fullmatch))
    if texts and all(COMPACT_DATE.fullmatch(text) for text in texts):
        raise _date(column.where(COMPACT_DATE.fullmatch))
    if any(IDENTIFYING.fullmatch(text) for text in texts):
        raise InputError(
            "a column holds telephone numbers, e-mail addresses or numbers of persons",
            where=column.where(IDENTIFYING.fullmatch),
            fix="Leave it out: name the columns that you want in columns=.",
            code="private-column",
        )
    if any(text in EXCEL_ERRORS for text in texts):
        raise InputError(
            "a column holds errors of the spreadsheet",
            where=column.where(lambda text: text in EXCEL_ERRORS),
            fix="Correct the formulas.",
            code="bad-table",
        )
    if any(len(text) > LONGEST for text in texts):
        raise InputError(
            f"a column holds free text: more than {LONGEST} characters in a cell",
            where=column.where(lambda text: len(text) > LONGEST),
            fix="Leave it out: name the columns that you want in columns=; or make categories of it.",
            code="free-text",
        )


def _refuse_numbers(column: _Column, values: Sequence[float]) -> None:
    if any(math.isinf(value) for value in values):
        raise InputError("a column holds a number too large for float64", where=f"column {column.name!r}")
    whole = [
        value
        for value, text in zip(values, column.texts, strict=True)
        if value.is_integer() and "e" not in text.casefold()
    ]
    if any(abs(value) >= EXACT_INTEGERS for value in whole):
        raise InputError(
            "a column holds whole numbers beyond 2^53, which look like identifiers",
            where=f"column {column.name!r}",
            fix="Leave it out: name the columns that you want in columns=.",
            code="bad-table",
        )
    low, high = SERIAL_DAYS
    days = values and all(low <= value <= high for value in values)
    if days and DATE_HEADER.search(column.name):
        raise _date(f"column {column.name!r}: days of a spreadsheet's calendar")


def _date(where: str) -> InputError:
    return InputError("a column holds dates, which no store keeps", where=where, fix=TAKE_DAYS, code="date")
