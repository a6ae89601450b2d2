"""Whole DICOM volumes, made on the spot: what is done to voxels and what is told about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from gclnm.errors import GclnmError, GeometryError, InputError, QuantityError, ReadError
from gclnm.images import MaskRef, Sample, VolumeRef
from gclnm.images.load import load, load_volume, read_series

Series = Callable[..., VolumeRef]
STORED = np.random.default_rng(3).integers(200, 2000, (4, 5, 6)).astype(np.uint16)


def steps(volume: object, name: str) -> list[dict[str, object]]:
    return [dict(step.settings) for step in volume.history if step.name == name]  # type: ignore[attr-defined]


def test_slices_are_sorted_by_position_whatever_their_files_are_called(write_series: Series) -> None:
    heights = [9.0, 0.0, 6.0, 3.0]
    volume = load_volume(write_series(STORED, heights))
    np.testing.assert_array_equal(volume.array, STORED[np.argsort(heights)].astype(np.float32) - 1024)
    grid = volume.geometry
    assert (grid.size, grid.spacing_mm, grid.origin_mm) == ((6, 5, 4), (1.0, 2.0, 3.0), (-10.0, -20.0, 0.0))
    assert volume.quantity == "HU"


def test_every_slice_has_its_own_slope_and_intercept(write_series: Series) -> None:
    ref = write_series(
        STORED,
        modality="PT",
        each=lambda k: {"RescaleSlope": 0.5 + k, "RescaleIntercept": 0, "Units": "BQML"},
    )
    volume = load_volume(ref)
    np.testing.assert_allclose(volume.array, STORED * (0.5 + np.arange(4))[:, None, None], rtol=1e-6)
    assert volume.quantity == "Bq/mL"
    assert steps(volume, "rescale")[0]["different"] == 4


def test_mixed_intercepts_in_a_ct_series_are_applied_slice_by_slice(write_series: Series) -> None:
    signed = STORED.astype(np.int16)
    signed[2:] -= 1024
    volume = load_volume(write_series(signed, each=lambda k: {"RescaleIntercept": -1024 if k < 2 else 0}))
    np.testing.assert_array_equal(volume.array, STORED.astype(np.float32) - 1024)


def test_padding_is_masked_on_stored_values_and_counted(write_series: Series) -> None:
    padded = STORED.astype(np.int16)
    padded[:, 0, :] = -2000
    volume = load_volume(write_series(padded, common={"PixelPaddingValue": -2000}))
    assert (volume.array[:, 0, :] == -1024).all()
    np.testing.assert_array_equal(volume.array[:, 1:], STORED[:, 1:].astype(np.float32) - 1024)
    assert steps(volume, "padding") == [{"voxels": 24, "set_to": -1024.0}]
    assert not steps(volume, "clamp")


def test_without_a_padding_tag_values_below_air_are_clamped_and_counted(write_series: Series) -> None:
    padded = STORED.astype(np.int16)
    padded[:, 0, :] = -2000
    volume = load_volume(write_series(padded))
    assert volume.array.min() == -1024
    assert steps(volume, "clamp") == [{"voxels": 24, "set_to": -1024.0}]


def test_a_padding_value_among_tissue_is_not_believed(write_series: Series) -> None:
    padded = STORED.copy()
    padded[0, 0, :] = 1060  # 36 HU
    volume = load_volume(write_series(padded, common={"PixelPaddingValue": 1060}))
    assert (volume.array[0, 0] == 36).all()
    assert steps(volume, "padding")[0]["voxels"] >= 6


def test_a_ct_without_rescale_is_not_hu(write_series: Series) -> None:
    ref = write_series(STORED, common={"RescaleSlope": None, "RescaleIntercept": None})
    assert load_volume(ref).quantity == "unspecified"


def test_slices_of_several_quantities_are_refused(write_series: Series) -> None:
    ref = write_series(STORED, each=lambda k: {"RescaleType": "HU" if k else "MGML"})
    with pytest.raises(QuantityError, match=r"HU, mg/mL"):
        load_volume(ref)


def test_slices_of_several_frames_of_reference_are_refused(write_series: Series) -> None:
    with pytest.raises(GeometryError, match="frames of reference"):
        load_volume(write_series(STORED, each=lambda k: {"FrameOfReferenceUID": f"1.{k // 2}"}))


def test_a_missing_slice_is_reported_and_not_interpolated(write_series: Series) -> None:
    ref = write_series(STORED, [0.0, 3.0, 9.0, 12.0])
    with pytest.raises(GeometryError, match="1 slice is missing"):
        load_volume(ref)


def test_a_truncated_slice_names_its_file_outside_the_stored_reason(write_series: Series) -> None:
    ref = write_series(STORED)
    broken = Path(ref.files[2])
    broken.write_bytes(broken.read_bytes()[:-30])
    with pytest.raises(ReadError) as caught:
        load_volume(ref)
    assert str(broken) in str(caught.value)
    assert str(broken) not in caught.value.reason
    assert caught.value.code == "truncated"


def test_mosaic_images_are_refused(write_series: Series) -> None:
    ref = write_series(STORED, modality="MR", common={"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]})
    with pytest.raises(ReadError, match="tiles"):
        load_volume(ref)


def test_facts_hold_no_person_no_path_and_no_date(write_series: Series) -> None:
    person = {"PatientName": "Doe^Jane", "PatientBirthDate": "19500101", "SeriesDate": "20200131"}
    ref = write_series(STORED, modality="PT", common={**person, "SeriesTime": "101500", "Units": "BQML"})
    volume = load_volume(ref)
    said = repr(dict(volume.facts)) + repr(volume.history)
    for secret in ("Doe", "1950", "2020", "case", Path(ref.files[0]).name, str(Path(ref.files[0]).parent)):
        assert secret not in said
    assert volume.facts["series_s"] == 36900.0


def test_the_history_is_plain_json(write_series: Series) -> None:
    padded = STORED.astype(np.int16)
    padded[0, 0, :3] = [-2000, -1999, -1500]
    volume = load_volume(write_series(padded, common={"PixelPaddingValue": -2000}))
    assert len(json.loads(json.dumps([step.to_dict() for step in volume.history]))) == 4


def test_times_are_counted_from_the_day_of_the_series(write_series: Series) -> None:
    item = Dataset()
    item.RadiopharmaceuticalStartDateTime = "20200130235000.000000+0100"
    item.RadiopharmaceuticalStartTime = "235000"
    common = {
        "SeriesDate": "20200131",
        "SeriesTime": "003000",
        "AcquisitionDate": "20200131",
        "Units": "BQML",
    }
    ref = write_series(
        STORED,
        modality="PT",
        common={**common, "RadiopharmaceuticalInformationSequence": [item]},
        each=lambda k: {"AcquisitionTime": f"0030{k:02d}", "PatientWeight": 70 if k else 71},
    )
    facts = load_volume(ref).facts
    assert (facts["injection_s"], facts["injection_clock_s"]) == (-600.0, 85800.0)
    assert facts["acquisition_s"] == "1800.0 1801.0 1802.0 1803.0"
    assert facts["differing"] == "weight_kg"


def enhanced(ref: VolumeRef, path: Path, kinds: list[str]) -> VolumeRef:
    """One multi-frame CT object of the slices of ``ref``, repeated for each kind of frame."""
    slices = [dcmread(file) for file in ref.files]
    whole = slices[0]
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    whole.NumberOfFrames = len(slices) * len(kinds)
    whole.PixelData = b"".join(s.PixelData for s in slices) * len(kinds)
    shared, groups = Dataset(), []
    measures, axes = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = whole.PixelSpacing, 3
    axes.ImageOrientationPatient = whole.ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [axes]
    for n, kind in enumerate(kinds):
        for s in slices:
            group, place, transform, frame_type = Dataset(), Dataset(), Dataset(), Dataset()
            place.ImagePositionPatient = s.ImagePositionPatient
            transform.RescaleSlope, transform.RescaleIntercept = n + 1, -1024
            transform.RescaleType = "HU" if kind == "AXIAL" else "US"
            frame_type.FrameType = ["ORIGINAL", "PRIMARY", kind, "NONE"]
            group.PlanePositionSequence = [place]
            group.PixelValueTransformationSequence = [transform]
            group.CTImageFrameTypeSequence = [frame_type]
            groups.append(group)
    whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = [shared], groups
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        del whole[keyword]
    whole.save_as(path)
    return VolumeRef("1.2", "dicom", (str(path),), modality="CT")


def test_frames_of_an_enhanced_object_are_one_volume_with_their_own_rescale(
    write_series: Series, tmp_path: Path
) -> None:
    classic = write_series(STORED, [9.0, 0.0, 6.0, 3.0])
    ref = enhanced(classic, tmp_path / "enhanced", ["AXIAL", "PERFUSION"])
    frames = replace(ref, frames=(0, 1, 2, 3))
    np.testing.assert_array_equal(load_volume(frames).array, load_volume(classic).array)
    perfusion = load_volume(replace(ref, frames=(4, 5, 6, 7)))
    assert perfusion.quantity == "unspecified"
    np.testing.assert_array_equal(perfusion.array, load_volume(classic).array * 2 + 1024)
    with pytest.raises(GclnmError):
        load_volume(ref)  # all eight frames are not one volume


def test_multiframe_files_of_one_frame_each_are_one_volume(write_series: Series, tmp_path: Path) -> None:
    from gclnm.catalog.scan import scan

    classic = write_series(STORED, [9.0, 0.0, 6.0, 3.0])
    folder = tmp_path / "spread"
    folder.mkdir()
    for k, file in enumerate(classic.files):
        enhanced(replace(classic, files=(file,)), folder / f"{k}", ["AXIAL"])
    catalog = scan(folder, progress=False)
    (row,) = catalog.volumes.to_dict("records")
    assert (row["usable"], row["flags"], row["n_slices"]) == (True, "", 4)
    volume = load_volume(catalog.volume_ref(row["volume_id"]))
    np.testing.assert_array_equal(volume.array, load_volume(classic).array)


def test_a_slope_that_is_no_number_is_not_taken_for_one(write_series: Series) -> None:
    ref = write_series(STORED)
    path = Path(ref.files[1])
    slope = b"\x28\x00\x53\x10DS\x04\x00"
    path.write_bytes(path.read_bytes().replace(slope + b"1.0 ", slope + b"none"))
    with pytest.raises(QuantityError, match="no number"):
        load_volume(ref)


def test_a_folder_of_one_series_is_read_and_one_of_two_is_refused(write_series: Series) -> None:
    ref = write_series(STORED)
    folder = Path(ref.files[0]).parent
    (folder / "notes.txt").write_text("see the report")
    np.testing.assert_array_equal(read_series(folder).array, load_volume(ref).array)
    other = write_series(STORED[:3])
    for file in other.files:
        Path(file).rename(folder / f"other-{Path(file).name}")
    with pytest.raises(InputError, match="2 image volumes"):
        read_series(folder)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    (tmp_path / "more.txt").write_text("nor here")
    with pytest.raises(ReadError, match="no CT, MR or PET"):
        read_series(tmp_path)
    with pytest.raises(ReadError, match="no such file"):
        read_series(tmp_path / "gone")


def test_a_sample_is_loaded_with_each_volume_read_once(
    write_series: Series, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import SimpleITK as sitk

    import gclnm.images.load as module

    ref = write_series(STORED)
    image = load_volume(ref)
    label = np.zeros(image.array.shape)
    label[1:3, 1:4, 2:5] = 1
    from gclnm.images import Mask

    sitk.WriteImage(Mask(label, image.geometry).to_sitk(), str(tmp_path / "roi.nii.gz"))
    reads = []
    monkeypatch.setattr(module, "load_volume", lambda r: reads.append(r) or load_volume(r))
    roi = MaskRef("labelmap", str(tmp_path / "roi.nii.gz"), 1)
    case = load(Sample({"image": ref, "again": ref}, {"roi": roi}))
    assert len(reads) == 1
    assert case.volumes["again"] is case.image
    np.testing.assert_array_equal(case.roi.array, label.astype(bool))
