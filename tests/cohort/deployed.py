"""Scheduler and workers as Dask's own command line starts them, and what is preloaded into workers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from distributed import Client

SLOW = """
import time
from gclnm import pipeline

real = getattr(pipeline, "real", pipeline.run)  # Dask loads a preload twice.
pipeline.real = real

def run(samples, recipe, known=None):
    if samples[0].coords["patient_id"] != "p0":
        time.sleep({seconds})
    return real(samples, recipe, known)

pipeline.run = run
"""

POISON = """
import os
from gclnm import pipeline

real = getattr(pipeline, "real", pipeline.run)
pipeline.real = real

def run(samples, recipe, known=None):
    if any(sample.coords["patient_id"] == "p1" for sample in samples):
        os._exit(1)
    return real(samples, recipe, known)

pipeline.run = run
"""


@dataclass
class Deployed:
    """The processes of a cluster."""

    place: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A client of it, closed also when its scheduler is gone."""
        from distributed import Client

        made = Client(scheduler_file=str(self.place), timeout=60)
        try:
            made.wait_for_workers(len(self.workers), timeout=120)
            yield made
        finally:
            with contextlib.suppress(Exception):
                made.close(timeout=1)


@contextlib.contextmanager
def dask_by_command_line(folder: Path, preload: str = "", workers: int = 2) -> Iterator[Deployed]:
    """``dask scheduler`` and ``dask worker``; nothing of them is left afterwards."""
    place = folder / "scheduler.json"
    environment = dict(os.environ)
    if preload:
        (folder / "preload.py").write_text(preload)
        environment["DASK_DISTRIBUTED__WORKER__PRELOAD"] = str(folder / "preload.py")

    def start(*command: str) -> subprocess.Popen[bytes]:
        options = ["--no-dashboard", "--scheduler-file", str(place)]
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *command, *options],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    started = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        wait_for(place.exists)
        started += [start("worker", "--nthreads", "1") for _ in range(workers)]
        yield Deployed(place, started[0], started[1:])
    finally:
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)
