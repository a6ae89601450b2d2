"""A small database in the user's cache folder: without a writable folder, or damaged, it is empty."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

__all__ = ["Database"]

T = TypeVar("T")


class Database:
    """One SQLite file that only its user can read. What it holds can always be learnt again.

    Parameters
    ----------
    file
        The file; made when first written, replaced if damaged.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are kept when the block ends without an error."""
        connection = sqlite3.connect(self.file, timeout=5.0)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T | None:
        """Apply a change, to a new file where the old one is damaged; None when it cannot be written."""
        try:
            return self._written(change)
        except (sqlite3.OperationalError, OSError):
            return None  # locked or read-only
        except (sqlite3.DatabaseError, ValueError):
            with contextlib.suppress(OSError, sqlite3.Error):
                self.file.unlink(missing_ok=True)
                return self._written(change)
            return None

    def _written(self, change: Callable[[sqlite3.Connection], T]) -> T:
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.file.exists():
            self.file.touch(mode=0o600)
        with self.open() as database:
            return change(database)
