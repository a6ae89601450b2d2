"""NIfTI, NRRD and MetaImage: axes, labels, layers, parts."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from gclnm.errors import GeometryError, InputError, ReadError
from gclnm.images import MaskRef, Volume, VolumeRef
from gclnm.images.components import component_sizes
from gclnm.images.load import load_mask, load_volume, read_mask, read_series


def nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> str:
    nib.save(nib.Nifti1Image(array, affine), path)
    return str(path)


def labels() -> np.ndarray:
    """(z, y, x): label 1 in three parts of 8, 2 and 1 voxels, label 3 in one."""
    array = np.zeros((6, 7, 8), np.uint8)
    array[0:2, 0:2, 0:2] = 1
    array[4, 4, 4:6] = 1
    array[5, 0, 7] = 1
    array[2:4, 2:5, 5:8] = 3
    return array


def anywhere() -> Volume:
    return Volume(np.zeros((2, 2, 2)), sitk_grid())


def sitk_grid() -> object:
    from gclnm.images import Geometry

    return Geometry(size=(2, 2, 2), spacing_mm=(1.0, 1.0, 1.0))


def test_nifti_axes_are_turned_from_ras_to_lps(tmp_path: Path) -> None:
    xyz = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    affine = np.array([[0.5, 0, 0, 10], [0, 0.7, 0, -20], [0, 0, 2.0, 30], [0, 0, 0, 1]])
    volume = read_series(nifti(tmp_path / "image.nii.gz", xyz, affine), modality="MR")
    assert volume.geometry.size == (2, 3, 4)
    np.testing.assert_array_equal(volume.array, xyz.transpose(2, 1, 0))
    for index in [(0, 0, 0), (1, 2, 3)]:
        right, anterior, superior, _ = affine @ [*index, 1]
        np.testing.assert_allclose(
            volume.geometry.to_physical([index])[0], [-right, -anterior, superior], atol=1e-5
        )
    assert (volume.quantity, volume.geometry.frame_uid) == ("arbitrary", "")


def test_scaled_nifti_values_are_the_scaled_ones_and_ct_is_clamped(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.array([[[0, 1000, 2000]]], np.int16), np.eye(4))
    image.header.set_slope_inter(2.0, -1500.0)
    image.header.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "ct.nii")
    written = nib.load(tmp_path / "ct.nii").get_fdata().ravel()
    volume = load_volume(VolumeRef("", "image", (str(tmp_path / "ct.nii"),), modality="CT"))
    np.testing.assert_allclose(volume.array.ravel(), np.maximum(written, -1024))
    assert volume.quantity == "HU"


def test_a_file_of_unknown_modality_has_no_quantity(tmp_path: Path) -> None:
    path = nifti(tmp_path / "x.nii", np.zeros((2, 2, 2), np.int16), np.eye(4))
    assert read_series(path).quantity == "unspecified"


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd", "mha"])
def test_labels_parts_and_their_order(tmp_path: Path, suffix: str) -> None:
    path = str(tmp_path / f"map.{suffix}")
    sitk.WriteImage(sitk.GetImageFromArray(labels()), path)
    whole = load_mask(MaskRef("labelmap", path, 1), anywhere())
    np.testing.assert_array_equal(whole.array, labels() == 1)
    assert component_sizes(whole) == (8, 2, 1)
    second = load_mask(MaskRef("labelmap", path, 1, component=2), anywhere())
    assert second.n_voxels == 2
    assert second.history[-1].settings["of"] == 3
    assert read_mask(path, anywhere(), 3).n_voxels == 18
    with pytest.raises(InputError, match=r"1 \(1\), 3 \(3\)"):
        read_mask(path, anywhere())
    for ref, code in (
        (MaskRef("labelmap", path, 2), "label-empty"),
        (MaskRef("labelmap", path, 1, layer=1), "no-such-layer"),
        (MaskRef("labelmap", path, 1, component=4), "no-such-component"),
    ):
        with pytest.raises(ReadError) as caught:
            load_mask(ref, anywhere())
        assert caught.value.code == code


def test_overlapping_segments_of_a_layered_nrrd_are_read_by_layer(tmp_path: Path) -> None:
    first, second = labels(), np.roll(labels(), 1, axis=2)
    image = sitk.Compose([sitk.GetImageFromArray(first), sitk.GetImageFromArray(second)])
    image.SetOrigin((5.0, 6.0, 7.0))
    path = str(tmp_path / "nodes.seg.nrrd")
    sitk.WriteImage(image, path)
    for layer, array in enumerate((first, second)):
        mask = load_mask(MaskRef("labelmap", path, 3, layer=layer), anywhere())
        np.testing.assert_array_equal(mask.array, array == 3)
        assert mask.geometry.origin_mm == (5.0, 6.0, 7.0)


def test_segments_of_a_slicer_file_are_found_by_name(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(labels())
    for index, (name, value) in enumerate((("Tumour", 1), ("Node", 3))):
        image.SetMetaData(f"Segment{index}_Name", name)
        image.SetMetaData(f"Segment{index}_LabelValue", str(value))
        image.SetMetaData(f"Segment{index}_Layer", "0")
    path = tmp_path / "P01.seg.nrrd"
    sitk.WriteImage(image, str(path))
    assert read_mask(path, anywhere(), "node").n_voxels == 18
    with pytest.raises(InputError, match=r"1 \(Tumour\), 3 \(Node\)"):
        read_mask(path, anywhere(), "liver")


def test_what_is_not_one_volume_is_refused(tmp_path: Path) -> None:
    series = nifti(tmp_path / "four.nii", np.zeros((3, 3, 3, 2), np.int16), np.eye(4))
    with pytest.raises(GeometryError, match="4 dimensions"):
        read_series(series)
    skewed = np.eye(4)
    skewed[0, 1] = 0.5
    with pytest.raises(GeometryError, match="not perpendicular"):
        read_series(nifti(tmp_path / "skewed.nii", np.zeros((3, 3, 3), np.int16), skewed))
    (tmp_path / "broken.nrrd").write_bytes(b"NRRD0004\ntype: short\n")
    with pytest.raises(ReadError, match="cannot be read"):
        read_series(tmp_path / "broken.nrrd")
    sitk.WriteImage(
        sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(20, 20, 20))),
        str(tmp_path / "image.nii"),
    )
    with pytest.raises(ReadError, match="not labels"):
        read_mask(tmp_path / "image.nii", anywhere())
