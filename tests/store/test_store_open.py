"""A store opens where it is, is made where there is nothing, and refuses what is not one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import icechunk
import pytest
import zarr

from gclnm.errors import InputError, StoreError
from gclnm.store.layout import FORMAT_KEY
from gclnm.store.places import LOCK_FILE, UNFINISHED
from gclnm.store.store import open_store


def test_a_new_folder_becomes_a_store_that_opens_again(tmp_path, recipe, row):
    open_store(tmp_path / "deep" / "f.icechunk").append("ct", recipe, [row("s1")])
    again = open_store(str(tmp_path / "deep" / "f.icechunk"), mode="r")
    assert list(again.keys("ct")["sample_id"]) == ["s1"]


def test_an_empty_folder_that_exists_becomes_a_store(tmp_path):
    assert open_store(tmp_path).sets().empty


def test_a_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    open_store("~/f.icechunk")
    assert (tmp_path / "f.icechunk" / "refs").is_dir()


def test_reading_what_is_not_there_makes_nothing_and_says_so(tmp_path):
    with pytest.raises(StoreError, match="there is no store here"):
        open_store(tmp_path / "missing", mode="r")
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("mode", ["a", "r"])
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path, mode):
    (tmp_path / "image.dcm").write_bytes(b"DICM")
    with pytest.raises(StoreError, match="not a store of gclnm"):
        open_store(tmp_path, mode=mode)
    assert os.listdir(tmp_path) == ["image.dcm"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "features.csv").write_text("a,b")
    with pytest.raises(StoreError, match="it is a file"):
        open_store(tmp_path / "features.csv")


def test_a_plain_zarr_folder_is_refused(tmp_path):
    zarr.create_group(tmp_path / "plain.zarr")
    with pytest.raises(StoreError, match="not a store of gclnm"):
        open_store(tmp_path / "plain.zarr")


def test_an_icechunk_repository_of_something_else_is_refused(tmp_path):
    repo = icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path)))
    session = repo.writable_session("main")
    zarr.create_group(session.store, attributes={"title": "weather"})
    session.commit("weather")
    with pytest.raises(StoreError, match="Icechunk repository of something else"):
        open_store(tmp_path)


def test_a_newer_format_is_refused_with_the_advice_to_upgrade(tmp_path):
    storage = icechunk.local_filesystem_storage(str(tmp_path))
    open_store(tmp_path)
    session = icechunk.Repository.open(storage).writable_session("main")
    zarr.open_group(session.store, mode="a").attrs[FORMAT_KEY] = 99
    session.commit("from the future")
    with pytest.raises(StoreError, match=r"newer version of gclnm.* Upgrade gclnm"):
        open_store(tmp_path)


def test_a_newer_icechunk_format_is_refused_with_the_advice_to_upgrade(tmp_path, monkeypatch):
    open_store(tmp_path)

    def refuse(*args: object, **kwargs: object) -> None:
        raise icechunk.IcechunkError("this repository uses Icechunk v2 format, please upgrade the library")

    monkeypatch.setattr(icechunk.Repository, "open", refuse)
    with pytest.raises(StoreError, match="newer version of Icechunk"):
        open_store(tmp_path)


def test_the_folder_is_a_plain_icechunk_repository_that_others_can_open(tmp_path, recipe, row):
    import xarray as xr

    open_store(tmp_path).append("ct", recipe, [row("s1"), row("s2")])
    repo = icechunk.Repository.open(icechunk.local_filesystem_storage(str(tmp_path)))
    data = xr.open_zarr(
        repo.readonly_session("main").store, group="sets/ct", consolidated=False, zarr_format=3
    )
    assert data["value"].dims == ("sample", "feature")
    assert list(data["sample_id"].values) == ["s1", "s2"]
    assert data.indexes["feature"].tolist() == list(recipe.features)


def test_what_a_killed_process_left_unfinished_is_cleared_away(tmp_path):
    (tmp_path / f"{UNFINISHED}abc").mkdir()
    (tmp_path / f"{UNFINISHED}abc" / "refs").mkdir()
    open_store(tmp_path)
    assert {name for name in os.listdir(tmp_path) if name.startswith(UNFINISHED)} == set()


def test_a_store_whose_maker_was_killed_before_the_first_commit_opens(tmp_path):
    icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path)))
    assert open_store(tmp_path).sets().empty


def test_memory_stores_are_shared_by_name_only(recipe, row):
    open_store("memory://shared-by-name").append("ct", recipe, [row("s1")])
    assert len(open_store("memory://shared-by-name", mode="r").keys("ct")) == 1
    assert open_store("memory://").sets().empty
    with pytest.raises(StoreError, match="read only"):
        open_store("memory://shared-by-name", mode="r").tag("no")


def test_a_storage_of_the_users_own_can_be_given(recipe, row):
    storage = icechunk.in_memory_storage()
    open_store("s3://bucket/features", storage=storage).append("ct", recipe, [row("s1")])
    assert len(open_store("s3://bucket/features", mode="r", storage=storage).keys("ct")) == 1


def test_an_address_that_needs_a_storage_says_so():
    with pytest.raises(InputError, match="storage="):
        open_store("ftp://host/x")


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(InputError, match="read only"):
        open_store(tmp_path, mode="w")


def test_a_store_opened_to_read_only_refuses_every_write(tmp_path, recipe, row):
    open_store(tmp_path).append("ct", recipe, [row("s1")])
    reader = open_store(tmp_path, mode="r")
    for write in (
        lambda: reader.append("ct", recipe, [row("s2")]),
        lambda: reader.create("other", recipe),
        lambda: reader.tag("v1"),
    ):
        with pytest.raises(StoreError, match="opened to read only"):
            write()


def test_opening_says_nothing_on_the_console(tmp_path):
    code = f"import gclnm; s = gclnm.open_store({str(tmp_path / 'f')!r}); gclnm.open_store(s.url, mode='r')"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_the_lock_lies_inside_the_folder_so_that_every_mount_shares_it(tmp_path):
    open_store(tmp_path)
    assert (Path(tmp_path) / LOCK_FILE).is_file()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_permission_to_write_is_reported(tmp_path):
    open_store(tmp_path / "f")
    os.chmod(tmp_path / "f", 0o500)
    os.chmod(tmp_path / "f" / LOCK_FILE, 0o400)
    with pytest.raises(StoreError, match="mode"):
        open_store(tmp_path / "f").tag("v1")
