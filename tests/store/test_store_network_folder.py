"""A store on a network file system warns once, and says what to do; a local one says nothing."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import psutil
import pytest

from gclnm.errors import NetworkFolderWarning
from gclnm.store import places
from gclnm.store.store import open_store


@pytest.fixture
def mounts(monkeypatch):
    """A table of mounts of the test's own."""
    table = []

    def mount(point, kind: str, options: str = "rw") -> None:
        table.append(SimpleNamespace(mountpoint=str(point), fstype=kind, opts=options))

    mount("/", "ext4")
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: table)
    monkeypatch.setattr(places, "_warned", set())
    return mount


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "9p"])
def test_a_folder_on_a_network_file_system_warns_once_and_works(tmp_path, mounts, kind, recipe, row):
    mounts(tmp_path, kind)
    with pytest.warns(
        NetworkFolderWarning, match=rf"\({kind}\).*one process write at a time.*s3://"
    ) as caught:
        store = open_store(tmp_path / "deep" / "f")
    assert len(caught) == 1
    store.append("ct", recipe, [row("s1")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(open_store(tmp_path / "deep" / "f").keys("ct")) == 1


def test_a_local_disk_below_or_beside_a_network_file_system_says_nothing(tmp_path, mounts):
    mounts(tmp_path, "nfs")
    mounts(tmp_path / "scratch", "xfs")
    mounts(f"{tmp_path}/scr", "cifs")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_store(tmp_path / "scratch" / "f")


def test_of_two_mounts_on_one_point_the_later_counts(tmp_path, mounts):
    mounts(tmp_path, "autofs")
    mounts(tmp_path, "nfs4")
    assert places.mount_of(tmp_path / "f") == (str(tmp_path), "nfs4")


def test_a_link_is_followed_to_where_the_store_lies(tmp_path, mounts):
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    mounts(tmp_path / "far", "nfs4")
    assert places.mount_of(tmp_path / "near" / "f")[1] == "nfs4"


def test_a_drive_that_windows_calls_remote_is_one(tmp_path, mounts):
    mounts(tmp_path, "NTFS", "rw,remote")
    assert places.mount_of(tmp_path / "f")[1] == "smb"


def test_the_machines_own_table_is_understood(tmp_path):
    point, kind = places.mount_of(tmp_path)
    assert str(tmp_path.resolve()).startswith(point)
    assert kind
