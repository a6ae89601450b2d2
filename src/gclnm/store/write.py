"""Rows into a set: which of them are new, and the writes of one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import InputError, StoreError
from gclnm.schemas.features import as_numbers, as_text, coordinate_kind, stacked
from gclnm.store.layout import (
    DIAGNOSTIC,
    FEATURE_TEXTS,
    ROW_ARRAYS,
    TEXT,
    Arrays,
    add_coordinate,
    array,
    complete,
    coordinates,
    text,
    versions,
)
from gclnm.store.repository import Note
from gclnm.store.versions.history import sentence

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from gclnm.images.sample import Coordinate
    from gclnm.pipeline import Row
    from gclnm.store.keys import Key

__all__ = ["Choice", "choose", "note_of", "write_rows"]

RESERVED = {*ROW_ARRAYS, *FEATURE_TEXTS, DIAGNOSTIC, "value", "diagnostic", "lower", "upper", "sample"}


@dataclass(frozen=True)
class Choice:
    """Rows of a batch that are to be written, and the rows they replace."""

    indices: tuple[int, ...]
    revisions: tuple[int, ...]
    replaced: tuple[int, ...]


def choose(stored: Arrays, current: Mapping[str, Key], rows: Sequence[Row]) -> Choice:
    """Leave out what the set holds already; say what each of the others replaces.

    A row is new, or it replaces the current one because that one failed, was computed from other
    inputs or carries other coordinates. A failure to read the inputs replaces no computed row.
    """
    known = [row for row in rows if row.sample_id in current]
    silent = [row for row in known if not _is_news(row, current[row.sample_id])]
    # A computed row's coordinates are corrected by a computed row only, a failed one's by any.
    offered = [row for row in silent if row.status == "ok" or current[row.sample_id].status == "failed"]
    left_out = {row.sample_id for row in silent} - _moved(stored, current, offered)
    chosen = [
        (index, current.get(row.sample_id)) for index, row in enumerate(rows) if row.sample_id not in left_out
    ]
    return Choice(
        indices=tuple(index for index, _ in chosen),
        revisions=tuple(old.revision + 1 if old else 1 for _, old in chosen),
        replaced=tuple(old.position for _, old in chosen if old),
    )


def _is_news(row: Row, old: Key) -> bool:
    """Whether a row says something else than the current one, coordinates apart."""
    same_inputs = row.inputs_sha256 == old.inputs_sha256
    if row.status == "linked":
        return not same_inputs or row.reason != old.reason
    if old.status == "ok":
        if row.status == "failed":
            return bool(row.inputs_sha256) and not same_inputs
        return not same_inputs
    return row.status == "ok" or not same_inputs or row.reason != old.reason


def _moved(stored: Arrays, current: Mapping[str, Key], rows: Sequence[Row]) -> set[str]:
    """Keys of the rows whose coordinates are not the stored ones."""
    if not rows:
        return set()
    positions = np.array([current[row.sample_id].position for row in rows])
    names = coordinates(stored)
    same = np.ones(len(rows), dtype=bool)
    for name, values in coordinate_columns([row.coords for row in rows]).items():
        if name not in names:
            same &= _missing(values)
            continue
        old = np.asarray(stored[name].get_orthogonal_selection((positions,)))
        new = _like(name, stored[name], values)
        same &= np.array([a == b or (a != a and b != b) for a, b in zip(old, new, strict=True)], dtype=bool)
    return {row.sample_id for row, equal in zip(rows, same, strict=True) if not equal}


def coordinate_columns(coords: Sequence[Mapping[str, Coordinate]]) -> dict[str, list[Coordinate]]:
    """Coordinates by name; a row that does not have one gives None."""
    names = dict.fromkeys(name for row in coords for name in row)
    reserved = [name for name in names if name in RESERVED]
    if reserved:
        raise InputError(
            "a coordinate has a name that the store uses itself",
            where=", ".join(reserved),
            fix="Give the coordinate another name.",
            code="bad-coordinate",
        )
    return {name: [row.get(name) for row in coords] for name in names}


def _missing(values: Sequence[Coordinate]) -> NDArray[np.bool_]:
    return np.array([value is None or value == "" or value != value for value in values], dtype=bool)


def _like(name: str, stored: zarr.Array[Any], values: Sequence[Coordinate]) -> NDArray[Any]:
    """Values in the type of the stored coordinate."""
    if coordinate_kind(name, values) not in (None, _kind(stored)):
        raise StoreError(
            f"coordinate {name!r} holds {'text' if _kind(stored) == 'str' else 'numbers'} in this set,"
            " and the new rows bring the other",
            fix="Give the values the type of the stored ones.",
            code="bad-coordinate",
        )
    return text(as_text(name, values)) if _kind(stored) == "str" else as_numbers(name, values)


def _kind(stored: zarr.Array[Any]) -> str:
    return "str" if stored.dtype == TEXT else "float"


def write_rows(
    group: zarr.Group, stored: Arrays, rows: Sequence[Row], values: NDArray[np.float64], choice: Choice
) -> None:
    """Append rows to every array of the set and retire the ones they replace."""
    stored = complete(group, stored)
    start, width = stored["sample_id"].shape[0], stored["diagnostic"].shape[1]
    if choice.replaced:
        stored["current"].set_orthogonal_selection((np.array(choice.replaced),), False)
    columns: dict[str, NDArray[Any]] = {
        "value": values,
        "diagnostic": stacked([row.diagnostics for row in rows], width, "diagnostics", rows),
        "sample_id": text([row.sample_id for row in rows]),
        "revision": np.array(choice.revisions, dtype=np.int32),
        "current": np.ones(len(rows), dtype=bool),
        "inputs_sha256": text([row.inputs_sha256 for row in rows]),
        "content_sha256": text([row.content_sha256 for row in rows]),
        "origin": text([row.origin for row in rows]),
        "status": text([row.status for row in rows]),
        "reason": text([row.reason for row in rows]),
        "history": text([row.history for row in rows]),
        "seconds": np.array([row.seconds for row in rows], dtype=np.float64),
    }
    for name, tail in columns.items():
        _extend(stored[name], start, tail)
    _write_coordinates(group, stored, rows, start)


def _write_coordinates(group: zarr.Group, stored: Arrays, rows: Sequence[Row], start: int) -> None:
    given = coordinate_columns([row.coords for row in rows])
    for name in coordinates(stored):
        if name not in given:
            stored[name].resize((start + len(rows),))
    for name, values in given.items():
        kind = coordinate_kind(name, values)
        if name in stored:
            target = stored[name]
        elif kind is None:
            # Nothing is known of it yet, not even its type: it is added when a row brings a value.
            continue
        else:
            target = add_coordinate(group, name, kind, start)
        _extend(target, start, _like(name, target, values))


def _extend(target: zarr.Array[Any], start: int, tail: NDArray[Any]) -> None:
    target.resize((start + len(tail), *target.shape[1:]))
    # Most coordinates say nothing most of the time, and what is not written reads as missing.
    if tail.size and not np.all(_is_fill(tail)):
        target[start:] = tail


def _is_fill(tail: NDArray[Any]) -> Any:
    if tail.dtype.kind == "f":
        return np.isnan(tail)
    return tail == np.array("", dtype=TEXT) if tail.dtype == TEXT else np.False_


def note_of(
    name: str,
    group: zarr.Group,
    action: str,
    *,
    replaced: int = 0,
    linked: int = 0,
    failed: int = 0,
    message: str = "",
    start: int | None = None,
    more: Mapping[str, Any] | None = None,
) -> Note:
    """The record of a commit: what `log` shows and `explain` finds the row's commit by.

    Rows from ``start`` on are this commit's; by default it wrote none. ``linked`` of them say that their
    sample is another one; they count neither as added nor as replaced.
    """
    stop = array(group, "sample_id").shape[0]
    start = stop if start is None else start
    record = {
        "action": action,
        "set": name,
        "recipe_id": group.attrs["recipe_id"],
        "generation": group.attrs["generation"],
        "start": start,
        "stop": stop,
        "added": stop - start - replaced - linked,
        "replaced": replaced,
        "linked": linked,
        "failed": failed,
        "message": message,
        "versions": versions(),
        **(more or {}),
    }
    return Note(sentence(name, record), record)
