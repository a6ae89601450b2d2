"""Kills and other faults, few of each; `benchmarks/faults.py` makes the large table with the same code."""

from __future__ import annotations

import importlib.util
import random
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gclnm.errors import StoreError
from gclnm.store.layout import array, set_group
from gclnm.store.repository import Note
from gclnm.store.store import FeatureStore, open_store

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


faults, victims = load("faults"), load("victims")
writers = load("writers")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


@pytest.fixture
def written(tmp_path: Path) -> tuple[FeatureStore, list[tuple[str, str]]]:
    """A store of twenty rows, four of them in a second revision, and what it has acknowledged."""
    store, made_by = open_store(tmp_path / "store"), victims.recipe()
    rows = [victims.row(number, 1, made_by) for number in range(20)]
    again = [victims.row(number, 2, made_by) for number in range(4)]
    store.append(victims.SET, made_by, rows)
    store.append(victims.SET, made_by, again)
    return store, [(row.sample_id, row.inputs_sha256) for row in (*rows, *again)]


def judged(store: FeatureStore, acknowledged: list[tuple[str, str]]) -> Any:
    line = faults.Line("none")
    faults.judge(store.url, acknowledged, line)
    return line


def test_the_judge_finds_nothing_in_a_whole_store(written: Any) -> None:
    line = judged(*written)
    assert (line.lost, line.doubled, line.wrong, line.broken) == (0, 0, 0, [])


def test_the_judge_counts_a_row_that_was_acknowledged_and_is_not_there(written: Any) -> None:
    store, acknowledged = written
    assert judged(store, [*acknowledged, ("key-000000", "0" * 64), ("key-000099", "0" * 64)]).lost == 2


def test_the_judge_counts_a_row_with_two_current_revisions(written: Any) -> None:
    store, acknowledged = written

    def double(root: Any) -> Note:
        array(set_group(root, victims.SET), "current")[0] = True
        return Note("damage")

    store._repository.commit(double)
    line = judged(store, acknowledged)
    assert line.doubled == 1
    assert line.broken


def test_the_judge_sees_arrays_of_different_lengths(written: Any) -> None:
    store, acknowledged = written

    def cut(root: Any) -> Note:
        array(set_group(root, victims.SET), "seconds").resize((10,))
        return Note("damage")

    store._repository.commit(cut)
    assert any("lengths" in words for words in judged(store, acknowledged).broken)


def test_the_judges_count_a_row_whose_values_are_not_those_that_were_written(written: Any) -> None:
    store, acknowledged = written

    def bend(root: Any) -> Note:
        array(set_group(root, victims.SET), "value")[7, 0] += 1e-9
        return Note("damage")

    store._repository.commit(bend)
    line = judged(store, acknowledged)
    assert (line.lost, line.doubled, line.wrong, line.broken) == (0, 0, 1, [])
    assert not line.clean


def test_the_judge_compares_an_extraction_with_a_run_without_a_fault(tmp_path: Path) -> None:
    store, made_by = open_store(tmp_path / "store"), victims.recipe()
    row = replace(victims.row(0, 1, made_by), sample_id="5f2c")
    store.append(victims.SET, made_by, [row])
    values = row.values.tolist()
    for whole_run, wrong in (({"5f2c": values}, 0), ({"5f2c": values[::-1]}, 1), ({}, 1)):
        line = faults.Line("none")
        faults.judge(store.url, [("5f2c", row.inputs_sha256)], line, whole_run)
        assert line.wrong == wrong


def test_the_writers_judge_counts_wrong_values_too(tmp_path: Path) -> None:
    store, made_by = open_store(tmp_path / "store"), victims.recipe()
    rows = [victims.row(number, 1, made_by) for number in range(3)]
    store.append(writers.SET, made_by, rows)
    said = [{"key": row.sample_id} for row in rows]
    assert writers.judge(store.url, said)[:3] == (0, 0, 0)
    other = replace(victims.row(3, 1, made_by), values=rows[0].values)
    store.append(writers.SET, made_by, [other])
    assert writers.judge(store.url, said)[:3] == (0, 0, 1)


@pytest.mark.timeout(60)
def test_a_line_whose_runs_end_before_they_can_be_hit_gives_up_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        process = SimpleNamespace(poll=lambda: 0, pid=-1)
        acknowledged = staticmethod(list)
        end = staticmethod(lambda: {"what": "end"})

    monkeypatch.setattr(faults.Trial, "victim", lambda *args, **kwargs: Ended())
    monkeypatch.setattr(faults.Trial, "complete", lambda *args, **kwargs: None)
    trial = faults.Trial("kill -9 of workers", tmp_path, 3, random.Random(1))
    faults.kill_workers(trial)
    assert trial.line.tried == 0
    assert trial.line.stores == faults.MISSES
    assert not trial.line.clean


def test_a_store_whose_making_was_cut_off_is_none_to_a_reader_and_is_made_by_a_writer(tmp_path: Path) -> None:
    import icechunk

    icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / "store")))
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path / "store", mode="r")
    assert caught.value.code == "no-store"
    assert len(open_store(tmp_path / "store").log()) >= 1


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("fault", "times"),
    [
        ("kill -9 of a writer", 6),
        ("kill -9 of the client of a run", 3),
        ("kill -9 of workers", 3),
        ("kill -9 of the workers' nannies", 1),
        ("the scheduler goes away", 1),
        ("Ctrl-C", 3),
        ("Ctrl-C twice", 3),
        ("the disk is full", 2),
        ("files may not grow (quota)", 2),
        ("clocks that differ", 4),
        ("the network to S3 breaks", 5),
    ],
)
def test_no_row_is_lost_or_doubled(
    fault: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    can, why_not = faults.NEEDS.get(fault, (lambda: True, ""))
    if not can():
        pytest.skip(why_not)
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    line = faults.run(fault, times, tmp_path, seed=times)
    assert (line.lost, line.doubled, line.wrong, line.broken) == (0, 0, 0, [])
    assert line.tried >= times
    assert line.completed == line.stores
