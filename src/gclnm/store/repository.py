"""The Icechunk repository under a store: opening it, its lock, one atomic commit at a time."""

from __future__ import annotations

import atexit
import inspect
import random
import re
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeVar

import icechunk
import zarr

from gclnm.errors import InputError, StoreError
from gclnm.store import places, s3
from gclnm.store.layout import FORMAT, FORMAT_KEY, versions
from gclnm.store.places import UNFINISHED, Place, is_empty, not_a_store, place_of

__all__ = ["Note", "Repository", "open_repository"]

T = TypeVar("T")
Mode = Literal["a", "r"]
BRANCH = "main"
TRIES = 50
# A writer that met another one looks again after a random part of this, doubled each time up to the most.
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 1.0
# Icechunk lets no commit be older than the one before. A writer whose clock is behind another one's by no
# more than this waits for it.
SKEW_SECONDS = 60.0
# How long another process may take from the first object of a new store to the last.
MAKING_SECONDS = 10.0
# Both dependency lines read format 1 of Icechunk; the newer one writes 2 unless told otherwise.
ICECHUNK_FORMAT = 1
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

    def tip(self) -> str:
        """Id of the newest commit."""
        return self._answer(lambda _: str(self.repo.lookup_branch(BRANCH)))

    def store(self, snapshot: str) -> Any:
        """The zarr store of one commit, to read from."""
        return self.repo.readonly_session(snapshot_id=snapshot).store

    def root(self, snapshot: str) -> zarr.Group:
        """The root group of one commit, to read from."""
        return zarr.open_group(self.store(snapshot), mode="r")

    def ancestry(self, snapshot: str | None = None) -> Iterator[Any]:
        """Commits from the newest (or the given one) to the first."""
        place = {"snapshot_id": snapshot} if snapshot else {"branch": BRANCH}
        return iter(self.repo.ancestry(**place))

    def tags(self) -> dict[str, str]:
        """Commit of every tag."""
        return {name: str(self.repo.lookup_tag(name)) for name in sorted(self.repo.list_tags())}

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
            for tried in range(1, TRIES + 1):
                try:
                    return self._answer(lambda given_up: self._attempt(change, given_up))
                except icechunk.ConflictError:
                    time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, PAUSE_SECONDS * 2**tried)))
                except _ClockBehindError as behind:
                    time.sleep(behind.seconds)
        raise StoreError(
            f"another writer was faster {TRIES} times in a row",
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
        except (icechunk.IcechunkError, OSError):
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
        why = f"Look at free space, permissions and network ({_first_line(error)})."
        if known:
            why = f"{known[0].capitalize()}. {known[1]}"
        return StoreError(what, where=self.url, fix=why, code="commit-failed")

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


def open_repository(url: str | PathLike[str], mode: Mode, storage: Any = None) -> Repository:
    """Open, or in mode "a" make, the repository at a folder, on S3, in memory or on a given storage."""
    if mode not in ("a", "r"):
        raise InputError(f"mode is {mode!r}", fix='Use "a" (read and append) or "r" (read only).')
    place = place_of(url, storage)
    # What lives in this process's memory is made by whoever comes first.
    make = mode == "a" or place.url.startswith("memory://")
    if place.folder is not None:
        _look_at_folder(place.folder, place.url, make)
    repo = _open_existing(place)
    if repo is None:
        if not make:
            raise _nothing_there(place)
        with Repository(place.url, None, place.lock, writable=True).writing():
            # Another process may have been first.
            repo = _open_existing(place) or _create(place)
    marking = Repository(place.url, repo, place.lock, make, place.patience)
    if make and _is_blank(marking):
        marking.commit(_mark)
    _check_format(marking)
    return replace(marking, writable=mode == "a")


def _look_at_folder(folder: Path, url: str, make: bool) -> None:
    if not make and is_empty(folder):
        raise StoreError(
            "there is no store here",
            where=url,
            fix='Look at the path; mode="a" makes a store.',
            code="no-store",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError("a store cannot be made here", where=url, fix=f"{error.strerror}.") from error


def _nothing_there(place: Place) -> StoreError:
    if place.url.startswith("s3://"):
        return StoreError(
            "there is no store here",
            where=place.url,
            fix='Look at bucket and prefix; mode="a" makes a store.',
            code="no-store",
        )
    return not_a_store(place.url, "it holds no Icechunk repository")


def _open_existing(place: Place) -> Any:
    """The repository of a place; None where there is none."""
    try:
        return s3.answered(
            lambda _: icechunk.Repository.open(place.storage, config=place.config), place.patience, place.url
        )
    except icechunk.IcechunkError as error:
        if "upgrade" in str(error):
            raise _newer(place.url, "Icechunk") from None
        if "doesn't exist" in str(error):
            return None
        raise _cannot_open(place, error) from error


def _cannot_open(place: Place, error: Exception) -> StoreError:
    if not place.url.startswith("s3://"):
        return StoreError("the store cannot be opened", where=place.url, fix=f"{_first_line(error)}.")
    known = s3.words(error)
    if known is None:
        # Icechunk 1 begins with a question whose refusal gives no reason; this one gives it.
        try:
            icechunk.Repository.exists(place.storage)
        except icechunk.IcechunkError as second:
            known = s3.words(second)
    what, fix = known or ("the store cannot be opened", f"{_first_line(error)}.")
    return StoreError(what, where=place.url, fix=fix, code="storage")


def _create(place: Place) -> Any:
    """A new repository, in the format that every supported Icechunk reads."""
    known = inspect.signature(icechunk.Repository.create).parameters
    options: dict[str, Any] = {"spec_version": ICECHUNK_FORMAT} if "spec_version" in known else {}
    try:
        if place.folder is not None:
            _create_in_folder(place.folder, options)
        else:
            s3.answered(
                lambda _: icechunk.Repository.create(place.storage, **options), place.patience, place.url
            )
    except (icechunk.IcechunkError, OSError) as error:
        if place.folder is None:
            return _made_by_another(place, error)
        raise StoreError(
            "a store cannot be made here", where=place.url, fix=f"{_first_line(error)}."
        ) from error
    return _open_existing(place)


def _create_in_folder(path: Path, options: dict[str, Any]) -> None:
    # Icechunk wants an empty folder, which ours is not: it holds the lock. So the repository is made
    # beside and moved in; the branch, which makes it one, comes last.
    _remove_unfinished(path)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=path) as made:
        icechunk.Repository.create(icechunk.local_filesystem_storage(made), **options)
        files = [file for file in Path(made).rglob("*") if file.is_file()]
        for file in sorted(files, key=lambda file: "refs" in file.parts):
            target = path / file.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def _made_by_another(place: Place, error: Exception) -> Any:
    """The repository that another process was faster to make where no lock tells of it."""
    known = s3.words(error)
    until = time.monotonic() + (0 if known else MAKING_SECONDS)
    while (repo := _open_existing(place)) is None:
        if time.monotonic() > until:
            what, fix = known or (
                "a store cannot be made here",
                f"Give another prefix, or empty this one: it holds other objects ({_first_line(error)}).",
            )
            raise StoreError(what, where=place.url, fix=fix, code="storage") from error
        time.sleep(0.1)
    return repo


def _remove_unfinished(path: Path) -> None:
    """What a process left that was killed while it made the store."""
    for entry in path.glob(f"{UNFINISHED}*"):
        shutil.rmtree(entry, ignore_errors=True)


def _is_blank(repository: Repository) -> bool:
    """Whether nothing was ever committed: made a moment ago, or by a process that was killed then."""
    return len(list(zip(repository.ancestry(), range(2), strict=False))) == 1


def _mark(root: zarr.Group) -> Note | None:
    if FORMAT_KEY in root.attrs:
        return None
    root.attrs.update(
        {
            FORMAT_KEY: FORMAT,
            # Tells this store from others when rows are merged; a copy of the folder is the same store.
            "store_id": uuid.uuid4().hex,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": versions(),
        }
    )
    return Note("create store", {"action": "create store"})


def _check_format(repository: Repository) -> None:
    try:
        found = dict(repository.root(repository.tip()).attrs).get(FORMAT_KEY)
    except FileNotFoundError:
        found = None
    if found is None and _is_blank(repository):
        raise StoreError(
            "there is no store here yet: a process was ended while it made one",
            where=repository.url,
            fix='mode="a" makes it.',
            code="no-store",
        )
    if not isinstance(found, int):
        raise not_a_store(repository.url, "it is an Icechunk repository of something else")
    if found > FORMAT:
        raise _newer(repository.url, "gclnm")


def _newer(url: str, what: str) -> StoreError:
    return StoreError(
        f"the store was written by a newer version of {what}",
        where=url,
        fix=f"Upgrade {what.lower()} to read it.",
        code="newer-format",
    )


def _span(seconds: float) -> str:
    """A time span in its largest unit."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _first_line(error: BaseException | None) -> str:
    """Icechunk's own words without its trace."""
    return re.sub(r"^[\s×x]+", "", str(error).split("\n")[0]).strip() or type(error).__name__
