"""What scan says of an ROI is what reading its contours gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from gclnm.errors import ReadError
from gclnm.images.dicom.headers import read_header
from gclnm.images.dicom.objects import RTSTRUCT
from gclnm.images.dicom.rtstruct import read_contours

SQUARE = [0, 0, 1, 4, 0, 1, 4, 4, 1, 0, 4, 1]


def structure_set(path: Path, contours: list[tuple[str, list[int]]]) -> str:
    """One ROI with contours of these types and points."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = RTSTRUCT
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "RTSTRUCT"
    roi, drawn, frame = Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ROIName = 1, "GTV"
    drawn.ReferencedROINumber = 1
    drawn.ContourSequence = []
    for kind, points in contours:
        item = Dataset()
        item.ContourGeometricType, item.ContourData = kind, points
        item.NumberOfContourPoints = len(points) // 3
        drawn.ContourSequence.append(item)
    frame.FrameOfReferenceUID = "1.2.3"
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [roi], [drawn]
    dataset.ReferencedFrameOfReferenceSequence = [Dataset(), frame]
    dataset.save_as(path, enforce_file_format=True)
    return str(path)


@pytest.mark.parametrize(
    ("contours", "closed"),
    [
        ([("CLOSED_PLANAR", SQUARE)], 1),
        ([("CLOSEDPLANAR_XOR", SQUARE), ("CLOSED_PLANAR", SQUARE)], 2),
        ([("CLOSED_PLANAR", SQUARE), ("OPEN_PLANAR", SQUARE), ("POINT", SQUARE[:3])], 1),
        ([("CLOSED_PLANAR", SQUARE), ("CLOSED_PLANAR", SQUARE[:6])], 1),
        ([("CLOSED_PLANAR", SQUARE[:6])], 0),
        ([("", SQUARE)], 0),
        ([("POINT", SQUARE[:3])], 0),
    ],
)
def test_an_roi_is_usable_exactly_if_it_has_closed_contours_to_read(
    tmp_path: Path, contours: list[tuple[str, list[int]]], closed: int
) -> None:
    path = structure_set(tmp_path / "rs", contours)
    (roi,) = read_header(path).rois
    assert (roi.n_contours, bool(roi.reason)) == (closed, closed == 0)
    if not closed:
        with pytest.raises(ReadError) as caught:
            read_contours(path, 1)
        assert caught.value.code == "roi-without-contours"
        return
    found = read_contours(path, 1)
    assert (len(found.points_mm), found.ignored) == (closed, len(contours) - closed)
    assert found.frame_uid == roi.frame_uid == "1.2.3"
