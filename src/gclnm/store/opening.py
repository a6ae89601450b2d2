"""Opening a store: the repository of a place, made and marked as a store of gclnm where it is new."""

from __future__ import annotations

import inspect
import shutil
import tempfile
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import icechunk
import zarr

from gclnm.errors import InputError, StoreError
from gclnm.store import s3
from gclnm.store.layout import FORMAT, FORMAT_KEY, versions
from gclnm.store.places import UNFINISHED, Place, is_empty, not_a_store, place_of
from gclnm.store.repository import Note, Repository, first_line

__all__ = ["Mode", "open_repository"]

Mode = Literal["a", "r"]
# How long another process may take from the first object of a new store to the last.
MAKING_SECONDS = 10.0
# Both dependency lines read format 1 of Icechunk; the newer one writes 2 unless told otherwise.
ICECHUNK_FORMAT = 1


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
        return StoreError("the store cannot be opened", where=place.url, fix=f"{first_line(error)}.")
    known = s3.words(error)
    if known is None:
        # Icechunk 1 begins with a question whose refusal gives no reason; this one gives it.
        try:
            icechunk.Repository.exists(place.storage)
        except icechunk.IcechunkError as second:
            known = s3.words(second)
    what, fix = known or ("the store cannot be opened", f"{first_line(error)}.")
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
            "a store cannot be made here", where=place.url, fix=f"{first_line(error)}."
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
                f"Give another prefix, or empty this one: it holds other objects ({first_line(error)}).",
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
