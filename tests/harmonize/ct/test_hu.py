"""CT: HU or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from gclnm.errors import QuantityError
from gclnm.harmonize import HarmonizeSettings, harmonize
from gclnm.images import Geometry, Step, Volume
from gclnm.images.load import read_series

GRID = Geometry(size=(20, 20, 20), spacing_mm=(1.0, 1.0, 1.0))


def body(air: float = -1000.0, tissue: float = 40.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    array = rng.normal(tissue, 15, GRID.shape)
    array[:, :, :6] = rng.normal(air, 5, (20, 20, 6))
    return array


def ct(array: np.ndarray, quantity: str = "HU") -> Volume:
    return Volume(array, GRID, quantity, {"modality": "CT"})


def test_a_body_in_hu_passes_unchanged_and_is_called_plausible() -> None:
    volume = ct(body())
    result = harmonize(volume, HarmonizeSettings())
    np.testing.assert_array_equal(result.array, volume.array)
    assert result.history[-1].note == "plausible HU"
    assert result.history[-1].settings["median_soft_tissue"] == pytest.approx(40, abs=1)


def test_a_crop_without_air_passes_with_a_note() -> None:
    assert "no air" in harmonize(ct(body()[:, :, 8:].repeat(2, axis=2)[:, :, :20])).history[-1].note


def test_stored_values_without_intercept_are_refused() -> None:
    with pytest.raises(QuantityError) as caught:
        harmonize(ct(np.maximum(body(24.0, 1064.0), 0)))
    assert caught.value.code == "not-rescaled"


@pytest.mark.parametrize("filled", [True, False])
def test_padding_does_not_hide_that_values_are_stored_ones(filled: bool) -> None:
    stored = np.maximum(body(24.0, 1064.0), 0)
    stored[:, :6] = -1024
    stored[:, 6] = [0, -300, *stored[0, 6, 2:]]  # interpolated padding
    padding = (Step("padding", {"voxels": 2400, "set_to": -1024.0}),) if filled else ()
    with pytest.raises(QuantityError) as caught:
        harmonize(Volume(stored, GRID, "HU", {"modality": "CT"}, padding))
    assert caught.value.code == "not-rescaled"


def test_padding_is_no_air_but_air_that_the_scanner_cut_off_is() -> None:
    crop = body(40.0)
    crop[:, :6] = -1024
    padding = (Step("padding", {"voxels": 2400, "set_to": -1024.0}),)
    assert harmonize(ct(crop)).history[-1].note == "plausible HU"
    padded = Volume(crop, GRID, "HU", {"modality": "CT"}, padding)
    assert "no air" in harmonize(padded).history[-1].note


def test_bone_cut_out_of_its_surroundings_passes() -> None:
    bone = np.random.default_rng(0).uniform(200, 1600, GRID.shape)
    bone[:, :10] = -1024
    assert harmonize(ct(bone)).quantity == "HU"


def test_organs_in_the_portal_venous_phase_are_where_they_usually_are() -> None:
    assert harmonize(ct(body(tissue=110))).history[-1].note == "plausible HU"


def test_a_real_series_without_its_intercept_is_refused_for_all_its_padding(
    data: Any, tmp_path: Path
) -> None:
    folder = data("abdomen/ge_ls16_portal_venous")
    assert harmonize(read_series(folder)).history[-1].note == "plausible HU"
    for file in sorted(folder.glob("*.dcm")):
        header = pydicom.dcmread(file)
        header.RescaleIntercept = 0
        header.pop("RescaleType", None)
        header.save_as(tmp_path / file.name)
    with pytest.raises(QuantityError) as caught:
        harmonize(read_series(tmp_path))
    assert caught.value.code == "not-rescaled"


@pytest.mark.parametrize(("share", "refused"), [(0.04, False), (0.06, True), (0.3, True)])
def test_a_twentieth_of_the_voxels_near_1000_is_the_border(share: float, refused: bool) -> None:
    values = np.linspace(0.0, 240.0, 8000)
    values[: round(share * values.size)] = 1000.0
    volume = ct(values.reshape(GRID.shape))
    if not refused:
        assert harmonize(volume).history[-1].name == "hu"
        return
    with pytest.raises(QuantityError) as caught:
        harmonize(volume)
    assert caught.value.code == "not-rescaled"


@pytest.mark.parametrize("quantity", ["mg/mL", "ml/100ml/s", "unspecified", "modified HU"])
def test_other_quantities_are_refused_by_name(quantity: str) -> None:
    with pytest.raises(QuantityError, match=quantity) as caught:
        harmonize(ct(body(), quantity))
    assert caught.value.code == "not-hu"


def test_nan_and_constant_images_are_refused() -> None:
    broken = body()
    broken[3, 4, 5] = np.nan
    with pytest.raises(QuantityError, match="1 voxels") as caught:
        harmonize(ct(broken))
    assert caught.value.code == "not-finite"
    with pytest.raises(QuantityError) as caught:
        harmonize(ct(np.full(GRID.shape, 7.0)))
    assert caught.value.code == "constant-image"


def test_mr_and_files_of_unknown_modality_stay_as_they_are() -> None:
    for facts in ({"modality": "MR"}, {}):
        volume = Volume(body(), GRID, "arbitrary", facts)
        assert harmonize(volume) is volume
