"""Where a store lies: an address becomes a storage with the lock of that place."""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import icechunk

from gclnm.errors import InputError, NetworkFolderWarning, StoreError

__all__ = ["LOCK_FILE", "UNFINISHED", "Place", "not_a_store", "place_of"]

LOCK_FILE = "gclnm.lock"
UNFINISHED = ".gclnm-new-"
LOCK_SECONDS = 300.0
# Types of mounts that other machines may write as well, where a lock may hold for one machine alone.
NETWORK_MOUNTS = {
    *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "afs", "9p", "ncpfs"),
    *("webdav", "davfs", "davfs2", "ceph", "glusterfs", "lustre", "gpfs", "mmfs", "beegfs", "panfs"),
    *("pvfs2", "orangefs", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.glusterfs", "fuse.ceph"),
    *("fuse.ceph-fuse", "fuse.gcsfuse", "fuse.cifs", "fuse.juicefs", "fuse.davfs", "fuse.davfs2"),
    *("fuse.blobfuse", "fuse.mount-s3", "fuse.moosefs"),
}

_in_memory: dict[str, Place] = {}
_in_memory_guard = threading.Lock()
_warned: set[str] = set()


@dataclass(frozen=True)
class Place:
    """A place for a store: its storage, how Icechunk is to use it, and the lock among its writers."""

    url: str
    storage: Any
    lock: AbstractContextManager[Any]
    folder: Path | None = None
    config: Any = None
    # Seconds to wait for an answer where Icechunk cannot bound that itself; None: no bound of ours.
    patience: float | None = None


def place_of(url: str | PathLike[str], storage: Any = None) -> Place:
    """The place that an address means, or that a storage of the user's own is."""
    address = fspath(url)
    if storage is not None:
        return Place(address, storage, threading.RLock())
    scheme, separator, rest = address.partition("://")
    if not separator:
        return _folder(Path(address).expanduser())
    if scheme == "memory":
        return _memory(rest)
    if scheme == "s3":
        from gclnm.store import s3

        bucket, prefix = s3.parse(address)
        # Nothing locks an object store: writers on it find out by the conflict.
        return Place(
            f"s3://{bucket}/{prefix}",
            s3.storage(bucket, prefix),
            threading.RLock(),
            config=s3.config(),
            patience=s3.patience(),
        )
    raise InputError(
        f"a store cannot be opened at a {scheme}:// address by itself",
        where=address,
        fix="Give a folder, s3://bucket/prefix or memory://, or pass storage=.",
    )


def _memory(name: str) -> Place:
    with _in_memory_guard:
        if name in _in_memory:
            return _in_memory[name]
        made = Place(f"memory://{name}", icechunk.in_memory_storage(), threading.RLock())
        if name:
            _in_memory[name] = made
        return made


def _folder(path: Path) -> Place:
    from filelock import FileLock

    url = str(path)
    if path.exists() and not path.is_dir():
        raise not_a_store(url, "it is a file")
    inside = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    inside = {name for name in inside if name != LOCK_FILE and not name.startswith(UNFINISHED)}
    if inside and not inside & {"refs", "snapshots", "repo"}:
        raise not_a_store(url, "the folder holds other files")
    warn_of_network(path)
    lock = FileLock(path / LOCK_FILE, timeout=LOCK_SECONDS)
    return Place(url, icechunk.local_filesystem_storage(str(path.resolve())), lock, folder=path)


def is_empty(path: Path) -> bool:
    """Whether a folder is missing or holds nothing but what stores in the making leave."""
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    return all(name == LOCK_FILE or name.startswith(UNFINISHED) for name in names)


def not_a_store(url: str, why: str) -> StoreError:
    """The error for a place that holds something else."""
    return StoreError(
        "this is not a store of gclnm", where=url, fix=f"Give another path ({why}).", code="not-a-store"
    )


def warn_of_network(path: Path) -> None:
    """Warn, once for each mount, that a folder lies on a network file system."""
    mount, kind = mount_of(path)
    if kind not in NETWORK_MOUNTS or mount in _warned:
        return
    _warned.add(mount)
    warnings.warn(
        f"the store lies on a network file system ({kind}), where locks between machines are unproven:"
        " let one process write at a time, or keep the store on a local disk or at s3://bucket/prefix",
        NetworkFolderWarning,
        stacklevel=2,
    )


def mount_of(path: Path) -> tuple[str, str]:
    """Mount point and type of the file system that a folder, also one yet to be made, lies on."""
    import psutil

    target = os.path.realpath(path)
    if target.startswith("\\\\"):
        return target, "smb"
    found = ("", "")
    for part in psutil.disk_partitions(all=True):
        above = part.mountpoint.rstrip("/\\")
        # Of two on one mount point the later one hides the other.
        if (target == above or target.startswith((f"{above}/", f"{above}\\"))) and len(above) >= len(
            found[0]
        ):
            # Windows names the drive's file system and says apart that it is somewhere else.
            found = (above, "smb" if "remote" in part.opts.split(",") else part.fstype)
    return found
