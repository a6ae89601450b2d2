"""DICOM segmentations written by highdicom, read on their own grid."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes

from gclnm.errors import GeometryError, ReadError
from gclnm.images import MaskRef, VolumeRef
from gclnm.images.dicom.seg import read_seg
from gclnm.images.load import load_mask, load_volume, read_mask
from gclnm.prepare.grid import onto

REQUIRED = {
    "PatientName": "",
    "PatientBirthDate": "",
    "PatientSex": "",
    "StudyID": "",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "StudyDate": "",
    "StudyTime": "",
}


@pytest.fixture
def sources(write_series: Callable[..., VolumeRef]) -> VolumeRef:
    stored = np.random.default_rng(0).integers(0, 2000, (9, 12, 11)).astype(np.uint16)
    return write_series(stored, common=REQUIRED)


def truth() -> np.ndarray:
    """Two segments (z, y, x, segment) that fill neither the first nor the last slices."""
    array = np.zeros((9, 12, 11, 2), np.uint8)
    array[2:4, 3:8, 2:5, 0] = 1
    array[6, 1:3, 1:10, 0] = 1
    array[3:6, 6:9, 4:9, 1] = 1
    return array


def write(path: Path, ref: VolumeRef, pixels: np.ndarray, kind: str) -> str:
    import highdicom as hd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = sorted((dcmread(f) for f in ref.files), key=lambda d: d.ImagePositionPatient[2])
        descriptions = [
            hd.seg.SegmentDescription(
                segment_number=n,
                segment_label=label,
                segmented_property_category=codes.cid7150.Tissue,
                segmented_property_type=codes.cid7166.ConnectiveTissue,
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
            for n, label in ((1, "tumour"), (2, "node"))
        ]
        hd.seg.Segmentation(
            source_images=images,
            pixel_array=pixels,
            segmentation_type=kind,
            segment_descriptions=descriptions,
            series_instance_uid=hd.UID(),
            series_number=2,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="test",
            manufacturer_model_name="test",
            software_versions="1",
            device_serial_number="1",
        ).save_as(path)
    return str(path)


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_segments_come_back_on_the_images_grid(tmp_path: Path, sources: VolumeRef, kind: str) -> None:
    pixels = truth().astype(float) * 0.7 if kind == "FRACTIONAL" else truth()
    path = write(tmp_path / "seg", sources, pixels, kind)
    volume = load_volume(sources)
    for number in (1, 2):
        mask = load_mask(MaskRef("seg", path, number), volume)
        placed = onto(mask, volume)
        np.testing.assert_array_equal(placed.array, truth()[..., number - 1])
        assert mask.geometry.frame_uid == volume.geometry.frame_uid
    assert read_mask(path, volume, "NODE").n_voxels == int(truth()[..., 1].sum())


def test_a_fractional_segment_is_inside_from_one_half_on(tmp_path: Path, sources: VolumeRef) -> None:
    pixels = truth().astype(float)
    pixels[2, :, :, 0] *= 0.4
    mask = read_seg(write(tmp_path / "seg", sources, pixels, "FRACTIONAL"), 1)
    assert mask.n_voxels == int(truth()[..., 0].sum()) - 15
    assert mask.history[0].settings["threshold"] == 0.5


def test_left_out_empty_frames_leave_empty_slices(tmp_path: Path, sources: VolumeRef) -> None:
    mask = read_seg(write(tmp_path / "seg", sources, truth(), "BINARY"), 1)
    assert mask.geometry.size == (11, 12, 5)  # slices 2 to 6
    assert mask.array.sum(axis=(1, 2)).tolist() == [15, 15, 0, 0, 18]
    assert mask.geometry.spacing_mm == (1.0, 2.0, 3.0)


def test_an_absent_segment_and_one_without_frames_are_refused(tmp_path: Path, sources: VolumeRef) -> None:
    pixels = truth()
    pixels[..., 1] = 0
    path = write(tmp_path / "seg", sources, pixels, "BINARY")
    for number, code in ((2, "segment-empty"), (5, "no-such-segment")):
        with pytest.raises(ReadError) as caught:
            read_seg(path, number)
        assert caught.value.code == code


def test_a_segmentation_cut_short_is_refused(tmp_path: Path, sources: VolumeRef) -> None:
    path = write(tmp_path / "seg", sources, truth(), "BINARY")
    dataset = dcmread(path)
    dataset.PixelData = dataset.PixelData[:20]
    dataset.save_as(path)
    with pytest.raises(ReadError) as caught:
        read_seg(path, 1)
    assert caught.value.code == "truncated"


def test_frames_off_a_regular_grid_are_refused(tmp_path: Path, sources: VolumeRef) -> None:
    path = write(tmp_path / "seg", sources, truth(), "BINARY")
    dataset = dcmread(path)
    frame = dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]
    frame.ImagePositionPatient = [-10.0, -20.0, float(frame.ImagePositionPatient[2]) + 1.3]
    dataset.save_as(path)
    with pytest.raises(GeometryError, match="regular grid"):
        read_seg(path, 1)


@pytest.mark.parametrize("word", ["", "DOE JANE"])
def test_a_segmentation_of_no_known_type_is_refused_without_repeating_its_word(
    sources: VolumeRef, tmp_path: Path, word: str
) -> None:
    path = write(tmp_path / "seg.dcm", sources, truth(), "BINARY")
    dataset = dcmread(path)
    dataset.SegmentationType = word
    dataset.save_as(path)
    with pytest.raises(ReadError, match="SegmentationType") as caught:
        read_seg(path, 1)
    assert "DOE" not in caught.value.reason
