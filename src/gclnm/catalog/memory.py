"""What this machine has hashed before: files that have not changed since need not be read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from gclnm.catalog.places import Places, places_file
from gclnm.catalog.scanning.cache import cache_file
from gclnm.catalog.scanning.database import Database
from gclnm.images.sample import MaskRef, Sample, VolumeRef

__all__ = ["Memory", "fingerprints", "memory_file"]

VERSION = 1
# Headers whose voxels lie in a file beside them, which a sample does not name.
DETACHED = (".mhd", ".nhdr")


def memory_file() -> Path:
    """Where the memory is: beside the cache of scan."""
    return cache_file().with_name(f"inputs-{VERSION}.sqlite")


def fingerprints(samples: Iterable[Sample]) -> dict[str, str]:
    """A digest of each sample's files (path, size, time of change) and overrides, by ``sample_id``.

    Samples with a file that cannot be found, or with voxels in a file they do not name, have none.
    """
    volumes: dict[VolumeRef, str] = {}
    files: dict[str, str] = {}
    found = {}
    for sample in samples:
        with contextlib.suppress(OSError, LookupError):
            images = {role: _volume(ref, volumes) for role, ref in sample.images.items()}
            masks = {role: _mask(ref, files) for role, ref in sample.masks.items()}
            made = [sample.derivation, sample.perturbation, *_supplied(sample)]
            found[sample.sample_id] = _digest([images, masks, made])
    return found


def _volume(ref: VolumeRef, seen: dict[VolumeRef, str]) -> str:
    if ref not in seen:
        told = [number for number in (ref.energy_kev, ref.b_value) if number is not None]
        about = [ref.kind, ref.modality, ref.frames, [_state(file) for file in ref.files], *told]
        seen[ref] = _digest(about)
    return seen[ref]


def _supplied(sample: Sample) -> list[dict[str, float | str]]:
    """The user's facts, where there are any: other ones make other inputs of the same files."""
    return [dict(sample.overrides)] if sample.overrides else []


def _mask(ref: MaskRef, seen: dict[str, str]) -> list[object]:
    if ref.file not in seen:
        seen[ref.file] = _digest(_state(ref.file))
    return [seen[ref.file], ref.kind, ref.label, ref.layer, ref.component, ref.rule]


def _state(file: str) -> list[object]:
    if file.lower().endswith(DETACHED):
        raise LookupError("its voxels are in another file")
    facts = os.stat(file)
    return [os.path.abspath(file), facts.st_size, facts.st_mtime_ns]


def _digest(about: object) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


class Memory:
    """Input hashes by fingerprint. Without a writable folder, or damaged, it is empty.

    It holds digests only: no path, no name. What it says is believed only where the store holds the
    same input hash, so a wrong or foreign entry costs a reading, never a number.

    Parameters
    ----------
    file
        The database; made if absent, replaced if damaged.
    fingerprints
        By ``sample_id``, of files as they are before anything is read: a file that changes while it
        is read does not have this fingerprint any more.
    samples
        Samples whose files are noted, in `gclnm.catalog.places`, with the input hash that they gave.
    """

    def __init__(self, file: Path, fingerprints: dict[str, str], samples: Iterable[Sample] = ()) -> None:
        self._database, self._fingerprints = Database(file), fingerprints
        self._samples = {sample.sample_id: sample for sample in samples}
        self._new: dict[str, str] = {}
        self._read: dict[str, str] = {}

    def inputs(self, keys: Sequence[str]) -> dict[str, str]:
        """Input hashes of those samples whose files are remembered as they are now."""
        wanted = [(key, self._fingerprints[key]) for key in keys if key in self._fingerprints]
        found: dict[str, str] = {}
        if not wanted or not self._database.file.is_file():
            return found
        with contextlib.suppress(sqlite3.Error, OSError), self._database.open() as database:
            for key, fingerprint in wanted:
                query = "SELECT inputs_sha256 FROM inputs WHERE fingerprint = ?"
                row = database.execute(query, (fingerprint,)).fetchone()
                if row is not None:
                    found[key] = str(row[0])
        return found

    def learn(self, key: str, inputs_sha256: str) -> None:
        """Note the input hash of a sample; `save` writes it down."""
        if key in self._fingerprints:
            self._new[self._fingerprints[key]] = inputs_sha256
        if key in self._samples:
            self._read[key] = inputs_sha256

    def save(self) -> None:
        """Write what was learnt, for the next run; not being able to costs that run time only."""
        Places(places_file()).keep((self._samples[key], inputs) for key, inputs in self._read.items())
        self._read = {}
        if not self._new:
            return
        self._database.write(self._learnt)
        self._new = {}

    def _learnt(self, database: sqlite3.Connection) -> None:
        database.execute(
            "CREATE TABLE IF NOT EXISTS inputs "
            "(fingerprint TEXT PRIMARY KEY, inputs_sha256 TEXT NOT NULL) WITHOUT ROWID"
        )
        database.executemany("INSERT OR REPLACE INTO inputs VALUES (?, ?)", self._new.items())
