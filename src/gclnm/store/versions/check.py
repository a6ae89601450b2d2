"""Whether a store is whole: structure, keys, bounds, history; what is damaged is named, never raised."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import zarr

from gclnm.counts import count
from gclnm.store.layout import FORMAT_KEY, SETS
from gclnm.store.versions.checkset import Records, check_set, check_shapes
from gclnm.store.versions.findings import OTHER_TOOL, RESTORE, Findings

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.store.repository import Repository

__all__ = ["Check", "check"]

SHOWN = 20


@dataclass(frozen=True, eq=False)
class Check:
    """What `check` found.

    Attributes
    ----------
    problems
        One row per problem: ``code``, ``what``, ``where``, ``fix``. Empty: the store is whole.
    seen
        How many sets, rows, features, commits, tags and tables were looked at. ``"empty ok rows"``,
        where there are any, counts rows that are ok without one value: no feature of theirs is defined
        (skewness of a flat region). That is no problem, but rarely what was meant.
    commit
        The commit that was checked; empty when not even that could be read.
    """

    problems: pd.DataFrame
    seen: dict[str, int]
    commit: str
    url: str
    values: bool

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.problems.empty

    def _head(self) -> str:
        n = len(self.problems)
        found = "no problems" if n == 0 else count(n, "problem")
        seen = ", ".join(f"{n} {what if n != 1 else what.removesuffix('s')}" for what, n in self.seen.items())
        depth = "" if self.values else "; values were not read"
        return f"{self.url}: {found} ({seen}{depth})"

    def __repr__(self) -> str:
        lines = [f"Check {self._head()}"]
        for row in self.problems.head(SHOWN).to_dict("records"):
            lines += [f"  {row['code']}: {row['where']}: {row['what']}", f"    {row['fix']}"]
        if len(self.problems) > SHOWN:
            lines.append(f"  ... and {len(self.problems) - SHOWN} more in .problems")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        table = "" if self.ok else self.problems.to_html(index=False, escape=True)
        return f"<div><b>Check</b> {html.escape(self._head())}{table}</div>"


def check(repository: Repository, values: bool = True) -> Check:
    """Look at the newest state, its history and what its tags name; see `FeatureStore.check`."""
    import pandas as pd

    found = Findings()
    commits = _history(repository, found)
    newest = next(iter(commits), "")
    records = Records.of(commits)
    if newest:
        with found.reading("the newest commit", f"commit {newest}"):
            root = repository.root(newest)
            if not isinstance(root.attrs.get(FORMAT_KEY), int):
                found.add("no-format", "the store's format is not recorded", "/", OTHER_TOOL)
            for name, group in _sets(root, found):
                with found.reading("the set", f"set {name!r}"):
                    check_set(name, group, records, found, values=values)
            _check_others(root, found)
    _check_tags(repository, commits, found)
    columns = ["code", "what", "where", "fix"]
    return Check(pd.DataFrame(found.problems, columns=columns), found.seen, newest, repository.url, values)


def _history(repository: Repository, found: Findings) -> dict[str, dict[str, Any]]:
    """Records of the commits from the newest on, as far as the chain can be followed."""
    commits: dict[str, dict[str, Any]] = {}
    with found.reading("the history", "the commits of the store"):
        for snapshot in repository.ancestry():
            commits[str(snapshot.id)] = dict(snapshot.metadata)
    found.count("commits", sum("action" in record for record in commits.values()))
    return commits


def _sets(root: zarr.Group, found: Findings) -> Iterator[tuple[str, zarr.Group]]:
    sets = root.get(SETS)
    if isinstance(sets, zarr.Group):
        for name in sorted(sets.group_keys()):
            group = None
            with found.reading("the set", f"set {name!r}"):
                group = sets[name]
            if isinstance(group, zarr.Group):
                yield name, group


def _check_others(root: zarr.Group, found: Findings) -> None:
    """Tables and what else lies beside the sets: every array can be read, columns have one length."""
    for room in sorted(set(root.group_keys()) - {SETS}):
        parent = root[room]
        names = sorted(parent.group_keys()) if isinstance(parent, zarr.Group) else []
        for name in names:
            where = f"{room}/{name}"
            with found.reading("the table", where):
                group = root[where]
                stored = dict(group.arrays()) if isinstance(group, zarr.Group) else {}
                found.count("tables")
                lengths = {item.shape[0] for item in stored.values() if item.ndim}
                if len(lengths) > 1:
                    found.add("shape", "columns of the table have different lengths", where, OTHER_TOOL)
                for column, item in stored.items():
                    with found.reading("a column of the table", f"{where}/{column}"):
                        item[...]


def _check_tags(repository: Repository, commits: dict[str, Any], found: Findings) -> None:
    """Every tag names a commit of this history that opens and whose arrays fit together."""
    names: list[str] = []
    with found.reading("the list of tags", "the tags of the store"):
        names = sorted(repository.repo.list_tags())
    for name in names:
        found.count("tags")
        with found.reading("the tag", f"tag {name!r}"):
            commit = str(repository.repo.lookup_tag(name))
            if commit not in commits:
                found.add(
                    "lost-tag", "the tag names a commit that is not in the history", f"tag {name!r}", RESTORE
                )
            for key, group in _sets(repository.root(commit), found):
                check_shapes(key, group, found, f"tag {name!r}, ")
