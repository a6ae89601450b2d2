"""The two sides of a merge as they are at one moment, and what keeps them from being joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import GclnmError, StoreError
from gclnm.store.features import read_selections
from gclnm.store.layout import set_group, set_names
from gclnm.store.lineage import FRAME, Lineage, row_frame
from gclnm.store.links import named_sample
from gclnm.store.read import Where
from gclnm.store.sharing.clinical import Joined, StoredTable, join_table, patient_sources, stored_tables
from gclnm.store.sharing.matching import Decision, Patients, Prefer, decide, problems_of, rename, renamed
from gclnm.store.sharing.refusals import (
    coordinate_problems,
    raise_all,
    recipe_problems,
    row_problems,
    selection_problems,
)
from gclnm.store.wanted import wanted_part, wanted_rows

if TYPE_CHECKING:
    import pandas as pd
    import zarr
    from numpy.typing import NDArray

    from gclnm.store.repository import Repository

__all__ = ["Ours", "Theirs", "check", "decision_on", "general_problems", "joined_tables", "set_problems"]


class Ours:
    """Our store at a moment: its sets, their rows without values, its tables."""

    def __init__(self, repository: Repository, root: zarr.Group) -> None:
        self.lineage = Lineage(repository)
        self.groups = _groups(root)
        self.rows = {name: row_frame(group, self.lineage) for name, group in self.groups.items()}
        self.tables = stored_tables(root, self.lineage)


class Theirs:
    """The other store as it is now: its rows under the ids they have here, and which of them are wanted."""

    def __init__(self, repository: Repository, patients: Patients, where: Where) -> None:
        snapshot = repository.tip()
        root = repository.root(snapshot)
        self.url = repository.url
        self.told_same = patients == "same"
        self.lineage = Lineage(repository, snapshot)
        self.groups = _groups(root)
        frames = {name: row_frame(group, self.lineage) for name, group in self.groups.items()}
        wanted = wanted_rows(self.groups, where)
        tables = stored_tables(root, self.lineage)
        known = {str(patient) for frame in frames.values() for patient in frame["patient_id"] if patient}
        known |= {str(patient) for table in tables.values() for patient in table.frame["patient_id"]}
        names = renamed(patients, known)
        self.rows = {name: rename(_with_wanted(frame, wanted[name]), names) for name, frame in frames.items()}
        self.names = [name for name, frame in self.rows.items() if frame["wanted"].any()]
        self.selections = {name: read_selections(group) for name, group in self.groups.items()}
        coming = {patient for frame in self.rows.values() for patient in frame["patient_id"][frame["wanted"]]}
        found = (wanted_part(root, table, where, names, coming) for table in tables.values())
        self.tables = {table.name: table for table in found if len(table.frame)}


def _groups(root: zarr.Group) -> dict[str, zarr.Group]:
    found = {name: set_group(root, name) for name in set_names(root)}
    return {name: group for name, group in found.items() if group is not None}


def _with_wanted(frame: pd.DataFrame, wanted: NDArray[np.bool_]) -> pd.DataFrame:
    """Current rows that are asked for; one that stands for another sample comes only with that one."""
    wanted = wanted & frame["current"].to_numpy(dtype=bool)
    named = frame["reason"].map(named_sample)
    while True:
        coming = wanted & named.isin(["", *frame["sample_id"][wanted]]).to_numpy(dtype=bool)
        # Without one of them, the next link of a chain names a sample that does not come, too.
        if (coming == wanted).all():
            return frame.assign(wanted=wanted)
        wanted = coming


def check(ours: Ours, theirs: Theirs, prefer: Prefer) -> None:
    """Refuse what cannot be joined, all of it at once, before anything is written."""
    if ours.lineage.store_id == theirs.lineage.store_id:
        raise StoreError(
            "the other store is this one, or a copy of it",
            where=theirs.url,
            fix="Merge it into a store of its own (open_store on a new folder) to join two copies.",
            code="same-store",
        )
    found = general_problems(ours, theirs)
    for name in theirs.names:
        found += set_problems(ours, theirs, name, prefer)
    for table in joined_tables(ours, theirs, prefer).values():
        found += table.problems
    raise_all(found)


def general_problems(ours: Ours, theirs: Theirs) -> list[GclnmError]:
    """What is wrong with recipes and patients, looked at in all sets together."""
    found = [
        problem
        for name in theirs.names
        if name in ours.groups
        for problem in recipe_problems(ours.groups[name], name, theirs.groups[name])
    ]
    here, there = _all(ours.rows), _all(theirs.rows)
    return found + problems_of(
        here,
        there,
        # All revisions: a row of the other store may have become a link of ours, or been replaced.
        _patients(here, ours.tables),
        _patients(there[there["patient_id"].isin(there["patient_id"][there["wanted"]])], theirs.tables),
        told=theirs.told_same,
    )


def set_problems(ours: Ours, theirs: Theirs, name: str, prefer: Prefer) -> list[GclnmError]:
    """What is wrong with the rows, coordinates and selections of one set of one recipe."""
    group, source = ours.groups.get(name), theirs.groups[name]
    if group is not None and recipe_problems(group, name, source):
        return []
    rows = row_problems(name, decision_on(ours, theirs, name, prefer))
    if group is None:
        return rows
    return [
        *rows,
        *coordinate_problems(name, group, source),
        *selection_problems(name, group, theirs.selections[name], prefer),
    ]


def decision_on(ours: Ours, theirs: Theirs, name: str, prefer: Prefer) -> Decision:
    """What becomes of the rows that are to come into a set."""
    own = ours.rows.get(name, _all({}))
    rows = theirs.rows[name]
    return decide(own, rows[rows["wanted"]], prefer, ours.lineage, theirs.lineage)


def joined_tables(ours: Ours, theirs: Theirs, prefer: Prefer) -> dict[str, Joined]:
    """Our tables with the rows of theirs, by name."""
    return {name: join_table(ours.tables.get(name), table, prefer) for name, table in theirs.tables.items()}


def _all(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    if not frames:
        return pd.DataFrame(columns=[*FRAME, "wanted"]).astype({"current": bool, "wanted": bool})
    return pd.concat(list(frames.values()), ignore_index=True)


def _patients(rows: pd.DataFrame, tables: Mapping[str, StoredTable]) -> pd.DataFrame:
    """Every patient of rows and tables, with the store they came from."""
    import pandas as pd

    return pd.concat([rows[["patient_id", "source"]], patient_sources(tables)], ignore_index=True)
