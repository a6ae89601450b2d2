"""Small DICOM objects to scan, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"

Writer = Callable[..., Path]


def _meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return meta


def _identity(dataset: Dataset) -> None:
    dataset.PatientID = "P1"
    dataset.PatientIdentityRemoved = "YES"
    dataset.StudyInstanceUID = "1.2.826.0.1.1"
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3"


@pytest.fixture
def write_slice() -> Writer:
    """Write one CT slice at ``z``; any attribute can be given, None removes it."""

    def write(path: Path, z: float = 0.0, **changes: Any) -> Path:
        dataset = Dataset()
        dataset.SOPClassUID = CT
        dataset.SOPInstanceUID = generate_uid()
        _identity(dataset)
        dataset.SeriesInstanceUID = "1.2.826.0.1.2"
        dataset.Modality = "CT"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ImagePositionPatient = [0.0, 0.0, z]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [0.5, 0.75]
        dataset.SliceThickness = 3
        dataset.Rows, dataset.Columns = 4, 6
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 1
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.PixelData = np.zeros((4, 6), np.int16).tobytes()
        for keyword, value in changes.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        dataset.file_meta = _meta(dataset)
        path.parent.mkdir(parents=True, exist_ok=True)
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def write_series(write_slice: Writer) -> Callable[..., list[Path]]:
    """Write slices 3 mm apart into a folder."""

    def write(folder: Path, n: int = 5, skip: tuple[int, ...] = (), **changes: Any) -> list[Path]:
        numbers = [k for k in range(n) if k not in skip]
        return [write_slice(folder / f"{k}.dcm", 3.0 * k, InstanceNumber=k + 1, **changes) for k in numbers]

    return write


@pytest.fixture
def write_rtstruct() -> Writer:
    """Write a structure set: ``rois`` maps a name to the number of its contours."""

    def write(
        path: Path,
        rois: dict[str, int],
        *,
        series_uid: str = "1.2.826.0.1.2",
        sop_uids: tuple[str, ...] = (),
        geometric_type: str = "CLOSED_PLANAR",
    ) -> Path:
        dataset = Dataset()
        dataset.SOPClassUID = RTSTRUCT
        dataset.SOPInstanceUID = generate_uid()
        _identity(dataset)
        dataset.SeriesInstanceUID = generate_uid()
        dataset.Modality = "RTSTRUCT"
        dataset.StructureSetDate, dataset.StructureSetTime = "20200131", "101112"
        dataset.ApprovalStatus = "APPROVED"
        dataset.ReferencedFrameOfReferenceSequence = [_referenced(series_uid, sop_uids)]
        dataset.StructureSetROISequence = Sequence()
        dataset.ROIContourSequence = Sequence()
        for number, (name, count) in enumerate(rois.items(), start=1):
            roi = Dataset()
            roi.ROINumber, roi.ROIName = number, name.split("#")[0]
            roi.ReferencedFrameOfReferenceUID = "1.2.826.0.1.3"
            dataset.StructureSetROISequence.append(roi)
            drawn = Dataset()
            drawn.ReferencedROINumber = number
            drawn.ContourSequence = [_contour(geometric_type, k) for k in range(count)]
            dataset.ROIContourSequence.append(drawn)
        dataset.file_meta = _meta(dataset)
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        return path

    return write


def _contour(geometric_type: str, k: int) -> Dataset:
    contour = Dataset()
    contour.ContourGeometricType = geometric_type
    contour.NumberOfContourPoints = 3
    contour.ContourData = [0, 0, 3 * k, 1, 0, 3 * k, 1, 1, 3 * k]
    return contour


def _referenced(series_uid: str, sop_uids: tuple[str, ...]) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = series_uid
    series.ContourImageSequence = Sequence()
    for uid in sop_uids:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CT, uid
        series.ContourImageSequence.append(image)
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = "1.2.826.0.1.3"
    frame.RTReferencedStudySequence = [study]
    return frame
