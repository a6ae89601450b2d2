"""When rows are written: every 256 rows or 60 seconds, whichever comes first, and at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gclnm.pipeline import Row

__all__ = ["Commits"]


class Commits:
    """Collects rows and hands them on in batches; one atomic commit each.

    Parameters
    ----------
    write
        Writes rows and returns the commit's id (None when nothing was new).
    rows, seconds
        A commit waits for so many rows, or until the oldest row has waited so long.
    clock
        Seconds; the process's monotonic clock.

    Examples
    --------
    >>> batches = []
    >>> commits = Commits(lambda rows: batches.append(len(rows)), rows=2)
    >>> commits.add(["a", "b"]), commits.add(["c"]), commits.flush()
    (None, None, None)
    >>> batches
    [2, 1]
    """

    def __init__(
        self,
        write: Callable[[Sequence[Row]], str | None],
        *,
        rows: int = 256,
        seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._rows, self._seconds, self._clock = write, rows, seconds, clock
        self.waiting: list[Row] = []
        """Rows that are not committed yet."""
        self._since = 0.0
        self.last: str | None = None

    def add(self, rows: Sequence[Row]) -> None:
        """Take rows (none: a tick of the clock) and commit when it is time."""
        if not self.waiting:
            self._since = self._clock()
        self.waiting.extend(rows)
        if len(self.waiting) >= self._rows or self._clock() - self._since >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Commit what waits."""
        if self.waiting:
            # Cleared only afterwards: what a failed commit did not take is offered again by the next.
            self.last = self._write(self.waiting) or self.last
            self.waiting = []
