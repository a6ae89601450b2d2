"""The order of a run: large tasks first, a small window in flight, second chances alone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import CancelledError
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol, TypeAlias

from distributed.scheduler import KilledWorker

from gclnm.cohort.tasks import Task
from gclnm.errors import ClusterError, EngineError, GclnmError

if TYPE_CHECKING:
    from gclnm.cohort.tasks import Reply

__all__ = ["Outcome", "finished_tasks"]

PER_WORKER = 3
MOST_PER_WORKER = 32
AHEAD_S = 0.5
Outcome: TypeAlias = "tuple[Task, Reply | GclnmError]"


class Future(Protocol):
    """The part of Dask's and of the standard library's futures that is used here."""

    def add_done_callback(self, fn: Callable[[Future], object], /) -> object: ...

    def result(self) -> Reply: ...

    def cancel(self) -> object: ...


def finished_tasks(
    tasks: Sequence[Task],
    submit: Callable[[Task], Future],
    *,
    workers: Callable[[], int],
    alive: Callable[[], bool],
    stop: Callable[[], bool] = lambda: False,
    tick_s: float = 1.0,
) -> Generator[Outcome | None, None, None]:
    """Yield each task with what the worker sent or the error that stands for it, as they finish.

    A few tasks per worker are in flight, so that memory stays flat and a dying worker takes few with
    it. A task whose worker died is cut into single samples, which run once more at the end, one at a
    time with nothing beside them: the guilty one alone then fails. Two ticks pass before, so that the
    scheduler has noticed all that died at the same time: a second chance on one of these is none.

    Parameters
    ----------
    tasks
        In the order to be started.
    submit
        Starts one task.
    workers
        How many processes compute now (asked again as a run goes on: clusters grow).
    alive
        Whether there is any hope that more results come; asked at every tick.
    stop
        Whether the user wants the run to end; asked between two results, and at every tick.
    tick_s
        None is yielded after so many seconds without news, so that the caller can commit in time.

    Raises
    ------
    ClusterError
        When the scheduler or all workers are gone.
    KeyboardInterrupt
        When ``stop`` says so.
    """
    waiting, suspects = deque(tasks), deque[Task]()
    flying: dict[int, tuple[Task, Future]] = {}
    landed: SimpleQueue[int] = SimpleQueue()
    number = 0
    calm = 0.0
    window = _Window(workers)
    try:
        while waiting or suspects or flying:
            if stop():
                raise KeyboardInterrupt
            while (waiting and len(flying) < window.size()) or (
                suspects and not flying and time.monotonic() >= calm
            ):
                task = (waiting or suspects).popleft()
                try:
                    future = submit(task)
                except Exception:
                    if alive():
                        raise
                    raise _lost() from None
                flying[number] = (task, future)
                future.add_done_callback(lambda _, number=number: landed.put(number))  # type: ignore[misc]
                number += 1
                if task.alone:
                    break
            try:
                task, future = flying.pop(landed.get(timeout=tick_s))
            except Empty:
                if not alive():
                    raise _lost() from None
                yield None
                continue
            window.landed()
            outcome = _outcome(task, future)
            if outcome is None or isinstance(outcome, ClusterError):
                calm = time.monotonic() + 2 * tick_s
            if outcome is None:
                suspects.extend(task.split())
            else:
                yield task, outcome
    finally:
        _cancel(future for _, future in flying.values())


class _Window:
    """How many tasks may be in flight: a few per worker, more while they are short.

    A worker that is done waits for the way to the client and back. Half a second of work in flight
    covers that; so many tasks are lost, and computed again, when it dies. Workers are asked for, and
    the pace is taken, every few seconds.
    """

    def __init__(self, workers: Callable[[], int], every_s: float = 2.0) -> None:
        self._workers, self._every_s = workers, every_s
        self._size, self._landed = 0, 0
        self._asked = self._due = float("-inf")

    def landed(self) -> None:
        self._landed += 1

    def size(self) -> int:
        now = time.monotonic()
        if now >= self._due:
            workers = max(1, self._workers())
            pace = self._landed / (now - self._asked)
            self._size = min(max(PER_WORKER * workers, round(AHEAD_S * pace)), MOST_PER_WORKER * workers)
            self._asked, self._due, self._landed = now, now + self._every_s, 0
        return self._size


def _outcome(task: Task, future: Future) -> Reply | GclnmError | None:
    """The reply, or the error to store; None when the worker died and the samples get a second try."""
    try:
        return future.result()
    except KilledWorker:
        if not task.alone:
            return None
        return ClusterError(
            "the worker process died while it computed this sample, twice; most often memory ran out",
            code="worker-died",
        )
    except CancelledError:
        raise _lost() from None
    except Exception as error:
        # Its text is another library's and may hold paths: the type alone is kept.
        return EngineError(f"{type(error).__name__} on the way to or from the worker", code="internal")


def _lost() -> ClusterError:
    return ClusterError("the Dask scheduler or all of its workers went away", code="cluster-lost")


def _cancel(futures: Iterable[Future]) -> None:
    for future in futures:
        try:
            future.cancel()
        except Exception:  # The cluster may be gone; there is nothing left to stop then.
            return
