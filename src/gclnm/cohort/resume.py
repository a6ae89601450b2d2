"""What a run still has to do, given what its store holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.schemas.features import as_numbers, as_text, coordinate_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.sample import Coordinate, Sample
    from gclnm.store.store import FeatureStore

__all__ = ["Todo", "todo"]


@dataclass(frozen=True, eq=False)
class Todo:
    """What is left of a run.

    Parameters
    ----------
    samples
        To be computed, or to be read and compared.
    skipped
        How many rows are there and stay.
    failed
        Reasons of failed rows that are left as they are, by ``sample_id``.
    hashes
        Input hashes of rows that are there, for samples whose files may have changed: they are read
        again, and computed again when the hash is another.
    """

    samples: tuple[Sample, ...]
    skipped: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)


def todo(
    samples: Sequence[Sample],
    store: FeatureStore,
    name: str,
    *,
    retry_failed: bool = False,
    unchanged: Mapping[str, str] | None = None,
) -> Todo:
    """Sort samples into those to compute, to compare and to leave, by the current rows of a set.

    A row whose coordinates have changed (a phase was corrected, a time point assigned) is computed
    again, so that the new ones come into the store with it. Of the others a row is left without
    reading its files when ``unchanged`` knows them, with the input hash of the row.

    Parameters
    ----------
    unchanged
        Input hashes, by ``sample_id``, of samples whose files are known not to have changed since.
    """
    known = store.keys(name)
    if known.empty:
        return Todo(tuple(samples))
    status = dict(zip(known["sample_id"], known["status"], strict=True))
    there = [s for s in samples if status.get(s.sample_id) == "ok"]
    failed = {s.sample_id for s in samples if status.get(s.sample_id) == "failed"}
    renamed = _with_other_coordinates(there, store, name)
    hashes = dict(zip(known["sample_id"], known["inputs_sha256"], strict=True))
    same = {s.sample_id: hashes[s.sample_id] for s in there if s.sample_id not in renamed}
    remembered = unchanged or {}
    leave = {key for key, inputs in same.items() if remembered.get(key) == inputs}
    left_failed = set() if retry_failed else failed
    return Todo(
        samples=tuple(s for s in samples if s.sample_id not in leave | left_failed),
        skipped=len(leave),
        failed=_reasons(store, name, left_failed),
        hashes={key: inputs for key, inputs in same.items() if key not in leave},
    )


def _reasons(store: FeatureStore, name: str, keys: set[str]) -> dict[str, str]:
    if not keys:
        return {}
    rows = store.read(name, where="status == 'failed' and reason != ''")
    pairs = zip(rows["sample_id"].values, rows["reason"].values, strict=True)
    return {str(key): str(reason) for key, reason in pairs if key in keys}


def _with_other_coordinates(samples: Sequence[Sample], store: FeatureStore, name: str) -> set[str]:
    """Keys of the samples whose stored coordinates are not the ones they have now."""
    if not samples:
        return set()
    rows = store.read(name)
    place = {str(key): index for index, key in enumerate(rows["sample_id"].values)}
    samples = [sample for sample in samples if sample.sample_id in place]
    order = np.array([place[sample.sample_id] for sample in samples], dtype=np.intp)
    other = np.zeros(len(samples), dtype=bool)
    for coordinate in {key: None for sample in samples for key in sample.coords}:
        now = [sample.coords.get(coordinate) for sample in samples]
        before = rows[coordinate].values[order] if coordinate in rows.coords else None
        other |= _differ(coordinate, now, before)
    return {sample.sample_id for sample, differs in zip(samples, other, strict=True) if differs}


def _differ(name: str, now: Sequence[Coordinate], before: NDArray[Any] | None) -> NDArray[np.bool_]:
    """Where two columns of one coordinate differ; missing is None, NaN or empty."""
    numeric = coordinate_kind(name, now) == "float" if before is None else before.dtype.kind in "fi"
    new = as_numbers(name, now) if numeric else np.array(as_text(name, now), dtype=object)
    if before is None:
        before = np.full(len(now), np.nan if numeric else "", dtype=new.dtype)
    both_missing = (new != new) & (before != before)
    return np.asarray((new != before) & ~both_missing, dtype=bool)
