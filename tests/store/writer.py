"""A process of its own that appends rows: ``python writer.py STORE FIRST ROWS PER_COMMIT``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from gclnm.store.store import open_store

spec = importlib.util.spec_from_file_location("store_rows", Path(__file__).with_name("conftest.py"))
rows = importlib.util.module_from_spec(spec)
sys.modules["store_rows"] = rows
spec.loader.exec_module(rows)


def main(url: str, first: int, count: int, per_commit: int) -> None:
    recipe = rows.small_recipe()
    make = rows.RowMaker(recipe)
    store = open_store(url)
    for start in range(first, first + count, per_commit):
        store.append("ct", recipe, [make(f"s{i}") for i in range(start, start + per_commit)])
        print(start, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(int(value) for value in sys.argv[2:]))
