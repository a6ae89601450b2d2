"""Kills and other faults, few of each; `benchmarks/faults.py` makes the large table with the same code."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
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
    assert (line.lost, line.doubled, line.broken) == (0, 0, [])


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
    ],
)
def test_no_row_is_lost_or_doubled(
    fault: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "the disk is full" and not faults.may_mount():
        pytest.skip("needs the right to mount a file system")
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    line = faults.run(fault, times, tmp_path, seed=times)
    assert (line.lost, line.doubled, line.broken) == (0, 0, [])
    assert line.tried >= times
    assert line.completed == line.stores
