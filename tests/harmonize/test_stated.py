"""NIfTI files hold no unit: what the user states is measured, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import gclnm
from gclnm.errors import QuantityError
from gclnm.harmonize import harmonize
from gclnm.images import Volume
from gclnm.images.overrides import overridden


def read(folder: Path, values: np.ndarray, modality: str, **stated: str) -> Volume:
    file = folder / "map.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(values.astype(np.float32)), str(file))
    return overridden(gclnm.read_series(file, modality=modality), stated)


def ramp(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 4 * 6 * 6).reshape(4, 6, 6)


@pytest.mark.parametrize(("unit", "factor"), [("1e-6 mm2/s", 1.0), ("1e-3 mm2/s", 1e3), ("mm2/s", 1e6)])
def test_an_adc_map_of_a_file_is_measured_in_the_unit_that_is_stated(tmp_path, unit, factor):
    values = ramp(600, 1800)
    values[0, 0] = 0.0
    found = harmonize(read(tmp_path, values / factor, "MR", unit=unit))
    assert found.quantity == "1e-6 mm2/s"
    assert found.array[3] == pytest.approx(values[3], rel=1e-4)
    assert found.facts["without_value"] == 6
    assert "supplied by the user" in found.history[-1].note
    assert harmonize(found) is found


@pytest.mark.parametrize(("unit", "factor"), [("mg/mL", 1.0), ("100 ug/mL", 0.1), ("ug/mL", 1e-3)])
def test_an_iodine_map_of_a_file_is_measured_in_the_unit_that_is_stated(tmp_path, unit, factor):
    values = ramp(-0.5, 6)
    found = harmonize(read(tmp_path, values / factor, "CT", unit=unit, material="iodine"))
    assert found.quantity == "mg/mL"
    assert found.array == pytest.approx(values, rel=1e-4, abs=1e-5)


def test_a_water_map_stays_what_it_is(tmp_path):
    found = harmonize(read(tmp_path, ramp(900, 1100), "CT", unit="mg/mL", material="water"))
    assert (found.quantity, found.facts["material"]) == ("mg/mL of water", "water")


@pytest.mark.parametrize(
    ("modality", "stated", "words"),
    [
        ("MR", {"unit": "mg/mL"}, "mg/mL is stated of an MR image"),
        ("MR", {"material": "iodine"}, "iodine is stated of an MR image"),
        ("CT", {"unit": "mm2/s"}, "a unit is supplied for a CT image that is no map of iodine or water"),
        ("CT", {"unit": "mg/mL"}, "a unit is supplied for a CT image that is no map of iodine or water"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path, modality, stated, words):
    with pytest.raises(QuantityError) as caught:
        harmonize(read(tmp_path, ramp(1, 2), modality, **stated))
    assert words in caught.value.what


def test_the_users_unit_is_taken_and_an_odd_one_is_told(tmp_path):
    found = harmonize(read(tmp_path, ramp(1, 2), "MR", unit="mm2/s"))
    assert found.quantity == "1e-6 mm2/s"
    assert "is not plausible in it" in found.history[-1].note


def test_files_of_which_nothing_is_stated_are_taken_as_before(tmp_path):
    assert harmonize(read(tmp_path, ramp(0, 900), "MR")).quantity == "arbitrary"
    assert harmonize(read(tmp_path, ramp(0, 900), "MR", sex="F")).quantity == "arbitrary"


def test_an_adc_file_gives_a_row_of_the_adc_recipe(tmp_path):
    adc = read(tmp_path, ramp(600, 1800), "MR", unit="1e-6 mm2/s")
    roi = gclnm.images.Mask(np.ones(adc.array.shape), adc.geometry)
    recipe = gclnm.Recipe.named("mr-adc").with_(prepare__resample=None, compute__min_voxels=8)
    assert gclnm.features(adc, roi, recipe)["original_firstorder_Mean"] == pytest.approx(1200, rel=1e-4)
