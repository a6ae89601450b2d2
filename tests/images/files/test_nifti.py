"""What ITK's NIfTI reader hides: cut files and voxels that are no numbers read as 0."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest

from gclnm.errors import ReadError
from gclnm.images.files.headers import read_image_header
from gclnm.images.files.nifti import not_finite, require_whole
from gclnm.images.load import load_volume
from gclnm.images.sample import VolumeRef

ORDERS = ["<", ">"]


@pytest.fixture(scope="module")
def array() -> np.ndarray:
    return np.random.default_rng(1).normal(40, 30, (7, 6, 5)).astype(np.float32)


def _write(path: Path, array: np.ndarray, order: str = "<") -> Path:
    """Axes x, y, z as NIfTI counts them."""
    image = nibabel.Nifti1Image(array, np.eye(4), header=nibabel.Nifti1Header(endianness=order))
    image.header.set_data_dtype(array.dtype.newbyteorder(order))
    nibabel.save(image, path)
    return path


def _load(path: Path) -> np.ndarray:
    return load_volume(VolumeRef("v", "image", (str(path),), modality="MR")).array


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_voxels_that_are_no_numbers_stay_none(tmp_path, array, order, suffix, dtype):
    array = array.astype(dtype)
    array[1, 2, 3], array[6, 0, 0] = np.nan, np.inf
    path = _write(tmp_path / f"a.{suffix}", array, order)
    wrong = not_finite(str(path))
    np.testing.assert_array_equal(wrong, ~np.isfinite(array.T))
    expected = np.where(np.isfinite(array.T), array.T, np.nan).astype(np.float32)
    np.testing.assert_array_equal(_load(path), expected)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize("lost", [1, 50, 300])
def test_a_file_that_was_cut_is_refused_by_header_and_voxels(tmp_path, array, order, suffix, lost):
    path = _write(tmp_path / f"a.{suffix}", array, order)
    require_whole(str(path))
    path.write_bytes(path.read_bytes()[:-lost])
    for read in (_load, read_image_header):
        with pytest.raises(ReadError, match="before its last voxel"):
            read(path)


def test_gzip_of_several_members_and_bytes_after_the_voxels_are_whole(tmp_path, array):
    data = _write(tmp_path / "a.nii", array).read_bytes()
    path = tmp_path / "b.nii.gz"
    path.write_bytes(gzip.compress(data[:400]) + gzip.compress(data[400:] + b"after"))
    np.testing.assert_array_equal(_load(path), array.T)


def test_a_file_is_read_and_not_its_namesake_without_gz(tmp_path, array):
    path = _write(tmp_path / "a.nii.gz", array)
    _write(tmp_path / "a.nii", array * 0)
    np.testing.assert_array_equal(_load(path), array.T)
    assert not _load(tmp_path / "a.nii").any()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.nii", "a.nii.gz"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("offset", [float("nan"), float("inf"), -float("inf"), -1.0])
def test_a_header_that_does_not_say_where_the_voxels_begin_is_refused(tmp_path, array, order, offset):
    path = _write(tmp_path / "a.nii", array, order)
    data = bytearray(path.read_bytes())
    struct.pack_into(f"{order}f", data, 108, offset)
    path.write_bytes(data)
    for read in (_load, read_image_header):
        with pytest.raises(ReadError, match="where the voxels begin"):
            read(path)
