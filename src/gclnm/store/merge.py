"""Joining stores: rows of another store with their values, their history and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import GclnmError, InputError, StoreError
from gclnm.store.features import read_selections
from gclnm.store.history import sentence
from gclnm.store.layout import array, create_set, set_group, set_names, versions
from gclnm.store.lineage import FRAME, Lineage, origin_record, row_frame
from gclnm.store.links import named_sample
from gclnm.store.matching import Patients, Prefer, decide, problems_of, rename, renamed
from gclnm.store.read import Where
from gclnm.store.refusals import (
    coordinate_problems,
    raise_all,
    recipe_problems,
    row_problems,
    selection_problems,
)
from gclnm.store.repository import Note
from gclnm.store.selections import write_selection
from gclnm.store.table_merge import StoredTable, join_table, patient_sources, stored_tables
from gclnm.store.tables import write_table
from gclnm.store.takeover import spec_of, write_from
from gclnm.store.wanted import wanted_part, wanted_rows
from gclnm.store.write import note_of

if TYPE_CHECKING:
    import pandas as pd
    import zarr
    from numpy.typing import NDArray

    from gclnm.store.repository import Repository

__all__ = ["Merge", "merge"]


@dataclass(frozen=True, eq=False)
class Merge:
    """What came from another store.

    Attributes
    ----------
    sets
        One row a set: set, added, replaced, failed (how many of these failed), there (rows that
        were here already), kept (rows of ours that were preferred), commit (empty: nothing new).
    tables
        One row a clinical table: table, added, replaced (rows of it), commit (empty: nothing new).
    store_id
        The other store.
    """

    sets: pd.DataFrame
    tables: pd.DataFrame
    store_id: str

    @property
    def commits(self) -> list[str]:
        """The commits that were made: one a set that brought something, one for the tables."""
        return list(dict.fromkeys(c for c in (*self.sets["commit"], *self.tables["commit"]) if c))

    def __repr__(self) -> str:
        lines = [_sentence(row) for row in self.sets.to_dict("records")]
        lines += [_table_sentence(row) for row in self.tables.to_dict("records")]
        return "\n".join([f"Merge of store {self.store_id[:12]}", *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        shown = [part.to_html(index=False, escape=True) for part in (self.sets, self.tables) if len(part)]
        return f"<div><b>Merge</b> of store {self.store_id[:12]}{''.join(shown)}</div>"


def _sentence(row: dict[Any, Any]) -> str:
    words = {
        "replaced": "replaced",
        "failed": "of them failed",
        "there": "here already",
        "kept": "of ours kept",
    }
    parts = [f"{row['added']} rows added"]
    parts += [f"{row[key]} {said}" for key, said in words.items() if row[key]]
    return f"{row['set']}: {', '.join(parts)}"


def _table_sentence(row: dict[Any, Any]) -> str:
    changed = f", {row['replaced']} changed" if row["replaced"] else ""
    return f"table {row['table']}: {row['added']} rows added{changed}"


def merge(own: Repository, other: Repository, patients: Patients, where: Where, prefer: Prefer) -> Merge:
    """Bring the current rows of another store, one commit a set; see `FeatureStore.merge`."""
    import pandas as pd

    if prefer not in (None, "own", "other"):
        raise InputError(f"prefer is {prefer!r}", fix='Use "own" or "other".')
    theirs = _Theirs(other, patients, where)
    _refuse_itself(own, theirs)
    theirs.check(own, prefer)
    rows = [_merge_set(own, theirs, name, prefer) for name in theirs.names]
    tables = _merge_tables(own, theirs, prefer) if theirs.tables else []
    return Merge(
        pd.DataFrame(rows, columns=["set", "added", "replaced", "failed", "there", "kept", "commit"]),
        pd.DataFrame(tables, columns=["table", "added", "replaced", "commit"]),
        theirs.lineage.store_id,
    )


def _refuse_itself(own: Repository, theirs: _Theirs) -> None:
    if Lineage(own).store_id == theirs.lineage.store_id:
        raise StoreError(
            "the other store is this one, or a copy of it",
            where=theirs.url,
            fix="Merge it into a store of its own (open_store on a new folder) to join two copies.",
            code="same-store",
        )


class _Theirs:
    """The other store as it is now: its rows under the ids they have here, and which of them are wanted."""

    def __init__(self, repository: Repository, patients: Patients, where: Where) -> None:
        snapshot = repository.tip()
        root = repository.root(snapshot)
        self.url = repository.url
        self.patients = patients
        self.lineage = Lineage(repository, snapshot)
        groups = {name: set_group(root, name) for name in set_names(root)}
        self.groups = {name: group for name, group in groups.items() if group is not None}
        frames = {name: row_frame(group, self.lineage) for name, group in self.groups.items()}
        wanted = wanted_rows(self.groups, where)
        tables = stored_tables(root, self.lineage.store_id)
        known = {str(patient) for frame in frames.values() for patient in frame["patient_id"] if patient}
        known |= {str(patient) for table in tables.values() for patient in table.frame["patient_id"]}
        new_names = renamed(patients, known)
        self.rows = {
            name: rename(_with_wanted(frame, wanted[name]), new_names) for name, frame in frames.items()
        }
        self.names = [name for name, frame in self.rows.items() if frame["wanted"].any()]
        self.selections = {name: read_selections(group) for name, group in self.groups.items()}
        coming = {patient for frame in self.rows.values() for patient in frame["patient_id"][frame["wanted"]]}
        found = (wanted_part(root, table, where, new_names, coming) for table in tables.values())
        self.tables = {table.name: table for table in found if len(table.frame)}

    def check(self, own: Repository, prefer: Prefer) -> None:
        """Refuse what cannot be joined, all of it at once, before anything is written."""
        lineage, root = Lineage(own), own.root(own.tip())
        found = self.problems(root, lineage)
        mine = stored_tables(root, lineage.store_id)
        for name, table in self.tables.items():
            found += join_table(mine.get(name), table, prefer).problems
        for name in self.names:
            group = set_group(root, name)
            fits = group is not None and not recipe_problems(group, name, self.groups[name])
            if group is not None and fits:
                rows = row_frame(group, lineage)
                found += row_problems(name, decide(rows, self.wanted(name), prefer, lineage, self.lineage))
                found += coordinate_problems(name, group, self.groups[name])
                found += selection_problems(name, group, self.selections[name], prefer)
        raise_all(found)

    def problems(self, root: zarr.Group, lineage: Lineage) -> list[GclnmError]:
        """What is wrong with recipes and patients, looked at in all sets together."""
        own = {name: set_group(root, name) for name in set_names(root)}
        mine = {name: group for name, group in own.items() if group is not None}
        found = [
            problem
            for name in self.names
            if name in mine
            for problem in recipe_problems(mine[name], name, self.groups[name])
        ]
        here = _all({name: row_frame(group, lineage) for name, group in mine.items()})
        there = _all(self.rows)
        return found + problems_of(
            here,
            there,
            _patients(here[here["current"]], stored_tables(root, lineage.store_id)),
            _patients(there[there["wanted"]], self.tables),
            told=self.patients == "same",
        )

    def wanted(self, name: str) -> pd.DataFrame:
        """Rows of a set that are to come; positions stay the index."""
        frame = self.rows[name]
        return frame[frame["wanted"]]


def _with_wanted(frame: pd.DataFrame, wanted: NDArray[np.bool_]) -> pd.DataFrame:
    """Current rows that are asked for; one that stands for another sample comes only with that one."""
    wanted = wanted & frame["current"].to_numpy(dtype=bool)
    coming = {"", *frame["sample_id"][wanted]}
    return frame.assign(wanted=wanted & [named_sample(reason) in coming for reason in frame["reason"]])


def _all(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    if not frames:
        return pd.DataFrame(columns=[*FRAME, "wanted"]).astype({"current": bool, "wanted": bool})
    return pd.concat(list(frames.values()), ignore_index=True)


def _patients(rows: pd.DataFrame, tables: Mapping[str, StoredTable]) -> pd.DataFrame:
    """Every patient of rows and tables, with the store they came from."""
    import pandas as pd

    return pd.concat([rows[["patient_id", "source"]], patient_sources(tables)], ignore_index=True)


def _merge_set(own: Repository, theirs: _Theirs, name: str, prefer: Prefer) -> dict[str, Any]:
    source = theirs.groups[name]
    done: dict[str, Any] = {}

    def change(root: zarr.Group) -> Note | None:
        # What was checked before may have changed since: another writer may have been here.
        lineage = Lineage(own)
        found = theirs.problems(root, lineage)
        group = set_group(root, name)
        if group is None:
            raise_all(found)
            group = create_set(root, name, spec_of(source))
        decision = decide(row_frame(group, lineage), theirs.wanted(name), prefer, lineage, theirs.lineage)
        selections = theirs.selections[name]
        raise_all(
            found
            + row_problems(name, decision)
            + coordinate_problems(name, group, source)
            + selection_problems(name, group, selections, prefer)
        )
        frame = theirs.rows[name].loc[list(decision.positions)]
        failed = int((frame["status"] == "failed").sum())
        done.update(
            set=name,
            added=len(decision.positions) - len(decision.replaced),
            replaced=len(decision.replaced),
            failed=failed,
            there=decision.there,
            kept=decision.kept,
        )
        chosen = _write_selections(group, selections, prefer)
        if not decision.positions and not chosen:
            return None
        start = array(group, "sample_id").shape[0]
        write_from(group, source, frame, decision)
        return note_of(
            name,
            group,
            "merge",
            replaced=len(decision.replaced),
            failed=failed,
            start=start,
            more={"origin": origin_record(theirs.lineage, frame["commit"]), "selections": chosen},
        )

    commit = own.commit(change)
    return done | {"commit": commit or ""}


def _write_selections(group: zarr.Group, selections: Mapping[str, list[str]], prefer: Prefer) -> list[str]:
    """Selections that are new here, or preferred to ours."""
    ours = read_selections(group)
    new = [name for name in selections if name not in ours or prefer == "other"]
    return [name for name in new if write_selection(group, name, selections[name])]


def _merge_tables(own: Repository, theirs: _Theirs, prefer: Prefer) -> list[dict[str, Any]]:
    """The tables of the other store, all in one commit."""
    done: list[dict[str, Any]] = []

    def change(root: zarr.Group) -> Note | None:
        lineage = Lineage(own)
        mine = stored_tables(root, lineage.store_id)
        joined = {name: join_table(mine.get(name), table, prefer) for name, table in theirs.tables.items()}
        raise_all(
            [*theirs.problems(root, lineage), *(p for table in joined.values() for p in table.problems)]
        )
        written = [
            name for name, table in joined.items() if write_table(root, name, table.frame, table.about)
        ]
        done[:] = [
            {"table": name, "added": table.added, "replaced": table.replaced}
            for name, table in joined.items()
        ]
        if not written:
            return None
        record = {"action": "table", "set": "", "tables": written, "message": ""}
        more = {"origin": origin_record(theirs.lineage, ()), "versions": versions()}
        return Note(sentence(", ".join(written), record), record | more)

    commit = own.commit(change)
    return [row | {"commit": commit or ""} for row in done]
