"""Rewriting the values of a set for reading single features of all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gclnm.store.layout import array
from gclnm.store.read import existing_set
from gclnm.store.repository import Note, Repository
from gclnm.store.write import note_of

if TYPE_CHECKING:
    import zarr

__all__ = ["compact"]

# Rows and features of a chunk. One feature of 1e5 rows is read from a hundred chunks of 1 MB and not
# from 1.2 GB; an append writes up to 1,024 rows again, twice as many as before; one row costs as before.
CHUNK = (1024, 128)


def compact(repository: Repository, name: str) -> str | None:
    """Copy the values of a set into blocks of rows and features, in one commit under the lock.

    Rows, their order, revisions and history stay. Memory is that of a block of rows; the old chunks stay
    on disk with the commits that use them.

    Returns
    -------
    str or None
        The commit; None when the set is compact already.
    """

    def change(root: zarr.Group) -> Note | None:
        group = existing_set(root, name, repository.url)
        old = array(group, "value")
        chunks = (CHUNK[0], max(1, min(CHUNK[1], old.shape[1])))
        if old.chunks == chunks:
            return None
        # What the session has replaced cannot be read in it any more: the source is the state before it.
        base: Any = root.store
        before = repository.root(str(base.session.snapshot_id))
        _copy(array(existing_set(before, name, repository.url), "value"), group, chunks)
        return note_of(name, group, "compact")

    return repository.commit(change)


def _copy(source: zarr.Array[Any], group: zarr.Group, chunks: tuple[int, int]) -> None:
    made = group.create_array(
        "value",
        shape=source.shape,
        chunks=chunks,
        dtype=source.dtype,
        fill_value=source.fill_value,
        dimension_names=("sample", "feature"),
        attributes=dict(source.attrs),
        overwrite=True,
    )
    for start in range(0, source.shape[0], chunks[0]):
        made[start : start + chunks[0]] = source[start : start + chunks[0]]
