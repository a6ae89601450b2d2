"""Which rows of a set differ between two versions, and what changed of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from gclnm.store.layout import TEXT, array, arrays, coordinates
from gclnm.store.versions.words import code_changes, number, recipe_changes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from gclnm.store.lineage import Lineage

__all__ = ["because_of", "changed_rows", "current_mask", "input_changes", "parts_of", "picked"]

Pairs = Mapping[str, tuple[zarr.Group | None, zarr.Group | None]]

# Parts of the inputs, as the history names them, in words of a person.
PARTS = {"voxels": "pixels"}
TEXTS = ("sample_id", "status", "reason", "inputs_sha256", "content_sha256", "origin")
HEAD = ["set", "sample_id"]
TAIL = ["change", "because", "detail", "revision_a", "revision_b"]
# Fewer rows than this share of a set are picked one by one.
FEW = 0.02
# The status of such a row, and the change that made it one.
LINKED = "linked"


@dataclass(frozen=True)
class Side:
    """The rows of one version that may differ: their positions, and what a row array holds there."""

    group: zarr.Group | None
    lineage: Lineage
    positions: NDArray[np.int64]

    @cached_property
    def generation(self) -> str:
        """The life of the set."""
        return str(self.group.attrs["generation"]) if self.group is not None else ""

    def column(self, name: str, which: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """A row array at these rows (or some of them); empty text where the set does not have it."""
        at = self.positions if which is None else self.positions[which]
        found = self.group.get(name) if self.group is not None else None
        if not isinstance(found, zarr.Array):
            return np.full(len(at), "", dtype=object)
        return picked(found, at)

    def commit(self, index: int, origin: str) -> str:
        """The commit that computed a row, of whichever store."""
        return origin or self.lineage.writer(self.generation, int(self.positions[index]))

    def versions(self, commit: str) -> dict[str, str]:
        """The software that a commit was made with."""
        known = self.lineage.origins.get(commit)
        return known.versions if known else {}


def changed_rows(pairs: Pairs, before: Lineage, after: Lineage) -> pd.DataFrame:
    """Rows that are not the same in both versions; see `Diff.rows`."""
    import pandas as pd

    parts = [_of_set(name, a, b, before, after) for name, (a, b) in pairs.items()]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=[*HEAD, *TAIL])
    found = pd.concat(parts, ignore_index=True)
    middle = [name for name in found.columns if name not in (*HEAD, *TAIL)]
    # Text that is missing is empty, as in the set.
    texts = [name for name in middle if found[name].dtype.kind not in "fib"]
    found[texts] = found[texts].fillna("")
    return found[[*HEAD, *middle, *TAIL]]


def _of_set(
    name: str, a: zarr.Group | None, b: zarr.Group | None, before: Lineage, after: Lineage
) -> pd.DataFrame:
    import pandas as pd

    at_a, at_b = _candidates(a, b)
    old, new = Side(a, before, at_a), Side(b, after, at_b)
    keys = [pd.Index(side.column("sample_id")) for side in (old, new)]
    # Where a key of the one stands in the other; -1 where it does not.
    in_old, in_new = keys[0].get_indexer(keys[1]), keys[1].get_indexer(keys[0])
    added, gone = np.flatnonzero(in_old < 0), np.flatnonzero(in_new < 0)
    pair_new = np.flatnonzero(in_old >= 0)
    pair_old = in_old[pair_new]
    because = _reasons(old, new, pair_old, pair_new)
    found = pd.concat(
        [
            _frame(new, added, np.where(_linked(new, added), LINKED, "added")),
            _frame(new, pair_new, np.where(_linked(new, pair_new, old, pair_old), LINKED, "replaced")).assign(
                because=[", ".join(why) for why in because],
                detail=["; ".join(why.values()) for why in because],
            ),
            _frame(old, gone, "removed"),
        ],
        ignore_index=True,
    )
    found["revision_a"] = _revisions(found["sample_id"], old, keys[0])
    found["revision_b"] = _revisions(found["sample_id"], new, keys[1])
    found.insert(0, "set", name)
    return found


def _candidates(a: zarr.Group | None, b: zarr.Group | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of current rows that are not the same row in the other version.

    Within one life of a set a row never moves or changes, so that only `current` has to be read.
    """
    mine, theirs = (current_mask(group) for group in (a, b))
    if a is not None and b is not None and a.attrs["generation"] == b.attrs["generation"]:
        shared = min(len(mine), len(theirs))
        both = mine[:shared] & theirs[:shared]
        mine[:shared] &= ~both
        theirs[:shared] &= ~both
    return np.flatnonzero(mine), np.flatnonzero(theirs)


def current_mask(group: zarr.Group | None) -> NDArray[np.bool_]:
    """Which rows of a set are current; of no set none."""
    return np.zeros(0, dtype=bool) if group is None else np.asarray(array(group, "current")[:], dtype=bool)


def picked(stored: zarr.Array[Any], positions: NDArray[np.int64]) -> NDArray[Any]:
    """An array at some rows: single ones are picked, many are read whole."""
    if len(positions) == 0:
        values = np.zeros((0, *stored.shape[1:]), dtype=stored.dtype)
    elif len(positions) <= FEW * stored.shape[0]:
        values = np.asarray(stored.get_orthogonal_selection((positions,)))
    else:
        first, last = int(positions[0]), int(positions[-1]) + 1
        ordered = bool(np.all(np.diff(positions) > 0))
        values = (
            np.asarray(stored[first:last])[positions - first] if ordered else np.asarray(stored[:])[positions]
        )
    return values.astype(object) if stored.dtype == TEXT else values


def _linked(
    new: Side, which: NDArray[np.int64], old: Side | None = None, before: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Which rows say that their sample is another one, and did not say so of the same one before."""
    linked = np.asarray(new.column("status", which) == LINKED, dtype=bool)
    if old is not None:
        linked &= new.column("reason", which) != old.column("reason", before)
    return linked


def _frame(side: Side, which: NDArray[np.int64], change: str | NDArray[Any]) -> pd.DataFrame:
    """Key and coordinates of rows; coordinates that none of them has are left out."""
    import pandas as pd

    columns: dict[str, Any] = {"sample_id": side.column("sample_id", which)}
    for name in coordinates(arrays(side.group)) if side.group is not None and len(which) else []:
        values = side.column(name, which)
        if not np.all(_missing(values)):
            columns[name] = values
    return pd.DataFrame(columns).assign(change=change, because="", detail="")


def _revisions(keys: pd.Series[Any], side: Side, index: pd.Index[Any]) -> pd.Series[Any]:
    import pandas as pd

    if side.group is None or not len(index):
        return pd.Series(pd.NA, index=keys.index, dtype="Int64")
    known = pd.Series(side.column("revision").astype(np.int64), index=index, dtype="Int64")
    return known.reindex(keys).set_axis(keys.index)


def because_of(group: zarr.Group, lineage: Lineage, positions: Sequence[int]) -> list[dict[str, str]]:
    """Why each revision of one row took the place of the one before: by kind, in words.

    Parameters
    ----------
    positions
        Those of its revisions, oldest first.

    Returns
    -------
    list of dict
        One for every revision but the first, as `Diff.rows` has ``because`` and ``detail``.
    """
    at = np.array(positions, dtype=np.int64)
    steps = np.arange(len(at) - 1)
    return _reasons(Side(group, lineage, at[:-1]), Side(group, lineage, at[1:]), steps, steps)


def _reasons(
    old: Side, new: Side, pair_old: NDArray[np.int64], pair_new: NDArray[np.int64]
) -> list[dict[str, str]]:
    """Of each replaced row, what changed: by kind, in words."""
    if not len(pair_old):
        return []
    texts = {key: (old.column(key, pair_old), new.column(key, pair_new)) for key in TEXTS}
    recipe = _recipe(old, new)
    moved = _moved(old, new, pair_old, pair_new)
    inputs = texts["inputs_sha256"]
    read = (inputs[0] != inputs[1]) & (inputs[0] != "") & (inputs[1] != "")
    parts = _parts(old, new, pair_old, pair_new, np.flatnonzero(read), texts["content_sha256"])
    states = texts["status"], texts["reason"]
    other_state = (states[0][0] != states[0][1]) | (states[1][0] != states[1][1])
    merged = (texts["origin"][1] != "") & (texts["origin"][0] != texts["origin"][1])
    same = inputs[0] == inputs[1]
    code = _Code(old, new)
    found = []
    for index in range(len(pair_old)):
        why = recipe | parts.get(index, {})
        if other_state[index]:
            why |= _status(*(item[side][index] for item in states for side in (0, 1)))
        if index in moved:
            why["coordinates"] = ", ".join(moved[index])
        before, after = (str(texts["origin"][side][index]) for side in (0, 1))
        if merged[index]:
            why["merged"] = f"merged from another store, commit {after}"
        if same[index] and index not in moved:
            why |= code.between(int(pair_old[index]), before, int(pair_new[index]), after)
        found.append(why or {"unknown": "nothing that is recorded differs"})
    return found


class _Code:
    """Which software differs between the commits that computed two rows; few commits wrote many rows."""

    def __init__(self, old: Side, new: Side) -> None:
        self._old, self._new = old, new
        self._known: dict[tuple[str, str], dict[str, str]] = {}

    def between(self, index_old: int, origin_old: str, index_new: int, origin_new: str) -> dict[str, str]:
        """What differs, in words; empty where nothing is known to."""
        pair = self._old.commit(index_old, origin_old), self._new.commit(index_new, origin_new)
        if pair not in self._known:
            changes = code_changes(self._old.versions(pair[0]), self._new.versions(pair[1]))
            self._known[pair] = {"code": ", ".join(changes)} if changes else {}
        return self._known[pair]


def _recipe(old: Side, new: Side) -> dict[str, str]:
    if old.group is None or new.group is None or old.group.attrs["recipe_id"] == new.group.attrs["recipe_id"]:
        return {}
    changes = recipe_changes(
        *(json.loads(str(side.group.attrs["recipe"])) for side in (old, new) if side.group)
    )
    return {"recipe": ", ".join(changes)} if changes else {"code": "the engine or its numbers_version differ"}


def _status(before: str, after: str, reason_before: str, reason_after: str) -> dict[str, str]:
    if before != after:
        reason = reason_after or reason_before
        return {"status": f"{before} -> {after} ({reason})" if reason else f"{before} -> {after}"}
    if reason_before != reason_after:
        return {"status": f"{reason_before} -> {reason_after}"}
    return {}


def _parts(
    old: Side,
    new: Side,
    pair_old: NDArray[np.int64],
    pair_new: NDArray[np.int64],
    which: NDArray[np.int64],
    contents: tuple[NDArray[Any], NDArray[Any]],
) -> dict[int, dict[str, str]]:
    """Of rows with other inputs, which part of the inputs: read off their histories."""
    histories = zip(
        which, old.column("history", pair_old[which]), new.column("history", pair_new[which]), strict=True
    )
    found = {}
    for index, before, after in histories:
        same_picture = contents[0][index] == contents[1][index] if contents[0][index] else None
        found[int(index)] = input_changes(parts_of(before), parts_of(after), same_picture)
    return found


def parts_of(history: str) -> dict[str, str]:
    """Digests of the parts of a row's inputs, as its history has them; empty in older rows."""
    try:
        found = json.loads(history or "{}")
    except ValueError:
        return {}
    parts = found.get("inputs") if isinstance(found, dict) else None
    return {str(key): str(value) for key, value in parts.items()} if isinstance(parts, dict) else {}


def input_changes(
    before: Mapping[str, str], after: Mapping[str, str], same_picture: bool | None = None
) -> dict[str, str]:
    """Which parts of the inputs differ: by kind, in words.

    Examples
    --------
    >>> input_changes({"voxels:image": "a", "mask:roi": "b"}, {"voxels:image": "a", "mask:roi": "c"})
    {'mask': 'mask of roi changed'}
    """
    if not before or not after:
        if same_picture:
            return {"facts": "facts of the header changed; pixels, grids and masks are the same"}
        return {"inputs": "inputs changed; the rows do not record which part"}
    found: dict[str, list[str]] = {}
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key):
            continue
        part, _, role = key.partition(":")
        kind = PARTS.get(part, part)
        verb = "added" if key not in before else "removed" if key not in after else "changed"
        found.setdefault(kind, []).append(f"{kind} of {role} {verb}" if role else f"{kind} {verb}")
    return {kind: ", ".join(words) for kind, words in found.items()}


def _moved(
    old: Side, new: Side, pair_old: NDArray[np.int64], pair_new: NDArray[np.int64]
) -> dict[int, list[str]]:
    """Coordinates that differ, by row."""
    found: dict[int, list[str]] = {}
    if old.group is None or new.group is None:
        return found
    names = dict.fromkeys([*coordinates(arrays(old.group)), *coordinates(arrays(new.group))])
    for name in names:
        before, after = old.column(name, pair_old), new.column(name, pair_new)
        none_before, none_after = _missing(before), _missing(after)
        differs = (none_before != none_after) | (~none_before & ~none_after & (before != after))
        for index in np.flatnonzero(differs):
            words = f"{name}: {_cell(before[index])} -> {_cell(after[index])}"
            found.setdefault(int(index), []).append(words)
    return found


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isnan(values) if values.dtype.kind == "f" else np.asarray(values == "", dtype=bool)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value or "none"
    return "none" if np.isnan(value) else number(float(value))
