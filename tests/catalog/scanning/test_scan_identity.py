"""Which image file is which: ids by patient and path, copies by their whole content, names of any bytes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import gclnm.catalog.scanning.records as records
from gclnm.catalog.samples import Samples
from gclnm.catalog.scan import scan
from gclnm.catalog.scanning.cache import cache_file

BIG = (40, 80, 80)


def write(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def mask(k: int) -> np.ndarray:
    """A tumour between the samples of the content: the first, middle and last 64 kB do not hold it."""
    array = np.zeros(BIG, np.uint8)
    array[k, 30:40, 30:40] = 1
    return array


def image(value: int = 0) -> np.ndarray:
    return np.full((3, 4, 5), value, np.int16)


def codes(catalog) -> list[str]:
    return [code for code in catalog.problems["code"] if code != "ids-from-names"]


def test_masks_of_two_patients_that_differ_outside_the_samples_both_stay(tmp_path):
    for patient, k in (("PA", 14), ("PB", 26)):
        write(tmp_path / patient / "CT" / "CT.nii", np.zeros(BIG, np.int16))
        write(tmp_path / patient / "CT" / "CT_GTV_mask.nii", mask(k))
    catalog = scan(tmp_path, progress=False)
    assert catalog.segmentations["patient_id"].tolist() == ["PA", "PB"]
    assert catalog.segmentations["segmentation_id"].is_unique
    assert codes(catalog) == ["equal-files"]  # the two images are zeros
    assert catalog.volumes["patient_id"].tolist() == ["PA", "PB"]


def test_files_of_one_patient_that_differ_outside_the_samples_both_stay(tmp_path):
    for part, k in (("a", 14), ("b", 26)):
        write(tmp_path / "P1" / part / "CT.nii", mask(k).astype(np.int16))
        write(tmp_path / "P1" / part / "CT_GTV_mask.nii", mask(k))
    catalog = scan(tmp_path, progress=False)
    assert (len(catalog.volumes), len(catalog.segmentations), codes(catalog)) == (2, 2, [])


def test_a_copy_of_one_patient_counts_once_and_the_note_says_so(tmp_path):
    for part in ("a", "b"):
        write(tmp_path / "P1" / part / "T2.nii.gz", image(1))
        write(tmp_path / "P1" / part / "T2_mask.nii.gz", image(1))
    catalog = scan(tmp_path, progress=False)
    assert (len(catalog.volumes), len(catalog.segmentations)) == (1, 1)
    assert codes(catalog) == ["copy", "copy"]
    assert catalog.counts["copy"] == 2
    assert "byte for byte" in catalog.problems["what"].iloc[0]
    assert catalog.segmentations["referenced_volume_id"].tolist() == catalog.volumes["volume_id"].tolist()


def test_an_equal_outline_of_another_reader_or_image_is_no_copy(tmp_path):
    write(tmp_path / "P1" / "T2_reader1_mask.nii.gz", image(1))
    write(tmp_path / "P1" / "T2_reader2_mask.nii.gz", image(1))
    for part, value in (("pre", 5), ("post", 6)):
        write(tmp_path / "P1" / part / "T2.nii.gz", image(value))
        write(tmp_path / "P1" / part / "T2_mask.nii.gz", image(1))
    catalog = scan(tmp_path, progress=False)
    assert (len(catalog.volumes), len(catalog.segmentations), codes(catalog)) == (2, 4, [])


def test_a_file_that_is_exported_again_and_a_folder_that_is_moved_keep_their_ids(tmp_path):
    file = write(tmp_path / "d" / "P1" / "ct.nii", image(1))
    write(tmp_path / "d" / "P1" / "ct_mask.nii", image(1))

    def ids(root: Path) -> tuple[str, str]:
        catalog = scan(root, progress=False)
        return catalog.volumes["volume_id"][0], catalog.segmentations["segmentation_id"][0]

    first = ids(tmp_path / "d")
    assert not any(word in "".join(first) for word in ("P1", "ct", "nii"))
    write(file, image(2))
    assert ids(tmp_path / "d") == first
    shutil.move(tmp_path / "d", tmp_path / "e")
    assert ids(tmp_path / "e") == first


def test_files_of_one_name_in_folders_that_a_table_names_are_different_volumes(tmp_path):
    rows = ["image,mask,patient_id"]
    for part in ("pre", "post"):
        write(tmp_path / part / "ct.nii", image(1))
        outline = write(tmp_path / f"{part}-mask.nii", image(1))
        rows.append(f"{part},{outline.name},P1")
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    samples = Samples.from_table(tmp_path / "pairs.csv")
    assert len({sample.images["image"].volume_id for sample in samples}) == 2


@pytest.fixture
def latin(tmp_path) -> bytes:
    if os.name == "nt":
        pytest.skip("Windows has no names of bytes")
    return os.fsencode(tmp_path) + b"/M\xfcller"


def named(folder: bytes) -> Path:
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    return Path(os.fsdecode(folder))


def test_an_image_file_whose_name_is_not_utf8_is_listed_and_the_others_are_read(tmp_path, latin):
    write(tmp_path / "P1" / "ct.nii.gz", image())
    shutil.copy(tmp_path / "P1" / "ct.nii.gz", named(latin) / "ct.nii.gz")
    catalog = scan(tmp_path, progress=False)
    assert catalog.volumes["patient_id"].tolist() == ["P1"]
    (row,) = catalog.problems[catalog.problems["code"] == "file-name"].to_dict("records")
    assert "UTF-8" in row["what"]
    assert row["where"].endswith("M\\udcfcller/ct.nii.gz")
    catalog.problems.to_csv(tmp_path / "problems.csv")


def test_dicom_below_a_name_that_is_not_utf8_is_read_and_remembered(
    tmp_path, latin, write_series, write_rtstruct, monkeypatch
):
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    folder = named(latin)
    write_series(folder)
    write_rtstruct(folder / "rs.dcm", {"GTV": 2})
    first = scan(folder, progress=False)
    assert first.volumes["n_slices"].tolist() == [5]
    assert os.path.exists(first.volume_ref(first.volumes["volume_id"][0]).files[0])
    for table in (first.volumes, first.segmentations, first.problems):
        table.to_csv(tmp_path / "table.csv")
    first._repr_html_().encode()
    assert cache_file().stat().st_size > 0
    monkeypatch.setattr(records, "read_header", None)  # a second reading would fail
    for root in (folder, tmp_path):
        assert scan(root, progress=False).volumes["n_slices"].tolist() == [5]


def test_what_a_reader_did_not_foresee_is_listed_and_not_raised(tmp_path, write_series, monkeypatch):
    def fail(path: str) -> None:
        raise KeyError("Doe^Jane")

    write_series(tmp_path / "dicom")
    write(tmp_path / "P1" / "ct.nii", image())
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(records, "read_image_header", fail)
    catalog = scan(tmp_path, progress=False)
    assert len(catalog.volumes) == 1
    assert ("internal", "internal: KeyError") in zip(
        catalog.problems["code"], catalog.problems["what"], strict=True
    )
    assert "Doe" not in catalog.problems.to_csv()


def test_ids_from_names_of_files_get_one_notice_unless_they_are_replaced(tmp_path):
    for patient in ("Doe", "Roe"):
        write(tmp_path / patient / f"ct_{patient}.nii", image(len(patient)))
    for key, noted in ((None, 1), ("secret", 0)):
        catalog = scan(tmp_path, patient_key=key, progress=False)
        rows = catalog.problems[catalog.problems["code"] == "ids-from-names"]
        assert rows["severity"].tolist() == ["info"] * noted
        assert ("Doe" in set(catalog.volumes["patient_id"])) == bool(noted)


def test_masks_beside_dicom_get_no_notice_of_names(tmp_path, write_series):
    write_series(tmp_path / "case" / "ct")
    write(tmp_path / "case" / "tumour_mask.nrrd", image(1).astype(np.uint8))
    assert "ids-from-names" not in set(scan(tmp_path, progress=False).problems["code"])
