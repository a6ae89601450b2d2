"""The way of one row, in words and data."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.counts import count
from gclnm.errors import InputError, StoreError
from gclnm.store.layout import TEXT, array, arrays, coordinates, read_text, set_group, set_names
from gclnm.store.lineage import Lineage, Origin
from gclnm.store.read import existing_set
from gclnm.store.versions.number import Number, number_of
from gclnm.store.versions.redo import Redo, Redone, Stored, redone
from gclnm.store.versions.rowdiff import because_of
from gclnm.store.versions.words import engine_steps, number, setting_lines

if TYPE_CHECKING:
    import pandas as pd
    import zarr

    from gclnm.store.repository import Repository

__all__ = ["Explanation", "explain"]

ROW = ("status", "reason", "inputs_sha256", "history", "revision", "content_sha256", "origin")


@dataclass(frozen=True)
class Explanation:
    """Where one row of a set comes from.

    Attributes
    ----------
    sample_id, set
        The row's key and its set.
    status, reason
        Whether it was computed, and why not.
    coords
        Its coordinates; missing ones are left out.
    revision, revisions
        The current revision, and what is known of each: revision, status, reason, inputs_sha256,
        commit, time, because and detail (why it took the place of the one before: as in `Diff.rows`;
        empty for the first).
    recipe, recipe_id, engine
        Every choice between file and feature.
    versions
        The software that the row was computed with.
    commit, written
        The commit that wrote it, and when (UTC).
    origin
        For a row that was merged from another store: ``commit``, ``store_id`` and ``time`` of its
        first writing; None for others.
    inputs_sha256
        Digest of everything it was computed from.
    history
        The steps that were done to image and ROI, as the row recorded them.
    computed, features
        How many features have a value, of how many.
    diagnostics
        Voxel count, intensity range, bins ... by name.
    number
        The feature that was asked for; None when none was.
    redone
        What computing it again gave; None when that was not asked for.
    """

    sample_id: str
    set: str
    status: str
    reason: str
    coords: dict[str, str | float]
    revision: int
    revisions: tuple[dict[str, Any], ...]
    recipe: dict[str, Any]
    recipe_id: str
    engine: str
    versions: dict[str, str]
    commit: str
    written: datetime
    inputs_sha256: str
    history: Any
    computed: int
    features: int
    diagnostics: dict[str, float]
    number: Number | None = None
    origin: dict[str, str] | None = None
    redone: Redone | None = None

    def lines(self) -> list[tuple[str, str]]:
        """The same as pairs of what and how: what the text and the notebook view are made of."""
        features = f"{self.computed} of {count(self.features, 'feature')}"
        outcome = features if self.status == "ok" else self.reason
        recipe_name = str(self.recipe.get("name", ""))
        found = self.number.lines() if self.number else []
        found += self.redone.lines() if self.redone else []
        found += [
            ("sample", f"{self.sample_id} in set {self.set!r}"),
            ("status", f"{self.status}: {outcome}"),
            *((name, _plain(value)) for name, value in self.coords.items()),
            ("recipe", f"{recipe_name} {self.recipe_id[:12]}, engine {self.engine}".strip()),
            ("written", f"{self.written:%Y-%m-%d %H:%M:%S} UTC in commit {self.commit}"),
            *_origin_lines(self.origin),
            ("revision", _revision_words(self.revisions)),
            ("with", ", ".join(f"{name} {version}" for name, version in self.versions.items())),
            ("inputs", f"sha256 {self.inputs_sha256}" if self.inputs_sha256 else "were not read"),
        ]
        found += [(f"setting: {part}", text) for part, text in setting_lines(self.recipe)]
        found += [(f"step: {part}", text) for part, text in _steps(self.history)]
        found += [("step: engine", text) for text in engine_steps(self.recipe, self.diagnostics)]
        shown = self.number.diagnostics if self.number else self.diagnostics
        return found + [(name, number(self.diagnostics[name])) for name in shown]

    def __repr__(self) -> str:
        lines = self.lines()
        width = max(len(name) for name, _ in lines)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)

    def _repr_html_(self) -> str:
        cells = (
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in self.lines()
        )
        return f"<table>{''.join(cells)}</table>"


def explain(
    repository: Repository,
    snapshot: str,
    sample: str | Mapping[str, Any] | pd.Series[Any],
    name: str | None,
    feature: str | None = None,
    redo: Redo = False,
) -> Explanation:
    """The current row of a key as it was at a commit, and one of its features where it is named."""
    root = repository.root(snapshot)
    sample_id = _key(sample)
    name, group, positions = _find(repository, root, sample_id, name)
    lineage = Lineage(repository, snapshot)
    commits = [_writer(lineage, repository, group, position) for position in positions]
    at = positions[-1]
    row = {key: _cell(group, key, at) for key in ROW if key in group}
    values, measured = (np.asarray(array(group, key)[at]) for key in ("value", "diagnostic"))
    named = zip(read_text(group, "diagnostic_name"), measured, strict=True)
    diagnostics = {str(key): float(value) for key, value in named if not np.isnan(value)}
    history = json.loads(row["history"] or "{}")
    notes = history.get("notes") if isinstance(history, dict) else None
    attrs: dict[str, Any] = dict(group.attrs)
    written = lineage.origins[commits[-1]]
    first = lineage.origins.get(row.get("origin", ""))
    versions = dict(sorted((first or written).versions.items()))
    found = Explanation(
        sample_id=sample_id,
        set=name,
        status=row["status"],
        reason=row["reason"],
        coords=_coords(group, at),
        revision=row["revision"],
        revisions=_revisions(group, positions, commits, lineage),
        recipe=json.loads(attrs["recipe"]),
        recipe_id=attrs["recipe_id"],
        engine=attrs["engine"],
        versions=versions,
        commit=commits[-1],
        written=datetime.fromisoformat(written.time),
        inputs_sha256=row["inputs_sha256"],
        history=history,
        computed=int(np.count_nonzero(~np.isnan(values))),
        features=len(values),
        diagnostics=diagnostics,
        number=None if feature is None else number_of(group, at, feature, notes, diagnostics),
        origin=_origin(row.get("origin", ""), first),
    )
    if redo is False:
        return found
    stored = Stored(
        sample_id=sample_id,
        status=found.status,
        reason=found.reason,
        recipe=found.recipe,
        recipe_id=found.recipe_id,
        features=tuple(str(column) for column in read_text(group, "feature")),
        values=values,
        inputs_sha256=found.inputs_sha256,
        content_sha256=row.get("content_sha256", ""),
        history=row["history"],
        versions=versions,
    )
    return replace(found, redone=redone(stored, redo))


def _writer(lineage: Lineage, repository: Repository, group: zarr.Group, position: int) -> str:
    commit = lineage.writer(str(group.attrs["generation"]), position)
    if not commit:
        raise StoreError(
            "no commit says that it wrote this row",
            where=repository.url,
            fix="check() says what else is damaged.",
            code="damaged",
        )
    return commit


def _origin(commit: str, known: Origin | None) -> dict[str, str] | None:
    if not commit:
        return None
    store, time = (known.store_id, known.time) if known else ("", "")
    return {"commit": commit, "store_id": store, "time": time}


def _origin_lines(origin: Mapping[str, str] | None) -> list[tuple[str, str]]:
    if not origin:
        return []
    time = f" at {datetime.fromisoformat(origin['time']):%Y-%m-%d %H:%M:%S} UTC" if origin["time"] else ""
    return [("merged", f"from store {origin['store_id']}, written there{time} in commit {origin['commit']}")]


def _key(sample: Any) -> str:
    """The sample_id that was given, alone or in a row of a table."""
    import pandas as pd

    cell = sample.get("sample_id") if isinstance(sample, Mapping | pd.Series) else sample
    cell = np.asarray(cell, dtype=object)
    if cell.ndim or not isinstance(cell.item(), str):
        raise InputError(
            "explain() takes the sample_id of one row, or a row that has it",
            fix="Give table.sample_id[0], or table.iloc[0] for a row of table().",
        )
    return str(cell.item())


def _find(
    repository: Repository, root: zarr.Group, sample_id: str, name: str | None
) -> tuple[str, zarr.Group, list[int]]:
    """The set that holds a key, and the positions of its revisions, oldest first."""
    if name is not None:
        existing_set(root, name, repository.url)
    places = {}
    for candidate in [name] if name is not None else set_names(root):
        group = set_group(root, candidate)
        if group is not None:
            ids = array(group, "sample_id")[:]
            positions = np.flatnonzero(ids == np.array(sample_id, dtype=TEXT))
            if positions.size:
                places[candidate] = (group, [int(position) for position in positions])
    if not places:
        _refuse_feature(root, sample_id)
        raise StoreError(
            "no row has this sample_id",
            where=repr(sample_id),
            fix="The keys are in the column sample_id of table() and keys().",
            code="unknown-sample",
        )
    if len(places) > 1:
        raise StoreError(
            "several sets hold this sample",
            where=repr(sample_id),
            fix=f"Say which with name=: {', '.join(places)}.",
        )
    found, (group, positions_found) = next(iter(places.items()))
    return found, group, positions_found


def _refuse_feature(root: zarr.Group, key: str) -> None:
    """A feature in the place of a sample: say how to ask about it."""
    for name in set_names(root):
        group = set_group(root, name)
        if group is not None and key in read_text(group, "feature"):
            raise InputError(
                f"{key!r} is the name of a feature, and not the sample_id of a row",
                fix=f"Name the row too: explain(sample_id, {name!r}, feature={key!r}). What the feature is"
                f" on any row: gclnm.vocabulary.feature({key!r}).",
                code="not-a-sample",
            )


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)


def _cell(group: zarr.Group, name: str, position: int) -> Any:
    value = np.asarray(array(group, name)[position : position + 1])[0]
    return value.item() if isinstance(value, np.generic) else str(value)


def _coords(group: zarr.Group, position: int) -> dict[str, str | float]:
    cells = {name: _cell(group, name, position) for name in coordinates(arrays(group))}
    return {name: value for name, value in cells.items() if value != "" and value == value}


def _revisions(
    group: zarr.Group, positions: list[int], commits: list[str], lineage: Lineage
) -> tuple[dict[str, Any], ...]:
    reasons: list[dict[str, str]] = [{}, *because_of(group, lineage, positions)]
    return tuple(
        {
            **{key: _cell(group, key, at) for key in ("revision", "status", "reason", "inputs_sha256")},
            "commit": commit,
            "time": datetime.fromisoformat(lineage.origins[commit].time),
            "because": ", ".join(why),
            "detail": "; ".join(why.values()),
        }
        for at, commit, why in zip(positions, commits, reasons, strict=True)
    )


def _revision_words(revisions: tuple[dict[str, Any], ...]) -> str:
    if len(revisions) == 1:
        return "1, never replaced"
    *earlier, last = revisions
    before = ", ".join(
        f"{r['revision']} ({_because(r, ', ')}{r['status']}, {r['time']:%Y-%m-%d}, {r['commit']})"
        for r in earlier
    )
    return f"{last['revision']} ({_because(last)}); before it {before}"


def _because(revision: Mapping[str, Any], end: str = "") -> str:
    return f"because of {revision['because']}{end}" if revision["because"] else ""


def _steps(history: Any) -> list[tuple[str, str]]:
    """The recorded steps as text, whatever parts the row has (image, roi, notes)."""
    parts = history.items() if isinstance(history, dict) else [("all", history)] if history else []
    return [
        (str(part), _step_words(step))
        for part, steps in parts
        for step in (steps if isinstance(steps, list) else [steps])
        if step
    ]


def _step_words(step: Any) -> str:
    if not isinstance(step, dict):
        return str(step)
    if "step" not in step:
        return ", ".join(f"{key}: {value}" for key, value in step.items())
    settings = ", ".join(f"{key}={value}" for key, value in dict(step.get("settings", {})).items())
    note = f" ({step['note']})" if step.get("note") else ""
    return f"{step['step']} {settings}".strip() + note
