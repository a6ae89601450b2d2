"""What earlier scans learnt of each file, kept until the file changes."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from gclnm.catalog.scanning.database import Database
from gclnm.catalog.scanning.records import RECORD_VERSION, FileRecord, from_json, to_json
from gclnm.catalog.scanning.walk import FoundFile

__all__ = ["Cache", "cache_file"]

LAST = b"\xff" * 16


def cache_file() -> Path:
    """Where the cache is: in the user's cache folder, or in the folder that GCLNM_CACHE names."""
    folder = os.environ.get("GCLNM_CACHE")
    if folder:
        return Path(folder) / f"scan-{RECORD_VERSION}.sqlite"
    import platformdirs

    return Path(platformdirs.user_cache_dir("gclnm", appauthor=False)) / f"scan-{RECORD_VERSION}.sqlite"


class Cache:
    """Records by path, size and time of change. Without a writable folder, or damaged, it is empty.

    Paths are kept as bytes: names of files need not be UTF-8.

    Parameters
    ----------
    file
        The database; made if absent, replaced if damaged.
    """

    def __init__(self, file: Path) -> None:
        self._database = Database(file)
        self.salt = secrets.token_bytes(16)
        self.salt = self._database.write(self._prepare) or self.salt

    def _prepare(self, database: sqlite3.Connection) -> bytes:
        database.execute(
            "CREATE TABLE IF NOT EXISTS files "
            "(path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, record TEXT) WITHOUT ROWID"
        )
        database.execute("CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, value TEXT)")
        database.execute("INSERT OR IGNORE INTO keys VALUES ('salt', ?)", (self.salt.hex(),))
        (value,) = database.execute("SELECT value FROM keys WHERE name = 'salt'").fetchone()
        return bytes.fromhex(value)

    def known(self, root: Path, files: Iterable[FoundFile]) -> dict[str, FileRecord]:
        """Records of those ``files`` below ``root`` that have not changed since they were read."""
        wanted = {file.path: (file.size, file.mtime_ns) for file in files}
        found: dict[str, FileRecord] = {}
        try:
            with self._database.open() as database:
                rows = database.execute(
                    "SELECT path, size, mtime_ns, record FROM files WHERE path >= ? AND path < ?",
                    (os.fsencode(root), os.fsencode(root) + LAST),
                )
                for name, size, mtime_ns, record in rows:
                    path = os.fsdecode(name)
                    if wanted.get(path) == (size, mtime_ns):
                        with contextlib.suppress(ValueError):
                            found[path] = from_json(record, path)
        except (sqlite3.Error, OSError):
            return {}
        return found

    def keep(self, files: Iterable[FoundFile], records: dict[str, FileRecord]) -> None:
        """Remember new records; files that could not be opened are tried again next time."""
        rows = [
            (os.fsencode(file.path), file.size, file.mtime_ns, to_json(record))
            for file in files
            if (record := records.get(file.path)) is not None and not _transient(record)
        ]
        with contextlib.suppress(sqlite3.Error, OSError), self._database.open() as database:
            database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)


def _transient(record: FileRecord) -> bool:
    return record.error is not None and record.error.code in ("cannot-open", "file-missing")
