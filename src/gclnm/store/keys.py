"""Which rows a set holds now: kept in memory, brought up to date by reading only what is new."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import zarr

from gclnm.schemas.features import KEYS
from gclnm.store.layout import array

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Key", "KeyIndex"]


@dataclass(frozen=True)
class Key:
    """One revision of one row: where it lies and what it was computed from."""

    position: int
    revision: int
    status: str
    inputs_sha256: str
    reason: str
    content_sha256: str


class KeyIndex:
    """The current revision of every row of one set.

    Rows are only ever appended and the last revision of a key is the current one, so that a later
    state of the set is the known one and the rows after it.
    """

    def __init__(self) -> None:
        self._generation = ""
        self._read = 0
        self._current: dict[str, Key] = {}
        self._guard = threading.Lock()

    def at(self, group: zarr.Group) -> dict[str, Key]:
        """Current revisions by sample_id; the set may have grown or been replaced since the last look."""
        with self._guard:
            generation, rows = str(group.attrs["generation"]), array(group, "sample_id").shape[0]
            if generation != self._generation or rows < self._read:
                self._generation, self._read, self._current = generation, 0, {}
            if rows > self._read:
                self._current |= _keys(group, self._read)
                self._read = rows
            return dict(self._current)


def _keys(group: zarr.Group, start: int) -> dict[str, Key]:
    """Keys of the rows from ``start`` on; of several revisions the last one."""
    names = ("sample_id", "revision", "status", "inputs_sha256", "reason")
    parts: list[Any] = [array(group, name)[start:] for name in names]
    # A set of an earlier version may not have it.
    content = group.get("content_sha256")
    parts.append(content[start:] if isinstance(content, zarr.Array) else [""] * len(parts[0]))
    return {
        str(key): Key(start + index, int(revision), str(status), str(inputs), str(reason), str(content))
        for index, (key, revision, status, inputs, reason, content) in enumerate(zip(*parts, strict=True))
    }


def key_table(keys: dict[str, Key]) -> pd.DataFrame:
    """The current rows as a table: sample_id, status, inputs_sha256, revision."""
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
        }
    )
