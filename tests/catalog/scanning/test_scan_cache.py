"""What a second scan knows: unchanged files are not read, changed ones are, damage does no harm."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

import gclnm.catalog.scanning.reading as reading
from gclnm.catalog.scan import scan
from gclnm.catalog.scanning.cache import cache_file
from gclnm.catalog.scanning.records import from_json, read_record, to_json


@pytest.fixture
def reads(tmp_path, monkeypatch) -> list[str]:
    """Paths that were really read, with a cache of the test's own."""
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    seen: list[str] = []
    real = reading.read_record

    def counted(path, salt):
        seen.append(Path(path).name)
        return real(path, salt)

    monkeypatch.setattr(reading, "read_record", counted)
    return seen


def test_a_second_scan_reads_only_what_changed(tmp_path, write_series, write_slice, reads):
    folder = tmp_path / "d"
    write_series(folder)
    first = scan(folder, progress=False)
    assert len(reads) == 5
    reads.clear()
    second = scan(folder, progress=False)
    assert reads == []
    for name in ("volumes", "series", "segmentations", "problems", "instances"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
    write_slice(folder / "2.dcm", 6.0, SliceThickness=5)
    os.utime(folder / "2.dcm", ns=(1, 1))
    scan(folder, progress=False)
    assert reads == ["2.dcm"]


def test_a_file_of_the_same_size_with_another_time_is_read_again(tmp_path, write_series, reads):
    folder = tmp_path / "d"
    write_series(folder)
    scan(folder, progress=False)
    before = (folder / "2.dcm").stat()
    os.utime(folder / "2.dcm", ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    assert (folder / "2.dcm").stat().st_size == before.st_size
    reads.clear()
    scan(folder, progress=False)
    assert reads == ["2.dcm"]


def test_a_damaged_cache_is_ignored_and_made_anew(tmp_path, write_series, reads):
    folder = tmp_path / "d"
    write_series(folder)
    scan(folder, progress=False)
    cache_file().write_bytes(b"not a database" * 100)
    assert len(scan(folder, progress=False).volumes) == 1
    reads.clear()
    scan(folder, progress=False)
    assert reads == []


def test_damaged_records_are_read_again(tmp_path, write_series, reads):
    folder = tmp_path / "d"
    write_series(folder)
    scan(folder, progress=False)
    with sqlite3.connect(cache_file()) as database:
        database.execute(
            "UPDATE files SET record = '{\"v\": 1, \"dicom\": 5}' WHERE CAST(path AS TEXT) LIKE '%2.dcm'"
        )
    database.close()
    reads.clear()
    assert scan(folder, progress=False).volumes["n_slices"].tolist() == [5]
    assert reads == ["2.dcm"]


def test_a_cache_folder_that_cannot_be_made_is_no_obstacle(tmp_path, write_series, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "file" / "cache"))
    write_series(tmp_path / "d")
    assert len(scan(tmp_path / "d", progress=False).volumes) == 1


@pytest.mark.parametrize("case", ["sts/STS_001/CT/mask/RS.dcm", "dwi", "enhanced", "pet_real", "abdomen"])
def test_records_survive_json_unchanged(data, case):
    place = data(case)
    files = [place] if place.is_file() else sorted(f for f in place.rglob("*") if f.is_file())[:40]
    for file in files:
        record = read_record(str(file), b"salt")
        assert from_json(to_json(record), str(file)) == record


@pytest.mark.parametrize("text", ["", "[]", "null", '{"v": 0}', '{"v": 1, "image": 3}', '{"v":1,"dicom":{}}'])
def test_foreign_text_is_not_a_record(text):
    with pytest.raises(ValueError, match=r"record|version"):
        from_json(text, "a")
