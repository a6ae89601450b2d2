"""Which rows a set holds now: kept in memory, brought up to date by reading only what is new."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from sys import intern
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import zarr

from gclnm.schemas.features import KEYS
from gclnm.store.layout import array
from gclnm.store.links import named_sample

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Key", "KeyIndex"]


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


class KeyIndex:
    """The current revision of every row of one set.

    Rows are only ever appended and the last revision of a key is the current one, so that a later
    state of the set is the known one and the rows after it.
    """

    def __init__(self) -> None:
        self._generation = ""
        self._read = 0
        self._current: dict[str, Key] = {}
        self._by_content: dict[str, tuple[str, ...]] = {}
        self._guard = threading.Lock()

    def at(self, group: zarr.Group) -> dict[str, Key]:
        """Current revisions by sample_id; the set may have grown or been replaced since the last look."""
        with self._guard:
            return dict(self._at(group))

    def look(self, group: zarr.Group) -> Mapping[str, Key]:
        """The same without a copy, to ask for single keys in: a later look may add to it.

        What a writer needs of a million rows at every commit: it is asked under the store's lock, where
        only its own commit adds rows.
        """
        with self._guard:
            return MappingProxyType(self._at(group))

    def _at(self, group: zarr.Group) -> dict[str, Key]:
        generation, rows = str(group.attrs["generation"]), array(group, "sample_id").shape[0]
        if generation != self._generation or rows < self._read:
            self._generation, self._read, self._current = generation, 0, {}
            self._by_content = {}
        if rows > self._read:
            new = _keys(group, self._read)
            self._current |= new
            for sample_id, key in new.items():
                if key.status == "ok" and key.content_sha256:
                    known = self._by_content.get(key.content_sha256, ())
                    self._by_content[key.content_sha256] = (*known, sample_id)
            self._read = rows
        return self._current

    def with_content(self, content: str) -> list[str]:
        """Samples computed from this content, in any revision that was current at a look; empty: none."""
        with self._guard:
            return list(dict.fromkeys(self._by_content.get(content, ())))


def _keys(group: zarr.Group, start: int) -> dict[str, Key]:
    """Keys of the rows from ``start`` on; of several revisions the last one."""
    names = ("sample_id", "revision", "status", "inputs_sha256", "reason")
    parts: list[Any] = [array(group, name)[start:] for name in names]
    # A set of an earlier version may not have it.
    content = group.get("content_sha256")
    parts.append(content[start:] if isinstance(content, zarr.Array) else [""] * len(parts[0]))
    return {
        str(key): Key(
            start + index, int(revision), intern(str(status)), str(inputs), intern(str(reason)), str(content)
        )
        for index, (key, revision, status, inputs, reason, content) in enumerate(zip(*parts, strict=True))
    }


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
