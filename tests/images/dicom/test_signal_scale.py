"""Philips' scales of MR signal: slices of several are brought to one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

import gclnm
from gclnm.errors import QuantityError
from gclnm.images import VolumeRef
from gclnm.images.load import load_volume

STORED = np.stack([np.full((4, 5), value, np.int16) for value in (100, 200, 400)])
Series = Callable[..., VolumeRef]


def scaled(ref: VolumeRef, scales: dict[float, tuple[float, float | None]]) -> VolumeRef:
    """Give each slice, by its height, a Rescale Slope and a Scale Slope (2005,100E)."""
    for file in ref.files:
        dataset = pydicom.dcmread(file)
        slope, scale = scales[float(dataset.ImagePositionPatient[2])]
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, 0
        if scale is not None:
            dataset.add_new((0x2005, 0x0010), "LO", "Philips MR Imaging DD 001")
            dataset.add_new((0x2005, 0x100E), "FL", scale)
        dataset.save_as(file)
    return ref


def test_one_scale_leaves_displayed_values_and_is_a_fact(write_series: Series):
    ref = scaled(write_series(STORED, modality="MR"), dict.fromkeys((0.0, 3.0, 6.0), (2.0, 0.25)))
    volume = load_volume(ref)
    assert volume.array[:, 0, 0].tolist() == [200, 400, 800]
    assert volume.facts["signal_scale"] == 0.5


def test_slices_of_several_scales_are_brought_to_the_lowest_slices(write_series: Series):
    scales = {0.0: (2.0, 0.25), 3.0: (4.0, 0.25), 6.0: (2.0, 0.5)}
    volume = load_volume(scaled(write_series(STORED, modality="MR"), scales))
    # Values of the receiver are stored / scale slope: 400, 800, 800.
    assert volume.array[:, 0, 0].tolist() == [200, 400, 400]
    step = next(step for step in volume.history if step.name == "signal scale")
    assert step.settings == {"different": 2, "scale": [0.5, 1.0]}


def test_a_scale_that_some_slices_lack_is_refused(write_series: Series):
    scales = {0.0: (2.0, 0.25), 3.0: (2.0, None), 6.0: (2.0, 0.25)}
    with pytest.raises(QuantityError) as caught:
        load_volume(scaled(write_series(STORED, modality="MR"), scales))
    assert caught.value.code == "mixed-scales"


def test_a_map_with_a_unit_has_no_scale_of_signal(write_series: Series):
    ref = scaled(write_series(STORED, modality="MR"), dict.fromkeys((0.0, 3.0, 6.0), (2.0, 0.25)))
    for file in ref.files:
        dataset = pydicom.dcmread(file)
        dataset.RescaleType = "HZ"
        dataset.save_as(file)
    assert "signal_scale" not in load_volume(ref).facts


def test_real_scales_are_found_in_classic_and_enhanced_objects(data):
    catalog = gclnm.scan(data("dwi") / "philips_achieva_dstream", progress=False)
    classic = load_volume(catalog.volume_ref(catalog.volumes["volume_id"][0]))
    assert classic.facts["signal_scale"] == pytest.approx(1.08205128 * 0.0032986370, rel=1e-6)
    enhanced = gclnm.read_series(Path(data("enhanced")) / "emr_philips_achieva_fieldmap.dcm")
    assert enhanced.facts["signal_scale"] == pytest.approx(1.27985348 * 8.448640e-06, rel=1e-6)


def test_the_creator_has_to_be_philips():
    from gclnm.images.dicom.elements import Groups
    from gclnm.images.dicom.quantity import frame_scale

    dataset = Dataset()
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M"]
    dataset.add_new((0x2005, 0x0010), "LO", "SOMEBODY ELSE")
    dataset.add_new((0x2005, 0x100E), "FL", 0.5)
    assert frame_scale(Groups(dataset)).signal is None
