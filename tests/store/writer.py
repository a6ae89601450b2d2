"""A process of its own that appends rows: ``python writer.py STORE FIRST ROWS PER_COMMIT [TOGETHER]``.

TOGETHER is a folder: the process says there that it is ready, waits for the file ``go``, and at its end
writes when it held the store's lock.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gclnm.store.repository import Repository
from gclnm.store.store import open_store

spec = importlib.util.spec_from_file_location("store_rows", Path(__file__).with_name("conftest.py"))
rows = importlib.util.module_from_spec(spec)
sys.modules["store_rows"] = rows
spec.loader.exec_module(rows)


def main(url: str, first: int, count: int, per_commit: int, together: Path | None = None) -> None:
    recipe = rows.small_recipe()
    make = rows.RowMaker(recipe)
    starts = range(first, first + count, per_commit)
    batches = [[make(f"s{i}") for i in range(start, start + per_commit)] for start in starts]
    held = record_lock()
    if together:
        wait_for_the_others(together)
    store = open_store(url)
    for start, batch in zip(starts, batches, strict=True):
        store.append("ct", recipe, batch)
        print(start, flush=True)
    if together:
        (together / f"held-{os.getpid()}.json").write_text(json.dumps(held))


def record_lock() -> list[tuple[int, int]]:
    """When the lock was taken and given back from here on, in ns of the machine's clock."""
    held: list[tuple[int, int]] = []
    genuine = Repository.writing

    @contextmanager
    def writing(self: Repository) -> Iterator[None]:
        with genuine(self):
            entered = time.monotonic_ns()
            try:
                yield
            finally:
                held.append((entered, time.monotonic_ns()))

    Repository.writing = writing
    return held


def wait_for_the_others(together: Path) -> None:
    (together / f"ready-{os.getpid()}").touch()
    until = time.monotonic() + 60
    while not (together / "go").exists():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.001)


if __name__ == "__main__":
    main(sys.argv[1], *(int(value) for value in sys.argv[2:5]), *(Path(value) for value in sys.argv[5:]))
