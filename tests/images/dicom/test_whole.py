"""Whether a file is whole."""

from __future__ import annotations

import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

from gclnm.errors import ReadError
from gclnm.images.dicom.files import read_dataset
from gclnm.images.dicom.headers import read_header
from gclnm.images.dicom.whole import is_cut


def sample(name: str) -> Path:
    return Path(str(get_testdata_file(f"{name}.dcm", download=False)))


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("rtstruct", False),
        ("rtplan", False),
        ("UN_sequence", False),
        ("priv_SQ", False),
        ("MR_small_bigendian", False),
        ("MR_small_RLE", False),
        ("rtplan_truncated", True),
        ("MR_truncated", True),
    ],
)
def test_a_file_that_is_cut_is_told_from_a_whole_one_by_its_lengths(name: str, cut: bool) -> None:
    implicit, little = read_dataset(str(sample(name))).original_encoding
    assert is_cut(sample(name).read_bytes(), implicit=bool(implicit), little=bool(little)) is cut


@pytest.mark.parametrize(
    "name",
    [
        "MR_small",
        "MR_small_bigendian",
        "MR_small_implicit",
        "MR_small_RLE",
        "MR_small_jp2klossless",
        "rtstruct",
    ],
)
def test_the_header_of_a_cut_file_is_refused_and_that_of_a_whole_one_read(name: str, tmp_path: Path) -> None:
    data = sample(name).read_bytes()
    end = len(data) - len(data) // 10
    cut = tmp_path / "cut"
    assert read_header(sample(name)).kind in ("image", "rtstruct")
    for length in (end, 1000):
        cut.write_bytes(data[:length])
        with pytest.raises(ReadError) as caught:
            read_header(cut)
        assert caught.value.code in ("truncated", "not-dicom")


def test_fewer_pixels_than_the_header_says_are_refused(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(sample("MR_small"))
    dataset.PixelData = dataset.PixelData[:-100]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(tmp_path / "few")
    with pytest.raises(ReadError, match="fewer than its header says"):
        read_header(tmp_path / "few")


def test_what_follows_the_pixels_does_not_matter(tmp_path: Path) -> None:
    for name in ("MR_small", "MR_small_RLE"):
        (tmp_path / name).write_bytes(sample(name).read_bytes() + b"trailing words")
        assert read_header(tmp_path / name).kind == "image"


def test_items_of_compressed_pixels_are_followed_to_the_delimiter(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(sample("MR_small_RLE"))
    dataset.PixelData = encapsulate([bytes(100), bytes(60)])[:-8]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(tmp_path / "open")
    data = (tmp_path / "open").read_bytes()
    (tmp_path / "open").write_bytes(data.removesuffix(b"\xfe\xff\xdd\xe0\0\0\0\0"))
    with pytest.raises(ReadError, match="last of its pixels"):
        read_header(tmp_path / "open")
