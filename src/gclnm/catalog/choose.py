"""Which samples stay, which go, and what a user's table says about them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gclnm.catalog.cells import text
from gclnm.catalog.expressions import unknown_column
from gclnm.counts import count
from gclnm.errors import InputError

__all__ = ["exclusions", "joined", "mapped", "one_per", "read_table"]

KEYS = (
    "sample_id",
    "patient_id",
    "study_uid",
    "series_uid",
    "volume_id",
    "modality",
    "roi",
    "roi_instance",
    "rater",
    "timepoint",
)


def read_table(table: pd.DataFrame | str | os.PathLike[str], where: str) -> pd.DataFrame:
    """A user's table, all of it as text: a DataFrame, or a CSV file in UTF-8, with commas or semicolons."""
    if isinstance(table, pd.DataFrame):
        found = table
    else:
        try:
            found = pd.read_csv(
                Path(table), dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=_separator(table)
            )
        except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            missing = isinstance(error, FileNotFoundError)
            raise InputError(
                "there is no such file" if missing else f"the table cannot be read ({type(error).__name__})",
                where=f"{where}={os.fspath(table)!r}",
                fix="Give a CSV file in UTF-8, or a DataFrame.",
                code="bad-table",
            ) from None
    cells = {str(name).strip(): [text(value) for value in found[name]] for name in found.columns}
    return pd.DataFrame(cells, dtype=object)


def _separator(path: str | os.PathLike[str]) -> str:
    """What separates the columns: spreadsheets of many countries write semicolons."""
    with Path(path).open(encoding="utf-8-sig") as stream:
        header = stream.readline()
    return ";" if header.count(";") > header.count(",") else ","


def one_per(table: pd.DataFrame, keys: Sequence[str], prefer: Mapping[str, Any]) -> list[int]:
    """Positions of the best row for each combination of ``keys``, in the order of the table."""
    for name in (*keys, *prefer):
        if name not in table.columns:
            raise unknown_column(name, table.columns, where="one_per")
    ranks = list(zip(*(_ranks(table[name], order, name) for name, order in prefer.items()), strict=True))
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for position, key in enumerate(table[list(keys)].itertuples(index=False, name=None)):
        groups[key].append(position)
    kept = []
    for key, positions in groups.items():
        best = min(ranks[i] for i in positions) if ranks else ()
        winners = [i for i in positions if not ranks or ranks[i] == best]
        if len(winners) > 1:
            raise _tie(table.iloc[winners], dict(zip(keys, key, strict=True)))
        kept += winners
    return sorted(kept)


def _ranks(column: pd.Series[Any], order: Any, name: str) -> list[float]:
    """For each value how little it is wanted; missing values and those not listed come last."""
    if isinstance(order, str) and order in ("smallest", "largest"):
        if not pd.api.types.is_numeric_dtype(column):
            raise InputError(
                f"{order!r} needs numbers", where=f"prefer[{name!r}]", fix="List the values, the best first."
            )
        sign = 1.0 if order == "smallest" else -1.0
        return [float("inf") if np.isnan(value) else sign * float(value) for value in column]
    if isinstance(order, str) or not isinstance(order, Sequence):
        raise InputError(
            "prefer lists the values of a column, the best first, or says 'smallest' or 'largest'",
            where=f"prefer[{name!r}]={order!r}",
            fix="For example prefer={'kernel': ['STANDARD', 'SOFT'], 'slice_thickness_mm': 'smallest'}.",
        )
    places = {text(value): float(place) for place, value in reversed(list(enumerate(order)))}
    return [places.get(text(value), float("inf")) for value in column]


def _tie(rows: pd.DataFrame, key: Mapping[str, Any]) -> InputError:
    values = {name: sorted(set(map(text, rows[name]))) for name in rows.columns if name not in key}
    differ = [
        f"{name} ({', '.join(found[:4])})"
        for name, found in values.items()
        if len(found) > 1 and name not in ("sample_id", "volume_id", "segmentation_id")
    ]
    return InputError(
        f"{len(rows)} samples are equally good, and chance must not choose",
        where=", ".join(f"{name}={value!r}" for name, value in key.items()),
        fix=f"They differ in {', '.join(differ[:6]) or 'volume_id only'}: name one in prefer= or the keys.",
        code="tie",
    )


# What a mapping's keys may be, the most particular first.
IDENTIFIERS = ("sample_id", "volume_id", "series_uid", "study_uid", "patient_id")


def mapped(
    name: str, rule: Mapping[str, Any], rows: Sequence[Mapping[Any, Any]], changes: Sequence[dict[str, Any]]
) -> None:
    """Enter a mapping's values into ``changes``, each row by the most particular id that is a key."""
    used = set()
    for row, change in zip(rows, changes, strict=True):
        key = next((str(row[column]) for column in IDENTIFIERS if row[column] in rule), None)
        if key is not None:
            change[name] = rule[key]
            used.add(key)
    lost = [key for key in rule if key not in used]
    if lost:
        raise InputError(
            f"{len(lost)} of {len(rule)} keys are those of no sample",
            where=f"{name}={{{lost[0]!r}: ...}}",
            fix=f"Keys are values of {', '.join(IDENTIFIERS)}.",
            code="no-match",
        )


def exclusions(
    where: Any, ids: Sequence[str], reason: str, gone: set[str]
) -> tuple[dict[int, str], tuple[str, ...]]:
    """Positions to leave out, with the reason of each, and what to note; ``gone`` left before."""
    if isinstance(where, (str, os.PathLike)) and where not in ids:
        return _listed(where, ids, reason, gone)
    items = [where] if isinstance(where, str) else list(where)
    if items and all(isinstance(item, (bool, np.bool_)) for item in items):
        if len(items) != len(ids):
            raise InputError(
                f"{count(len(items), 'boolean')} cannot choose among {count(len(ids), 'sample')}",
                where="exclude(where)",
                fix="Give one for each row of .table.",
            )
        return {position: reason for position, item in enumerate(items) if item}, ()
    places = {sample_id: position for position, sample_id in enumerate(ids)}
    missing = [str(item) for item in items if item not in places]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(items)} sample_ids are not among the samples",
            where=f"exclude(where): {', '.join(missing[:3])}",
            fix="See .table for those that are there, .excluded for those that left before.",
        )
    return {places[item]: reason for item in items}, ()


def _listed(
    path: str | os.PathLike[str], ids: Sequence[str], reason: str, gone: set[str]
) -> tuple[dict[int, str], tuple[str, ...]]:
    table = read_table(path, "where")
    if "sample_id" not in table.columns:
        raise InputError(
            "the list of exclusions has no column sample_id",
            where=os.fspath(path),
            fix="Export it from the contour report, or write the columns sample_id and reason.",
            code="bad-table",
        )
    given = table.get("reason", pd.Series([""] * len(table)))
    listed = {key: why or reason for key, why in zip(table["sample_id"], given, strict=True) if key}
    chosen = {position: listed[key] for position, key in enumerate(ids) if key in listed}
    there = gone.union(ids)
    unknown = [key for key in listed if key not in there]
    if unknown and len(unknown) == len(listed):
        raise InputError(
            f"none of the {len(listed)} sample_ids of the list is among the samples",
            where=f"{os.fspath(path)}: {', '.join(unknown[:3])}",
            fix="The list was made for other samples, or ROIs have changed since: export it again, or"
            " exclude before you narrow by query().",
            code="no-match",
        )
    if not unknown:
        return chosen, ()
    # A list of a whole study is used on a part of it too: CT of CT and MR.
    note = f"{len(unknown)} of {len(listed)} sample_ids of the exclusions are not among these samples."
    return chosen, (note,)


def joined(
    samples: pd.DataFrame, table: pd.DataFrame | str | os.PathLike[str], on: Sequence[str] | None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """For each sample what a user's table says about it, and sentences on what did not match."""
    values = table.reset_index(drop=True) if isinstance(table, pd.DataFrame) else read_table(table, "table")
    rows = read_table(values, "table")
    values.columns = rows.columns
    keys = list(on) if on else [n for n in KEYS if n in rows.columns and samples[n].map(text).any()]
    for name in keys:
        if name not in rows.columns or name not in samples.columns:
            raise unknown_column(
                name, rows.columns if name in samples.columns else samples.columns, where="on"
            )
    new = [name for name in rows.columns if name not in keys]
    if not keys or not new:
        raise InputError(
            "the table needs a column that says whom a row is about, and one with what is new",
            where=f"its columns are {', '.join(rows.columns)}",
            fix="For example patient_id, study_uid and timepoint.",
            code="bad-table",
        )
    places = _unique_rows(rows, keys)
    ours = [tuple(map(text, key)) for key in samples[keys].itertuples(index=False, name=None)]
    if ours and not any(key in places for key in ours):
        raise InputError(
            f"no sample matches a row of the table by {', '.join(keys)}",
            where=f"samples have {ours[0]}, the table has {next(iter(places), ())}",
            fix="Compare the two; on= names the columns to match by.",
            code="no-match",
        )
    changes = [
        {name: values[name].iloc[places[key]] for name in new} if key in places else dict.fromkeys(new)
        for key in ours
    ]
    return changes, _unmatched(ours, places, keys)


def _unique_rows(rows: pd.DataFrame, keys: Sequence[str]) -> dict[tuple[str, ...], int]:
    places: dict[tuple[str, ...], int] = {}
    for position, key in enumerate(rows[list(keys)].itertuples(index=False, name=None)):
        if key in places:
            raise InputError(
                "two rows of the table are about the same samples",
                where=", ".join(f"{name}={value!r}" for name, value in zip(keys, key, strict=True)),
                fix="Add a column that tells them apart (study_uid, roi ...) or drop one.",
                code="bad-table",
            )
        places[key] = position
    return places


def _unmatched(
    ours: Sequence[tuple[str, ...]], places: Mapping[tuple[str, ...], int], keys: Sequence[str]
) -> tuple[str, ...]:
    by = ", ".join(keys)
    lonely = sum(key not in places for key in ours)
    unused = len(set(places) - set(ours))
    notes = []
    if lonely:
        have = count(lonely, "sample has", "samples have")
        notes.append(f"{have} no row in the table, by {by}: the new coordinates are empty there.")
    if unused:
        rows = count(unused, "row of the table is", "rows of the table are")
        notes.append(f"{rows} about no sample, by {by}.")
    return tuple(notes)
