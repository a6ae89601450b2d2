"""Several processes append to one store at the same time, on a folder and on S3: what is lost or doubled.

    python benchmarks/writers.py                 # 4 processes x 50 commits each, on a folder and on S3
    python benchmarks/writers.py --quick         # the same, 3 x 8
    python benchmarks/writers.py --place s3      # one place only

S3 is moto's server on loopback (pip install gclnm[test]). "own rows": each process brings rows of its own;
"same rows": all offer the same rows at once, and each must be there once. "lost": rows that the store
acknowledged, by returning from append, and does not hold; "doubled": rows that it holds more than once;
"wrong": rows whose values are not, bit by bit, those that were offered.
The second table is a writer on S3 whose connections are dropped at random moments and which is cut off for
seconds at a time; it offers a row again until the row is acknowledged.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from victims import recipe, row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SET = "writers"
LIMIT_S = 900.0


def objectstore() -> ModuleType:
    """The server and the wire of the tests."""
    path = Path(__file__).parents[1] / "tests" / "store" / "objectstore.py"
    spec = importlib.util.spec_from_file_location("objectstore", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Writer:
    """A process that waits to be let go, appends, and says what was acknowledged."""

    def __init__(self, url: str, first: int, commits: int, more: dict[str, str]) -> None:
        command = [sys.executable, __file__, "--write", url, str(first), str(commits)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | more
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        """Let it start."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> list[dict[str, Any]]:
        """What it was told: keys, commits, and appends that failed."""
        out, _ = self.process.communicate(timeout=LIMIT_S)
        if self.process.returncode:
            raise RuntimeError(f"a writer ended with code {self.process.returncode}")
        return [json.loads(line) for line in out.splitlines()]


def write(url: str, first: int, commits: int) -> None:
    """One commit a row, each offered until it is acknowledged."""
    from gclnm.errors import StoreError
    from gclnm.store.store import open_store

    made_by = recipe()
    rows = [row(number, 1, made_by) for number in range(first, first + commits)]
    print("ready", flush=True)
    sys.stdin.readline()
    store = None
    for one in rows:
        while True:
            try:
                store = store or open_store(url)
                commit = store.append(SET, made_by, [one])
                break
            except StoreError as error:
                print(json.dumps({"failed": error.code}), flush=True)
        print(json.dumps({"key": one.sample_id, "commit": commit}), flush=True)


def concurrent(place: str, url: str, processes: int, commits: int, same: bool, more: dict[str, str]) -> str:
    """One line of the table: processes that write at once."""
    writers = [Writer(url, 0 if same else 10_000 * n, commits, more) for n in range(processes)]
    begin = time.perf_counter()
    for writer in writers:
        writer.go()
    said = [line for writer in writers for line in writer.end()]
    seconds = time.perf_counter() - begin
    lost, doubled, wrong, history = judge(url, said)
    acknowledged = {line["commit"] for line in said if line.get("commit")}
    what = "same rows" if same else "own rows"
    cells = (place, what, processes, processes * commits, len(acknowledged), len(acknowledged & history))
    return line_of(*cells, lost, doubled, wrong, f"{seconds:.1f}")


@contextlib.contextmanager
def breaking(wire: Any, chance: random.Random, longest_s: float = 0.5) -> Iterator[list[float]]:
    """A wire that breaks at random moments, every fifth time for seconds; when it did is in the list.

    It holds for ``longest_s`` at most.
    """
    stop, times = threading.Event(), []

    def cut() -> None:
        while not stop.wait(chance.uniform(0.02, longest_s)):
            wire.cut = chance.random() < 0.2
            wire.drop()
            times.append(time.perf_counter())
            if wire.cut:
                stop.wait(chance.uniform(0.5, 8.0))
                wire.cut = False

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        yield times
    finally:
        stop.set()
        cutter.join()
        wire.cut = False


def broken_network(server: Any, commits: int) -> str:
    """One line of the table: a writer whose network breaks."""
    module = objectstore()
    wire = module.Wire(server.port)
    url = f"s3://{module.BUCKET}/{uuid.uuid4().hex}"
    writer = Writer(url, 0, commits, module.environment(wire.url))
    writer.go()

    begin = time.perf_counter()
    with breaking(wire, random.Random(1)) as times:
        said = writer.end()
    seconds = time.perf_counter() - begin
    os.environ.update(module.environment(wire.url))
    lost, doubled, wrong, _ = judge(url, said)
    failed = sum("failed" in line for line in said)
    wire.close()
    cells = ("connections dropped", len(times), len(said) - failed, failed)
    return line_of(*cells, lost, doubled, wrong, f"{seconds:.1f}")


def judge(url: str, said: Sequence[dict[str, Any]]) -> tuple[int, int, int, set[str]]:
    """Rows lost, rows doubled, rows with wrong values, and the commits of the history."""
    from gclnm.store.store import open_store

    store = open_store(url, mode="r")
    known = set(store.keys(SET)["sample_id"])
    acknowledged = {line["key"] for line in said if "key" in line}
    sets = store.sets().set_index("set").loc[SET]
    everything = int(sets[["rows", "failed", "replaced"]].sum())
    data, made_by = store.read(SET), recipe()
    keys = data["sample_id"].values.tolist()
    right = [row(int(key.removeprefix("key-")), 1, made_by).values for key in keys]
    wrong = sum(not np.array_equal(*pair) for pair in zip(data["value"].values.tolist(), right, strict=True))
    doubled = max(everything, len(keys)) - len(known)
    return len(acknowledged - known), doubled, wrong, set(store.log()["commit"])


def line_of(*cells: object) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def head(*names: str) -> str:
    """The head of a Markdown table."""
    return f"{line_of(*names)}\n{line_of(*('---' for _ in names))}"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 processes x 8 commits")
    parser.add_argument("--place", choices=("folder", "s3"), action="append")
    parser.add_argument("--write", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        url, first, commits = asked.write
        write(url, int(first), int(commits))
        return
    places = asked.place or ["folder", "s3"]
    processes, commits = (3, 8) if asked.quick else (4, 50)
    module = objectstore()
    with tempfile.TemporaryDirectory() as folder:
        server = module.Server(Path(folder) / "server.log") if "s3" in places else None
        more = module.environment(server.url) if server else {}
        os.environ.update(more)
        names = ("place", "rows", "processes", "offered", "acknowledged commits", "of them in history")
        print(head(*names, "rows lost", "rows doubled", "rows wrong", "seconds"))
        try:
            for place in places:
                for same in (False, True):
                    url = f"s3://{module.BUCKET}/{uuid.uuid4().hex}" if place == "s3" else f"{folder}/{same}"
                    print(concurrent(place, url, processes, commits, same, more), flush=True)
            if server:
                names = ("fault", "times", "rows acknowledged", "appends that failed")
                print("\n" + head(*names, "rows lost", "rows doubled", "rows wrong", "seconds"))
                print(broken_network(server, 10 if asked.quick else 40), flush=True)
        finally:
            if server:
                server.close()


if __name__ == "__main__":
    main()
