"""Named selections of features: resolved once, kept with their set, versioned with the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import InputError
from gclnm.schemas.patients import SELECTIONS as TABLE
from gclnm.store.features import SELECTIONS, chosen_features, read_selections
from gclnm.store.layout import SET_NAME, TEXT, read_text, text
from gclnm.store.read import existing_set
from gclnm.store.repository import Note
from gclnm.store.write import note_of

if TYPE_CHECKING:
    import pandas as pd
    import zarr

    from gclnm.store.repository import Repository

__all__ = ["put_selection", "selection_list", "write_selection"]


def put_selection(
    repository: Repository, name: str, selection: str, features: str | Sequence[str]
) -> str | None:
    """Store a selection of a set's features; see `gclnm.FeatureStore.select`."""

    def change(root: zarr.Group) -> Note | None:
        group = existing_set(root, name, repository.url)
        names = [str(feature) for feature in read_text(group, "feature")]
        known = read_selections(group)
        chosen = [names[place] for place in chosen_features(names, _asked(features), known)]
        if not write_selection(group, selection, chosen):
            return None
        return note_of(name, group, "select", more={"selection": selection, "features": len(chosen)})

    return repository.commit(change)


def _asked(features: str | Sequence[str]) -> list[str]:
    asked = [features] if isinstance(features, str) else list(features)
    if not asked or not all(isinstance(item, str) for item in asked):
        raise InputError(
            "a selection needs names or patterns of features",
            fix='For example store.select("ct", "robust", ["original_shape_*"]).',
            code="bad-selection",
        )
    return asked


def write_selection(group: zarr.Group, selection: str, features: Sequence[str]) -> bool:
    """Write a selection into the group of a set; False when it is there with the same features."""
    names = {str(feature) for feature in read_text(group, "feature")}
    if not isinstance(selection, str) or not SET_NAME.fullmatch(selection) or selection in names:
        raise InputError(
            "a selection cannot have this name",
            where=repr(selection),
            fix="Use letters, digits, '-', '_' and '.', 64 at most, and not the name of a feature.",
            code="bad-selection",
        )
    if read_selections(group).get(selection) == list(features):
        return False
    values = text(features)
    made = group.require_group(SELECTIONS).create_array(
        selection,
        shape=values.shape,
        chunks=(max(1, len(values)),),
        dtype=TEXT,
        dimension_names=("feature",),
        overwrite=True,
    )
    made[:] = np.asarray(values)
    return True


def selection_list(repository: Repository, snapshot: str, name: str) -> pd.DataFrame:
    """The selections of a set at a commit: selection, features, commit, names."""
    import pandas as pd

    group = existing_set(repository.root(snapshot), name, repository.url)
    found = read_selections(group)
    written = _written(repository, snapshot, name, str(group.attrs["generation"]), set(found))
    rows: list[dict[str, Any]] = [
        {"selection": key, "features": len(names), "commit": written.get(key, ""), "names": names}
        for key, names in found.items()
    ]
    return TABLE.validate(pd.DataFrame(rows)) if rows else TABLE.empty().assign(names=[])


def _written(
    repository: Repository, snapshot: str, name: str, generation: str, wanted: set[str]
) -> dict[str, str]:
    """The newest commit that says it wrote each selection (``selection`` or ``selections`` of its record)."""
    found: dict[str, str] = {}
    for commit in repository.ancestry(snapshot):
        if not wanted - found.keys():
            break
        record = commit.metadata
        if record.get("set") != name or record.get("generation") != generation:
            continue
        wrote = {str(record["selection"])} if record.get("selection") else set()
        wrote |= {str(item) for item in record.get("selections") or ()}
        found.update({item: str(commit.id) for item in wrote & wanted - found.keys()})
    return found
