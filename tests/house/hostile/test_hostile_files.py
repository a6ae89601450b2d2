"""Files made to take memory and time: each is refused with a name, quickly and within bounds."""

from __future__ import annotations

import gzip
import resource
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    generate_uid,
)

import gclnm
from gclnm.errors import GclnmError
from gclnm.images.dicom import deflated
from gclnm.images.geometry import Geometry
from gclnm.images.load import load_mask, load_own_grid, load_volume, read_mask, read_series
from gclnm.images.volume import Volume

CT, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"
RTSTRUCT, SEG = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.66.4"
MOST_SECONDS, MOST_MB = 20.0, 900


def peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


@pytest.fixture(autouse=True)
def _bounded() -> Any:
    """No test of this module takes long, or much memory beyond what there was."""
    start, before = process_time(), peak_mb()
    yield
    assert process_time() - start < MOST_SECONDS
    assert peak_mb() - before < MOST_MB


def dataset(sop_class: str = CT, syntax: Any = ExplicitVRLittleEndian, **elements: Any) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.PatientID = generate_uid(), generate_uid(), "P1"
    ds.FrameOfReferenceUID = "1.2.3"
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def image(rows: int = 16, columns: int = 16, **elements: Any) -> Dataset:
    return dataset(
        **{
            "Modality": "CT",
            "Rows": rows,
            "Columns": columns,
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": 15,
            "PixelRepresentation": 0,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "PixelSpacing": [1, 1],
            "SliceThickness": 1,
            "ImagePositionPatient": [0, 0, 0],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            **elements,
        }
    )


def saved(ds: Dataset, folder: Path, name: str = "x.dcm") -> Path:
    path = folder / name
    ds.save_as(path, enforce_file_format=True)
    return path


def code_of(action: Callable[[], Any]) -> str:
    with pytest.raises(GclnmError) as found:
        action()
    return found.value.code


def problems(folder: Path) -> list[str]:
    catalog = gclnm.scan(folder, progress=False)
    assert not catalog.volumes["usable"].any()
    return list(catalog.problems["code"])


def test_a_deflated_bomb_is_refused_before_it_is_inflated(tmp_path, monkeypatch):
    monkeypatch.setattr(deflated, "MOST_INFLATED", 64 << 20)
    ds = image(syntax=DeflatedExplicitVRLittleEndian, PixelData=bytes(512))
    path = saved(ds, tmp_path)
    whole = path.read_bytes()
    length = int.from_bytes(whole[140:144], "little")
    packer = zlib.compressobj(9, wbits=-15)
    body = packer.compress(
        zlib.decompress(whole[144 + length :], -15)[:-524] + b"\xe0\x7f\x10\x00OW\0\0\0\0\0\x40"
    )
    body += b"".join(packer.compress(bytes(1 << 20)) for _ in range(128)) + packer.flush()
    path.write_bytes(whole[: 144 + length] + body)
    assert path.stat().st_size < 2 << 20
    assert code_of(lambda: read_series(path)) == "too-large"
    assert "too-large" in problems(tmp_path)


def test_a_deflated_file_of_the_usual_kind_is_read(tmp_path):
    pixels = np.arange(256, dtype=np.uint16)
    path = saved(image(syntax=DeflatedExplicitVRLittleEndian, PixelData=pixels.tobytes()), tmp_path)
    assert read_series(path).array.ravel()[:2].tolist() == [-1024, -1023]


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize(
    ("rows", "columns", "frames"), [(65535, 65535, 1), (8000, 8000, 2_000_000), (16, 16, 2**31)]
)
def test_sizes_that_only_a_header_has_are_refused(tmp_path, syntax, rows, columns, frames):
    ds = image(rows, columns, syntax=syntax, NumberOfFrames=frames)
    ds.PixelData = encapsulate([b"\x01\0\0\0" + bytes(64)])
    path = saved(ds, tmp_path)
    assert code_of(lambda: read_series(path)) in ("too-large", "not-decoded", "truncated")
    problems(tmp_path)


def test_a_run_length_frame_that_cannot_fill_its_pixels_is_refused(tmp_path):
    ds = image(8000, 8000, syntax=RLELossless)
    ds.PixelData = encapsulate([struct.pack("<16I", 2, 64, 80, *[0] * 13) + bytes(32)])
    assert code_of(lambda: read_series(saved(ds, tmp_path))) == "truncated"


def test_a_jpeg_2000_frame_of_another_size_than_the_header_is_refused(tmp_path):
    size = struct.pack(">HH8IH", 41, 0, 60000, 60000, 0, 0, 60000, 60000, 0, 0, 1) + b"\x0f\x01\x01"
    ds = image(syntax=JPEG2000Lossless)
    ds.PixelData = encapsulate([b"\xff\x4f\xff\x51" + size + bytes(64)])
    assert code_of(lambda: read_series(saved(ds, tmp_path))) == "not-decoded"


@pytest.mark.parametrize("frames", [300_000, 200_000, 2**31 - 1])
@pytest.mark.parametrize("sop_class", [SEG, ENHANCED_CT])
def test_millions_of_frames_that_nothing_describes_are_refused(tmp_path, sop_class, frames):
    ds = image(sop_class=sop_class, NumberOfFrames=frames, PixelData=bytes(512))
    ds.SegmentationType = "BINARY"
    ds.SegmentSequence = [Dataset()]
    ds.SegmentSequence[0].SegmentNumber = 1
    path = saved(ds, tmp_path)
    assert "too-large" in problems(tmp_path)
    grid = Geometry(size=(4, 4, 4), spacing_mm=(1.0, 1.0, 1.0))
    volume = Volume(np.zeros(grid.shape), grid)
    action = (lambda: read_mask(path, volume)) if sop_class == SEG else (lambda: read_series(path))
    assert code_of(action) == "too-large"


def test_a_segmentation_whose_frames_lie_kilometres_apart_is_refused(tmp_path):
    ds = image(4, 4, sop_class=SEG, Modality="SEG", NumberOfFrames=2, PixelData=bytes(64))
    del ds.ImagePositionPatient, ds.SliceThickness
    ds.SegmentationType, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "FRACTIONAL", 8, 8, 7
    ds.SegmentSequence, ds.PerFrameFunctionalGroupsSequence = [Dataset()], []
    ds.SegmentSequence[0].SegmentNumber, ds.SegmentSequence[0].SegmentLabel = 1, "GTV"
    for z in (0.0, 1e9):
        frame, plane, segment, measures = Dataset(), Dataset(), Dataset(), Dataset()
        plane.ImagePositionPatient, segment.ReferencedSegmentNumber = [0, 0, z], 1
        measures.SpacingBetweenSlices, measures.PixelSpacing = 0.5, [1, 1]
        frame.PlanePositionSequence, frame.SegmentIdentificationSequence = [plane], [segment]
        frame.PixelMeasuresSequence = [measures]
        ds.PerFrameFunctionalGroupsSequence.append(frame)
    path = saved(ds, tmp_path)
    catalog = gclnm.scan(tmp_path, progress=False)
    assert "span more than" in catalog.segmentations["reason"].iloc[0]
    assert (
        code_of(lambda: load_own_grid(catalog.mask_ref(catalog.segmentations["segmentation_id"][0])))
        == "too-large"
    )
    assert path.exists()


def test_sequences_nested_a_thousand_deep_are_named(tmp_path):
    start, end = (
        b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff",
        b"\xfe\xff\x0d\xe0\0\0\0\0",
    )
    end += b"\xfe\xff\xdd\xe0\0\0\0\0"
    path = saved(dataset(RTSTRUCT, Modality="RTSTRUCT"), tmp_path)
    whole = path.read_bytes()
    at = whole.index(b"\x08\x00\x60\x00CS")
    path.write_bytes(whole[:at] + start * 1000 + end * 1000 + whole[at:])
    codes = problems(tmp_path)
    assert set(codes) & {"unreadable", "truncated", "no-roi"}, codes
    assert "internal" not in codes


def _structure_set(points: int, folder: Path, syntax: Any = ImplicitVRLittleEndian) -> Path:
    ds = dataset(RTSTRUCT, syntax, Modality="RTSTRUCT")
    roi, contours, contour, frame = Dataset(), Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = 1, "GTV", "1.2.3"
    contours.ReferencedROINumber = 1
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.add_new("ContourData", "UN", b"1\\2\\3\\" * (points - 1) + b"2\\2\\3 ")
    contours.ContourSequence, ds.StructureSetROISequence, ds.ROIContourSequence = [contour], [roi], [contours]
    frame.FrameOfReferenceUID = "1.2.3"
    ds.ReferencedFrameOfReferenceSequence = [frame]
    return saved(ds, folder)


def test_ten_million_points_are_refused_before_they_become_numbers(tmp_path):
    _structure_set(10_000_000, tmp_path)
    catalog = gclnm.scan(tmp_path, progress=False)
    grid = Geometry(size=(8, 8, 8), spacing_mm=(1.0, 1.0, 1.0))
    ref = catalog.mask_ref(catalog.segmentations["segmentation_id"][0])
    assert code_of(lambda: load_mask(ref, Volume(np.zeros(grid.shape), grid))) == "too-large"


def _nifti(shape: tuple[int, ...], data: bytes, datatype: int = 4, bits: int = 16) -> bytes:
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<2h", head, 70, datatype, bits)
    struct.pack_into("<8f", head, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", head, 108, 352)
    head[344:348] = b"n+1\0"
    return bytes(head) + data


@pytest.mark.parametrize("shape", [(30000, 30000, 30000), (32767,) * 7, (1100, 1100, 1000)])
def test_a_nifti_of_impossible_size_is_refused(tmp_path, shape):
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(_nifti(shape, bytes(1000))))
    (tmp_path / "ct_mask.nii").write_bytes(_nifti(shape, bytes(1000)))
    assert set(problems(tmp_path)) & {"too-large", "truncated", "unreadable"}
    assert code_of(lambda: read_series(tmp_path / "ct.nii.gz")) in ("too-large", "truncated", "unreadable")


def test_a_gzip_bomb_behind_a_small_nifti_header_is_not_inflated(tmp_path):
    packed = zlib.compressobj(9, wbits=31)
    data = packed.compress(_nifti((4, 4, 4), bytes(128)))
    data += b"".join(packed.compress(bytes(1 << 20)) for _ in range(256)) + packed.flush()
    (tmp_path / "ct.nii.gz").write_bytes(data)
    catalog = gclnm.scan(tmp_path, progress=False)
    for volume_id in catalog.volumes.loc[catalog.volumes["usable"], "volume_id"]:
        assert load_volume(catalog.volume_ref(volume_id)).array.shape == (4, 4, 4)


@pytest.mark.parametrize("encoding", ["gzip", "raw"])
def test_an_nrrd_of_impossible_size_is_refused(tmp_path, encoding):
    head = "NRRD0004\ntype: short\ndimension: 3\nsizes: 1000 1000 1000\nendian: little\n"
    head += f"encoding: {encoding}\n\n"
    body = gzip.compress(bytes(1000)) if encoding == "gzip" else bytes(1000)
    (tmp_path / "ct.nrrd").write_bytes(head.encode() + body)
    assert code_of(lambda: read_series(tmp_path / "ct.nrrd")) in ("truncated", "unreadable")
    (tmp_path / "ct.nrrd").write_bytes(head.replace("1000 1000 1000", "9999 9999 9999").encode() + body)
    assert code_of(lambda: read_series(tmp_path / "ct.nrrd")) in ("too-large", "unreadable")


def test_pydicom_is_what_reads_the_sound_file_here(tmp_path):
    """The files of this module are DICOM: what is refused is refused for its size."""
    path = saved(image(PixelData=np.arange(256, dtype=np.uint16).tobytes()), tmp_path)
    assert pydicom.dcmread(path).pixel_array.shape == (16, 16)
    assert read_series(path).geometry.size == (16, 16, 1)
