"""CT: HU or refused."""

from __future__ import annotations

import numpy as np
import pytest

from gclnm.errors import QuantityError
from gclnm.harmonize import HarmonizeSettings, harmonize
from gclnm.images import Geometry, Volume

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


@pytest.mark.parametrize(("share", "refused"), [(0.04, False), (0.06, True), (0.3, True)])
def test_a_twentieth_of_the_voxels_near_1000_is_the_border(share: float, refused: bool) -> None:
    values = np.linspace(0.0, 300.0, 8000)
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
