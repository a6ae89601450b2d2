"""What a run still has to do, given what its store holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.images.sample import Sample

__all__ = ["Todo", "todo"]


@dataclass(frozen=True, eq=False)
class Todo:
    """Samples to compute; how many rows are there; which failed ones are left alone; known hashes."""

    samples: tuple[Sample, ...]
    skipped: int
    left_failed: frozenset[str]
    hashes: dict[str, str]


def todo(
    samples: Sequence[Sample], known: pd.DataFrame, *, retry_failed: bool = False, verify: bool = False
) -> Todo:
    """Sort samples into those to compute and those to leave, by the store's current rows.

    Parameters
    ----------
    known
        Current rows of the set: ``sample_id``, ``status``, ``inputs_sha256``.
    verify
        Compute the rows that are there too: their hashes then tell which inputs changed.
    """
    status = dict(zip(known["sample_id"], known["status"], strict=True))
    hashes = dict(zip(known["sample_id"], known["inputs_sha256"], strict=True))
    there = {s.sample_id for s in samples if status.get(s.sample_id) == "ok"}
    failed = {s.sample_id for s in samples if status.get(s.sample_id) == "failed"}
    leave = (set() if verify else there) | (set() if retry_failed else failed)
    return Todo(
        samples=tuple(s for s in samples if s.sample_id not in leave),
        skipped=len(there & leave),
        left_failed=frozenset(failed & leave),
        hashes={key: hashes[key] for key in there - leave},
    )
