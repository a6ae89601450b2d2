"""What a run still has to do, given what its store holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.schemas.features import as_numbers, as_text, coordinate_kind
from gclnm.store.chains import end_of

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
        Reasons of failed rows, by ``sample_id``: those that are left as they are, and those that are
        computed again only when their files have another content now.
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
    unread: Collection[str] = (),
    distinct: Collection[str] = (),
) -> Todo:
    """Sort samples into those to compute, to compare and to leave, by the current rows of a set.

    A row whose coordinates have changed (a phase was corrected, a time point assigned) is computed
    again, so that the new ones come into the store with it. Of the others a row, computed or failed,
    is left without reading its files when ``unchanged`` knows them, with the input hash of the row.
    A linked sample is left where the run has the one that it counts as. A row that a linked sample has
    corrected is left too, while the files of its own sample are what they were before.

    Parameters
    ----------
    unchanged
        Input hashes, by ``sample_id``, of samples whose files are known not to have changed since.
    unread
        Samples that could not be read before, and whose files have not changed since.
    distinct
        Samples that the user calls truly different from those that hold them back.
    """
    known = store.keys(name)
    if known.empty:
        return Todo(tuple(samples))
    rows: dict[str, Any] = {str(row.sample_id): row for row in known.itertuples(index=False)}
    there = [sample for sample in samples if sample.sample_id in rows]
    moved = _with_other_coordinates([s for s in there if rows[s.sample_id].status == "ok"], store, name)
    compute = {key for key, row in _rows(there, rows) if row.status == "failed" and retry_failed}
    compute |= {key for key, row in _rows(there, rows) if row.status != "ok" and key in distinct}
    compute |= moved | _freed(there, rows, {sample.sample_id for sample in samples})
    counted = _left_to_others(samples, rows) - compute
    same = {key: row.inputs_sha256 for key, row in _rows(there, rows) if key not in compute | counted}
    leave = {key for key, inputs in same.items() if inputs and (unchanged or {}).get(key) == inputs}
    leave |= {key for key in same if rows[key].status == "failed" and not same[key] and key in unread}
    outdated = store._outdated(name)
    leave |= {key for key in same if (unchanged or {}).get(key) in outdated.get(key, ())}
    failed = {key for key in same if rows[key].status == "failed"}
    return Todo(
        samples=tuple(s for s in samples if s.sample_id not in leave | counted),
        skipped=len((leave | counted) - failed),
        failed=_reasons(store, name, failed),
        hashes={key: inputs for key, inputs in same.items() if inputs and key not in leave},
    )


def _rows(samples: Sequence[Sample], rows: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((sample.sample_id, rows[sample.sample_id]) for sample in samples)


def _freed(samples: Sequence[Sample], rows: Mapping[str, Any], mine: set[str]) -> set[str]:
    """Held-back samples whose twin is now linked to them, and linked ones whose row is nowhere."""
    held = {key: row.same_as for key, row in _rows(samples, rows) if row.status == "failed" and row.same_as}
    linked = {key for key, row in _rows(samples, rows) if row.status == "linked"}
    freed = {key for key, other in held.items() if other in rows and _end(other, rows) == key}
    return freed | {key for key in linked if _end(key, rows) not in rows.keys() | mine}


def _left_to_others(samples: Sequence[Sample], rows: Mapping[str, Any]) -> set[str]:
    """Linked samples that count as one which is in the run itself."""
    mine = {sample.sample_id for sample in samples}
    linked = {key for key in mine if key in rows and rows[key].status == "linked"}
    return {key for key in linked if _end(key, rows) in mine - linked}


def _end(key: str, rows: Mapping[str, Any]) -> str:
    """The sample that a chain of links ends at; empty: it is a ring."""
    return end_of(key, lambda at: rows[at].same_as if at in rows and rows[at].status == "linked" else "")


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
