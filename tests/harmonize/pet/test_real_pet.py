"""A raw GE scan of STS_001 against the SUV that its owners and the IBSI's validation published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import gclnm
from gclnm.harmonize.pet import PetSettings, suv
from gclnm.images.dicom.petfacts import slice_facts

# README of the data: SUVmax inside the published mask, by normalization.
MAXIMA = [
    (PetSettings(), 7.91067),
    (PetSettings(quantity="SUVlbm", lean_mass="james"), 5.99587),
    (PetSettings(quantity="SUVlbm"), 5.88910),
    (PetSettings(quantity="SUVibw"), 6.64720),
    (PetSettings(quantity="SUVbsa"), 1.967625),
]


@pytest.fixture(scope="module")
def raw(data: Callable[[str], Path]) -> gclnm.Volume:
    return gclnm.read_series(data("pet_real") / "sts001_ge_bqml")


def published(
    data: Callable[[str], Path], raw: gclnm.Volume, kind: str
) -> tuple[tuple[slice, ...], np.ndarray]:
    """A published image or mask, and its place in the raw slices."""
    import SimpleITK as sitk

    files = (data("pet_real") / "sts001_mirp_suv").glob("*.nii.gz")
    path = next(path for path in files if ("mask" in path.name) == (kind == "mask"))
    image = sitk.ReadImage(str(path))
    start = np.rint(raw.geometry.to_index([image.GetOrigin()])[0]).astype(int)
    box = tuple(slice(s, s + n) for s, n in zip(start[::-1], image.GetSize()[::-1], strict=True))
    return box, sitk.GetArrayFromImage(image)


def test_every_voxel_is_the_published_suv(data: Callable[[str], Path], raw: gclnm.Volume) -> None:
    box, expected = published(data, raw, "image")
    assert np.abs(suv(raw).array[box] - expected).max() < 0.001


@pytest.mark.parametrize(("settings", "expected"), MAXIMA)
def test_the_maximum_in_every_normalization(
    data: Callable[[str], Path], raw: gclnm.Volume, settings: PetSettings, expected: float
) -> None:
    box, mask = published(data, raw, "mask")
    result = suv(raw, settings)
    assert result.array[box][mask > 0].max() == pytest.approx(expected, rel=2e-6)


def test_two_beds_of_one_acquisition_time_have_one_factor(raw: gclnm.Volume) -> None:
    assert raw.facts["frame_reference_ms"] == "0.0*44 243000.0*15"
    assert suv(raw).history[-1].settings["factor"] == pytest.approx(2.42902977e-4, rel=1e-8)


def test_a_published_suv_image_stays_as_it_is(data: Callable[[str], Path]) -> None:
    volume = gclnm.read_series(data("pet_real") / "sts002_ge_gml")
    result = suv(volume)
    np.testing.assert_array_equal(result.array, volume.array)
    assert result.array.max() == pytest.approx(21.67575, rel=1e-6)


def test_facts_hold_no_date(data: Callable[[str], Path]) -> None:
    import pydicom

    path = next((data("pet_real") / "sts001_ge_bqml").glob("*.dcm"))
    header = pydicom.dcmread(path, stop_before_pixels=True)
    day = str(header.SeriesDate)
    assert not any(day in str(value) for value in slice_facts(header).values())
