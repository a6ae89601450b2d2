"""Several writers at once, and writers that are killed, lose nothing and block nobody."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gclnm.errors import StoreError
from gclnm.store import places, repository
from gclnm.store.store import FeatureStore, open_store

WRITER = Path(__file__).with_name("writer.py")


def start(url: Path | str, first: int, count: int, per_commit: int, *together: Path) -> subprocess.Popen[str]:
    given = [str(value) for value in (url, first, count, per_commit, *together)]
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(WRITER), *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (0, "")
    return out.split()


def check_whole(store: FeatureStore, row) -> None:
    """Every row once, with its own values, and every commit's rows where the log says."""
    data = store.read("ct")
    ids = data["sample_id"].values.tolist()
    assert len(set(ids)) == len(ids)
    for index in range(0, len(ids), 7):
        np.testing.assert_array_equal(data["value"].values[index], row(ids[index]).values)
    assert store.log()["added"].sum() == len(ids)


def go_together(together: Path, processes: int) -> None:
    """Let writers go once all of them wait."""
    until = time.monotonic() + 60
    while len(list(together.glob("ready-*"))) < processes:
        assert time.monotonic() < until
        time.sleep(0.005)
    (together / "go").touch()


def lock_times(together: Path) -> list[tuple[int, int]]:
    """When any writer held the lock, in order of taking it."""
    files = together.glob("held-*.json")
    return sorted((begin, end) for file in files for begin, end in json.loads(file.read_text()))


def test_processes_that_write_at_once_lose_nothing_and_double_nothing(tmp_path, row):
    # Different rows for two, and two that write the very same ones; the store is made in the race as well.
    together = tmp_path / "together"
    together.mkdir()
    writers = [start(tmp_path / "f", first, 10, 1, together) for first in (0, 100, 200, 200)]
    go_together(together, len(writers))
    for writer in writers:
        assert len(finish(writer)) == 10
    held = lock_times(together)
    assert len(held) >= 40
    overlaps = sum(after[0] < before[1] for before, after in itertools.pairwise(held))
    assert overlaps == 0
    store = open_store(tmp_path / "f", mode="r")
    assert len(store.keys("ct")) == 30
    check_whole(store, row)


def race(url: Path | str, together: Path, starts: tuple[int, ...], commits: int, row) -> None:
    """Writers that go at once, each with rows from a start on; of one start, with the very same rows."""
    together.mkdir()
    writers = [start(url, first, commits, 1, together) for first in starts]
    try:
        go_together(together, len(writers))
        for first, writer in zip(starts, writers, strict=True):
            assert finish(writer) == [str(number) for number in range(first, first + commits)]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    store = open_store(url, mode="r")
    expected = {f"s{number}" for first in starts for number in range(first, first + commits)}
    assert set(store.keys("ct")["sample_id"]) == expected
    assert len(store.keys("ct")) == len(expected)
    assert store.sets()["replaced"].tolist() == [0]
    check_whole(store, row)


def test_processes_that_write_to_s3_at_once_lose_nothing_and_double_nothing(s3, tmp_path, row):
    # No lock reaches them; the store is made in the race as well.
    race(s3, tmp_path / "together", (0, 100, 100), 6, row)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("starts", [(0, 100, 200, 300), (0, 0, 0, 0)], ids=["own-rows", "same-rows"])
@pytest.mark.parametrize("place", ["folder", "s3"])
def test_four_processes_of_fifty_commits_lose_nothing_and_double_nothing(
    place, starts, request, tmp_path, row
):
    url = request.getfixturevalue("s3") if place == "s3" else tmp_path / "f"
    race(url, tmp_path / "together", starts, 50, row)


def test_a_killed_writer_leaves_whole_commits_and_no_lock(tmp_path, row):
    for first in range(0, 300, 100):
        writer = start(tmp_path / "f", first, 100, 1)
        acknowledged = [writer.stdout.readline() for _ in range(3 + first // 50)]
        writer.kill()
        writer.communicate()
        store = open_store(tmp_path / "f")
        known = set(store.keys("ct")["sample_id"])
        assert known.issuperset(f"s{int(line)}" for line in acknowledged)
        check_whole(store, row)
    assert finish(start(tmp_path / "f", 300, 2, 1)) == ["300", "301"]


def test_reading_goes_on_while_another_process_writes(tmp_path, recipe, row):
    store = open_store(tmp_path / "f")
    store.append("ct", recipe, [row("mine")])
    writer = start(tmp_path / "f", 0, 30, 1)
    seen = []
    while writer.poll() is None:
        data = store.read("ct")
        assert not np.isnan(data["value"].values).any()
        seen.append(data.sizes["sample"])
    finish(writer)
    assert seen == sorted(seen)
    assert store.read("ct").sizes["sample"] == 31


def test_threads_that_write_at_once_lose_nothing(tmp_path, recipe, row):
    store = open_store(tmp_path / "f")

    def write(first: int) -> None:
        for index in range(first, first + 5):
            store.append("ct", recipe, [row(f"s{index}")])

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.keys("ct")) == 15
    check_whole(store, row)


def test_a_lock_that_is_never_given_back_is_reported(tmp_path, recipe, row, monkeypatch):
    monkeypatch.setattr(places, "LOCK_SECONDS", 0.2)
    store = open_store(tmp_path / "f")
    other = open_store(tmp_path / "f")
    with other._repository.writing(), pytest.raises(StoreError, match="another process has held"):
        store.append("ct", recipe, [row("s1")])
    assert store.append("ct", recipe, [row("s1")])


def test_a_conflict_on_storage_without_a_lock_is_met_with_a_fresh_look(recipe, row, monkeypatch):
    import icechunk

    storage = icechunk.in_memory_storage()
    mine, theirs = (open_store("s3://x", storage=storage) for _ in range(2))
    mine.append("ct", recipe, [row("s0")])
    first_look = threading.Event()
    choose = repository.zarr.open_group

    def overtaken(*args, **kwargs):
        group = choose(*args, **kwargs)
        if kwargs.get("mode") == "a" and not first_look.is_set():
            first_look.set()
            theirs.append("ct", recipe, [row("s1"), row("s2")])
        return group

    monkeypatch.setattr(repository.zarr, "open_group", overtaken)
    mine.append("ct", recipe, [row("s2"), row("s3")])
    assert sorted(mine.keys("ct")["sample_id"]) == ["s0", "s1", "s2", "s3"]
    assert mine.log()["added"].tolist() == [1, 2, 1, 0]


def test_a_writer_that_is_overtaken_for_ever_says_so(recipe, row, monkeypatch):
    import icechunk

    monkeypatch.setattr(repository, "OVERTAKEN_SECONDS", 1.0)
    storage = icechunk.in_memory_storage()
    mine, theirs = (open_store("s3://x", storage=storage) for _ in range(2))
    theirs.append("ct", recipe, [row("s0")])
    genuine, count = repository.Repository._attempt, itertools.count(1)

    def overtaken(self, change, given_up):
        def change_late(root):
            note = change(root)
            theirs._repository.commit(lambda root: touch(root, next(count)))
            return note

        return genuine(self, change_late if self is mine._repository else change, given_up)

    def touch(root, number):
        root["sets/ct/value"].attrs["touched"] = number
        return repository.Note("touched")

    monkeypatch.setattr(repository.Repository, "_attempt", overtaken)
    with pytest.raises(StoreError, match=r"other writers have been faster.*fewer processes"):
        mine.append("ct", recipe, [row("s1")])
    assert next(count) > 3
    assert theirs.keys("ct")["sample_id"].tolist() == ["s0"]


def test_an_interrupted_append_writes_nothing_and_frees_the_lock(tmp_path, recipe, row, monkeypatch):
    from gclnm.store import store as module

    store = open_store(tmp_path / "f")
    store.append("ct", recipe, [row("s1")])

    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_rows", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.append("ct", recipe, [row("s2")])
    begin = time.perf_counter()
    store.append("ct", recipe, [row("s3")])
    assert time.perf_counter() - begin < 5
    assert store.keys("ct")["sample_id"].tolist() == ["s1", "s3"]
