"""The Icechunk repository under a store: its lock, one atomic commit at a time."""

from __future__ import annotations

import atexit
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import icechunk
import zarr

from gclnm.errors import StoreError
from gclnm.store import places, s3

__all__ = ["Note", "Repository", "first_line"]

T = TypeVar("T")
BRANCH = "main"
# How long a writer goes on that other writers overtake.
OVERTAKEN_SECONDS = 600.0
# Icechunk lets no commit be older than the one before. A writer whose clock is behind another one's by no
# more than this waits for it.
SKEW_SECONDS = 60.0
# How many opened sets are kept.
KEPT = 4
# Key of a commit's record that tells whose it is when the answer to it was lost.
ATTEMPT = "attempt"

# Icechunk warns about local folders at every opening, where the lock here is what it asks for, and prints
# the errors that it raises.
icechunk.set_logs_filter("off")
# Icechunk's threads may still be letting go of Python objects when the interpreter ends, which aborts the
# process (measured: 6 of 40 times with icechunk 1.1, never after a pause of 5 ms).
atexit.register(time.sleep, 0.05)


@dataclass(frozen=True)
class Note:
    """What a commit did: its sentence in the history, and the same as numbers."""

    message: str
    record: dict[str, Any] = field(default_factory=dict)


class _ClockBehindError(Exception):
    """This machine's clock has yet to reach the time of the newest commit."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds)


@dataclass(frozen=True)
class Repository:
    """An opened Icechunk repository with its place, its lock and whether it may be written."""

    url: str
    repo: Any
    lock: AbstractContextManager[Any]
    writable: bool
    patience: float | None = None
    _kept: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def tip(self) -> str:
        """Id of the newest commit."""
        return str(self._ask(lambda: self.repo.lookup_branch(BRANCH)))

    def store(self, snapshot: str) -> Any:
        """The zarr store of one commit, to read from."""
        return self._ask(lambda: self.repo.readonly_session(snapshot_id=snapshot).store)

    def root(self, snapshot: str) -> zarr.Group:
        """The root group of one commit, to read from."""
        store = self.store(snapshot)
        return self._ask(lambda: zarr.open_group(store, mode="r"))

    def kept(self, snapshot: str, name: str, make: Callable[[], T]) -> T:
        """What was made of a part of a commit, which never changes; that of the last few is kept."""
        made: T | None = self._kept.get((snapshot, name))
        if made is None:
            made = make()
            for old in list(self._kept)[: 1 - KEPT]:
                self._kept.pop(old, None)
            self._kept[snapshot, name] = made
        return made

    def ancestry(self, snapshot: str | None = None) -> Iterator[Any]:
        """Commits from the newest (or the given one) to the first."""
        place = {"snapshot_id": snapshot} if snapshot else {"branch": BRANCH}
        commits = self._ask(lambda: iter(self.repo.ancestry(**place)))
        while (commit := self._ask(lambda: next(commits, None))) is not None:
            yield commit

    def tags(self) -> dict[str, str]:
        """Commit of every tag."""
        names = self._ask(lambda: sorted(self.repo.list_tags()))
        return {name: str(self._ask(partial(self.repo.lookup_tag, name))) for name in names}

    def tag(self, name: str) -> str:
        """Give the newest commit a name; the commit's id."""
        with self.writing():
            commit, refusal = self.tip(), None
            if name not in self.tags():
                try:
                    self._answer(lambda _: self.repo.create_tag(name, snapshot_id=commit))
                    return commit
                except (icechunk.IcechunkError, ValueError) as error:
                    refusal = error
            # Another writer was faster; or this one was, and the answer to it was lost.
            held = self.tags().get(name)
            if refusal is not None and held == commit:
                return commit
        if held is None:
            raise self._refused("the tag could not be written", refusal) from refusal
        raise StoreError(
            "the tag exists and never moves",
            where=f"{name} -> {held}",
            fix="Use another name.",
            code="tag-exists",
        )

    def commit(self, change: Callable[[zarr.Group], Note | None]) -> str | None:
        """Apply ``change`` to the newest state under the lock and commit it; None when it changed nothing.

        A conflict with a writer that the lock does not reach (object storage) starts over from the
        writer's commit, so ``change`` sees its rows.
        """
        with self.writing():
            until = time.monotonic() + OVERTAKEN_SECONDS
            while (begin := time.monotonic()) < until:
                try:
                    return self._answer(lambda given_up: self._attempt(change, given_up))
                except icechunk.ConflictError:
                    # At random, so that writers fall out of step; by no more than the try has taken, as
                    # one that pauses longer each time is overtaken ever more often.
                    time.sleep(random.uniform(0, time.monotonic() - begin))
                except _ClockBehindError as behind:
                    time.sleep(behind.seconds)
        raise StoreError(
            f"other writers have been faster for {_span(OVERTAKEN_SECONDS)}",
            where=self.url,
            fix="Let fewer processes write at once, or commit more rows at a time.",
            code="conflict",
        )

    def _attempt(self, change: Callable[[zarr.Group], Note | None], given_up: threading.Event) -> str | None:
        mark, asked = uuid.uuid4().hex, False
        try:
            session = self.repo.writable_session(BRANCH)
            base = session.snapshot_id
            note = change(zarr.open_group(session.store, mode="a"))
            if note is None or not session.has_uncommitted_changes or given_up.is_set():
                return None
            asked = True
            return str(session.commit(note.message, metadata={**note.record, ATTEMPT: mark}))
        # A full disk shows while chunks are written as well as at the commit.
        except (icechunk.ConflictError, icechunk.IcechunkError, OSError) as error:
            # An answer that was lost looks like a failure, and like a conflict when Icechunk has asked again.
            done = self._written(mark, base, error) if asked else None
            if done is not None:
                return done
            if isinstance(error, icechunk.ConflictError):
                raise
            if "snapshot timestamp" in str(error):
                raise self._wrong_clock(behind="ordering" in str(error)) from error
            what = "a commit could not be written; the store holds what it held before"
            raise self._refused(what, error) from error

    def _written(self, mark: str, base: str, error: Exception) -> str | None:
        """The commit since ``base`` that has this mark."""
        try:
            for snapshot in self.ancestry():
                if snapshot.metadata.get(ATTEMPT) == mark:
                    return str(snapshot.id)
                if snapshot.id == base:
                    break
        except StoreError:
            raise StoreError(
                "the storage was lost during a commit, which may have arrived or not",
                where=self.url,
                fix="Run again when it is back: rows that arrived are known and are not written twice.",
                code="commit-unknown",
            ) from error
        return None

    def _wrong_clock(self, behind: bool) -> Exception:
        """What to raise for a commit that is older than the one before, or far from the storage's time."""
        if not behind:
            return StoreError(
                "this machine's clock and the storage's are more than ten minutes apart",
                where=self.url,
                fix="Set the clock.",
                code="clock",
            )
        seconds = (next(self.ancestry()).written_at - datetime.now(UTC)).total_seconds()
        if seconds <= SKEW_SECONDS:
            return _ClockBehindError(max(seconds, 0.0) + 0.01)
        return StoreError(
            f"this machine's clock is {_span(seconds)} behind the newest commit",
            where=self.url,
            fix="Set the clock; if it was wrong when that commit was made, merge the store into a new one.",
            code="clock",
        )

    def _refused(self, what: str, error: Exception | None) -> StoreError:
        known = s3.words(error) if error and self.url.startswith("s3://") else None
        why = f"Look at free space, permissions and network ({first_line(error)})."
        if known:
            why = f"{known[0].capitalize()}. {known[1]}"
        return StoreError(what, where=self.url, fix=why, code="commit-failed")

    def _ask(self, question: Callable[[], T]) -> T:
        """The answer to a question that changes nothing."""
        try:
            return self._answer(lambda _: question())
        except icechunk.IcechunkError as error:
            what, fix = s3.words(error) or ("the store cannot be read", f"{first_line(error)}.")
            raise StoreError(what, where=self.url, fix=fix, code="storage") from error

    def _answer(self, call: Callable[[threading.Event], T]) -> T:
        return s3.answered(call, self.patience, self.url)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store's lock: one writer at a time, among threads and processes."""
        from filelock import Timeout

        if not self.writable:
            raise StoreError(
                "the store was opened to read only",
                where=self.url,
                fix='Open it with mode="a".',
                code="read-only",
            )
        try:
            self.lock.__enter__()
        except Timeout:
            raise StoreError(
                f"another process has held the store's lock for {places.LOCK_SECONDS:.0f} s",
                where=self.url,
                fix="Wait for the other run, or end it.",
                code="locked",
            ) from None
        except OSError as error:
            raise StoreError(
                f"the store's lock cannot be written ({error.strerror or 'no locks here'})",
                where=self.url,
                fix='Ask for permission to write, or open it with mode="r".',
                code="read-only",
            ) from None
        try:
            yield
        finally:
            self.lock.__exit__(None, None, None)


def _span(seconds: float) -> str:
    """A time span in its largest unit."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def first_line(error: BaseException | None) -> str:
    """Icechunk's own words without its trace."""
    return re.sub(r"^[\s×x]+", "", str(error).split("\n")[0]).strip() or type(error).__name__
