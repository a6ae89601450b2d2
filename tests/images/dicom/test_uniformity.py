"""Each vendor's way to say that the shading of coils is corrected already."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from gclnm.images.dicom.facts import scanner_facts
from gclnm.images.dicom.uniformity import uniformity
from gclnm.images.load import read_series


def header(manufacturer: str, **elements: object) -> Dataset:
    dataset = Dataset()
    dataset.Modality, dataset.Manufacturer = "MR", manufacturer
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def pure() -> Dataset:
    dataset = header("GE MEDICAL SYSTEMS")
    dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x88, "UI", "1.2.3")
    return dataset


def xa(*terms: str) -> Dataset:
    inner, frame, dataset = Dataset(), Dataset(), header("Siemens Healthineers", NumberOfFrames=1)
    inner.private_block(0x0021, "SIEMENS MR SDI 02", create=True).add_new(0x75, "CS", list(terms))
    frame.private_block(0x0021, "SIEMENS MR SDI 02", create=True).add_new(0xFE, "SQ", [inner])
    dataset.PerFrameFunctionalGroupsSequence = [frame]
    return dataset


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (header("SIEMENS", ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "NORM"]), "NORM"),
        (header("SIEMENS", ImageType=["ORIGINAL", "PRIMARY", "M", "ND"]), ""),
        (header("SIEMENS", SeriesDescription="t1 norm"), ""),
        (xa("ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D"), "NORM"),
        (xa("ORIGINAL", "PRIMARY", "M", "DIS2D"), ""),
        (pure(), "PURE"),
        (header("GE MEDICAL SYSTEMS", ScanOptions=["FAST_GEMS", "PURE_GEMS"]), "PURE"),
        (header("GE MEDICAL SYSTEMS", SeriesDescription="Ax T2 SCIC"), "SCIC"),
        (header("GE MEDICAL SYSTEMS", SeriesDescription="AX LAVA PUREST"), ""),
        (header("Philips Medical Systems", ProtocolName="T2W sCLEAR"), "CLEAR"),
        (header("Philips", SeriesDescription="nuclear"), ""),
        (header("TOSHIBA", SeriesDescription="PURE CLEAR NORM"), ""),
        (header(""), ""),
    ],
)
def test_the_correction_is_named_by_the_vendors_own_word(dataset: Dataset, expected: str) -> None:
    assert uniformity(dataset) == expected
    assert scanner_facts(dataset).get("uniformity", "") == expected


def test_the_mosaic_of_a_prisma_says_norm_and_the_xa30_series_does_not(data) -> None:
    import pydicom

    folder = data("dwi")
    mosaic = sorted((folder / "siemens_prisma_mosaic").glob("*.dcm"))[0]
    enhanced = sorted((folder / "siemens_xa30_enhanced").glob("*.dcm"))[0]
    assert uniformity(pydicom.dcmread(mosaic, stop_before_pixels=True)) == "NORM"
    assert uniformity(pydicom.dcmread(enhanced, stop_before_pixels=True)) == ""


def test_the_fact_is_absent_where_nothing_is_said(data) -> None:
    assert "uniformity" not in read_series(data("mr_raw") / "abdomen_t2_titan_1p5T").facts
