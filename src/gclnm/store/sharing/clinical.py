"""Clinical tables of another store: their rows among ours, with the store each patient came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gclnm.errors import GclnmError, StoreError
from gclnm.store.clinical.tables import About, read_table, table_names
from gclnm.store.sharing.matching import Prefer, shown

if TYPE_CHECKING:
    import pandas as pd
    import zarr

__all__ = ["Joined", "StoredTable", "join_table", "patient_sources", "stored_tables"]

PATIENT = "patient_id"
# Which store the rows of a patient came from; patients that it does not name are the store's own.
ORIGINS = "origins"


@dataclass(frozen=True, eq=False)
class StoredTable:
    """A clinical table, what is known of its columns, and the store each of its patients came from."""

    name: str
    frame: pd.DataFrame
    about: About
    store_id: str

    @property
    def keys(self) -> list[str]:
        """Columns that tell its rows apart."""
        return [str(key) for key in self.about["keys"]]

    def source(self, patient: str) -> str:
        """The store that the rows of a patient came from."""
        return str(self.about.get(ORIGINS, {}).get(patient, self.store_id))


@dataclass(frozen=True, eq=False)
class Joined:
    """Our table with the rows of the other one, what cannot be joined, and how many rows are new or other."""

    frame: pd.DataFrame
    about: About
    problems: list[GclnmError]
    added: int
    replaced: int


def stored_tables(root: zarr.Group, store_id: str) -> dict[str, StoredTable]:
    """The clinical tables of a store by name."""
    return {name: StoredTable(name, *read_table(root, name), store_id) for name in table_names(root)}


def patient_sources(tables: Mapping[str, StoredTable]) -> pd.DataFrame:
    """Every patient of the tables with the store that their rows came from: patient_id, source."""
    import pandas as pd

    pairs = {(p, table.source(p)) for table in tables.values() for p in table.frame[PATIENT]}
    return pd.DataFrame(sorted(pairs), columns=[PATIENT, "source"])


def join_table(own: StoredTable | None, theirs: StoredTable, prefer: Prefer) -> Joined:
    """Rows of both tables, ours first.

    A cell that one side does not have is the other's. Of rows that differ, theirs counts where ours
    came from them, else the side that is preferred.
    """
    origins = {patient: theirs.source(patient) for patient in sorted(set(theirs.frame[PATIENT]))}
    if own is None:
        about = {**_public(theirs.about), ORIGINS: origins}
        frame = theirs.frame.sort_values(theirs.keys, kind="stable", ignore_index=True)
        return Joined(frame, about, [], len(frame), 0)
    problems = _form_problems(own, theirs)
    if problems:
        return Joined(own.frame, own.about, problems, 0, 0)
    rows, differing, added, replaced = _joined_rows(own, theirs, prefer)
    if differing:
        problems = [_differing(theirs.name, differing)]
    mine = set(own.frame[PATIENT])
    origins = {patient: source for patient, source in origins.items() if patient not in mine}
    about = {
        **_public(own.about),
        "columns": _columns(own, theirs),
        ORIGINS: {**own.about.get(ORIGINS, {}), **origins},
    }
    return Joined(_framed(rows, about), about, problems, added, replaced)


def _public(about: About) -> About:
    # The digest of one file says nothing of a table that is made of several.
    return {key: value for key, value in about.items() if key not in ("source_sha256", "content_sha256")}


def _form_problems(own: StoredTable, theirs: StoredTable) -> list[GclnmError]:
    kinds, others = _kinds(own.about, _filled(own)), _kinds(theirs.about, _filled(theirs))
    wrong = [name for name, kind in others.items() if kinds.get(name, kind) != kind]
    if own.keys == theirs.keys and not wrong:
        return []
    keys = [] if own.keys == theirs.keys else ["keys"]
    return [
        StoreError(
            "a clinical table has other keys or kinds of columns in the two stores",
            where=f"table {own.name!r}: {', '.join(keys + wrong)}",
            fix="Put it again in one of them, with the same keys= and values=, or under another name.",
            code="tables-differ",
        )
    ]


def _kinds(about: About, names: Collection[str] | None = None) -> dict[str, str]:
    kinds = {str(column["name"]): str(column["kind"]) for column in about["columns"]}
    return {name: kind for name, kind in kinds.items() if names is None or name in names}


def _filled(table: StoredTable) -> set[str]:
    """Columns that hold a value: an empty one may be of any kind."""
    return {str(name) for name in table.frame if not all(map(_missing, table.frame[name]))}


def _joined_rows(
    own: StoredTable, theirs: StoredTable, prefer: Prefer
) -> tuple[dict[tuple[Any, ...], dict[str, Any]], list[str], int, int]:
    rows = _by_key(own)
    differing: list[str] = []
    added = replaced = 0
    for key, new in _by_key(theirs).items():
        old = rows.get(key)
        if old is None:
            rows[key] = new
            added += 1
            continue
        patient = str(new[PATIENT])
        both = [name for name in new if name in old and not _missing(new[name]) and not _missing(old[name])]
        differs = any(old[name] != new[name] for name in both)
        # Ours is an earlier copy of theirs: what they corrected or emptied since is right.
        copied = own.source(patient) == theirs.source(patient) == theirs.store_id
        if differs and not copied and prefer is None:
            differing.append(patient)
            continue
        below, above = (new, old) if prefer == "own" or not (copied or prefer) else (old, new)
        joined = {**below, **{name: cell for name, cell in above.items() if copied or not _missing(cell)}}
        replaced += any(not _same(joined[name], old.get(name)) for name in joined)
        rows[key] = joined
    return rows, sorted(set(differing)), added, replaced


def _by_key(table: StoredTable) -> dict[tuple[Any, ...], dict[str, Any]]:
    records: list[dict[Any, Any]] = table.frame.to_dict("records")
    return {tuple(row[key] for key in table.keys): {str(n): v for n, v in row.items()} for row in records}


def _missing(cell: Any) -> bool:
    return cell is None or cell == "" or bool(cell != cell)


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) or (_missing(a) and _missing(b))


def _columns(own: StoredTable, theirs: StoredTable) -> list[dict[str, Any]]:
    """What is known of the columns: ours, with values that only they wrote another way; then theirs."""
    found = {str(column["name"]): dict(column) for column in own.about["columns"]}
    ours, others = _filled(own), _filled(theirs)
    for column in theirs.about["columns"]:
        if column["name"] in others and column["name"] not in ours:
            found[str(column["name"])] = dict(column)
        mine = found.setdefault(str(column["name"]), dict(column))
        known = [old for old, _ in mine.get("values") or []]
        new = [pair for pair in column.get("values") or [] if pair[0] not in known]
        mine["values"] = [*(mine.get("values") or []), *new]
    return list(found.values())


def _framed(rows: Mapping[tuple[Any, ...], dict[str, Any]], about: About) -> pd.DataFrame:
    import pandas as pd

    columns = {}
    for name, kind in _kinds(about).items():
        empty = "" if kind == "text" else float("nan")
        columns[name] = pd.Series(
            [empty if _missing(row.get(name)) else row[name] for row in rows.values()],
            dtype=object if kind == "text" else float,
        )
    frame = pd.DataFrame(columns)
    return frame.sort_values([str(key) for key in about["keys"]], kind="stable", ignore_index=True)


def _differing(name: str, patients: list[str]) -> GclnmError:
    return StoreError(
        f"rows of a clinical table differ for {len(patients)} patients",
        where=f"table {name!r}: patients {shown(patients)}",
        fix='Pass prefer="own" or prefer="other".',
        code="rows-differ",
    )
