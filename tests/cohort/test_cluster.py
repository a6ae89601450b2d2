"""Worker processes of our own: scripts without a main guard, poison, Ctrl-C, kills, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gclnm
from gclnm.cohort.cluster import local_workers, users_workers
from gclnm.cohort.extract import extract
from gclnm.errors import ClusterError, InputError
from gclnm.images import Sample

if TYPE_CHECKING:
    from distributed import Client

    from gclnm.recipe.recipe import Recipe

POISON = """
import os, time
from gclnm import pipeline

real = getattr(pipeline, "real", pipeline.run)  # Dask loads a preload twice.
pipeline.real = real

def run(samples, recipe, known):
    for sample in samples:
        if sample.coords["patient_id"] == "p1" and sample.coords["roi_instance"] == "1":
            os._exit(1)
    return real(samples, recipe, known)

pipeline.run = run
"""

SLOW = """
import time
from gclnm import pipeline

real = getattr(pipeline, "real", pipeline.run)
pipeline.real = real

def run(samples, recipe, known):
    if samples[0].coords["patient_id"] != "p0":
        time.sleep(600)
    return real(samples, recipe, known)

pipeline.run = run
"""

SCRIPT = """
import pickle, sys
import gclnm

samples, recipe = pickle.load(open(sys.argv[1], "rb"))
print("the script starts")
run = gclnm.extract(samples, recipe, store=sys.argv[2], workers=2, progress=len(sys.argv) > 3)
print(run)
"""


def preload(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """What workers import when they start, by Dask's own setting."""
    (folder / "preload.py").write_text(text)
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", str(folder / "preload.py"))


def script(folder: Path, samples: list[Sample], recipe: Recipe, *options: str) -> list[str]:
    """A user's script without a main guard, as a command."""
    (folder / "script.py").write_text(SCRIPT)
    (folder / "samples.pickle").write_bytes(pickle.dumps((samples, recipe)))
    return [
        sys.executable,
        str(folder / "script.py"),
        str(folder / "samples.pickle"),
        str(folder / "store"),
        *options,
    ]


def children_of(pid: int) -> list[Any]:
    """The processes of a cluster, without those that earlier tests left below this one."""
    import psutil

    return [child for child in psutil.Process(pid).children(recursive=True) if not of_python_or_joblib(child)]


def of_python_or_joblib(process: Any) -> bool:
    import psutil

    try:
        return any("joblib" in part or "resource_tracker" in part for part in process.cmdline())
    except psutil.NoSuchProcess:
        return False


def gone(processes: list[Any], seconds: float) -> bool:
    import psutil

    return not psutil.wait_procs(processes, timeout=seconds)[1]


def wait_for(condition: Any, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.1)


def rows_in(folder: Path) -> int:
    try:
        return len(gclnm.open_store(folder / "store", mode="r").keys("tiny"))
    except gclnm.GclnmError:
        return 0


def test_a_plain_script_without_main_guard_works(make_samples: Any, recipe: Recipe, tmp_path: Path) -> None:
    samples = make_samples(3)
    done = subprocess.run(
        script(tmp_path, samples, recipe), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the script starts") == 1
    assert "3 done, 0 skipped, 0 failed" in done.stdout
    assert done.stderr == ""


def test_two_workers_give_the_numbers_of_one_bit_for_bit(
    make_samples: Any, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = make_samples(3, rois=2)
    one = extract(samples, recipe, workers=1, progress=False).dataset
    two = extract(samples, recipe, workers=2, progress=False).dataset.sel(sample_id=one["sample_id"])
    assert one["value"].values.tobytes() == two["value"].values.tobytes()
    assert one["diagnostic"].values.tobytes() == two["diagnostic"].values.tobytes()


def test_a_sample_that_kills_its_worker_fails_alone_and_names_itself(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preload(monkeypatch, tmp_path, POISON)
    run = extract(make_samples(4, rois=2), recipe, workers=2, progress=False)
    assert (run.done, len(run.failed)) == (7, 1)
    row = run.failed.iloc[0]
    assert (row["patient_id"], row["roi_instance"]) == ("p1", "1")
    assert row["reason"].startswith("worker-died")


def test_workers_have_one_thread_and_leave_nothing_behind() -> None:
    before = set(children_of(os.getpid()))
    with local_workers(2) as pool:
        pool.client.wait_for_workers(2, timeout=60)
        assert pool.size() == 2
        assert pool.alive()
        asked = pool.submit(os.getenv, "OMP_NUM_THREADS").result()
        processes = [child for child in children_of(os.getpid()) if child not in before]
        assert len(processes) >= 4
    assert asked == "1"
    assert gone(processes, 5)


def test_workers_that_all_die_end_the_run_with_what_was_committed(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preload(monkeypatch, tmp_path, SLOW)
    from gclnm.cohort import ledger

    enter = ledger.Ledger.enter

    def and_kill(self: Any, *arguments: Any) -> None:
        enter(self, *arguments)
        for child in children_of(os.getpid()):
            child.kill()

    monkeypatch.setattr(ledger.Ledger, "enter", and_kill)
    store = gclnm.open_store("memory://")
    with pytest.raises(ClusterError, match="went away") as caught:
        extract(make_samples(2), recipe, store=store, workers=2, progress=False)
    assert "committed 1 row done" in caught.value.fix
    assert len(store.keys("tiny")) == 1


@contextlib.contextmanager
def dask_by_command_line(folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A scheduler and two workers as Dask's own commands start them."""
    place = str(folder / "scheduler.json")
    options = ["--no-dashboard", "--scheduler-file", place]
    commands = [["scheduler", "--host", "127.0.0.1", "--port", "0"], *[["worker", "--nthreads", "1"]] * 2]
    with contextlib.ExitStack() as stack:
        processes = []
        for command in commands:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command, *options],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.enter_context(process)
            stack.callback(process.terminate)
            processes.append(process)
            wait_for(lambda: Path(place).exists())
        yield processes


@pytest.mark.slow
def test_dask_as_it_is_deployed_and_a_scheduler_that_goes_away(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    from gclnm.cohort import ledger

    preload(monkeypatch, tmp_path, SLOW)
    enter = ledger.Ledger.enter
    store = gclnm.open_store("memory://")
    samples = make_samples(2)
    with dask_by_command_line(tmp_path) as (scheduler, *_):
        client = Client(scheduler_file=str(tmp_path / "scheduler.json"), timeout=30)
        client.wait_for_workers(2, timeout=60)
        run = extract(samples[:1], recipe, name="small", store=store, client=client, progress=False)
        assert run.done == 1

        def and_kill(self: Any, *arguments: Any) -> None:
            enter(self, *arguments)
            scheduler.kill()

        monkeypatch.setattr(ledger.Ledger, "enter", and_kill)
        with pytest.raises(ClusterError, match="went away") as caught:
            extract(samples, recipe, store=store, client=client, progress=False)
        with contextlib.suppress(Exception):
            client.close(timeout=1)
    assert "committed 1 row done" in caught.value.fix
    assert len(store.keys("tiny")) == 1


def test_a_cluster_that_does_not_come_up_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", "no_such_module_anywhere")
    with pytest.raises(ClusterError, match="no local worker") as caught, local_workers(1):
        pass
    assert "no_such_module_anywhere" in caught.value.where


def test_a_users_cluster_must_have_the_same_gclnm(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with users_workers(client) as pool:
        assert pool.size() == 2
    monkeypatch.setattr(client, "run", lambda function: {"tcp://a": "0.0.1", "tcp://b": function()})
    with pytest.raises(ClusterError, match=r"0\.0\.1"), users_workers(client):
        pass

    def without(function: Any) -> Any:
        raise ModuleNotFoundError("No module named 'gclnm'")

    monkeypatch.setattr(client, "run", without)
    with pytest.raises(ClusterError, match="cannot import gclnm"), users_workers(client):
        pass


def test_an_asynchronous_client_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(client), "asynchronous", True)
    with pytest.raises(InputError, match="asynchronous"), users_workers(client):
        pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_commits_what_is_done_and_leaves_no_process(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preload(monkeypatch, tmp_path, SLOW)
    samples = make_samples(2)
    process = subprocess.Popen(
        script(tmp_path, samples, recipe, "show"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    seen = ""
    while "1/2" not in seen:
        seen += process.stderr.read(1)
    try:
        workers = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert "committed 1 row done" in errors
    assert "distributed" not in errors.split("KeyboardInterrupt")[-1]
    assert rows_in(tmp_path) == 1
    assert gone(workers, 10)


@pytest.mark.slow
def test_workers_of_a_killed_client_end_by_themselves(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preload(monkeypatch, tmp_path, SLOW)
    process = subprocess.Popen(script(tmp_path, make_samples(2), recipe), stdout=subprocess.DEVNULL)
    wait_for(lambda: len(children_of(process.pid)) >= 4)
    time.sleep(2)
    workers = children_of(process.pid)
    process.kill()
    process.wait()
    assert gone(workers, 90)
