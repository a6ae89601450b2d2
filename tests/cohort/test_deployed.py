"""Dask as it is deployed: a scheduler and two workers, processes of their own, and what happens to them."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import gclnm
from gclnm.cohort import ledger
from gclnm.cohort.extract import extract
from gclnm.errors import ClusterError

if TYPE_CHECKING:
    from gclnm.recipe.recipe import Recipe

spec = importlib.util.spec_from_file_location("deployed", Path(__file__).with_name("deployed.py"))
assert spec is not None
assert spec.loader is not None
deployed: Any = importlib.util.module_from_spec(spec)
sys.modules["deployed"] = deployed
spec.loader.exec_module(deployed)


def after_the_first_row(monkeypatch: pytest.MonkeyPatch, blow: Any) -> None:
    """Do something in mid run: when the first sample has come back."""
    enter, struck = ledger.Ledger.enter, []

    def and_strike(self: Any, *arguments: Any) -> None:
        enter(self, *arguments)
        if not struck:
            struck.append(True)
            blow()

    monkeypatch.setattr(ledger.Ledger, "enter", and_strike)


@pytest.mark.slow
def test_a_killed_worker_costs_no_row(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = make_samples(8)
    with (
        deployed.dask_by_command_line(tmp_path, deployed.SLOW.format(seconds=0.5)) as cluster,
        cluster.client() as client,
    ):

        def kill() -> None:
            (worker,) = psutil.Process(cluster.workers[0].pid).children()[-1:]
            worker.kill()
            cluster.workers[0].kill()

        after_the_first_row(monkeypatch, kill)
        run = extract(samples, recipe, client=client, progress=False)
    assert (run.done, len(run.failed)) == (8, 0)
    assert run.dataset.sizes["sample"] == 8


@pytest.mark.slow
def test_a_poison_sample_fails_alone_and_names_itself(
    make_samples: Any, recipe: Recipe, tmp_path: Path
) -> None:
    with (
        deployed.dask_by_command_line(tmp_path, deployed.POISON) as cluster,
        cluster.client() as client,
    ):
        run = extract(make_samples(5), recipe, client=client, progress=False)
        again = extract(make_samples(5), recipe, store=run.store, client=client, progress=False)
    assert (run.done, list(run.failed["patient_id"])) == (4, ["p1"])
    assert run.failed["reason"].iloc[0].startswith("worker-died")
    assert "memory" in run.failed["fix"].iloc[0] or "memory" in run.failed["reason"].iloc[0]
    assert (again.done, again.skipped, list(again.failed["patient_id"])) == (0, 4, ["p1"])


@pytest.mark.slow
def test_a_scheduler_that_goes_away_ends_the_run_with_what_was_committed(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = gclnm.open_store(tmp_path / "store")
    struck = []
    with (
        deployed.dask_by_command_line(tmp_path, deployed.SLOW.format(seconds=600)) as cluster,
        cluster.client() as client,
    ):

        def kill() -> None:
            cluster.scheduler.kill()
            struck.append(time.monotonic())

        after_the_first_row(monkeypatch, kill)
        with pytest.raises(ClusterError, match="went away") as caught:
            extract(make_samples(2), recipe, store=store, client=client, progress=False)
    assert time.monotonic() - struck[0] < 60
    assert "committed 1 row done" in caught.value.fix
    assert len(store.keys("tiny")) == 1
    monkeypatch.undo()
    done = extract(make_samples(2), recipe, store=store, workers=1, progress=False)
    assert (done.done, done.skipped) == (1, 1)


@pytest.mark.slow
def test_workers_that_all_go_away_end_the_run_after_a_while(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gclnm.cohort.cluster.NO_WORKER_SECONDS", 3.0)
    with (
        deployed.dask_by_command_line(tmp_path, deployed.SLOW.format(seconds=600)) as cluster,
        cluster.client() as client,
    ):

        def kill() -> None:
            for process in cluster.workers:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()

        after_the_first_row(monkeypatch, kill)
        with pytest.raises(ClusterError, match="went away") as caught:
            extract(make_samples(2), recipe, client=client, progress=False)
    assert "committed 1 row done" in caught.value.fix


@pytest.mark.slow
def test_a_scheduler_that_is_stopped_ends_the_run_with_what_was_committed_and_starts_none(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps its connections and never answers, as one behind a broken network does."""
    monkeypatch.setattr("gclnm.cohort.cluster.ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("gclnm.cohort.cluster.NO_WORKER_SECONDS", 2.0)
    store = gclnm.open_store(tmp_path / "store")
    struck = []
    with (
        deployed.dask_by_command_line(tmp_path, deployed.SLOW.format(seconds=600)) as cluster,
        cluster.client() as client,
    ):
        scheduler = psutil.Process(cluster.scheduler.pid)

        def stop() -> None:
            scheduler.suspend()
            struck.append(time.monotonic())

        after_the_first_row(monkeypatch, stop)
        try:
            with pytest.raises(ClusterError, match="went away") as caught:
                extract(make_samples(2), recipe, store=store, client=client, progress=False)
            assert time.monotonic() - struck[0] < 60
            assert "committed 1 row done" in caught.value.fix
            with pytest.raises(ClusterError, match="does not answer"):
                extract(make_samples(2), recipe, store=store, client=client, progress=False)
        finally:
            scheduler.resume()
    assert store.keys("tiny")["status"].tolist() == ["ok"]
    assert store.check().ok


def test_the_most_memory_of_each_worker_is_reported(make_samples: Any, recipe: Recipe) -> None:
    run = extract(make_samples(4), recipe, workers=2, progress=False)
    assert 1 <= len(run.peak_mb) <= 2
    assert all(50 < peak < 2000 for peak in run.peak_mb.values())
    assert f"{max(run.peak_mb.values()):.0f} MB" in repr(run)


GREEDY = """
import time
import numpy as np
from gclnm import pipeline

real = getattr(pipeline, "real", pipeline.run)
pipeline.real = real

def run(samples, recipe, known=None):
    if any(sample.coords["patient_id"] == "p1" for sample in samples):
        held = np.ones(2**27)
        time.sleep(60)
    return real(samples, recipe, known)

pipeline.run = run
"""


@pytest.mark.slow
def test_a_sample_that_takes_more_memory_than_a_worker_may_fails_alone(
    make_samples: Any, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "preload.py").write_text(GREEDY)
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", str(tmp_path / "preload.py"))
    monkeypatch.setattr("distributed.worker_memory.parse_memory_limit", lambda *_, **__: 600 * 2**20)
    run = extract(make_samples(4), recipe, workers=2, progress=False)
    assert (run.done, list(run.failed["patient_id"])) == (3, ["p1"])
    assert run.failed["reason"].iloc[0].startswith("worker-died")
    assert max(run.peak_mb.values()) < 600
