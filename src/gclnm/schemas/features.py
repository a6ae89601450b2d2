"""What a row of a feature set must be: its coordinates, its key, and values that mathematics allows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gclnm.errors import InputError
from gclnm.schemas.samples import SAMPLES
from gclnm.schemas.table import Column, Table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["COORDINATES", "FEATURES", "KEYS", "check_rows", "coordinate_kind", "out_of_bounds"]

STATUS = ("ok", "failed", "linked")
SHA256 = re.compile(r"[0-9a-f]{64}")
COORDINATE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
# Rounding may carry a value past its bound by a few units in the last place (entropy -3e-16).
SLACK = 1e-9
EXACT_INTEGERS = 2**53

# What a table of samples shows in memory but a store never holds.
IN_MEMORY_ONLY = ("sample_id", "volume_id", "roi_name", "segmentation_id")
PRIVATE = {
    *IN_MEMORY_ONLY,
    *("path", "file", "folder", "patient_name", "birth_date", "patient_birth_date"),
    *("study_description", "series_description", "acquisition_time", "study_date"),
}

KEY = next(column for column in SAMPLES.columns if column.name == "sample_id")
COORDINATES: tuple[Column, ...] = (
    *(
        Column(c.name, c.dtype, c.description, required=False, nullable=c.dtype != "str")
        for c in SAMPLES.columns
        if c.name not in IN_MEMORY_ONLY
    ),
    Column(
        "derivation", "str", "What was made of the images (`vmi 70 keV`); empty: nothing.", required=False
    ),
    Column(
        "perturbation",
        "str",
        "What was done to the images or the ROI on purpose; empty: nothing.",
        required=False,
    ),
)
_KNOWN = {column.name: column for column in COORDINATES}

FEATURES = Table(
    "features",
    (
        KEY,
        *COORDINATES,
        Column("revision", "int", "From 1; raised when the row was replaced.", ge=1, required=False),
    ),
    description="One row of a feature set: key, coordinates, then one column a feature (NaN: not computed).",
    open=True,
)

KEYS = Table(
    "keys",
    (
        KEY,
        Column(
            "status", "str", "Computed, failed, or linked: the sample is that of another row.", isin=STATUS
        ),
        Column("inputs_sha256", "str", "Digest of everything the row was computed from; empty when unread."),
        Column("revision", "int", "From 1; raised when the row was replaced.", ge=1),
        Column(
            "same_as",
            "str",
            "The sample that a linked row is, or a failed one (`same-content`) would double; empty: none.",
        ),
    ),
    description="One current row of a feature set, without its values.",
)


class RowLike(Protocol):
    """The parts of a row that are checked here (`gclnm.pipeline.Row` has them)."""

    @property
    def sample_id(self) -> str: ...
    @property
    def coords(self) -> Mapping[str, str | float | int | None]: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def inputs_sha256(self) -> str: ...
    @property
    def content_sha256(self) -> str: ...
    @property
    def history(self) -> str: ...
    @property
    def values(self) -> NDArray[np.float64]: ...
    @property
    def diagnostics(self) -> NDArray[np.float64]: ...


def out_of_bounds(values: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> NDArray[np.bool_]:
    """Where values are infinite or outside the bounds that mathematics gives.

    Parameters
    ----------
    values
        Features, (feature,) or (sample, feature); NaN (not computed) is never out of bounds.
    lower, upper
        Bounds, (feature,); NaN for none. A relative 1e-9 is left for rounding.

    Examples
    --------
    >>> out_of_bounds([0.7, 1.2, float("nan")], [0, 0, 0], [1, 1, 1]).tolist()
    [False, True, False]
    """
    data = np.asarray(values, dtype=np.float64)
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    with np.errstate(over="ignore"):
        too_low = data < low - SLACK * np.maximum(1.0, np.abs(low))
        too_high = data > high + SLACK * np.maximum(1.0, np.abs(high))
    return np.asarray(too_low | too_high | np.isinf(data))


def coordinate_kind(name: str, values: Sequence[object]) -> str | None:
    """Type of a coordinate, ``"str"`` or ``"float"``; None while every value is missing.

    Known coordinates have the type of the schema; the type of others is that of their values.

    Raises
    ------
    InputError
        When the name cannot be a coordinate, or values do not have one type.

    Examples
    --------
    >>> coordinate_kind("b_value", [None]), coordinate_kind("arm", ["A", None])
    ('float', 'str')
    """
    if not COORDINATE_NAME.fullmatch(name) or name in PRIVATE:
        raise InputError(
            "a coordinate has a name that is not allowed",
            where=repr(name),
            fix="Use lower-case letters, digits and _; paths, names and descriptions are never stored.",
            code="bad-coordinate",
        )
    if name in _KNOWN:
        return _KNOWN[name].dtype
    kinds = {"str" if isinstance(value, str) else "float" for value in values if value is not None}
    if len(kinds) > 1:
        raise _mixed(name, "text and numbers")
    return kinds.pop() if kinds else None


def as_text(name: str, values: Sequence[object]) -> list[str]:
    """Values of a text coordinate; missing ones become empty, whole numbers their digits."""
    return [_text(name, value) for value in values]


def as_numbers(name: str, values: Sequence[object]) -> NDArray[np.float64]:
    """Values of a numeric coordinate; missing ones become NaN."""
    numbers = np.array([_number(name, value) for value in values], dtype=np.float64)
    if np.isinf(numbers).any():
        raise _mixed(name, "an infinite number")
    return numbers


def _text(name: str, value: object) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, str):
        raise _mixed(name, "a value that is not text")
    return _encodable(value, f"coordinate {name!r}")


def _number(name: str, value: object) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _mixed(name, "a value that is not a number")
    if isinstance(value, (int, np.integer)) and abs(int(value)) > EXACT_INTEGERS:
        raise _mixed(name, "a whole number beyond 2^53, which float64 cannot hold exactly")
    return float(value)


def _encodable(text: str, what: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{what} holds text that is not valid Unicode", code="bad-text") from None
    return text


def _mixed(name: str, found: str) -> InputError:
    kind = {"str": "text", "float": "numbers"}.get(_KNOWN[name].dtype if name in _KNOWN else "", "one type")
    return InputError(
        f"coordinate {name!r} holds {found}",
        fix=f"A coordinate holds {kind}; None stands for a missing value.",
        code="bad-coordinate",
    )


def check_rows(
    rows: Sequence[RowLike],
    features: Sequence[str],
    diagnostics: Sequence[str],
    lower: ArrayLike,
    upper: ArrayLike,
) -> NDArray[np.float64]:
    """Check rows before they are written and give their values, (row, feature).

    Raises
    ------
    InputError
        When a key is empty or occurs twice, a row has another number of values than the recipe has
        features, status and reason contradict each other, or a value is infinite or out of bounds.
        The sentence names the first such row.
    """
    seen: set[str] = set()
    for row in rows:
        _check_row(row)
        if row.sample_id in seen:
            raise _bad("two rows of one batch have the same sample_id", row)
        seen.add(row.sample_id)
    values = stacked([row.values for row in rows], len(features), "features", rows)
    stacked([row.diagnostics for row in rows], len(diagnostics), "diagnostics", rows)
    empty = np.array([row.status != "ok" for row in rows], dtype=bool)
    wrong = empty & np.isfinite(values).any(axis=1)
    if wrong.any():
        first = rows[int(np.flatnonzero(wrong)[0])]
        raise _bad(f"a {first.status} row has values", first)
    _check_bounds(rows, values, features, lower, upper)
    return values


def stacked(
    parts: Sequence[NDArray[np.float64]], width: int, what: str, rows: Sequence[RowLike]
) -> NDArray[np.float64]:
    """One float64 array (row, width) of the rows' parts; an empty part of a row not ok becomes NaN."""
    table = np.full((len(parts), width), np.nan)
    for index, (part, row) in enumerate(zip(parts, rows, strict=True)):
        array = np.asarray(part)
        if array.size == 0 and row.status != "ok":
            continue
        if array.shape != (width,) or array.dtype.kind not in "fiu":
            raise _bad(
                f"a row holds {array.shape} {what} of type {array.dtype}, the recipe asks for {width}", row
            )
        table[index] = array
    return table


def _check_row(row: RowLike) -> None:
    if not isinstance(row.sample_id, str) or not row.sample_id:
        raise _bad("a row has no sample_id", row)
    for text in (row.sample_id, row.reason, row.history):
        _encodable(text, "a row")
    if row.status not in STATUS:
        raise _bad(f"a row has a status that is not one of {', '.join(STATUS)}", row)
    if (row.status == "ok") == bool(row.reason):
        raise _bad("a row that is ok has a reason, or one that is not has none", row)
    if not SHA256.fullmatch(row.inputs_sha256) and (row.status == "ok" or row.inputs_sha256):
        raise _bad("a row's inputs_sha256 is not the hexadecimal digest of its inputs", row)
    if row.content_sha256 and not SHA256.fullmatch(row.content_sha256):
        raise _bad("a row's content_sha256 is not a hexadecimal digest", row)
    try:
        json.loads(row.history or "{}")
    except ValueError:
        raise _bad("a row's history is not JSON", row) from None


def _check_bounds(
    rows: Sequence[RowLike],
    values: NDArray[np.float64],
    features: Sequence[str],
    lower: ArrayLike,
    upper: ArrayLike,
) -> None:
    wrong = np.argwhere(out_of_bounds(values, lower, upper))
    if wrong.size:
        row, column = (int(index) for index in wrong[0])
        low, high = float(np.asarray(lower)[column]), float(np.asarray(upper)[column])
        raise _bad(
            f"{features[column]} is {values[row, column]:.6g}, which is not in [{low:g}, {high:g}]"
            f" ({len(wrong)} such values in the batch)",
            rows[row],
            code="out-of-bounds",
        )


def _bad(what: str, row: RowLike, code: str = "bad-row") -> InputError:
    return InputError(what, where=f"sample {row.sample_id!r}", fix="Nothing was written.", code=code)
