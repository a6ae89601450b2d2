"""The books of a run: every sample sent out comes back as one checked row, done, unchanged or failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gclnm.cohort.commits import Commits
from gclnm.cohort.same_images import image_of
from gclnm.counts import count
from gclnm.errors import EngineError, GclnmError
from gclnm.schemas.features import check_rows

if TYPE_CHECKING:
    from gclnm.cohort.resume import Todo
    from gclnm.cohort.tasks import Reply
    from gclnm.images.sample import Sample
    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe
    from gclnm.store.links import Taken

__all__ = ["Ledger"]


class Ledger:
    """Checks what workers return, hands it to the commits and counts what the store made of it.

    Parameters
    ----------
    offer
        Offers rows to the store: what it has taken of them.
    work
        What the run set out to do: a row that comes back with the digest it was compared with is
        unchanged and not written again.
    remember
        Told the key and the input hash of every row that is, or will be, in the store; an empty hash
        when nothing of the sample could be read.
    """

    def __init__(
        self,
        recipe: Recipe,
        offer: Callable[[Sequence[Row]], Taken],
        work: Todo,
        remember: Callable[[str, str], None] = lambda key, inputs: None,
    ) -> None:
        table = recipe.feature_table()
        self._features, self._diagnostics = tuple(recipe.features), tuple(recipe.diagnostics)
        self._lower = table["lower"].to_numpy(dtype=np.float64, na_value=np.nan)
        self._upper = table["upper"].to_numpy(dtype=np.float64, na_value=np.nan)
        self._offer, self._work, self._remember = offer, work, remember
        self._order = {sample.sample_id: index for index, sample in enumerate(work.samples)}
        self.commits = Commits(self._commit)
        self.done = 0
        """Rows that commits of this run have brought into the store."""
        self.unchanged = 0
        """Rows that were there already, also those that another run has just written."""
        self.replaced = 0
        """Rows of this run, computed or failed, that took the place of earlier ones."""
        self.failed: dict[str, tuple[str, str]] = {}
        """By key: the reason, and what to do about it."""
        self.images: dict[str, str] = {}
        """By key: what tells the image of a computed row from others."""
        self.recovered: set[str] = set()
        """Samples that failed before and did not now."""
        self.peak_mb: dict[str, float] = {}
        """By worker: the most memory that it has taken."""

    def enter(self, samples: Sequence[Sample], reply: Reply | GclnmError) -> None:
        """Take what came back for these samples: a worker's reply, or the error that stands for them."""
        if isinstance(reply, GclnmError):
            return self._enter(samples, reply)
        self.peak_mb[reply.worker] = max(reply.peak_mb, self.peak_mb.get(reply.worker, 0.0))
        return self._enter(samples, reply.outcome)

    def _enter(self, samples: Sequence[Sample], outcome: Sequence[Row] | GclnmError) -> None:
        rows = list(self._complete(samples, outcome))
        for row in rows:
            if row.status == "failed":
                self.failed[row.sample_id] = (row.reason, row.fix)
            elif image := image_of(row.history):
                self.images[row.sample_id] = image
            self._remember(row.sample_id, row.inputs_sha256)
        same = {row.sample_id for row in rows if self._is_unchanged(row)}
        self.unchanged += len(same.difference(self._work.failed))
        self.commits.add([row for row in rows if row.sample_id not in same])

    def _commit(self, rows: Sequence[Row]) -> str | None:
        """Offer rows in the order of the samples: of two that are the same the first one counts."""
        taken = self._offer(sorted(rows, key=lambda row: self._order[row.sample_id]))
        computed = {row.sample_id for row in rows if row.status == "ok"}
        for row in taken.refused:
            self.failed[row.sample_id] = (row.reason, row.fix)
        computed -= {row.sample_id for row in taken.refused}
        self.done += len(computed & taken.written)
        self.unchanged += len(computed - taken.written)
        self.replaced += taken.replaced
        self.recovered |= computed
        return taken.commit

    def tick(self) -> None:
        """Commit what has waited long enough."""
        self.commits.add([])

    def close(self) -> str:
        """Commit what waits, and say in words what was committed."""
        self.commits.flush()
        return self.committed()

    def committed(self) -> str:
        """What is in the store by now, in words; rows that wait are not."""
        waiting = sum(row.status == "failed" for row in self.commits.waiting)
        return f"committed {count(self.done, 'row')} done and {len(self.failed) - waiting} failed"

    def _is_unchanged(self, row: Row) -> bool:
        return row.status != "failed" and self._work.hashes.get(row.sample_id) == row.inputs_sha256

    def _complete(self, samples: Sequence[Sample], outcome: Sequence[Row] | GclnmError) -> Iterator[Row]:
        """One row per sample, whatever came back."""
        rows = {} if isinstance(outcome, GclnmError) else {row.sample_id: row for row in outcome}
        silent = EngineError("the worker returned no row for this sample", code="internal")
        for sample in samples:
            row = rows.get(sample.sample_id)
            if row is None:
                yield self._failed(sample, outcome if isinstance(outcome, GclnmError) else silent)
            else:
                # Without values to be checked; one that nobody asked to compare is refused below.
                yield row if row.status == "unchanged" and self._is_unchanged(row) else self._checked(row)

    def _checked(self, row: Row) -> Row:
        """The row, or a failed one when values are missing or impossible: it must not stop the others."""
        try:
            check_rows([row], self._features, self._diagnostics, self._lower, self._upper)
        except GclnmError as error:
            empty = np.full(len(self._features), np.nan)
            return replace(row, status="failed", reason=error.reason, fix=error.fix, values=empty)
        return row

    def _failed(self, sample: Sample, error: GclnmError) -> Row:
        from gclnm.pipeline import Row

        return Row(
            sample_id=sample.sample_id,
            coords=dict(sample.coords),
            status="failed",
            reason=error.reason,
            values=np.full(len(self._features), np.nan),
            diagnostics=np.full(len(self._diagnostics), np.nan),
            inputs_sha256="",
            history="{}",
            seconds=0.0,
            fix=error.fix,
        )
