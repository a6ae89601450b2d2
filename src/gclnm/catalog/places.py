"""Where on this machine the files of a row were, so that the row can be computed again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gclnm.catalog.scanning.cache import cache_file
from gclnm.catalog.scanning.database import Database
from gclnm.images.sample import MaskRef, Sample, VolumeRef

__all__ = ["Places", "places_file"]

VERSION = 1
TABLES = (
    "CREATE TABLE IF NOT EXISTS volumes (digest TEXT PRIMARY KEY, about BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS samples (sample_id TEXT, inputs_sha256 TEXT, about BLOB NOT NULL, "
    "PRIMARY KEY (sample_id, inputs_sha256))",
)


def places_file() -> Path:
    """Where the places are kept: beside the cache of scan, for the user's eyes only."""
    return cache_file().with_name(f"places-{VERSION}.sqlite")


class Places:
    """Files of samples by key and digest of inputs. Without a writable folder, or damaged, it is empty.

    Paths never go into a store; here they stay on the machine that has the files. Of a volume that
    many samples share the files are kept once.

    Parameters
    ----------
    file
        The database; made if absent, replaced if damaged.
    """

    def __init__(self, file: Path) -> None:
        self._database = Database(file)

    def keep(self, found: Iterable[tuple[Sample, str]]) -> None:
        """Note samples with the digest of what was read; not being able to costs nothing but a redo."""
        volumes: dict[str, bytes] = {}
        samples = []
        for sample, inputs_sha256 in found:
            images = {}
            for role, ref in sample.images.items():
                about = _packed(dataclasses.asdict(ref))
                images[role] = hashlib.sha256(about).hexdigest()
                volumes[images[role]] = about
            samples.append((sample.sample_id, inputs_sha256, _packed(_without_volumes(sample, images))))
        if not samples:
            return

        def note(database: sqlite3.Connection) -> None:
            for table in TABLES:
                database.execute(table)
            database.executemany("INSERT OR IGNORE INTO volumes VALUES (?, ?)", volumes.items())
            database.executemany("INSERT OR REPLACE INTO samples VALUES (?, ?, ?)", samples)

        self._database.write(note)

    def sample(self, sample_id: str, inputs_sha256: str = "") -> Sample | None:
        """The sample with this key: as it was with these inputs, or else as it was last; None: not known."""
        if not self._database.file.is_file():
            return None
        query = "SELECT about FROM samples WHERE sample_id = ? ORDER BY inputs_sha256 = ? DESC, rowid DESC"
        try:
            with self._database.open() as database:
                row = database.execute(query, (sample_id, inputs_sha256)).fetchone()
                made = None if row is None else _sample(_unpacked(row[0]), database)
        except (sqlite3.Error, OSError, zlib.error, ValueError, TypeError, KeyError, AttributeError):
            return None
        return made if made is not None and made.sample_id == sample_id else None


def _without_volumes(sample: Sample, images: Mapping[str, str]) -> dict[str, Any]:
    return {
        "images": dict(images),
        "masks": {role: dataclasses.asdict(ref) for role, ref in sample.masks.items()},
        "coords": dict(sample.coords),
        "derivation": sample.derivation,
        "perturbation": sample.perturbation,
        "overrides": dict(sample.overrides),
    }


def _sample(about: dict[str, Any], database: sqlite3.Connection) -> Sample:
    return Sample(
        images={role: _volume(digest, database) for role, digest in about["images"].items()},
        masks={role: MaskRef(**ref) for role, ref in about["masks"].items()},
        coords=about["coords"],
        derivation=about["derivation"],
        perturbation=about["perturbation"],
        # Absent in what earlier versions kept.
        overrides=about.get("overrides", {}),
    )


def _volume(digest: str, database: sqlite3.Connection) -> VolumeRef:
    (about,) = database.execute("SELECT about FROM volumes WHERE digest = ?", (digest,)).fetchone()
    found = _unpacked(about)
    return VolumeRef(**found | {"files": tuple(found["files"]), "frames": tuple(found["frames"])})


def _packed(about: object) -> bytes:
    """Paths of one series differ in a few characters: packed they are a twentieth."""
    return zlib.compress(json.dumps(about, sort_keys=True, default=_item).encode())


def _item(value: object) -> object:
    """NumPy numbers of coordinates as plain ones."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"a sample holds a {type(value).__name__}")
    return item()


def _unpacked(about: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(about))
    return found
