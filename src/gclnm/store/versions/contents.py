"""Which features, sets, tables and selections differ between two versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from gclnm.counts import count
from gclnm.store.clinical.tables import PATIENTS
from gclnm.store.features import SELECTIONS
from gclnm.store.layout import SETS, TEXT, array, read_text
from gclnm.store.versions.words import recipe_changes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["features_changed", "parts_changed", "sets_changed"]

Pairs = Mapping[str, tuple[zarr.Group | None, zarr.Group | None]]


def sets_changed(pairs: Pairs) -> pd.DataFrame:
    """Sets that came, went, or were started anew, with the settings that differ."""
    import pandas as pd

    found = []
    for name, (a, b) in pairs.items():
        if a is None and b is not None:
            found.append((name, "added", f"recipe {_named(b)}, {_rows(b)}"))
        elif a is not None and b is None:
            found.append((name, "removed", f"recipe {_named(a)}, {_rows(a)}"))
        elif a is not None and b is not None and a.attrs["generation"] != b.attrs["generation"]:
            found.append((name, "started anew", _recipes(a, b)))
    return pd.DataFrame(found, columns=["set", "change", "detail"])


def _named(group: zarr.Group) -> str:
    return f"{group.attrs['recipe_name']} {str(group.attrs['recipe_id'])[:12]}"


def _rows(group: zarr.Group) -> str:
    return count(int(np.count_nonzero(array(group, "current")[:])), "row")


def _recipes(a: zarr.Group, b: zarr.Group) -> str:
    if a.attrs["recipe_id"] == b.attrs["recipe_id"]:
        return "the same recipe"
    changes = recipe_changes(json.loads(str(a.attrs["recipe"])), json.loads(str(b.attrs["recipe"])))
    return f"recipe: {', '.join(changes)}" if changes else "the engine or its numbers_version differ"


def features_changed(pairs: Pairs) -> pd.DataFrame:
    """Columns that a set in both versions has in one only."""
    import pandas as pd

    found: list[tuple[str, str, str]] = []
    for name, (a, b) in pairs.items():
        if a is None or b is None or a.attrs["generation"] == b.attrs["generation"]:
            continue
        before, after = (dict.fromkeys(read_text(group, "feature")) for group in (a, b))
        found += [(name, feature, "added") for feature in after if feature not in before]
        found += [(name, feature, "removed") for feature in before if feature not in after]
    return pd.DataFrame(found, columns=["set", "feature", "change"])


def parts_changed(
    a: zarr.Group, b: zarr.Group, sets: Sequence[str], *, tables: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables and selections that came, went or changed."""
    import pandas as pd

    of_tables = [("", *row) for row in _members_changed(a, b, PATIENTS)] if tables else []
    of_sets = [(name, *row) for name in sets for row in _members_changed(a, b, f"{SETS}/{name}/{SELECTIONS}")]
    columns = ["change", "detail"]
    return (
        pd.DataFrame([row[1:] for row in of_tables], columns=["table", *columns]),
        pd.DataFrame(of_sets, columns=["set", "selection", *columns]),
    )


def _members_changed(a: zarr.Group, b: zarr.Group, path: str) -> list[tuple[str, str, str]]:
    before, after = _members(a, path), _members(b, path)
    found = []
    for name in sorted({*before, *after}):
        if name not in before:
            found.append((name, "added", ""))
        elif name not in after:
            found.append((name, "removed", ""))
        elif detail := _compared(before[name], after[name]):
            found.append((name, "changed", detail))
    return found


def _members(root: zarr.Group, path: str) -> dict[str, zarr.Group | zarr.Array[Any]]:
    group = root.get(path)
    return dict(group.members()) if isinstance(group, zarr.Group) else {}


def _compared(a: zarr.Group | zarr.Array[Any], b: zarr.Group | zarr.Array[Any]) -> str:
    """What differs of a table or a selection, in words; empty: nothing."""
    if isinstance(a, zarr.Array) and isinstance(b, zarr.Array):
        return _names_compared(_values(a), _values(b))
    old, new = _columns(a), _columns(b)
    found = [f"{verb}: {', '.join(names)}" for verb, names in _names(list(old), list(new)) if names]
    rows = [max((len(values) for values in side.values()), default=0) for side in (old, new)]
    if rows[0] != rows[1]:
        found.append(f"{rows[0]} -> {count(rows[1], 'row')}")
    else:
        other = [name for name in old if name in new and not _equal(old[name], new[name])]
        found += [f"other values: {', '.join(other)}"] if other else []
    if not found and dict(a.attrs) != dict(b.attrs):
        found.append("what is known of it")
    return "; ".join(found)


def _names_compared(old: list[str], new: list[str]) -> str:
    """What differs of a selection, which is a list of names."""
    found = [f"{verb}: {', '.join(names)}" for verb, names in _names(old, new) if names]
    return "; ".join(found) or ("another order" if old != new else "")


def _names(old: list[str], new: list[str]) -> tuple[tuple[str, list[str]], tuple[str, list[str]]]:
    return (
        ("added", [name for name in new if name not in old]),
        ("removed", [name for name in old if name not in new]),
    )


def _columns(item: zarr.Group | zarr.Array[Any]) -> dict[str, list[Any]]:
    """Values of a table by column."""
    arrays = dict(item.arrays()) if isinstance(item, zarr.Group) else {}
    return {name: _values(stored) for name, stored in sorted(arrays.items())}


def _values(stored: zarr.Array[Any]) -> list[Any]:
    values = np.asarray(stored[:])
    return list(values.astype(object)) if stored.dtype == TEXT else list(values.tolist())


def _equal(a: list[Any], b: list[Any]) -> bool:
    return all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True))
