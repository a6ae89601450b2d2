"""Where files of rows were: kept on this machine only, and never needed for anything else."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from gclnm.catalog.memory import Memory
from gclnm.catalog.places import Places, places_file
from gclnm.images import MaskRef, Sample, VolumeRef


def sample(patient: str = "P1", mask: str = "/data/mask.dcm", **coords: object) -> Sample:
    files = tuple(f"/data/检查 {patient}/IM{i:04d}.dcm" for i in range(300))
    return Sample(
        images={"image": VolumeRef(f"1.2.{patient}", "dicom", files, (), "CT")},
        masks={"roi": MaskRef("rtstruct", mask, 3, component=2, rule="touch")},
        coords={"patient_id": patient, "roi": "GTV", "roi_instance": None, **coords},  # type: ignore[dict-item]
        derivation="vmi 70 keV",
    )


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "cache" / "places.sqlite")


def test_a_sample_comes_back_as_it_was(places: Places) -> None:
    one = sample(energy_kev=np.float64(70.0), b_value=np.int64(800))
    places.keep([(one, "a" * 64), (sample("P2"), "b" * 64)])
    found = places.sample(one.sample_id, "a" * 64)
    assert found == one
    assert places.sample(sample("P2").sample_id) == sample("P2")
    assert places.sample("unknown") is None


def test_of_several_places_the_one_with_these_inputs_is_found_or_else_the_last(places: Places) -> None:
    old, new = sample(mask="/data/old.dcm"), sample(mask="/data/new.dcm")
    assert old.sample_id == new.sample_id
    places.keep([(old, "a" * 64)])
    places.keep([(new, "b" * 64)])
    assert places.sample(old.sample_id, "a" * 64) == old
    assert places.sample(old.sample_id, "b" * 64) == new
    assert places.sample(old.sample_id, "c" * 64) == new
    places.keep([(old, "a" * 64)])
    assert places.sample(old.sample_id, "c" * 64) == old


def test_many_rois_of_one_volume_keep_its_files_once(places: Places, tmp_path: Path) -> None:
    rois = [sample(roi=f"ROI {i}") for i in range(200)]
    places.keep([(item, "a" * 64) for item in rois])
    # 300 paths are 9 kB as they are.
    assert (tmp_path / "cache" / "places.sqlite").stat().st_size < 200 * 1000
    assert all(places.sample(item.sample_id) == item for item in rois)


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are another thing there")
def test_only_the_user_can_read_it(places: Places, tmp_path: Path) -> None:
    places.keep([(sample(), "a" * 64)])
    file = tmp_path / "cache" / "places.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00 broken"])
def test_a_damaged_file_is_empty_and_is_replaced(places: Places, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "places.sqlite").write_bytes(content)
    assert places.sample(sample().sample_id) is None
    places.keep([(sample(), "a" * 64)])
    assert places.sample(sample().sample_id) == sample()


def test_damaged_entries_are_not_known(places: Places, tmp_path: Path) -> None:
    import sqlite3
    import zlib

    one = sample()
    for content in (b"\x00", zlib.compress(b"[]"), zlib.compress(b"{"), zlib.compress(b'{"images": []}')):
        places.keep([(one, "a" * 64)])
        with sqlite3.connect(tmp_path / "cache" / "places.sqlite") as database:
            database.execute("UPDATE samples SET about = ?", (content,))
        database.close()
        assert places.sample(one.sample_id) is None


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    places = Places(tmp_path / "file" / "places.sqlite")
    places.keep([(sample(), "a" * 64)])
    assert places.sample(sample().sample_id) is None


def test_the_memory_notes_places_of_what_it_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    read, unread = sample("P1"), sample("P2")
    memory = Memory(tmp_path / "cache" / "inputs.sqlite", {}, [read, unread])
    memory.learn(read.sample_id, "a" * 64)
    assert Places(places_file()).sample(read.sample_id) is None
    memory.save()
    assert Places(places_file()).sample(read.sample_id) == read
    assert Places(places_file()).sample(unread.sample_id) is None
