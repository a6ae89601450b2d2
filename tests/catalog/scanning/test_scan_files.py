"""NIfTI, NRRD and MetaImage: names say who belongs to whom, headers say the grid and the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from gclnm.catalog.scan import scan
from gclnm.catalog.scanning.filenames import image_of, modality_of, patient_of, roi_name
from gclnm.images.files.headers import ImageHeader


def write(path: Path, array, spacing=(1.0, 1.0, 2.0), **fields: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.asarray(array), isVector=False)
    image.SetSpacing(spacing[: image.GetDimension()] if image.GetDimension() < 4 else (*spacing, 1.0))
    for key, value in fields.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))
    return path


def labels(*values: int):
    array = np.zeros((3, 4, 5), np.uint8)
    for k, value in enumerate(values):
        array[k % 3, k] = value
    return array


IMAGE = np.zeros((3, 4, 5), np.int16)


def test_an_image_and_its_mask_are_found_by_name(tmp_path):
    write(tmp_path / "P01" / "T2.nii.gz", IMAGE)
    write(tmp_path / "P01" / "ADC.nii.gz", IMAGE)
    write(tmp_path / "P01" / "T2_GTV_mask.nii.gz", labels(1))
    catalog = scan(tmp_path, progress=False)
    assert set(catalog.volumes["modality"]) == {"MR"}
    assert set(catalog.volumes["patient_id"]) == {"P01"}
    assert catalog.volumes["spacing_z_mm"].tolist() == [2.0, 2.0]
    (roi,) = catalog.segmentations.to_dict("records")
    assert (roi["name"], roi["number"], roi["kind"], roi["usable"]) == ("GTV", 1, "labelmap", True)
    ref = catalog.volume_ref(roi["referenced_volume_id"])
    assert Path(ref.files[0]).name == "T2.nii.gz"
    assert (roi["size"], roi["spacing"]) == ("5 4 3", "1.0 1.0 2.0")


def test_several_labels_of_a_file_are_several_rows(tmp_path):
    write(tmp_path / "P01" / "image.nrrd", IMAGE)
    write(tmp_path / "P01" / "nodes-labels.nrrd", labels(1, 2, 7))
    rows = scan(tmp_path, progress=False).segmentations
    assert rows["number"].tolist() == [1, 2, 7]
    assert rows["name"].tolist() == ["nodes_1", "nodes_2", "nodes_7"]
    assert rows["segmentation_id"].is_unique


def test_seg_nrrd_names_layers_and_empty_segments_come_from_its_header(tmp_path):
    write(tmp_path / "P01" / "ct.nrrd", IMAGE)
    write(
        tmp_path / "P01" / "Segmentation.seg.nrrd",
        labels(1, 3),
        Segment0_Name="tumour",
        Segment0_LabelValue="1",
        Segment0_Layer="0",
        Segment0_Extent="0 4 0 0 0 0",
        Segment1_Name="node",
        Segment1_LabelValue="3",
        Segment1_Layer="1",
        Segment1_Extent="0 -1 0 -1 0 -1",
    )
    catalog = scan(tmp_path, progress=False)
    tumour, node = catalog.segmentations.to_dict("records")
    assert (tumour["name"], tumour["number"], tumour["usable"]) == ("tumour", 1, True)
    assert (node["name"], node["number"], node["reason"]) == ("node", 3, "the label has no voxels")
    assert catalog.mask_ref(node["segmentation_id"]).layer == 1
    assert tumour["referenced_volume_id"] == catalog.volumes["volume_id"][0]


def test_four_dimensions_and_masks_without_whole_numbers_are_refused_by_name(tmp_path):
    write(tmp_path / "P01" / "dwi.nii.gz", np.zeros((2, 3, 4, 5), np.int16))
    write(tmp_path / "P01" / "soft_mask.nii.gz", np.full((3, 4, 5), 0.5, np.float32))
    catalog = scan(tmp_path, progress=False)
    assert catalog.volumes["reason"].tolist() == ["an image of 4 dimensions is not a volume"]
    assert catalog.segmentations.empty
    assert catalog.problems["code"].tolist() == ["unusable-file", "unusable-file", "ids-from-names"]


def test_an_unreadable_image_file_is_listed(tmp_path):
    (tmp_path / "broken.nii.gz").write_bytes(b"not an image")
    catalog = scan(tmp_path, progress=False)
    assert catalog.problems["severity"].tolist() == ["error", "warning"]
    assert catalog.problems["where"][0] == str(tmp_path / "broken.nii.gz")


def test_masks_beside_dicom_belong_to_its_patient(tmp_path, write_series):
    write_series(tmp_path / "case-7" / "ct")
    write(tmp_path / "case-7" / "tumour_mask.nrrd", labels(1))
    catalog = scan(tmp_path, progress=False)
    assert catalog.segmentations["patient_id"].tolist() == ["P1"]
    assert catalog.segmentations["referenced_volume_id"].tolist() == [""]


def test_ids_of_files_do_not_depend_on_where_the_folder_stands(tmp_path):
    for root in ("here", "there"):
        write(tmp_path / root / "P01" / "ct.nii.gz", IMAGE)
    ids = [scan(tmp_path / root, progress=False).volumes["volume_id"][0] for root in ("here", "there")]
    assert ids[0] == ids[1]


def test_equal_files_of_two_patients_stay_apart(tmp_path):
    for patient in ("P01", "P02"):
        write(tmp_path / patient / "ct.nii.gz", IMAGE)
        write(tmp_path / patient / "mask.nii.gz", labels(1))
    catalog = scan(tmp_path, progress=False)
    assert catalog.volumes["patient_id"].tolist() == ["P01", "P02"]
    assert len(catalog.segmentations) == 2


def header(path: str) -> ImageHeader:
    return ImageHeader(path, False, (1, 1, 1), (1, 1, 1), (0, 0, 0), (), "")


@pytest.mark.parametrize(
    ("mask", "images", "expected", "name"),
    [
        ("mask.nii", ["image.nii"], "image.nii", "mask"),
        ("a_mask.nii", ["a.nii", "b.nii"], "a.nii", "a"),
        ("a_t1_roi.nii", ["a.nii", "a_t1.nii"], "a_t1.nii", "a_t1"),
        ("c_mask.nii", ["a.nii", "b.nii"], None, "c"),
        ("a_liver_label.nii", ["a.nii"], "a.nii", "liver"),
        ("mask.nii", [], None, "mask"),
    ],
)
def test_masks_find_their_image_by_words(mask, images, expected, name):
    found = image_of(mask, [header(path) for path in images])
    assert (found.file if found else None) == expected
    assert roi_name(mask, found) == name


def test_modality_and_patient_come_from_names():
    root = Path("/d")
    assert modality_of("/d/P1/MR_T1/image.nii", root) == "MR"
    assert modality_of("/d/P1/PETCT/ct.nii", root) == "CT"
    assert modality_of("/d/P1/ct_pet.nii", root) == ""
    assert patient_of("/d/P1/x/y.nii", root) == "P1"


def test_images_that_do_not_say_their_modality_are_a_problem_with_a_way_out(tmp_path):
    write(tmp_path / "P01" / "scan.nii.gz", np.zeros((3, 4, 5), np.int16))
    write(tmp_path / "P02" / "ct.nii.gz", np.ones((3, 4, 5), np.int16))
    problems = scan(tmp_path, progress=False).problems.set_index("code")
    row = problems.loc["unknown-modality"]
    assert (row["severity"], row["what"].split(" ", 1)[0]) == ("warning", "1")
    assert 'assign(modality="CT")' in row["fix"]
