"""One DICOM file without its pixels: the facts of each frame, or of each region it outlines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pydicom
from pydicom.dataset import Dataset

from gclnm.errors import ReadError
from gclnm.images.dicom.deflated import check_inflated
from gclnm.images.dicom.files import looks_like_dicom, readable
from gclnm.images.dicom.frames import FrameHeader, frame_headers
from gclnm.images.dicom.objects import RTSTRUCT, SEGMENTATION, is_image, sop_class_of
from gclnm.images.dicom.rois import RoiHeader, rtstruct_headers, seg_headers
from gclnm.images.dicom.whole import check_elements, check_pixels

__all__ = ["FileHeader", "read_header"]


@dataclass(frozen=True)
class FileHeader:
    """What one DICOM file is.

    Parameters
    ----------
    file
        Path.
    kind
        ``"image"`` (CT, MR, PT), ``"rtstruct"``, ``"seg"`` or ``"other"``.
    frames
        Of an image: one for each frame.
    rois
        Of a structure set or segmentation: one for each ROI or segment.
    sop_class
        SOP Class UID, which names what an ``"other"`` object is.
    """

    file: str
    kind: Literal["image", "rtstruct", "seg", "other"]
    frames: tuple[FrameHeader, ...] = ()
    rois: tuple[RoiHeader, ...] = ()
    sop_class: str = ""


def read_header(path: str | Path, *, salt: bytes = b"") -> FileHeader:
    """Read the header of one DICOM file; pixels are not read, but their presence is checked.

    Parameters
    ----------
    path
        A DICOM file with any name, with or without the 128-byte preamble.
    salt
        Key under which a birth date is digested (for finding two persons under one id); without it
        no digest is made.

    Raises
    ------
    ReadError
        When the file is not DICOM, or is cut off in its header or its pixels.
    """
    file = str(path)
    with readable(file), open(file, "rb") as stream:
        start = stream.read(132)
        if not looks_like_dicom(start):
            raise ReadError("the file is not DICOM", where=file, code="not-dicom")
        check_inflated(stream, file)
        dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=start[128:132] != b"DICM")
        header = _file_header(file, dataset, salt)
        if header.kind in ("image", "seg"):
            check_pixels(stream, dataset, file)
        elif header.kind == "rtstruct":
            check_elements(stream, dataset, file)
    return header


def _file_header(file: str, dataset: Dataset, salt: bytes) -> FileHeader:
    sop_class = sop_class_of(dataset)
    if sop_class == RTSTRUCT:
        return FileHeader(file, "rtstruct", rois=rtstruct_headers(file, dataset), sop_class=sop_class)
    if sop_class == SEGMENTATION:
        return FileHeader(file, "seg", rois=seg_headers(file, dataset), sop_class=sop_class)
    if is_image(dataset):
        return FileHeader(file, "image", frame_headers(dataset, file, salt=salt), sop_class=sop_class)
    if not sop_class and "Rows" not in dataset and "PatientID" not in dataset:
        raise ReadError("the file is not DICOM, or was cut early", where=file, code="not-dicom")
    return FileHeader(file, "other", sop_class=sop_class)
