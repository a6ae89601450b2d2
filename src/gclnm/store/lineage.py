"""Where rows come from: the commit that wrote each, and the store it was first written in.

A merged row keeps the commit of the store that computed it. The commit that merged it records, for
every such commit, the store, its place in that store's history, its time and its versions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import StoreError
from gclnm.store.layout import Arrays, array, arrays
from gclnm.store.parts import plain

if TYPE_CHECKING:
    import pandas as pd
    import zarr
    from numpy.typing import NDArray

    from gclnm.store.repository import Repository

__all__ = ["FRAME", "Lineage", "Origin", "origin_record", "row_frame"]

# Columns of `row_frame`.
FRAME = (
    *("sample_id", "patient_id", "inputs_sha256", "content_sha256", "status", "reason"),
    *("revision", "current", "commit", "source"),
)


@dataclass(frozen=True)
class Origin:
    """A commit as it stands in the record of a merge.

    Attributes
    ----------
    store_id
        The store it was made in.
    number
        Its place in that store's history, from 1: clocks jump, this does not.
    time
        When it was written (ISO, UTC).
    versions
        The software that made its rows.
    """

    store_id: str
    number: int
    time: str
    versions: dict[str, str]

    def record(self) -> dict[str, Any]:
        """The same as the commit's record keeps it."""
        return {
            "store_id": self.store_id,
            "number": self.number,
            "time": self.time,
            "versions": dict(self.versions),
        }


class Lineage:
    """Every commit that wrote rows of a store, its own and those that came with merged rows.

    Parameters
    ----------
    repository
        The store.
    snapshot
        The newest commit to look at; by default the newest there is.
    """

    def __init__(self, repository: Repository, snapshot: str | None = None) -> None:
        snapshots = [item for item in repository.ancestry(snapshot) if "action" in item.metadata]
        snapshots.reverse()
        self.store_id = _store_id(repository.root(snapshot or repository.tip()), snapshots)
        self.origins: dict[str, Origin] = {}
        # The place in the store's history of the commit that wrote each clinical table last.
        self.tables: dict[str, int] = {}
        self._spans: dict[str, list[tuple[int, str]]] = {}
        for number, item in enumerate(snapshots, 1):
            record = item.metadata
            time, versions = item.written_at.isoformat(), dict(record.get("versions", {}))
            self.origins[item.id] = Origin(self.store_id, number, time, versions)
            for commit, known in dict(record.get("origin", {})).get("commits", {}).items():
                self.origins[commit] = Origin(
                    str(known["store_id"]), int(known["number"]), str(known["time"]), dict(known["versions"])
                )
            wrote = [record["table"]] if record.get("table") else record.get("tables") or ()
            self.tables.update({str(name): number for name in wrote})
            if record.get("stop", 0) > record.get("start", 0):
                self._spans.setdefault(str(record["generation"]), []).append((record["start"], item.id))

    def writer(self, generation: str, position: int) -> str:
        """The commit of this store that wrote a row; empty where none says so."""
        spans = self._spans.get(generation, [])
        at = bisect_right(spans, position, key=lambda span: span[0]) - 1
        return spans[at][1] if at >= 0 else ""

    def source(self, commit: str) -> str:
        """The store that a commit was made in; empty when it is not known."""
        found = self.origins.get(commit)
        return found.store_id if found else ""


def _store_id(root: zarr.Group, snapshots: list[Any]) -> str:
    """What tells the store from others; stores of earlier versions are told by their first commit."""
    return str(root.attrs.get("store_id") or (snapshots[0].id if snapshots else ""))


def row_frame(group: zarr.Group, lineage: Lineage) -> pd.DataFrame:
    """Every row of a set without its values, in the order of positions.

    Returns
    -------
    DataFrame
        ``sample_id``, ``patient_id``, ``inputs_sha256``, ``content_sha256``, ``status``, ``reason``,
        ``revision``, ``current``, ``commit`` (that wrote it first, in whichever store), ``source``
        (that store).
    """
    import pandas as pd

    stored = arrays(group)
    rows = array(group, "sample_id").shape[0]
    frame = pd.DataFrame({name: _texts(stored, name, rows) for name in (*FRAME[:6], "origin")})
    frame["revision"] = np.asarray(stored["revision"][:])
    # Rows are only ever appended: of several revisions the last one is the current one.
    frame["current"] = ~frame["sample_id"].duplicated(keep="last")
    generation = str(group.attrs["generation"])
    frame["commit"] = [
        origin or lineage.writer(generation, position) for position, origin in enumerate(frame.pop("origin"))
    ]
    frame["source"] = frame["commit"].map({c: lineage.source(c) for c in frame["commit"].unique()})
    return frame


def origin_record(lineage: Lineage, commits: Iterable[str]) -> dict[str, Any]:
    """What the record of a merge says of the commits that wrote its rows.

    Raises
    ------
    StoreError
        When no commit says that it wrote a row.
    """
    wanted = sorted(set(commits))
    if not lineage.origins.keys() >= set(wanted):
        raise StoreError(
            "no commit of the other store says that it wrote some of its rows",
            fix="check() of that store says more.",
            code="damaged",
        )
    found = {commit: lineage.origins[commit].record() for commit in wanted}
    return {"store_id": lineage.store_id, "commits": found}


def _texts(stored: Arrays, name: str, rows: int) -> NDArray[Any] | list[str]:
    # A set of an earlier version, or one whose rows have no patient, may not have it.
    return plain(np.asarray(stored[name][:])) if name in stored else [""] * rows
