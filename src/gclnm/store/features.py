"""Which features of a set are meant: by name, by pattern, by the name of a selection."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
import zarr
from numpy.typing import NDArray

from gclnm.errors import StoreError

__all__ = ["SELECTIONS", "Select", "chosen_features", "read_selections"]

Select = str | Sequence[str] | None
# A set's group for its selections: one array of names each.
SELECTIONS = "selections"


def read_selections(group: zarr.Group) -> dict[str, list[str]]:
    """The selections of a set: names of features, in their order."""
    found = group.get(SELECTIONS)
    if not isinstance(found, zarr.Group):
        return {}
    return {name: [str(value) for value in np.asarray(stored[:])] for name, stored in sorted(found.arrays())}


def chosen_features(
    names: list[str], select: Select, selections: Mapping[str, Sequence[str]] | None = None
) -> NDArray[np.int64]:
    """Positions of features in the order asked for.

    Parameters
    ----------
    names
        The features of the set.
    select
        Features, patterns (``original_glcm_*``), names of selections; the first that fits counts.
    selections
        Features of each selection of the set.

    Examples
    --------
    >>> chosen_features(["a_x", "a_y", "b_x"], ["b_*", "few"], {"few": ["a_y"]}).tolist()
    [2, 1]
    """
    if select is None:
        return np.arange(len(names))
    known = selections or {}
    place = {name: index for index, name in enumerate(names)}
    found: dict[int, None] = {}
    for item in [select] if isinstance(select, str) else select:
        hits = (
            [place[item]] if item in place else [i for i, name in enumerate(names) if fnmatchcase(name, item)]
        )
        if not hits and item in known:
            hits = [place[name] for name in known[item]]
        if not hits:
            raise _unknown(item, names, list(known))
        found.update(dict.fromkeys(hits))
    return np.array(list(found), dtype=np.int64)


def _unknown(item: str, names: list[str], selections: list[str]) -> StoreError:
    near = difflib.get_close_matches(item, names, n=3, cutoff=0.5) or names[:3]
    known = f" Selections: {', '.join(selections)}." if selections else ""
    return StoreError(
        "the set has no such feature",
        where=repr(item),
        fix=f"Near it: {', '.join(near)}. Patterns have * in them.{known}",
        code="unknown-feature",
    )
