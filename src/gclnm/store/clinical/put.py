"""Putting a clinical table into a store: checked, its patients found among the images, one commit."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.catalog.pairing.build import usual_modality
from gclnm.catalog.pairing.names import normalise
from gclnm.catalog.scanning.patients import PatientKey
from gclnm.counts import count, few
from gclnm.errors import InputError
from gclnm.schemas.features import COORDINATES
from gclnm.schemas.patients import TABLE_COLUMNS
from gclnm.store.clinical.aliases import aliases
from gclnm.store.clinical.cells import Cells, cell_text, convert
from gclnm.store.clinical.columns import Choice, choose_columns, raise_together
from gclnm.store.clinical.files import RawTable, read_raw
from gclnm.store.clinical.patient_ids import IdMatch, match_ids
from gclnm.store.clinical.tables import About, check_table_name, read_table, table_names, write_table
from gclnm.store.layout import array, set_group, set_names, versions
from gclnm.store.repository import Note, Repository
from gclnm.store.sharing.clinical import StoredTable, with_merged_rows
from gclnm.store.versions.history import sentence

if TYPE_CHECKING:
    import pandas as pd
    import zarr

__all__ = ["TableReport", "put_table"]

PATIENT = "patient_id"
NUMERIC_KEYS = frozenset(column.name for column in COORDINATES if column.dtype == "float")
# A spreadsheet keeps 15 digits; longer ids were rounded when it took them for numbers.
EXACT_DIGITS = 1e15
SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{1,3}")
SHOWN = 10
PATIENT_CELLS = Cells("text", [], [], {})


@dataclass(frozen=True, eq=False)
class TableReport:
    """What became of a table that was put into a store.

    Parameters
    ----------
    name
        Name of the table.
    commit
        The commit; None when the store held the same content already.
    keys
        Coordinates that tell its rows apart.
    rows
        Number of rows.
    columns
        What was stored: one row a column, with header, kind, value map, missing cells.
    left_out
        Headers that were not stored.
    encoding
        Encoding of a CSV file; empty for others.
    matched
        Number of patients of the table that have images in the store.
    only_in_table
        Ids that no image of the store has, as the table writes them.
    only_in_sets
        Ids of the store's patients that the table does not have.
    merged
        Rows that stayed in the stored table, of patients whom a merge brought and this table does not
        name.
    """

    name: str
    commit: str | None
    keys: tuple[str, ...]
    rows: int
    columns: pd.DataFrame
    left_out: tuple[str, ...]
    encoding: str
    matched: int
    only_in_table: tuple[str, ...]
    only_in_sets: tuple[str, ...]
    merged: int = 0

    def __repr__(self) -> str:
        return "\n  ".join([f"TableReport {self.name}", *self._sentences()])

    def _repr_html_(self) -> str:
        words = "<br>".join(map(html.escape, self._sentences()))
        columns = self.columns.to_html(index=False, escape=True)
        return f"<div><b>{html.escape(self.name)}</b><br>{words}{columns}</div>"

    def _sentences(self) -> list[str]:
        others = count(len(self.columns) - len(self.keys), "column")
        parts = [f"{count(self.rows, 'row')} by {', '.join(self.keys)}, {others}"]
        parts.append(count(self.matched, "patient has images", "patients have images"))
        if self.only_in_table:
            words = count(len(self.only_in_table), "is only in the table", "are only in the table")
            parts.append(f"{words} (.only_in_table): {few(self.only_in_table)}")
        if self.only_in_sets:
            words = count(
                len(self.only_in_sets),
                "patient of the sets is not in it",
                "patients of the sets are not in it",
            )
            parts.append(f"{words} (.only_in_sets): {few(self.only_in_sets)}")
        if self.merged:
            parts.append(
                count(self.merged, "row that a merge brought stays", "rows that a merge brought stay")
            )
        if self.left_out:
            parts.append(f"left out: {', '.join(self.left_out)}")
        if self.encoding:
            parts.append(f"read as {self.encoding}")
        parts.append(f"commit {self.commit}" if self.commit else "nothing new, no commit")
        return parts


def put_table(
    repository: Repository,
    name: str,
    data: pd.DataFrame | str | PathLike[str],
    *,
    keys: Sequence[str],
    columns: Mapping[str, str] | Sequence[str] | None,
    values: Mapping[str, Mapping[Any, Any] | type] | None,
    patient_key: PatientKey,
    encoding: str | None,
) -> TableReport:
    """Check a table and store it; see `gclnm.FeatureStore.put_table`."""
    check_table_name(name)
    raw = read_raw(data, encoding)
    choice = choose_columns(raw.header, keys, columns)
    cells = _converted(raw, choice, values or {})
    ids = _ids(raw, choice)
    found: list[tuple[IdMatch, set[str], StoredTable]] = []

    def change(root: zarr.Group) -> Note | None:
        images = _patients(root)
        match = match_ids(ids, images, patient_key)
        # A table may call a patient by the id of a second export, whose rows count as those of another.
        same = aliases(root)
        match = replace(match, stored={raw_id: same.get(new, new) for raw_id, new in match.stored.items()})
        images -= same.keys()
        _refuse_strangers(match, ids, images)
        frame = _frame(choice, cells, [match.stored[raw_id] for raw_id in ids], ids)
        table = _with_merged_rows(root, name, frame, _about(choice, cells, raw))
        found[:] = [(match, images, table)]
        if not write_table(root, name, table.frame, table.about):
            return None
        record = {"action": "table", "set": "", "table": name, "rows": len(table.frame), "message": ""}
        return Note(sentence(name, record), record | {"versions": versions()})

    commit = repository.commit(change)
    match, images, table = found[0]
    return TableReport(
        name=name,
        commit=commit,
        keys=choice.keys,
        rows=len(ids),
        columns=_columns(choice, cells),
        left_out=choice.left_out,
        encoding=raw.encoding,
        matched=len({match.stored[raw_id] for raw_id in match.known}),
        only_in_table=tuple(sorted(set(ids) - match.known)),
        only_in_sets=tuple(sorted(images.difference(table.frame[PATIENT]))),
        merged=len(table.frame) - len(ids),
    )


def _with_merged_rows(root: zarr.Group, name: str, frame: pd.DataFrame, about: About) -> StoredTable:
    """The table with the rows of other stores that it does not name."""
    store_id = str(root.attrs.get("store_id", ""))
    new = StoredTable(name, frame, about, store_id)
    if name not in table_names(root):
        return new
    return with_merged_rows(StoredTable(name, *read_table(root, name), store_id), new)


def _converted(raw: RawTable, choice: Choice, values: Mapping[str, Any]) -> dict[str, Cells]:
    """Every column but the patient's in its type; all that is wrong in one error."""
    unknown = [name for name in values if name not in choice.names.values() or name == PATIENT]
    if unknown:
        raise InputError(
            "values= names columns that the table does not have",
            where=", ".join(map(repr, unknown)),
            fix=f"It has {', '.join(choice.names.values())}.",
            code="unknown-column",
        )
    found, problems = {}, []
    for header, name in choice.names.items():
        if name == PATIENT:
            continue
        how = values.get(name)
        if name in choice.keys and name not in NUMERIC_KEYS and how is None:
            how = str
        try:
            found[name] = convert(header, raw.column(header), raw.numbers, how, name)
        except InputError as error:
            problems.append(error)
    raise_together(problems, "the cells of the table cannot be stored like this")
    texts = [key for key in choice.keys if key in NUMERIC_KEYS and found[key].kind != "number"]
    if texts:
        raise InputError(
            "a key holds text where images have numbers", where=", ".join(texts), code="bad-keys"
        )
    return found


def _ids(raw: RawTable, choice: Choice) -> list[str]:
    """Patient ids as the table writes them; numbers of a spreadsheet without decimals."""
    header = next(header for header, name in choice.names.items() if name == PATIENT)
    cells = raw.column(header)
    ids = [cell.strip() if isinstance(cell, str) else cell_text(cell) for cell in cells]
    for what, fix, wrong in (
        (
            "rows have no patient",
            "Give every row its patient, or leave the rows out.",
            [not normalise(text) for text in ids],
        ),
        (
            "patient ids have lost digits: a spreadsheet took them for numbers",
            "Format the column as text in the spreadsheet and enter the ids again.",
            [_rounded(cell) for cell in cells],
        ),
    ):
        rows = [number for number, bad in zip(raw.numbers, wrong, strict=True) if bad]
        if rows:
            raise InputError(
                f"{len(rows)} {what}",
                where=f"column {header!r}, rows {', '.join(map(str, rows[:SHOWN]))}",
                fix=fix,
                code="bad-patient-id",
            )
    return ids


def _rounded(cell: Any) -> bool:
    if isinstance(cell, str):
        return SCIENTIFIC.fullmatch(cell.strip()) is not None
    return isinstance(cell, float) and abs(cell) >= EXACT_DIGITS


def _patients(root: zarr.Group) -> set[str]:
    """Patients of the current rows of all sets."""
    found: set[str] = set()
    for name in set_names(root):
        group = set_group(root, name)
        if group is None or PATIENT not in group:
            continue
        ids, current = (np.asarray(array(group, label)[:]) for label in (PATIENT, "current"))
        found.update(map(str, ids[current.astype(bool)]))
    return found - {""}


def _refuse_strangers(match: IdMatch, ids: Sequence[str], images: set[str]) -> None:
    """A table of which no patient is known would be stored with ids of another kind, perhaps real ones."""
    if images and not match.known:
        raise InputError(
            "no patient of the table has an image in the store",
            where=f"the table has {ids[0]!r}, the store {min(images)!r}",
            fix="Pass the patient_key= of scan where ids were replaced; look at columns= where another"
            " column holds the id.",
            code="no-match",
        )


def _frame(
    choice: Choice, cells: Mapping[str, Cells], stored: Sequence[str], ids: Sequence[str]
) -> pd.DataFrame:
    """The table as it is stored, sorted by its keys."""
    import pandas as pd

    names = list(choice.names.values())
    frame = pd.DataFrame({name: stored if name == PATIENT else cells[name].values for name in names})
    if "modality" in choice.keys:
        frame["modality"] = [usual_modality(value) for value in frame["modality"]]
    _refuse_twice(frame, list(choice.keys), ids)
    return frame.sort_values(list(choice.keys), kind="stable", ignore_index=True)


def _refuse_twice(frame: pd.DataFrame, keys: list[str], ids: Sequence[str]) -> None:
    places = np.flatnonzero(frame.duplicated(keys, keep=False).to_numpy())
    if not len(places):
        return
    # The user's own spelling of the ids, by which the rows are found in the table.
    columns = [list(ids) if key == PATIENT else frame[key].tolist() for key in keys]
    shown = [" + ".join(repr(column[place]) for column in columns) for place in places]
    raise InputError(
        f"{len(places)} rows of the table share their key",
        where=f"{' + '.join(keys)}: {', '.join(list(dict.fromkeys(shown))[:SHOWN])}",
        fix="Drop one of each, or name in keys= the coordinate that tells them apart (roi, timepoint ...)."
        " Ids whose samples were linked (store.link) are one patient.",
        code="duplicate-key",
    )


def _about(choice: Choice, cells: Mapping[str, Cells], raw: RawTable) -> About:
    """What is kept of the table beside its columns; neither the file's name nor what was left out."""
    columns = []
    for header, name in choice.names.items():
        found = cells.get(name, PATIENT_CELLS)
        columns.append(
            {
                "name": name,
                "kind": found.kind,
                "header": header,
                "values": found.mapped,
                "missing": sorted(found.missing.items()),
            }
        )
    return {
        "keys": list(choice.keys),
        "columns": columns,
        "encoding": raw.encoding,
        "source_sha256": raw.sha256,
    }


def _columns(choice: Choice, cells: Mapping[str, Cells]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for header, name in choice.names.items():
        found = cells.get(name, PATIENT_CELLS)
        rows.append(
            {
                "column": name,
                "header": header,
                "kind": found.kind,
                "values": ", ".join(f"{old}={new}" for old, new in found.mapped),
                "missing": sum(value == "" or value != value for value in found.values),
                "spellings": ", ".join(f"{word} {count}" for word, count in sorted(found.missing.items())),
            }
        )
    return TABLE_COLUMNS.validate(pd.DataFrame(rows))
