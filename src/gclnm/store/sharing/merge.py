"""Joining stores: rows of another store with their values, their history and where they come from."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.counts import count
from gclnm.errors import InputError
from gclnm.store.clinical.tables import write_table
from gclnm.store.features import read_selections
from gclnm.store.layout import array, create_set, versions
from gclnm.store.lineage import origin_record
from gclnm.store.read import Where
from gclnm.store.repository import Note
from gclnm.store.selections import write_selection
from gclnm.store.sharing.matching import Decision, Patients, Prefer
from gclnm.store.sharing.omitted import Omitted, omitted
from gclnm.store.sharing.refusals import raise_all
from gclnm.store.sharing.sides import (
    Ours,
    Theirs,
    check,
    decision_on,
    general_problems,
    joined_tables,
    set_problems,
)
from gclnm.store.sharing.takeover import spec_of, write_from
from gclnm.store.sharing.twins import TWINS, as_held, held_back, with_distinct
from gclnm.store.versions.history import sentence
from gclnm.store.write import note_of

if TYPE_CHECKING:
    import pandas as pd
    import zarr

    from gclnm.store.repository import Repository

__all__ = ["Merge", "merge"]


SETS = ("set", "added", "replaced", "linked", "failed", "there", "kept", "commit")


@dataclass(frozen=True, eq=False)
class Merge:
    """What came from another store.

    Attributes
    ----------
    sets
        One row a set: set, added, replaced, linked (samples that count as another one since, beside
        both), failed (how many of the rows failed), there (rows that were here already), kept (rows of
        ours that were preferred), commit (empty: nothing new).
    tables
        One row a clinical table: table, added, replaced (rows of it), commit (empty: nothing new).
    twins
        Rows of theirs that are held back here, by this merge or an earlier one: they have the voxels,
        grid and mask of a sample that was here under another key. set, sample_id, patient_id, same_as
        (our sample), same_as_patient. ``store.link(name, merged.twins)`` makes one sample of each
        pair; ``distinct=`` of a merge lets those come that are truly different.
    store_id
        The other store.
    notes
        What may not be meant: a set that is new here while one of ours has the same recipe.
    omitted
        What ``where`` left out of the other store: rows and, under the ids that they would have here,
        patients; None without a condition.
    """

    sets: pd.DataFrame
    tables: pd.DataFrame
    twins: pd.DataFrame
    store_id: str
    notes: tuple[str, ...] = ()
    omitted: Omitted | None = None

    @property
    def commits(self) -> list[str]:
        """The commits that were made: one a set that brought something, one for the tables."""
        return list(dict.fromkeys(c for c in (*self.sets["commit"], *self.tables["commit"]) if c))

    def __repr__(self) -> str:
        lines = [_sentence(row) for row in self.sets.to_dict("records")]
        lines += [_table_sentence(row) for row in self.tables.to_dict("records")]
        if len(self.twins):
            names = list(dict.fromkeys(self.twins["set"]))
            links = "; ".join(f"store.link({name!r}, merged.twins)" for name in names)
            lines.append(
                f"held back as failed, with the content of a sample of ours: {len(self.twins)} (.twins)."
                f" To make one sample of each pair: {links}. Truly different ones come with"
                " merge(..., distinct=[sample_id, ...])."
            )
        lines += self._remarks()
        return "\n".join([f"Merge of store {self.store_id[:12]}", *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        shown = [part.to_html(index=False, escape=True) for part in self._parts() if len(part)]
        said = "".join(f"<br>{html.escape(remark)}" for remark in self._remarks())
        return f"<div><b>Merge</b> of store {self.store_id[:12]}{said}{''.join(shown)}</div>"

    def _remarks(self) -> list[str]:
        return [*self.notes, *([] if self.omitted is None else [self.omitted.sentence])]

    def _parts(self) -> tuple[pd.DataFrame, ...]:
        return self.sets, self.tables, self.twins


def _sentence(row: dict[Any, Any]) -> str:
    words = {
        "replaced": "replaced",
        "failed": "of them failed",
        "there": "here already",
        "kept": "of ours kept",
    }
    parts = [f"{count(row['added'], 'row')} added"]
    parts += [f"{row[key]} {said}" for key, said in words.items() if row[key]]
    parts += [f"{count(row['linked'], 'sample')} linked"] if row["linked"] else []
    return f"{row['set']}: {', '.join(parts)}"


def _table_sentence(row: dict[Any, Any]) -> str:
    changed = f", {row['replaced']} changed" if row["replaced"] else ""
    return f"table {row['table']}: {count(row['added'], 'row')} added{changed}"


def merge(
    own: Repository,
    other: Repository,
    patients: Patients,
    where: Where,
    prefer: Prefer,
    distinct: Collection[str] = (),
) -> Merge:
    """Bring the current rows of another store, one commit a set; see `FeatureStore.merge`."""
    import pandas as pd

    if prefer not in (None, "own", "other"):
        raise InputError(f"prefer is {prefer!r}", fix='Use "own" or "other".')
    theirs = Theirs(other, patients, where)
    check(Ours(own, own.root(own.tip())), theirs, prefer)
    rows = [_merge_set(own, theirs, name, prefer, distinct) for name in theirs.names]
    tables = _merge_tables(own, theirs, prefer) if theirs.tables else []
    doubled = [row.pop("twins").assign(set=row["set"]) for row in rows]
    notes = [note for row in rows for note in row.pop("notes")]
    return Merge(
        pd.DataFrame(rows, columns=SETS),
        pd.DataFrame(tables, columns=["table", "added", "replaced", "commit"]),
        pd.concat(doubled, ignore_index=True) if doubled else pd.DataFrame(columns=TWINS),
        theirs.lineage.store_id,
        tuple(notes),
        None if where is None else _omitted(theirs),
    )


def _omitted(theirs: Theirs) -> Omitted:
    """Which current rows of the other store did not come."""
    current = [frame[frame["current"]] for frame in theirs.rows.values()]
    return omitted(pair for rows in current for pair in zip(rows["patient_id"], rows["wanted"], strict=True))


def _merge_set(
    own: Repository, theirs: Theirs, name: str, prefer: Prefer, distinct: Collection[str]
) -> dict[str, Any]:
    done: dict[str, Any] = {}

    def change(root: zarr.Group) -> Note | None:
        # What was checked before may have changed since: another writer may have been here.
        ours = Ours(own, root)
        raise_all(general_problems(ours, theirs) + set_problems(ours, theirs, name, prefer))
        group = ours.groups.get(name) or create_set(root, name, spec_of(theirs.groups[name]))
        rows, mine = theirs.rows[name], ours.rows.get(name)
        wanted = rows[rows["wanted"]]
        decision = with_distinct(decision_on(ours, theirs, name, prefer), mine, wanted, distinct)
        frame = rows.loc[list(decision.positions)]
        frame = as_held(mine, group, frame, theirs.groups[name], distinct)
        counts = _counted(frame, decision)
        done.update(
            set=name,
            **counts,
            there=decision.there,
            kept=decision.kept,
            notes=_set_notes(ours, theirs, name),
            twins=held_back(mine, wanted, frame),
        )
        chosen = _write_selections(group, theirs.selections[name], prefer)
        if not decision.positions and not chosen:
            return None
        start = array(group, "sample_id").shape[0]
        write_from(group, theirs.groups[name], frame, decision)
        return note_of(
            name,
            group,
            "merge",
            replaced=counts["replaced"],
            linked=counts["linked"],
            failed=counts["failed"],
            start=start,
            more={"origin": origin_record(theirs.lineage, frame["commit"]), "selections": chosen},
        )

    commit = own.commit(change)
    return done | {"commit": commit or ""}


def _set_notes(ours: Ours, theirs: Theirs, name: str) -> list[str]:
    """Whether a set comes as a new one while it may be one of ours under another name."""
    if name in ours.groups:
        return []
    recipe_id = theirs.groups[name].attrs["recipe_id"]
    like = [
        repr(own)
        for own, group in ours.groups.items()
        if own not in theirs.groups and group.attrs["recipe_id"] == recipe_id
    ]
    verb = "has" if len(like) == 1 else "have"
    return [f"set {name!r} is new here; {' and '.join(like)} {verb} the same recipe"] if like else []


def _counted(frame: pd.DataFrame, decision: Decision) -> dict[str, int]:
    """How many of the rows that come are new, replace one of ours, link a sample, failed."""
    linked = frame["status"] == "linked"
    first = np.array(decision.revisions, dtype=np.int64) == 1
    return {
        "added": int((~linked & first).sum()),
        "replaced": int((~linked & ~first).sum()),
        "linked": int(linked.sum()),
        "failed": int((frame["status"] == "failed").sum()),
    }


def _write_selections(group: zarr.Group, selections: Mapping[str, list[str]], prefer: Prefer) -> list[str]:
    """Selections that are new here, or preferred to ours."""
    ours = read_selections(group)
    new = [name for name in selections if name not in ours or prefer == "other"]
    return [name for name in new if write_selection(group, name, selections[name])]


def _merge_tables(own: Repository, theirs: Theirs, prefer: Prefer) -> list[dict[str, Any]]:
    """The tables of the other store, all in one commit."""
    done: list[dict[str, Any]] = []

    def change(root: zarr.Group) -> Note | None:
        ours = Ours(own, root)
        joined = joined_tables(ours, theirs, prefer)
        found = [problem for table in joined.values() for problem in table.problems]
        raise_all(general_problems(ours, theirs) + found)
        written = [n for n, table in joined.items() if write_table(root, n, table.frame, table.about)]
        done[:] = [{"table": n, "added": t.added, "replaced": t.replaced} for n, t in joined.items()]
        if not written:
            return None
        record = {"action": "table", "set": "", "tables": written, "message": ""}
        more = {"origin": origin_record(theirs.lineage, ()), "versions": versions()}
        return Note(sentence(", ".join(written), record), record | more)

    commit = own.commit(change)
    return [row | {"commit": commit or ""} for row in done]
