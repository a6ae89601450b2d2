"""Pairing of files as they lie on disk: small DICOM, label maps, and the reference cohorts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from gclnm.catalog.pair import pair
from gclnm.catalog.samples import Samples
from gclnm.catalog.scan import scan
from gclnm.errors import InputError
from gclnm.images import MaskRef
from gclnm.images.load import load

SIZE, SPACING = (12, 10, 6), (1.0, 1.0, 3.0)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / ".cache"))


def ct_series(folder: Path, patient: str, uids: dict[str, str], *, kernel: str = "B30") -> list[str]:
    """Write six slices; ``uids`` keeps study and frame. Returns the SOP instance UIDs."""
    series = uids[f"series {kernel}"] = generate_uid()
    sops = []
    for z in range(SIZE[2]):
        sop = generate_uid()
        sops.append(sop)
        item = _object(CTImageStorage, sop, patient, uids, series, "CT")
        item.FrameOfReferenceUID = uids["frame"]
        item.ImagePositionPatient = [0.0, 0.0, SPACING[2] * z]
        item.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        item.PixelSpacing, item.SliceThickness = [1.0, 1.0], 3.0
        item.Columns, item.Rows = SIZE[:2]
        item.ConvolutionKernel = kernel
        item.AcquisitionTime, item.AcquisitionNumber = "101010", 1
        item.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        item.BitsAllocated, item.BitsStored, item.HighBit, item.PixelRepresentation = 16, 16, 15, 1
        item.SamplesPerPixel, item.PhotometricInterpretation = 1, "MONOCHROME2"
        item.RescaleSlope, item.RescaleIntercept, item.InstanceNumber = 1, -1024, z + 1
        item.PixelData = np.full((SIZE[1], SIZE[0]), 1000 + z, np.int16).tobytes()
        folder.mkdir(parents=True, exist_ok=True)
        item.save_as(folder / f"{z}", enforce_file_format=True)
    return sops


def structure_set(path: Path, patient: str, uids: dict[str, str], sops: list[str], names: list[str]) -> None:
    """Write a square of each name on slices 1 and 2."""
    item = _object(RTStructureSetStorage, generate_uid(), patient, uids, generate_uid(), "RTSTRUCT")
    item.ApprovalStatus, item.StructureSetDate, item.StructureSetTime = "APPROVED", "20240101", "101010"
    item.StructureSetROISequence, item.ROIContourSequence = [], []
    for number, name in enumerate(names, 1):
        roi = Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, uids["frame"]
        item.StructureSetROISequence.append(roi)
        contours = Dataset()
        contours.ReferencedROINumber, contours.ContourSequence = number, []
        for z in (1, 2):
            contour, image = Dataset(), Dataset()
            image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CTImageStorage, sops[z]
            contour.ContourImageSequence = [image]
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", 4
            corners = [(2.5, 2.5), (6.5, 2.5), (6.5, 6.5), (2.5, 6.5)]
            contour.ContourData = [value for x, y in corners for value in (x, y, SPACING[2] * z)]
            contours.ContourSequence.append(contour)
        item.ROIContourSequence.append(contours)
    item.save_as(path, enforce_file_format=True)


def _object(
    sop_class: str, sop: str, patient: str, uids: dict[str, str], series: str, modality: str
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, sop
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    item = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    item.SOPClassUID, item.SOPInstanceUID, item.SeriesInstanceUID = sop_class, sop, series
    item.StudyInstanceUID, item.PatientID, item.Modality = uids["study"], patient, modality
    return item


def image_file(path: Path, array: np.ndarray[Any, Any], **meta: str) -> Path:
    image = sitk.GetImageFromArray(array, isVector=array.ndim == 4)
    image.SetSpacing(SPACING)
    for key, value in meta.items():
        image.SetMetaData(key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def labels(*values: int) -> np.ndarray[Any, Any]:
    """A label map with a box of each value, apart from each other."""
    array = np.zeros(SIZE[::-1], np.uint8)
    for place, value in enumerate(values):
        array[1:3, 1 + 3 * place : 3 + 3 * place, 1:4] = value
    return array


@pytest.fixture
def uids() -> dict[str, str]:
    return {"study": generate_uid(), "frame": generate_uid()}


def test_a_structure_set_pairs_with_its_series_and_loads(tmp_path, uids):
    sops = ct_series(tmp_path / "p" / "a", "p1", uids)
    ct_series(tmp_path / "p" / "b", "p1", uids, kernel="B70")
    structure_set(tmp_path / "p" / "rs", "p1", uids, sops, ["GTV", "Aorta"])
    catalog = scan(tmp_path / "p", progress=False)
    samples = pair(catalog, {"roi": "gtv", "aorta": "aorta"})
    assert samples.table["kernel"].tolist() == ["B30"]
    assert load(samples[0]).roi.n_voxels == 2 * 4 * 4
    by_acquisition = pair(catalog, "gtv", on="acquisition")
    assert sorted(zip(by_acquisition.table["kernel"], by_acquisition.table["paired_by"], strict=True)) == [
        ("B30", "reference"),
        ("B70", "acquisition"),
    ]


def test_a_copy_of_a_study_beside_the_original_changes_nothing(tmp_path, uids):
    for copy in ("one", "two"):
        folder = tmp_path / "p" / copy
        if copy == "one":
            structure_set_of(folder, uids)
        else:
            folder.mkdir()
            for file in (tmp_path / "p" / "one").iterdir():
                (folder / file.name).write_bytes(file.read_bytes())
    assert len(pair(scan(tmp_path / "p", progress=False), "GTV")) == 1


def structure_set_of(folder: Path, uids: dict[str, str]) -> None:
    sops = ct_series(folder, "p1", uids)
    structure_set(folder / "rs", "p1", uids, sops, ["GTV"])


def test_a_structure_set_whose_series_is_not_there_is_listed(tmp_path, uids):
    structure_set_of(tmp_path / "p", uids)
    for z in range(SIZE[2]):
        (tmp_path / "p" / f"{z}").unlink()
    samples = pair(scan(tmp_path / "p", progress=False), "GTV")
    assert samples.unpaired["code"].tolist() == ["missing-series"]


def test_an_roi_without_contours_is_listed(tmp_path, uids):
    structure_set_of(tmp_path / "p", uids)
    item = pydicom.dcmread(tmp_path / "p" / "rs")
    del item.ROIContourSequence[0].ContourSequence
    item.save_as(tmp_path / "p" / "rs")
    samples = pair(scan(tmp_path / "p", progress=False), "GTV")
    assert samples.unpaired["code"].tolist()[0] == "unusable-roi"


def test_a_label_map_pairs_with_a_dicom_series_by_manifest(tmp_path, uids):
    ct_series(tmp_path / "ct", "p1", uids)
    image_file(tmp_path / "masks" / "nodes.nii.gz", labels(1, 2))
    table = pd.DataFrame(
        {
            "image": ["ct", uids["series B30"]],
            "mask": ["masks/nodes.nii.gz"] * 2,
            "label": [1, 2],
            "roi": "node",
            "roi_instance": ["a", "b"],
        }
    )
    table.to_csv(tmp_path / "pairs.csv", index=False)
    samples = pair(scan(tmp_path / "ct", progress=False), manifest=tmp_path / "pairs.csv")
    assert samples.table["patient_id"].tolist() == ["p1", "p1"]
    assert [s.masks["roi"] for s in samples] == [
        MaskRef("labelmap", str(tmp_path / "masks" / "nodes.nii.gz"), label) for label in (1, 2)
    ]
    assert load(samples[1]).roi.n_voxels == 2 * 2 * 3


def test_a_table_of_files_needs_no_catalog_and_its_names_are_the_users(tmp_path):
    image_file(tmp_path / "p1" / "scan.nii.gz", np.ones(SIZE[::-1], np.int16))
    image_file(tmp_path / "p1" / "drawn.nii.gz", labels(1))
    image_file(tmp_path / "p2" / "the_seg_image.nrrd", np.ones(SIZE[::-1], np.int16))
    image_file(tmp_path / "p2" / "drawn_mask.nrrd", labels(3))
    table = tmp_path / "pairs.csv"
    table.write_text(
        "image,mask,roi,patient_id,modality,timepoint\n"
        "p1/scan.nii.gz,p1/drawn.nii.gz,GTV,007,CT,baseline\n"
        "p2/the_seg_image.nrrd,p2/drawn_mask.nrrd,GTV,008,CT,baseline\n"
        "p3/scan.nii.gz,p3/drawn.nii.gz,GTV,009,CT,baseline\n"
    )
    samples = Samples.from_table(table)
    assert samples.table["patient_id"].tolist() == ["007", "008"]
    assert samples.unpaired["code"].tolist() == ["missing-image"]
    case = load(samples[1])
    assert (case.image.quantity, case.roi.n_voxels) == ("HU", 12)


def test_a_folder_of_dicom_in_a_table_is_one_series(tmp_path, uids):
    structure_set_of(tmp_path / "p", uids)
    table = pd.DataFrame({"image": [str(tmp_path / "p")], "mask": [str(tmp_path / "p" / "rs")], "roi": "GTV"})
    samples = Samples.from_table(table)
    assert samples.table[["patient_id", "modality", "roi_name"]].values.tolist() == [["p1", "CT", "GTV"]]
    in_catalog = pair(scan(tmp_path / "p", progress=False), "GTV")
    assert samples[0].sample_id == in_catalog[0].sample_id


def test_segments_of_a_seg_nrrd_are_found_by_name_and_layer(tmp_path):
    image_file(tmp_path / "p1" / "ct.nrrd", np.ones(SIZE[::-1], np.int16))
    layers = np.stack([labels(1), labels(0, 1)], axis=-1)
    names = {"Segment0_Name": "Tumour", "Segment0_LabelValue": "1", "Segment0_Layer": "0"}
    names |= {"Segment1_Name": "Node", "Segment1_LabelValue": "1", "Segment1_Layer": "1"}
    image_file(tmp_path / "p1" / "ct.seg.nrrd", layers, **names)
    samples = pair(scan(tmp_path, progress=False), "node")
    assert samples.table["paired_by"].tolist() == ["file-name"]
    assert samples[0].masks["roi"].layer == 1
    table = pd.DataFrame({"image": ["ct.nrrd"], "mask": ["ct.seg.nrrd"], "label": ["Tumour"]})
    table.to_csv(tmp_path / "p1" / "pairs.csv", index=False)
    assert Samples.from_table(tmp_path / "p1" / "pairs.csv")[0].masks["roi"].layer == 0


def test_nodes_of_one_label_are_split_into_connected_parts(tmp_path):
    image_file(tmp_path / "p1" / "ct.nii.gz", np.ones(SIZE[::-1], np.int16))
    array = labels(1, 1, 1)
    array[1, 1, 5] = 1
    array[1:3, 1:3, 4] = 1
    image_file(tmp_path / "p1" / "ct_mask.nii.gz", array)
    catalog = scan(tmp_path, progress=False)
    name = catalog.segmentations["name"].iloc[0]
    samples = pair(catalog, name, split="components")
    assert samples.table["roi_instance"].tolist() == ["1", "2", "3"]
    sizes = [load(sample).roi.n_voxels for sample in samples]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == np.count_nonzero(array)


def test_the_public_cohort_has_48_samples(data):
    catalog = scan(data("sts"), progress=False)
    samples = pair(catalog, roi="GTV.*")
    table = samples.table
    assert len(samples) == 48
    assert table.groupby("modality")["patient_id"].nunique().to_dict() == {"CT": 16, "MR": 16, "PT": 16}
    assert len(samples.unpaired) == 0
    # Every ROI is named after the modality that it was drawn on.
    ends = table["roi_name"].str.rsplit("_").str[-1].replace({"PET": "PT", "T1": "MR"})
    assert (ends == table["modality"]).all()
    with pytest.raises(InputError, match="GTV_Mass_PET"):
        pair(catalog, roi="GTV_PET")


def test_two_kinds_of_roi_in_one_structure_set_are_two_samples(data):
    catalog = scan(data("pet_real"), progress=False)
    samples = pair(catalog, r"GTV_(?P<roi>Mass|Edema)").query("patient_id == 'STS_001'")
    assert sorted(samples.table["roi"]) == ["edema", "mass"]
    assert samples[0].images == samples[1].images
    loose = pair(catalog, "GTV_.*").query("patient_id == 'STS_001'")
    assert sorted(loose.table["roi_instance"]) == ["1", "2"]
