"""Real objects: published ranges, published voxel counts, volumes that others made of the same files."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gclnm.harmonize import harmonize
from gclnm.images import MaskRef, Volume, VolumeRef
from gclnm.images.load import load_mask, load_volume, read_mask, read_series

Data = Callable[[str], Path]


def folder(path: Path) -> Volume:
    return load_volume(VolumeRef("", "dicom", tuple(sorted(str(p) for p in path.glob("*.dcm")))))


@pytest.mark.parametrize(
    ("case", "size", "low"),
    [
        ("siemens_mct_venous_j2k", (512, 512, 20), -1024),
        ("ge_ls16_portal_venous", (512, 512, 14), -1024),
        ("ge_ls16_rle_transcoded", (512, 512, 3), -1024),
        ("nih_pancreas_j2k_single", (512, 512, 1), -1024),
    ],
)
def test_abdominal_ct_loads_in_the_published_range_with_padding_masked(
    data: Data, case: str, size: tuple[int, int, int], low: float
) -> None:
    expected = json.loads((data("abdomen") / "expected.json").read_text())[case]
    volume = folder(data("abdomen") / case)
    assert volume.quantity == "HU"
    assert volume.geometry.size == size
    # The published range is that of unmasked values: padding of -2000 came out as -3024.
    assert volume.array.min() == max(low, expected["rescaled_min_max"][0])
    assert volume.array.max() == expected["rescaled_min_max"][1]
    assert harmonize(volume).quantity == "HU"


def test_run_length_and_plain_copies_of_the_same_slices_are_equal(data: Data) -> None:
    plain = folder(data("abdomen") / "ge_ls16_portal_venous")
    packed = folder(data("abdomen") / "ge_ls16_rle_transcoded")
    first = int(np.round(plain.geometry.to_index([packed.geometry.origin_mm])[0][2]))
    np.testing.assert_array_equal(packed.array, plain.array[first : first + 3])


@pytest.mark.parametrize("twin", ["emr_small_rle", "emr_small_j2k"])
def test_compressed_twins_of_an_enhanced_object_are_equal(data: Data, twin: str) -> None:
    plain = read_series(data("enhanced") / "emr_small.dcm")
    assert (plain.array.min(), plain.array.max()) == (0, 467)
    assert plain.facts["geometry_assumed"]
    np.testing.assert_array_equal(read_series(data("enhanced") / f"{twin}.dcm").array, plain.array)


def test_a_perfusion_map_is_not_taken_for_hu(data: Data) -> None:
    volume = read_series(data("enhanced") / "ect_perfusion_sample.dcm")
    assert volume.quantity == "ml/100ml/s"
    assert (volume.array.min(), volume.array.max()) == (-1024, 1196 - 1024)


def test_magnitude_and_field_map_of_one_object_keep_their_units(data: Data) -> None:
    path = str(data("enhanced") / "emr_philips_achieva_fieldmap.dcm")
    signal = load_volume(VolumeRef("", "dicom", (path,), tuple(range(32))))
    field = load_volume(VolumeRef("", "dicom", (path,), tuple(range(32, 64))))
    assert (signal.quantity, field.quantity) == ("arbitrary", "Hz")
    assert field.array.min() > -500.1
    assert field.array.max() < 500.1
    np.testing.assert_array_equal(read_series(path).array, signal.array)


@pytest.mark.parametrize(
    ("case", "size"), [("emr_siemens_vida_xa10", (64, 64, 6)), ("emr_philips_57_pcasl_real", (96, 96, 40))]
)
def test_other_enhanced_mr_loads(data: Data, case: str, size: tuple[int, int, int]) -> None:
    expected = json.loads((data("enhanced") / "expected.json").read_text())[case]
    volume = read_series(data("enhanced") / f"{case}.dcm")
    assert volume.geometry.size == size
    slope = volume.history[1].settings["slope"][0]
    assert volume.array.max() == pytest.approx(expected["stored_min_max"][1] * slope, rel=1e-6)


def test_voxel_counts_of_all_sarcoma_masks_are_those_of_the_ibsi(data: Data) -> None:
    with gzip.open(data("ibsi") / "ibsi1_phase3_consensus.csv.gz") as file:
        table = pd.read_csv(file)
    table = table[table.tag == "int_mask_vox_count_init_roi"]
    assert len(table) == 48
    wrong = []
    for row in table.itertuples():
        case = data("sts") / str(row.patient) / str(row.modality)
        mask = read_mask(next((case / "mask").glob("*.dcm")), folder(case / "image"))
        if mask.n_voxels != row.consensus:
            wrong.append((row.patient, row.modality, mask.n_voxels, row.consensus))
    assert not wrong


@pytest.mark.parametrize("case", ["sts001_ge_bqml", "sts002_ge_gml"])
def test_pet_masks_and_suv_equal_voxel_by_voxel_what_others_made_of_them(data: Data, case: str) -> None:
    root = data("pet_real")
    patient = case[:6]
    volume = harmonize(folder(root / case))
    theirs = load_volume(VolumeRef("", "image", (str(root / f"{patient}_mirp_suv" / "suv_cropped.nii.gz"),)))
    label = MaskRef("labelmap", str(root / f"{patient}_mirp_suv" / "gtv_mask_cropped.nii.gz"), 1)
    drawn = load_mask(MaskRef("rtstruct", str(root / f"{patient}_rtstruct" / "rtstruct.dcm"), 1), volume)
    start = np.round(volume.geometry.to_index([theirs.geometry.origin_mm])[0]).astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(start[::-1], theirs.array.shape, strict=True))
    assert volume.quantity == "SUVbw"
    assert np.abs(volume.array[box] - theirs.array).max() < 0.001
    np.testing.assert_array_equal(drawn.array[box], load_mask(label, volume).array)
    assert drawn.n_voxels == drawn.array[box].sum()


def test_the_expected_suv_inside_the_tumour(data: Data) -> None:
    volume = harmonize(folder(data("pet_real") / "sts001_ge_bqml"))
    roi = read_mask(data("pet_real") / "sts001_rtstruct" / "rtstruct.dcm", volume, "GTV_Mass")
    inside = volume.array[roi.array]
    assert inside.size == 5095
    assert inside.max() == pytest.approx(7.91067, abs=5e-6)
    assert inside.mean() == pytest.approx(2.55518, abs=5e-6)
    assert np.median(inside) == pytest.approx(2.48701, abs=5e-6)


@pytest.mark.slow
def test_the_ct_phantom_is_the_same_from_dicom_and_from_nifti(data: Data, tmp_path: Path) -> None:
    root = data("ibsi") / "ibsi1_ct_phantom"
    with tarfile.open(root / "dicom.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    volume = folder(tmp_path / "dicom" / "image")
    nifti = load_volume(VolumeRef("", "image", (str(root / "image.nii.gz"),), modality="CT"))
    assert nifti.geometry.distance_mm(volume.geometry) < 0.01
    np.testing.assert_array_equal(volume.array, nifti.array)
    mask = read_mask(next((tmp_path / "dicom" / "mask").glob("*.dcm")), volume)
    theirs = load_mask(MaskRef("labelmap", str(root / "mask.nii.gz"), 1), nifti)
    np.testing.assert_array_equal(mask.array, theirs.array)
