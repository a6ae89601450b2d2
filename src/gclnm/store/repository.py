"""The Icechunk repository under a store: opening it, its lock, one atomic commit at a time."""

from __future__ import annotations

import atexit
import inspect
import re
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

import icechunk
import zarr

from gclnm.errors import InputError, StoreError
from gclnm.store.layout import FORMAT, FORMAT_KEY, versions

__all__ = ["Note", "Repository", "open_repository"]

Mode = Literal["a", "r"]
BRANCH = "main"
LOCK_FILE = "gclnm.lock"
UNFINISHED = ".gclnm-new-"
LOCK_SECONDS = 300.0
TRIES = 50
# Both dependency lines read format 1 of Icechunk; the newer one writes 2 unless told otherwise.
ICECHUNK_FORMAT = 1

# Icechunk warns about local folders at every opening; the lock here is what it asks for.
icechunk.set_logs_filter("error")
# Icechunk's threads may still be letting go of Python objects when the interpreter ends, which aborts the
# process (measured: 6 of 40 times with icechunk 1.1, never after a pause of 5 ms).
atexit.register(time.sleep, 0.05)

_in_memory: dict[str, Repository] = {}
_in_memory_guard = threading.Lock()


@dataclass(frozen=True)
class Note:
    """What a commit did: its sentence in the history, and the same as numbers."""

    message: str
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Repository:
    """An opened Icechunk repository with its place, its lock and whether it may be written."""

    url: str
    repo: Any
    lock: AbstractContextManager[Any]
    writable: bool

    def tip(self) -> str:
        """Id of the newest commit."""
        return str(self.repo.lookup_branch(BRANCH))

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

    def commit(self, change: Callable[[zarr.Group], Note | None]) -> str | None:
        """Apply ``change`` to the newest state under the lock and commit it; None when it changed nothing.

        A conflict with a writer that the lock does not reach (object storage) starts over from the
        writer's commit, so ``change`` sees its rows.
        """
        with self.writing():
            for _ in range(TRIES):
                try:
                    session = self.repo.writable_session(BRANCH)
                    note = change(zarr.open_group(session.store, mode="a"))
                    if note is None or not session.has_uncommitted_changes:
                        return None
                    return str(session.commit(note.message, metadata=note.record))
                except icechunk.ConflictError:
                    continue
                # A full disk shows while chunks are written as well as at the commit.
                except (icechunk.IcechunkError, OSError) as error:
                    raise StoreError(
                        "a commit could not be written; the store holds what it held before",
                        where=self.url,
                        fix=f"Look at free space, permissions and network ({_first_line(error)}).",
                        code="commit-failed",
                    ) from error
        raise StoreError(f"another writer was faster {TRIES} times in a row", where=self.url, code="conflict")

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
        except PermissionError:
            raise StoreError(
                "the store's lock cannot be written",
                where=self.url,
                fix='Ask for permission to write, or open it with mode="r".',
                code="read-only",
            ) from None
        except Timeout:
            raise StoreError(
                f"another process has held the store's lock for {LOCK_SECONDS:.0f} s",
                where=self.url,
                fix="Wait for the other run, or end it.",
                code="locked",
            ) from None
        try:
            yield
        finally:
            self.lock.__exit__(None, None, None)


def open_repository(url: str | PathLike[str], mode: Mode, storage: Any = None) -> Repository:
    """Open, or in mode "a" make, the repository at a folder, in memory or on a given storage."""
    if mode not in ("a", "r"):
        raise InputError(f"mode is {mode!r}", fix='Use "a" (read and append) or "r" (read only).')
    place = fspath(url)
    if storage is not None:
        return _prepared(place, storage, threading.RLock(), mode)
    scheme, _, rest = place.partition("://")
    if scheme == "memory" and "://" in place:
        return _open_in_memory(rest, mode)
    if "://" in place:
        raise InputError(
            f"a store cannot be opened at a {scheme}:// address by itself",
            where=place,
            fix="Give a folder or memory://, or pass storage=, for example icechunk.s3_storage(...).",
        )
    return _open_folder(Path(place).expanduser(), mode)


def _open_in_memory(name: str, mode: Mode) -> Repository:
    with _in_memory_guard:
        if name not in _in_memory or not name:
            made = _prepared(f"memory://{name}", icechunk.in_memory_storage(), threading.RLock(), "a")
            if not name:
                return made
            _in_memory[name] = made
        known = _in_memory[name]
    return Repository(known.url, known.repo, known.lock, writable=mode == "a")


def _open_folder(path: Path, mode: Mode) -> Repository:
    from filelock import FileLock

    url = str(path)
    if path.exists() and not path.is_dir():
        raise _not_a_store(url, "it is a file")
    inside = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    inside = {name for name in inside if name != LOCK_FILE and not name.startswith(UNFINISHED)}
    if not inside and mode == "r":
        raise StoreError(
            "there is no store here",
            where=url,
            fix='Look at the path; mode="a" makes a store.',
            code="no-store",
        )
    if inside and not inside & {"refs", "snapshots", "repo"}:
        raise _not_a_store(url, "the folder holds other files")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError("a store cannot be made here", where=url, fix=f"{error.strerror}.") from error
    lock = FileLock(path / LOCK_FILE, timeout=LOCK_SECONDS)
    return _prepared(url, icechunk.local_filesystem_storage(str(path.resolve())), lock, mode, path)


def _prepared(
    url: str, storage: Any, lock: AbstractContextManager[Any], mode: Mode, path: Path | None = None
) -> Repository:
    """The repository on a storage, made and marked as a store of gclnm where it is new."""
    repo = _open_existing(url, storage)
    if repo is None and mode == "r":
        raise _not_a_store(url, "it holds no Icechunk repository")
    if repo is None:
        with Repository(url, None, lock, writable=True).writing():
            # Another process may have been first.
            repo = _open_existing(url, storage) or _create(url, storage, path)
    opened = Repository(url, repo, lock, writable=mode == "a")
    if opened.writable and _is_blank(opened):
        opened.commit(_mark)
    _check_format(opened)
    return opened


def _open_existing(url: str, storage: Any) -> Any:
    """The repository on a storage; None where there is none."""
    try:
        return icechunk.Repository.open(storage)
    except icechunk.IcechunkError as error:
        if "upgrade" in str(error):
            raise _newer(url, "Icechunk") from None
        if "doesn't exist" in str(error):
            return None
        raise StoreError("the store cannot be opened", where=url, fix=f"{_first_line(error)}.") from error


def _create(url: str, storage: Any, path: Path | None) -> Any:
    """A new repository, in the format that every supported Icechunk reads."""
    known = inspect.signature(icechunk.Repository.create).parameters
    options: dict[str, Any] = {"spec_version": ICECHUNK_FORMAT} if "spec_version" in known else {}
    try:
        if path is None:
            return icechunk.Repository.create(storage, **options)
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
        return icechunk.Repository.open(storage)
    except (icechunk.IcechunkError, OSError) as error:
        raise StoreError("a store cannot be made here", where=url, fix=f"{_first_line(error)}.") from error


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
    if not isinstance(found, int):
        raise _not_a_store(repository.url, "it is an Icechunk repository of something else")
    if found > FORMAT:
        raise _newer(repository.url, "gclnm")


def _not_a_store(url: str, why: str) -> StoreError:
    return StoreError(
        "this is not a store of gclnm", where=url, fix=f"Give another path ({why}).", code="not-a-store"
    )


def _newer(url: str, what: str) -> StoreError:
    return StoreError(
        f"the store was written by a newer version of {what}",
        where=url,
        fix=f"Upgrade {what.lower()} to read it.",
        code="newer-format",
    )


def _first_line(error: Exception) -> str:
    """Icechunk's own words without its trace."""
    return re.sub(r"^[\s×x]+", "", str(error).split("\n")[0]).strip() or type(error).__name__
