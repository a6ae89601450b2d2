"""How much the values of rows differ between two versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.store.layout import ROWS_PER_CHUNK, array, read_text, set_group
from gclnm.store.versions.rowdiff import current_mask, picked

if TYPE_CHECKING:
    import pandas as pd
    import zarr
    from numpy.typing import NDArray

    from gclnm.store.repository import Repository

__all__ = ["largest_changes", "relative_difference"]


def largest_changes(repository: Repository, a: str, b: str, rows: pd.DataFrame) -> pd.DataFrame:
    """How much values of replaced rows changed; see `Diff.values`."""
    import pandas as pd

    found: list[dict[str, Any]] = []
    replaced = rows[rows["change"] == "replaced"]
    for name, group in replaced.groupby("set", sort=False):
        sides = [set_group(repository.root(commit), str(name)) for commit in (a, b)]
        if sides[0] is not None and sides[1] is not None:
            found += _compared(str(name), sides[0], sides[1], list(group["sample_id"]))
    columns = ["set", "sample_id", "differing", "feature", "a", "b", "relative"]
    return pd.DataFrame(found, columns=columns)


def _compared(name: str, a: zarr.Group, b: zarr.Group, keys: list[str]) -> Iterator[dict[str, Any]]:
    import pandas as pd

    names_a, names_b = read_text(a, "feature"), read_text(b, "feature")
    shared = [feature for feature in names_a if feature in set(names_b)]
    columns = [pd.Index(names).get_indexer(shared) for names in (names_a, names_b)]
    places = [_places(group, keys) for group in (a, b)]
    done = np.flatnonzero(places[0][1] & places[1][1])
    # A block at a time: as many values as one chunk holds.
    for block in np.array_split(done, max(1, -(-len(done) // ROWS_PER_CHUNK))):
        values = [
            picked(array(group, "value"), places[side][0][block])[:, columns[side]]
            for side, group in enumerate((a, b))
        ]
        relative = relative_difference(*values)
        for row, index in enumerate(block):
            top = int(np.argmax(relative[row])) if shared else 0
            largest = float(relative[row, top]) if shared else 0.0
            yield {
                "set": name,
                "sample_id": keys[int(index)],
                "differing": int(np.count_nonzero(relative[row])),
                "feature": shared[top] if largest else "",
                "a": float(values[0][row, top]) if largest else np.nan,
                "b": float(values[1][row, top]) if largest else np.nan,
                "relative": largest,
            }


def _places(group: zarr.Group, keys: list[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Positions of the current rows of keys, and whether each was computed."""
    import pandas as pd

    current = np.flatnonzero(current_mask(group))
    index = pd.Index(picked(array(group, "sample_id"), current))
    positions = current[index.get_indexer(keys)]
    return positions, np.asarray(picked(array(group, "status"), positions) == "ok", dtype=bool)


def relative_difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """``|b - a| / max(|a|, |b|)``, value by value: 0 where both are equal or missing, 1 where one is.

    Examples
    --------
    >>> relative_difference(np.array([1.0, 0.0, np.nan, 2.0]), np.array([1.0, 0.0, 3.0, 1.0])).tolist()
    [0.0, 0.0, 1.0, 0.5]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.abs(b - a) / np.maximum(np.abs(a), np.abs(b))
    relative = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, relative)
    # One of them missing, or infinite.
    return np.asarray(np.where(np.isnan(relative), 1.0, relative))
