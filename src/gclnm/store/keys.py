"""Which rows a set holds now: kept in memory, brought up to date by reading only what is new."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple

import zarr

from gclnm.schemas.features import KEYS
from gclnm.store.layout import array
from gclnm.store.links import named_sample

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Held", "Key", "KeyIndex"]


class Key(NamedTuple):
    """One revision of one row: where it lies and what it was computed from."""

    position: int
    revision: int
    status: str
    inputs_sha256: str
    reason: str
    content_sha256: str

    @property
    def same_as(self) -> str:
        """The sample that a linked row is, or that a held-back one would double; empty: none."""
        return named_sample(self.reason) if self.status != "ok" else ""


class Held(Mapping[str, Key]):
    """The current revision of every row of one state of a set, and which rows have some content.

    What one look of a `KeyIndex` saw. A look at an older or a replaced set starts another one, so that
    a writer goes on with its own while another thread reads.
    """

    def __init__(self) -> None:
        self._current: dict[str, Key] = {}
        self._by_content: dict[str, tuple[str, ...]] = {}
        self._own: dict[str, frozenset[str]] = {}
        self._from_linked: set[str] = set()

    def __getitem__(self, sample_id: str) -> Key:
        return self._current[sample_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current)

    def __len__(self) -> int:
        return len(self._current)

    def copy(self) -> dict[str, Key]:
        """The current revisions alone; later looks do not change them."""
        return dict(self._current)

    def with_content(self, content: str) -> list[str]:
        """Samples that had this content in any revision, computed or linked; empty: none."""
        return list(self._by_content.get(content, ()))

    def outdated(self) -> dict[str, frozenset[str]]:
        """By sample: its own earlier input digests, where a linked sample has corrected its row since."""
        return {sample_id: self._own.get(sample_id, frozenset()) for sample_id in self._from_linked}

    def is_outdated(self, sample_id: str, inputs_sha256: str) -> bool:
        """Whether a sample's own files are what they were before a linked sample corrected its row."""
        return sample_id in self._from_linked and inputs_sha256 in self._own.get(sample_id, ())

    def grow(self, group: zarr.Group, start: int) -> None:
        """Read the rows from ``start`` on."""
        before = ""
        for sample_id, key in _keys(group, start):
            self._add(sample_id, key)
            # A correction by a linked sample is written as the row that counts and, behind it, the link.
            if key.status == "linked" and before and self._is_one(self._current[before], key):
                self._from_linked.add(before)
            before = sample_id

    def _add(self, sample_id: str, key: Key) -> None:
        old = self._current.get(sample_id)
        if old is not None:
            if old.status == "ok" and old.inputs_sha256 and sample_id not in self._from_linked:
                self._own[sample_id] = self._own.get(sample_id, frozenset()) | {old.inputs_sha256}
            self._from_linked.discard(sample_id)
        self._current[sample_id] = key
        known = self._by_content.get(key.content_sha256, ())
        if key.status != "failed" and key.content_sha256 and sample_id not in known:
            self._by_content[key.content_sha256] = (*known, sample_id)

    @staticmethod
    def _is_one(row: Key, link: Key) -> bool:
        return (
            row.status == "ok"
            and row.revision > 1
            and row.position + 1 == link.position
            and row.inputs_sha256 == link.inputs_sha256
        )


class KeyIndex:
    """The current revision of every row of one set.

    Rows are only ever appended and the last revision of a key is the current one, so that a later
    state of the set is the known one and the rows after it.
    """

    def __init__(self) -> None:
        self._generation = ""
        self._held = Held()
        self._read = 0
        self._guard = threading.Lock()

    def at(self, group: zarr.Group) -> dict[str, Key]:
        """Current revisions by sample_id; the set may have grown or been replaced since the last look."""
        with self._guard:
            return self._at(group).copy()

    def look(self, group: zarr.Group) -> Held:
        """The same without a copy, to ask for single keys in: a later look may add to it.

        What a writer needs of a million rows at every commit: it is asked under the store's lock, where
        only its own commit adds rows.
        """
        with self._guard:
            return self._at(group)

    def outdated(self, group: zarr.Group) -> dict[str, frozenset[str]]:
        """Own earlier input digests of samples whose rows linked samples have corrected since."""
        with self._guard:
            return self._at(group).outdated()

    def _at(self, group: zarr.Group) -> Held:
        generation, rows = str(group.attrs["generation"]), array(group, "sample_id").shape[0]
        if generation != self._generation or rows < self._read:
            self._generation, self._read, self._held = generation, 0, Held()
        if rows > self._read:
            self._held.grow(group, self._read)
            self._read = rows
        return self._held


def _keys(group: zarr.Group, start: int) -> Iterator[tuple[str, Key]]:
    """Keys of the rows from ``start`` on, all revisions, in the order of the rows."""
    names = ("sample_id", "revision", "status", "inputs_sha256", "reason")
    parts: list[Any] = [array(group, name)[start:] for name in names]
    # A set of an earlier version may not have it.
    content = group.get("content_sha256")
    parts.append(content[start:] if isinstance(content, zarr.Array) else [""] * len(parts[0]))
    for index, (key, revision, status, inputs, reason, content) in enumerate(zip(*parts, strict=True)):
        yield (
            str(key),
            Key(
                start + index,
                int(revision),
                intern(str(status)),
                str(inputs),
                intern(str(reason)),
                str(content),
            ),
        )


def key_table(keys: dict[str, Key]) -> pd.DataFrame:
    """The current rows as a table: sample_id, status, inputs_sha256, revision, same_as."""
    import pandas as pd

    if not keys:
        return KEYS.empty()
    found = keys.values()
    return pd.DataFrame(
        {
            "sample_id": list(keys),
            "status": [key.status for key in found],
            "inputs_sha256": [key.inputs_sha256 for key in found],
            "revision": [key.revision for key in found],
            "same_as": [key.same_as for key in found],
        }
    )
