"""Joining stores: rows of another store with their values, their history and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import GclnmError, InputError, StoreError
from gclnm.pipeline import Row
from gclnm.schemas.features import check_rows
from gclnm.store.layout import (
    DIAGNOSTIC,
    FEATURE_TEXTS,
    TEXT,
    SetSpec,
    array,
    arrays,
    coordinates,
    create_set,
    differences,
    read_text,
    set_group,
    set_names,
)
from gclnm.store.lineage import Lineage, origin_record, row_frame
from gclnm.store.links import named_sample
from gclnm.store.matching import (
    Decision,
    Patients,
    Prefer,
    decide,
    problems_of,
    rename,
    renamed,
    shown,
)
from gclnm.store.read import Where
from gclnm.store.wanted import wanted_rows
from gclnm.store.write import Choice, note_of, write_rows

if TYPE_CHECKING:
    import pandas as pd
    import zarr
    from numpy.typing import NDArray

    from gclnm.images.sample import Coordinate
    from gclnm.store.repository import Note, Repository

__all__ = ["Merge", "merge"]

# Rows are written a few MB at a time; the chunks of keys end where a batch does.
BATCH = 2048


@dataclass(frozen=True, eq=False)
class Merge:
    """What came from another store.

    Attributes
    ----------
    sets
        One row a set: set, added, replaced, failed (how many of these failed), there (rows that
        were here already), kept (rows of ours that were preferred), commit (empty: nothing new).
    store_id
        The other store.
    """

    sets: pd.DataFrame
    store_id: str

    @property
    def commits(self) -> list[str]:
        """The commits that were made, one a set that brought something."""
        return [commit for commit in self.sets["commit"] if commit]

    def __repr__(self) -> str:
        lines = [_sentence(row) for row in self.sets.itertuples()]
        return "\n".join([f"Merge of store {self.store_id[:12]}", *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        table = self.sets.to_html(index=False, escape=True)
        return f"<div><b>Merge</b> of store {self.store_id[:12]}{table}</div>"


def _sentence(row: Any) -> str:
    parts = [f"{row.added} rows added"]
    parts += [f"{row.replaced} replaced"] if row.replaced else []
    parts += [f"{row.failed} of them failed"] if row.failed else []
    parts += [f"{row.there} here already"] if row.there else []
    parts += [f"{row.kept} of ours kept"] if row.kept else []
    return f"{row.set}: {', '.join(parts)}"


def merge(own: Repository, other: Repository, patients: Patients, where: Where, prefer: Prefer) -> Merge:
    """Bring the current rows of another store, one commit a set; see `FeatureStore.merge`."""
    import pandas as pd

    if prefer not in (None, "own", "other"):
        raise InputError(f"prefer is {prefer!r}", fix='Use "own" or "other".')
    theirs = _Theirs(other, patients, where)
    _refuse_itself(own, theirs)
    theirs.check(own, prefer)
    rows = [_merge_set(own, theirs, name, prefer) for name in theirs.names]
    columns = ["set", "added", "replaced", "failed", "there", "kept", "commit"]
    return Merge(pd.DataFrame(rows, columns=columns), theirs.lineage.store_id)


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
        known = {patient for frame in frames.values() for patient in frame["patient_id"] if patient}
        new_names = renamed(patients, known)
        self.rows = {
            name: rename(_with_wanted(frame, wanted[name]), new_names) for name, frame in frames.items()
        }
        self.names = [name for name, frame in self.rows.items() if frame["wanted"].any()]

    def all_rows(self) -> pd.DataFrame:
        """Rows of all sets."""
        return _all(self.rows)

    def check(self, own: Repository, prefer: Prefer) -> None:
        """Refuse what cannot be joined, all of it at once, before anything is written."""
        lineage, root = Lineage(own), own.root(own.tip())
        found = self.problems(root, lineage)
        for name in self.names:
            group = set_group(root, name)
            fits = group is not None and not _spec_problems(group, name, self.groups[name])
            if group is not None and fits:
                mine = row_frame(group, lineage)
                found += _differing(name, decide(mine, self.wanted(name), prefer, lineage, self.lineage))
                found += _coordinate_problems(name, group, self.groups[name])
        _raise(found)

    def problems(self, root: zarr.Group, lineage: Lineage) -> list[GclnmError]:
        """What is wrong with recipes and patients, looked at in all sets together."""
        own = {name: set_group(root, name) for name in set_names(root)}
        mine = {name: group for name, group in own.items() if group is not None}
        found = [
            problem
            for name in self.names
            if name in mine
            for problem in _spec_problems(mine[name], name, self.groups[name])
        ]
        rows = {name: row_frame(group, lineage) for name, group in mine.items()}
        return found + (problems_of(_all(rows), self.all_rows(), self.patients) if rows else [])

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

    return pd.concat(list(frames.values()), ignore_index=True)


def _raise(found: Sequence[GclnmError]) -> None:
    if len(found) == 1:
        raise found[0]
    if found:
        raise StoreError(
            f"the stores cannot be merged, for {len(found)} reasons",
            fix="\n".join(["", *(f"- {problem}" for problem in found)]),
            code="cannot-merge",
        )


def _merge_set(own: Repository, theirs: _Theirs, name: str, prefer: Prefer) -> dict[str, Any]:
    source = theirs.groups[name]
    done: dict[str, Any] = {}

    def change(root: zarr.Group) -> Note | None:
        # What was checked before may have changed since: another writer may have been here.
        lineage = Lineage(own)
        found = theirs.problems(root, lineage)
        group = set_group(root, name)
        if group is None:
            _raise(found)
            group = create_set(root, name, spec_of(source))
        decision = decide(row_frame(group, lineage), theirs.wanted(name), prefer, lineage, theirs.lineage)
        _raise(found + _differing(name, decision) + _coordinate_problems(name, group, source))
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
        if not decision.positions:
            return None
        start = array(group, "sample_id").shape[0]
        _write(group, source, frame, decision)
        return note_of(
            name,
            group,
            "merge",
            replaced=len(decision.replaced),
            failed=failed,
            start=start,
            more={"origin": origin_record(theirs.lineage, frame["commit"])},
        )

    commit = own.commit(change)
    return done | {"commit": commit or ""}


def _write(group: zarr.Group, source: zarr.Group, frame: pd.DataFrame, decision: Decision) -> None:
    """Append the rows batch by batch, and retire those of ours that they replace."""
    names, measured = list(read_text(group, "feature")), list(read_text(group, DIAGNOSTIC))
    lower, upper = (np.asarray(array(group, bound)[:]) for bound in ("lower", "upper"))
    replaced = decision.replaced
    for part in _batches(array(group, "sample_id").shape[0], len(frame)):
        rows = _rows(source, frame.iloc[part])
        values = check_rows(rows, names, measured, lower, upper)
        choice = Choice(tuple(range(len(rows))), decision.revisions[part], replaced)
        write_rows(group, arrays(group), rows, values, choice)
        replaced = ()


def _batches(start: int, rows: int) -> Iterator[slice]:
    """Parts of the rows that end where a batch of the set's rows ends."""
    done = 0
    while done < rows:
        stop = min(rows, done + BATCH - (start + done) % BATCH)
        yield slice(done, stop)
        done = stop


def _rows(source: zarr.Group, frame: pd.DataFrame) -> list[Row]:
    """Rows of the other store as they stand there, under the ids and with the origin they have here."""
    positions = frame.index.to_numpy(dtype=np.int64)
    stored = arrays(source)

    def cells(name: str) -> list[Any]:
        if name not in stored:
            return [""] * len(positions)
        values: NDArray[Any] = np.asarray(stored[name].get_orthogonal_selection((positions,)))
        return [_plain(value) for value in values]

    coords = {name: cells(name) for name in coordinates(stored)}
    coords["patient_id"] = list(frame["patient_id"])
    values, diagnostics = (
        np.asarray(stored[name].get_orthogonal_selection((positions, slice(None))))
        for name in ("value", "diagnostic")
    )
    contents, histories, seconds = cells("content_sha256"), cells("history"), cells("seconds")
    return [
        Row(
            sample_id=row["sample_id"],
            coords={name: _coordinate(column[at]) for name, column in coords.items()},
            status=row["status"],
            reason=row["reason"],
            values=values[at],
            diagnostics=diagnostics[at],
            inputs_sha256=row["inputs_sha256"],
            content_sha256=contents[at],
            history=histories[at],
            seconds=seconds[at],
            origin=row["commit"],
        )
        for at, row in enumerate(frame.to_dict("records"))
    ]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _coordinate(value: Any) -> Coordinate:
    """A coordinate as a sample has it: missing is None."""
    return None if value == "" or value != value else value


def spec_of(group: zarr.Group) -> SetSpec:
    """Identity and features of a stored set, whatever version of gclnm wrote it."""
    attrs: dict[str, Any] = dict(group.attrs)
    return SetSpec(
        recipe_id=str(attrs["recipe_id"]),
        recipe_json=str(attrs["recipe"]),
        recipe_name=str(attrs["recipe_name"]),
        engine=str(attrs["engine"]),
        features={name: read_text(group, name) for name in FEATURE_TEXTS},
        lower=np.asarray(array(group, "lower")[:]),
        upper=np.asarray(array(group, "upper")[:]),
        diagnostics=tuple(read_text(group, DIAGNOSTIC)),
    )


def _spec_problems(group: zarr.Group, name: str, source: zarr.Group) -> list[GclnmError]:
    """Another recipe, or other columns of the same recipe."""
    if group.attrs["recipe_id"] != source.attrs["recipe_id"]:
        said = differences(str(group.attrs["recipe"]), spec_of(source))
        return [
            StoreError(
                "the two stores made the feature set with different recipes",
                where=f"set {name!r}",
                fix=f"{said.replace('Stored -> given', 'Here -> there', 1)} Extract with one recipe file"
                " in both places, or give one of the sets another name.",
                code="other-recipe",
            )
        ]
    same = all(
        list(read_text(group, label)) == list(read_text(source, label)) for label in ("feature", DIAGNOSTIC)
    )
    if same:
        return []
    return [
        StoreError(
            "the two stores have other columns of the same recipe",
            where=f"set {name!r}",
            fix="Extract one of them again with the version of gclnm that made the other.",
            code="other-features",
        )
    ]


def _coordinate_problems(name: str, group: zarr.Group, source: zarr.Group) -> list[GclnmError]:
    """Coordinates that are text on one side and numbers on the other."""
    ours, others = arrays(group), arrays(source)
    wrong = [
        key
        for key in coordinates(others)
        if key in ours and (ours[key].dtype == TEXT) != (others[key].dtype == TEXT)
    ]
    if not wrong:
        return []
    return [
        StoreError(
            "coordinates are text in one store and numbers in the other",
            where=f"set {name!r}: {', '.join(wrong)}",
            fix="Give them one type in both, or another name in one.",
            code="bad-coordinate",
        )
    ]


def _differing(name: str, decision: Decision) -> list[GclnmError]:
    """Rows of one key that differ, while nothing says which is right."""
    if not decision.differing:
        return []
    return [
        StoreError(
            f"{len(decision.differing)} rows are in both stores with other inputs",
            where=f"set {name!r}: samples {shown(list(decision.differing))}",
            fix='Pass prefer="own" or prefer="other"; explain() shows either.',
            code="rows-differ",
        )
    ]
