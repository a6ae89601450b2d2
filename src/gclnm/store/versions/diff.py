"""What differs between two versions of a store: rows, features, sets, tables and selections."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gclnm.counts import count, few
from gclnm.store.layout import set_group, set_names
from gclnm.store.lineage import Lineage
from gclnm.store.read import existing_set
from gclnm.store.versions.contents import features_changed, parts_changed, sets_changed
from gclnm.store.versions.history import At, resolve
from gclnm.store.versions.rowdiff import changed_rows
from gclnm.store.versions.valuediff import largest_changes

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.store.repository import Repository

__all__ = ["Diff", "Version", "diff"]

CHANGES = ("added", "replaced", "linked", "removed")
ROWS_SHOWN = 10
# What a reader wants to know of a row, before its other coordinates.
FIRST = ("set", "change", "because", "detail", "patient_id", "modality", "roi", "roi_instance", "rater")


@dataclass(frozen=True)
class Version:
    """One state of a store: its commit, when it was written (UTC), and its tags."""

    commit: str
    time: datetime
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = f"{', '.join(self.tags)} = {self.commit}" if self.tags else self.commit
        return f"{name} ({self.time:%Y-%m-%d %H:%M:%S} UTC)"


@dataclass(frozen=True, eq=False)
class Diff:
    """What differs between two versions of a store.

    Attributes
    ----------
    a, b
        The versions; what is "added" is in ``b`` and not in ``a``.
    rows
        One row per sample whose current row differs: ``set``, ``sample_id``, its coordinates,
        ``change`` (added, replaced, removed; linked: it counts as another sample since), ``because``
        (what changed, of pixels, grid, mask, facts, overrides, coordinates, status, recipe, code,
        merged), ``detail`` (the same in words), ``revision_a`` and ``revision_b``.
    features
        Columns that came or went: ``set``, ``feature``, ``change``.
    sets, tables, selections
        Sets, tables and selections that came, went or are others now: name, ``change``, ``detail``.
    """

    a: Version
    b: Version
    rows: pd.DataFrame
    features: pd.DataFrame
    sets: pd.DataFrame
    tables: pd.DataFrame
    selections: pd.DataFrame
    _repository: Repository

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return any(len(part) for part in self._parts())

    def values(self) -> pd.DataFrame:
        """How much the values of replaced rows changed; reads them, which `diff` itself does not.

        Returns
        -------
        DataFrame
            One row per replaced row that was computed in both versions: ``set``, ``sample_id``,
            ``differing`` (features whose value differs, of those in both), ``feature`` (with the
            largest relative difference), ``a``, ``b`` and ``relative`` (``|b - a| / max(|a|, |b|)``; 1
            where one of them has no value). ``feature`` is empty where all values are equal.
        """
        return largest_changes(self._repository, self.a.commit, self.b.commit, self.rows)

    def lines(self) -> list[str]:
        """The summary: a sentence a line."""
        found = [f"from {self.a}", f"to   {self.b}"]
        if not self:
            return [*found, "nothing differs"]
        parts = {"set": self.sets, "table": self.tables, "selection": self.selections}
        for kind, part in parts.items():
            found += [_item(kind, row) for row in part.to_dict("records")]
        for (name, change), group in self.features.groupby(["set", "change"], sort=False):
            found.append(f"{name}: {count(len(group), 'feature')} {change}: {few(group['feature'])}")
        for owner, group in self.rows.groupby("set", sort=False):
            found += _row_lines(str(owner), group)
        return found

    def __repr__(self) -> str:
        lines = self.lines()
        named = self.rows
        for row in named.head(ROWS_SHOWN).to_dict("records"):
            lines.append(f"  {row['set']} {_who(row)}: {row['detail'] or row['change']}")
        if len(named) > ROWS_SHOWN:
            lines.append(f"  ... and {len(named) - ROWS_SHOWN} more in .rows")
        return "\n".join(["Diff", *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        head = "<br>".join(html.escape(line) for line in self.lines())
        shown = _to_look_at(self.rows.head(5 * ROWS_SHOWN))
        rest = len(self.rows) - len(shown)
        more = f"<p>... and {rest} more in .rows</p>" if rest > 0 else ""
        table = shown.to_html(index=False, escape=True, na_rep="") if len(shown) else ""
        return f"<div>{head}{table}{more}</div>"

    def _parts(self) -> tuple[pd.DataFrame, ...]:
        return (self.rows, self.features, self.sets, self.tables, self.selections)


def diff(repository: Repository, a: At, b: At = None, name: str | None = None) -> Diff:
    """What differs between two versions, in all sets or in one.

    Rows that are the same in both are not read, except for their key when a set was started anew.
    """
    versions = [_version(repository, resolve(repository, at)) for at in (a, b)]
    roots = [repository.root(version.commit) for version in versions]
    if name is not None and not any(name in set_names(root) for root in roots):
        existing_set(roots[1], name, repository.url)
    names = sorted({*set_names(roots[0]), *set_names(roots[1])}) if name is None else [name]
    lineages = [Lineage(repository, version.commit) for version in versions]
    pairs = {key: (set_group(roots[0], key), set_group(roots[1], key)) for key in names}
    tables, selections = parts_changed(roots[0], roots[1], names, tables=name is None)
    return Diff(
        a=versions[0],
        b=versions[1],
        rows=changed_rows(pairs, lineages[0], lineages[1]),
        features=features_changed(pairs),
        sets=sets_changed(pairs),
        tables=tables,
        selections=selections,
        _repository=repository,
    )


def _version(repository: Repository, commit: str) -> Version:
    newest = next(iter(repository.ancestry(commit)))
    tags = tuple(tag for tag, tagged in repository.tags().items() if tagged == commit)
    return Version(commit, newest.written_at, tags)


def _to_look_at(rows: pd.DataFrame) -> pd.DataFrame:
    """Who changed and why, first; UIDs and what says nothing left out."""
    said = rows.loc[:, [bool((rows[name].notna() & (rows[name] != "")).any()) for name in rows]]
    first = [name for name in FIRST if name in said]
    rest = [name for name in said if name not in first and not str(name).endswith("_uid")]
    return said[[*first, *rest]]


def _row_lines(name: str, group: pd.DataFrame) -> list[str]:
    """How many rows changed, and of the replaced ones why."""
    counts = group["change"].value_counts()
    changes = [
        f"{count(int(counts[key]), 'sample' if key == 'linked' else 'row')} {key}"
        for key in CHANGES
        if key in counts
    ]
    found = [f"{name}: {', '.join(changes)}"]
    why = group.loc[group["change"] == "replaced", "because"].value_counts()
    return found + [f"{name}: {n} replaced because of {because}" for because, n in why.items()]


def _item(kind: str, row: Mapping[Any, Any]) -> str:
    owner = f" of set {row['set']}" if kind == "selection" else ""
    detail = f": {row['detail']}" if row["detail"] else ""
    return f"{kind} {row[kind]}{owner} {row['change']}{detail}"


def _who(row: Mapping[Any, Any]) -> str:
    parts = [row.get(key) for key in ("patient_id", "modality", "roi", "roi_instance", "rater")]
    named = " ".join(str(part) for part in parts if isinstance(part, str) and part)
    return f"{named} ({row['sample_id']})" if named else str(row["sample_id"])
