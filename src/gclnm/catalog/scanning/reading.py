"""Headers of many files: what the cache knows is taken, the rest is read, in processes when it is much."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from gclnm.catalog.scanning.cache import Cache
from gclnm.catalog.scanning.records import FileRecord, read_record
from gclnm.catalog.scanning.walk import Tree
from gclnm.progress import track

__all__ = ["read_records"]

FEW = 300
CHUNK = 100
MOST_PROCESSES = 8


def read_records(tree: Tree, cache: Cache, *, progress: bool) -> dict[str, FileRecord]:
    """A record of every file of a tree, in the order of their paths."""
    records = cache.known(tree.root, tree.files)
    missing = [file for file in tree.files if file.path not in records]
    if missing:
        paths = [file.path for file in missing]
        read = track(
            _read(paths, cache.salt), total=len(paths), label="reading headers", unit="file", show=progress
        )
        new = {record.path: record for record in read}
        cache.keep(missing, new)
        records |= new
    return {file.path: records[file.path] for file in tree.files if file.path in records}


def _read(paths: Sequence[str], salt: bytes) -> Iterator[FileRecord]:
    workers = min(os.cpu_count() or 1, MOST_PROCESSES)
    if len(paths) < FEW or workers == 1:
        for path in paths:
            yield read_record(path, salt)
        return
    from joblib import Parallel, delayed

    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    # loky starts fresh interpreters that do not import the user's script: no main guard is needed.
    pool = Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered", idle_worker_timeout=10)
    for records in pool(delayed(_read_chunk)(chunk, salt) for chunk in chunks):
        yield from records


def _read_chunk(paths: Sequence[str], salt: bytes) -> list[FileRecord]:
    return [read_record(path, salt) for path in paths]
