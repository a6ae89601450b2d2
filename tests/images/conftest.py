"""Small DICOM series, written on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from gclnm.images import VolumeRef

SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}
FRAME = "1.2.3.4"
Series = Callable[..., VolumeRef]


def image_header(stored: np.ndarray, modality: str = "CT") -> Dataset:
    """A single-slice image with the pixels ``stored`` (rows, columns) and little else."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = SOP_CLASSES[modality]
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.Modality = modality
    header.Rows, header.Columns = stored.shape
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    bits = stored.dtype.itemsize * 8
    header.BitsAllocated = header.BitsStored = bits
    header.HighBit = bits - 1
    header.PixelRepresentation = int(stored.dtype.kind == "i")
    header.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    header["PixelData"].VR = "OW"
    return header


@pytest.fixture
def write_series(tmp_path: Path) -> Series:
    """Write an axial series of ``stored`` (z, y, x); file names do not follow the order of the slices."""

    def write(
        stored: np.ndarray,
        heights: Sequence[float] | None = None,
        *,
        modality: str = "CT",
        common: Mapping[str, Any] | None = None,
        each: Callable[[int], Mapping[str, Any]] = lambda index: {},
    ) -> VolumeRef:
        heights = [3.0 * k for k in range(len(stored))] if heights is None else heights
        folder = tmp_path / generate_uid()
        folder.mkdir()
        files = []
        for index, (slice_, z) in enumerate(zip(stored, heights, strict=True)):
            header = image_header(slice_, modality)
            header.StudyInstanceUID, header.SeriesInstanceUID = "1.2", f"1.2.{len(stored)}"
            header.PatientID = "case"
            header.FrameOfReferenceUID = FRAME
            header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            header.ImagePositionPatient = [-10.0, -20.0, float(z)]
            header.PixelSpacing = [2.0, 1.0]
            header.SliceThickness = 3.0
            if modality == "CT":
                header.RescaleSlope, header.RescaleIntercept = 1, -1024
            for keyword, value in {**(common or {}), **each(index)}.items():
                if value is None:
                    header.pop(keyword, None)
                else:
                    setattr(header, keyword, value)
            path = folder / f"{(7 * index) % 11:02d}-{index}"
            header.save_as(path, enforce_file_format=True)
            files.append(str(path))
        return VolumeRef("1.2", "dicom", tuple(sorted(files)), modality=modality)

    return write


@pytest.fixture
def header() -> Callable[..., Dataset]:
    """The header of one slice, as :func:`image_header` makes it."""
    return image_header
