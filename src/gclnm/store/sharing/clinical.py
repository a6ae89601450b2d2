"""Clinical tables of another store: their rows among ours, with the store each patient came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gclnm.counts import count
from gclnm.errors import GclnmError, StoreError
from gclnm.store.clinical.tables import About, read_table, table_names
from gclnm.store.lineage import Lineage
from gclnm.store.sharing.matching import Prefer, shown

if TYPE_CHECKING:
    import pandas as pd
    import zarr

__all__ = ["Joined", "StoredTable", "join_table", "patient_sources", "stored_tables", "with_merged_rows"]

PATIENT = "patient_id"
# Which store the rows of a patient came from; patients that it does not name are the store's own.
ORIGINS = "origins"
# The place of their rows in that store's history: of two copies, the one that was read later is right.
NUMBERS = "numbers"


@dataclass(frozen=True, eq=False)
class StoredTable:
    """A clinical table, what is known of its columns, and the store each of its patients came from.

    ``written`` is the place in this store's history of the commit that wrote it.
    """

    name: str
    frame: pd.DataFrame
    about: About
    store_id: str
    written: int | None = None

    @property
    def keys(self) -> list[str]:
        """Columns that tell its rows apart."""
        return [str(key) for key in self.about["keys"]]

    def source(self, patient: str) -> str:
        """The store that the rows of a patient came from."""
        return str(self.about.get(ORIGINS, {}).get(patient, self.store_id))

    def number(self, patient: str) -> int | None:
        """The place of a patient's rows in the history of the store they came from; None: not known."""
        if patient not in self.about.get(ORIGINS, {}):
            return self.written
        found = self.about.get(NUMBERS, {}).get(patient)
        return None if found is None else int(found)


@dataclass(frozen=True, eq=False)
class Joined:
    """Our table with the rows of the other one, what cannot be joined, and how many rows are new or other."""

    frame: pd.DataFrame
    about: About
    problems: list[GclnmError]
    added: int
    replaced: int


def stored_tables(root: zarr.Group, lineage: Lineage) -> dict[str, StoredTable]:
    """The clinical tables of a store by name."""
    return {
        name: StoredTable(name, *read_table(root, name), lineage.store_id, lineage.tables.get(name))
        for name in table_names(root)
    }


def patient_sources(tables: Mapping[str, StoredTable]) -> pd.DataFrame:
    """Every patient of the tables with the store that their rows came from: patient_id, source."""
    import pandas as pd

    pairs = {(p, table.source(p)) for table in tables.values() for p in table.frame[PATIENT]}
    return pd.DataFrame(sorted(pairs), columns=[PATIENT, "source"])


def join_table(own: StoredTable | None, theirs: StoredTable, prefer: Prefer) -> Joined:
    """Rows of both tables, ours first.

    A cell that one side does not have is the other's. Of rows that differ, the later one counts where
    both came from one store, else that of the side that is preferred.
    """
    patients = sorted(set(theirs.frame[PATIENT]))
    if own is None:
        about = {**_public(theirs.about), **_sources(theirs, patients)}
        frame = theirs.frame.sort_values(theirs.keys, kind="stable", ignore_index=True)
        return Joined(frame, about, [], len(frame), 0)
    problems = _form_problems(own, theirs)
    if problems:
        return Joined(own.frame, own.about, problems, 0, 0)
    rows, differing, added, replaced = _joined_rows(own, theirs, prefer)
    if differing:
        problems = [_differing(theirs.name, differing)]
    mine = set(own.frame[PATIENT])
    came = _sources(theirs, [p for p in patients if p not in mine or _order(own, theirs, p) > 0])
    about = {
        **_public(own.about),
        "columns": _columns(own, theirs),
        **{key: {**own.about.get(key, {}), **found} for key, found in came.items()},
    }
    return Joined(_framed(rows, about), about, problems, added, replaced)


def with_merged_rows(old: StoredTable, new: StoredTable) -> StoredTable:
    """A new version of a table, with the rows that a merge brought of patients whom it does not name.

    Nobody leaves out a patient of another hospital by putting a table of one's own. Rows that are as
    they came are still theirs; changed ones are ours.

    Raises
    ------
    StoreError
        When the keys or kinds of columns are others than those of the rows that stay.
    """
    others = {p for p in old.about.get(ORIGINS, {}) if old.source(p) != old.store_id}
    if not others & set(old.frame[PATIENT]):
        return new
    named = set(new.frame[PATIENT])
    about = {**new.about, **_sources(old, sorted((others & named) - _changed(old, new)))}
    new = replace(new, about=about)
    staying = old.frame[old.frame[PATIENT].isin(sorted(others - named))]
    if not len(staying):
        return new
    rest = replace(old, frame=staying)
    joined = join_table(new, rest, None)
    if joined.problems:
        raise StoreError(
            "the table has other keys or kinds of columns than rows that a merge brought into it",
            where=f"table {new.name!r}: patients {shown(sorted(set(staying[PATIENT])))}",
            fix="Put it with the same keys= and values=, or under another name.",
            code="merged-rows",
        )
    return replace(new, frame=joined.frame, about={**joined.about, "source_sha256": about["source_sha256"]})


def _changed(old: StoredTable, new: StoredTable) -> set[str]:
    """Patients whose rows are not the same in two versions of a table."""
    if old.keys != new.keys:
        return set(old.frame[PATIENT])
    before, after = _by_key(old), _by_key(new)
    place = old.keys.index(PATIENT)
    return {
        str(key[place]) for key in before.keys() | after.keys() if _differ(before.get(key), after.get(key))
    }


def _differ(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> bool:
    if a is None or b is None:
        return True
    return any(not _same(a.get(name), b.get(name)) for name in a.keys() | b.keys())


def _sources(table: StoredTable, patients: Collection[str]) -> dict[str, dict[str, Any]]:
    """What is kept of where patients came from: the store, and the place in its history where known."""
    numbers = {patient: table.number(patient) for patient in patients}
    return {
        ORIGINS: {patient: table.source(patient) for patient in patients},
        NUMBERS: {patient: number for patient, number in numbers.items() if number is not None},
    }


def _order(own: StoredTable, theirs: StoredTable, patient: str) -> int:
    """1 when theirs is the later of two copies of one store's rows, -1 when ours is; 0: nothing says so."""
    source = theirs.source(patient)
    if own.source(patient) != source:
        return 0
    mine, other = own.number(patient), theirs.number(patient)
    if mine is None or other is None:
        # Copies of earlier versions have no number: the store that the rows came from is right.
        return (source == theirs.store_id) - (source == own.store_id)
    return (other > mine) - (other < mine)


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
        # Of two copies of one store's rows, what was corrected or emptied later is right.
        order = _order(own, theirs, patient)
        if differs and not order and prefer is None:
            differing.append(patient)
            continue
        below, above = (old, new) if order > 0 or (not order and prefer == "other") else (new, old)
        joined = {**below, **{name: cell for name, cell in above.items() if order or not _missing(cell)}}
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
        f"rows of a clinical table differ for {count(len(patients), 'patient')}",
        where=f"table {name!r}: patients {shown(patients)}",
        fix='Pass prefer="own" or prefer="other".',
        code="rows-differ",
    )
