"""From files to HU: the reference series of four sign and intercept conventions, and headers that mislead."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gclnm.errors import QuantityError
from gclnm.harmonize import harmonize
from gclnm.images.load import load_volume, read_series

CASES = (
    "siemens_mct_venous_j2k",
    "ge_ls16_portal_venous",
    "nih_pancreas_j2k_single",
    "ge_ls16_rle_transcoded",
)


@pytest.mark.parametrize("case", CASES)
def test_the_reference_series_have_the_hu_that_they_should(data: Any, case: str) -> None:
    folder = data("abdomen")
    low, high = json.loads((folder / "expected.json").read_text())[case]["rescaled_min_max"]
    volume = harmonize(read_series(folder / case))
    # GE pads with -2000, which would become -3024 HU: padding is air.
    assert (volume.array.min(), volume.array.max()) == (max(low, -1024.0), high)
    padded = [step.settings["voxels"] for step in volume.history if step.name == "padding"]
    assert bool(padded) == (low < -1024)


def test_slices_transcoded_to_rle_have_the_same_hu(data: Any) -> None:
    folder = data("abdomen")
    whole, part = (read_series(folder / name) for name in ("ge_ls16_portal_venous", "ge_ls16_rle_transcoded"))
    offset = round((part.geometry.origin_mm[2] - whole.geometry.origin_mm[2]) / whole.geometry.spacing_mm[2])
    np.testing.assert_array_equal(part.array, whole.array[offset : offset + 3])


def test_a_perfusion_map_in_a_ct_object_is_refused_by_its_unit(data: Any) -> None:
    volume = read_series(data("enhanced") / "ect_perfusion_sample.dcm")
    assert volume.quantity == "ml/100ml/s"
    with pytest.raises(QuantityError, match="not HU but ml/100ml/s"):
        harmonize(volume)


def test_a_range_of_padding_is_masked_before_the_rescale(write_series: Any) -> None:
    stored = np.full((2, 4, 4), 1064, np.int16)
    stored[:, 0, :2] = [-2000, -1999]
    padding = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1990}
    volume = load_volume(write_series(stored, common=padding))
    assert sorted(np.unique(volume.array)) == [-1024.0, 40.0]
    assert [s.settings["voxels"] for s in volume.history if s.name == "padding"] == [4]


@pytest.mark.parametrize(
    ("rescale_type", "quantity"),
    [("HU_MOD", "modified HU"), ("MGML", "mg/mL"), ("PCT", "%"), ("US", "unspecified")],
)
def test_what_is_not_hu_is_never_measured_as_hu(write_series: Any, rescale_type: str, quantity: str) -> None:
    stored = np.arange(32, dtype=np.int16).reshape(2, 4, 4)
    volume = load_volume(write_series(stored, common={"RescaleType": rescale_type}))
    with pytest.raises(QuantityError, match=f"not HU but {quantity}"):
        harmonize(volume)


def test_a_map_whose_material_is_known_stays_in_its_own_quantity(write_series: Any) -> None:
    stored = np.arange(32, dtype=np.int16).reshape(2, 4, 4)
    volume = load_volume(write_series(stored, common={"RescaleType": "10^-2 Z_EFF"}))
    assert (volume.quantity, volume.facts["material"]) == ("effective Z", "effective_z")
    assert harmonize(volume) is volume


def test_a_map_of_water_in_hu_is_no_ct_image(write_series: Any) -> None:
    stored = np.arange(32, dtype=np.int16).reshape(2, 4, 4)
    words = {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "MAT_SPECIFIC"], "RescaleType": "HU"}
    assert load_volume(write_series(stored, common=words)).quantity == "modified HU"


def test_values_without_their_intercept_are_refused(write_series: Any) -> None:
    rng = np.random.default_rng(0)
    stored = np.maximum(rng.normal(1040, 20, (3, 16, 16)), 0).astype(np.uint16)
    stored[:, :, :4] = 0
    volume = load_volume(write_series(stored, common={"RescaleIntercept": 0}))
    with pytest.raises(QuantityError) as caught:
        harmonize(volume)
    assert caught.value.code == "not-rescaled"
