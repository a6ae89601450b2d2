"""A disk that fills up during a commit: the store holds what it held, and goes on when there is room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gclnm.errors import StoreError
from gclnm.store.store import open_store

SIZE_KB = 4096


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of its own that holds four megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("a small disk needs mount")
    if done.returncode:
        pytest.skip("a small disk needs the permission to mount one")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def leave_room(disk: Path, blocks: int) -> Path:
    """Fill a disk but for some blocks."""
    filler, state = disk / "filler", os.statvfs(disk)
    filler.write_bytes(bytes(max(0, state.f_bavail - blocks) * state.f_frsize))
    return filler


def test_a_full_disk_refuses_the_commit_and_keeps_the_store(small_disk, recipe, row):
    store = open_store(small_disk / "f")
    store.append("ct", recipe, [row("s0")])
    store.tag("v1")
    acknowledged, refused = ["s0"], []
    # More room each time, so that another write of the commit is the one that fails.
    for blocks in range(0, 40, 3):
        filler = leave_room(small_disk, blocks)
        keys = [f"s{blocks}-{part}" for part in range(4)]
        try:
            store.append("ct", recipe, [row(key) for key in keys])
        except StoreError as error:
            refused.append(str(error))
        else:
            acknowledged += keys
        assert sorted(store.keys("ct")["sample_id"]) == sorted(acknowledged)
        filler.unlink()
    # A commit that is refused leaves files that belong to nothing; the disk was chosen to bear them.
    assert len(refused) > 2
    assert all("holds what it held before. Look at free space" in said for said in refused)
    assert len(acknowledged) > 1
    again = open_store(small_disk / "f")
    assert again.check().ok
    assert again.append("ct", recipe, [row("after")])
    data = again.read("ct")
    assert sorted(data["sample_id"].values) == sorted([*acknowledged, "after"])
    for key in (acknowledged[-1], "after"):
        np.testing.assert_array_equal(data.sel(sample_id=key)["value"].values, row(key).values)
    assert again.read("ct", at="v1")["sample_id"].values.tolist() == ["s0"]


def test_a_store_that_found_no_room_to_begin_is_made_later(small_disk, recipe, row):
    refused = []
    for blocks in (0, 1, 2, 4, 8):
        filler = leave_room(small_disk, blocks)
        try:
            open_store(small_disk / "f")
        except StoreError as error:
            refused.append(error.where)
        filler.unlink()
    assert set(refused) == {str(small_disk / "f")}
    assert open_store(small_disk / "f").append("ct", recipe, [row("s0")])


CAPPED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import conftest as rows
from gclnm.errors import StoreError
from gclnm.store.store import open_store
recipe = rows.small_recipe()
row = rows.RowMaker(recipe)
store = open_store(sys.argv[1])
store.append("ct", recipe, [row("s0")])
# As with a full disk, a write ends in an error of the system, for files of more than some bytes.
for size in (200, 1000, 4000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        store.append("ct", recipe, [row(f"s{size}-{part}") for part in range(8)])
    except StoreError as error:
        print(error.code)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.append("ct", recipe, [row("after")])
"""


def test_files_that_cannot_grow_are_as_a_full_disk(tmp_path):
    given = [sys.executable, "-W", "error", "-c", CAPPED, str(tmp_path / "f"), str(Path(__file__).parent)]
    done = subprocess.run(given, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["commit-failed"] * 3
    store = open_store(tmp_path / "f")
    assert sorted(store.keys("ct")["sample_id"]) == ["after", "s0"]
    assert store.check().ok
