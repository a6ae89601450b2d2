"""Iodine maps: every unit to mg/mL, and the wrong unit found out."""

from __future__ import annotations

import numpy as np
import pytest

from gclnm.errors import GeometryError, QuantityError
from gclnm.harmonize import HarmonizeSettings, check_regions, derive, harmonize
from gclnm.harmonize.ct import CtSettings, check_iodine, iodine
from gclnm.images import Geometry, Mask, Step, Volume
from gclnm.pipeline import features
from gclnm.recipe.recipe import Recipe

GRID = Geometry(size=(12, 12, 12), spacing_mm=(1.0, 1.0, 1.0))
BOX = np.zeros(GRID.shape, bool)
BOX[3:9, 3:9, 3:9] = True
LESION = Mask(BOX, GRID)


def stored(scale: float = 1.0, quantity: str = "unspecified", **facts: str) -> Volume:
    """An image without iodine but for a lesion of 2.42 mg/mL, in units of 1/scale mg/mL."""
    rng = np.random.default_rng(0)
    array = rng.normal(0.1, 0.2, GRID.shape)
    array[BOX] += 2.42
    return Volume(array * scale, GRID, quantity, {"modality": "CT", "material": "iodine"} | facts)


@pytest.mark.parametrize(
    ("unit", "scale"), [("mg/mL", 1.0), ("100 ug/mL", 10.0), ("ug/mL", 1000.0), ("g/mL", 0.001)]
)
def test_each_unit_becomes_mg_ml(unit: str, scale: float) -> None:
    result = harmonize(stored(scale, unit=unit), HarmonizeSettings())
    assert result.quantity == "mg/mL"
    assert result.array[BOX].mean() == pytest.approx(2.52, abs=0.05)
    assert result.history[-1].settings["unit"] == unit


def test_mg_ml_of_the_header_needs_no_word_and_noise_below_zero_stays() -> None:
    volume = stored(quantity="mg/mL")
    result = iodine(volume)
    np.testing.assert_array_equal(result.array, volume.array)
    assert result.array.min() < 0


def test_an_unknown_unit_is_refused_with_what_to_supply() -> None:
    with pytest.raises(QuantityError) as caught:
        iodine(stored(10.0))
    assert caught.value.code == "no-unit"
    assert "100 ug/mL" in caught.value.fix


def test_a_supplied_unit_wins_over_the_header_and_is_recorded() -> None:
    volume = stored(10.0, quantity="mg/mL", unit="100 ug/mL", overridden="unit")
    result = iodine(volume)
    assert result.array[BOX].mean() == pytest.approx(2.52, abs=0.05)
    assert result.history[-1].settings["overridden"] == "unit"


def test_a_map_in_hu_is_converted_only_by_the_scanners_factor() -> None:
    volume = stored(25.0, quantity="modified HU", unit="HU")
    with pytest.raises(QuantityError, match="in HU"):
        iodine(volume)
    result = iodine(volume, CtSettings(iodine_hu_per_mg_ml=25.0))
    assert result.array[BOX].mean() == pytest.approx(2.52, abs=0.05)


def test_a_lesion_of_24_mg_ml_puts_the_unit_in_doubt() -> None:
    volume = iodine(stored(10.0, quantity="mg/mL"))
    with pytest.raises(QuantityError, match="the unit is in doubt") as caught:
        check_regions(volume, {"roi": LESION}, HarmonizeSettings())
    assert caught.value.code == "unit-suspect"
    check_iodine(volume, {"aorta": LESION})  # blood of an arterial phase may
    check_iodine(iodine(stored(quantity="mg/mL")), {"roi": LESION, "aorta": LESION})


def test_an_image_full_of_impossible_concentrations_is_refused_without_an_roi() -> None:
    with pytest.raises(QuantityError, match="the image") as caught:
        iodine(stored(1000.0, quantity="mg/mL"))
    assert caught.value.code == "unit-suspect"


def test_blood_of_110_mg_ml_puts_the_unit_in_doubt_though_the_node_is_small_and_no_aorta_is_drawn() -> None:
    """A node of 0.9 mg/mL, stated ten times too high, passes the limit of tissue; vessels do not."""
    array = np.zeros((10, 10, 10))
    array[2:4, 2:4, 2:4] = 9.0
    array[5:8, 5:8, :] = 110.0
    grid = Geometry(size=(10, 10, 10), spacing_mm=(1.0, 1.0, 1.0))
    with pytest.raises(QuantityError, match="the image") as caught:
        iodine(Volume(array, grid, "mg/mL", {"modality": "CT", "material": "iodine"}))
    assert caught.value.code == "unit-suspect"
    iodine(Volume(array / 10, grid, "mg/mL", {"modality": "CT", "material": "iodine"}))


def test_features_refuse_the_wrong_unit_and_measure_the_right_one() -> None:
    recipe = Recipe.named("ct").with_(
        name="iodine", quantity=["mg/mL"], prepare__resegment=None, prepare__discretise__bin_width=0.1
    )
    values = features(stored(10.0, unit="100 ug/mL"), LESION, recipe)
    assert values["original_firstorder_Mean"] == pytest.approx(2.52, abs=0.05)
    with pytest.raises(QuantityError, match="in doubt"):
        features(stored(10.0, quantity="mg/mL"), LESION, recipe)
    with pytest.raises(QuantityError, match="measures HU"):
        features(stored(quantity="mg/mL"), LESION, "ct")


def test_other_maps_keep_their_own_unit() -> None:
    z = Volume(
        np.arange(1728.0).reshape(GRID.shape) / 200,
        GRID,
        "effective Z",
        {"modality": "CT", "material": "effective_z"},
    )
    assert harmonize(z) is z
    with pytest.raises(QuantityError) as caught:
        iodine(z)
    assert caught.value.code == "not-iodine"
    unnamed = Volume(z.array, GRID, "unspecified", {"modality": "CT", "material": "water"})
    with pytest.raises(QuantityError, match="unspecified"):
        harmonize(unnamed)


def test_clamping_is_asked_for_and_recorded() -> None:
    hu = Volume(np.linspace(-1024, 9000, 1728).reshape(GRID.shape), GRID, "HU", {"modality": "CT"})
    assert harmonize(hu).array.max() == 9000
    clamped = harmonize(hu, HarmonizeSettings(ct=CtSettings(clamp_hu=(-1024, 3071))))
    assert (clamped.array.min(), clamped.array.max()) == (-1024, 3071)
    step = clamped.history[-1]
    assert (step.name, step.settings["voxels"]) == ("clamp", int((hu.array > 3071).sum()))
    with pytest.raises(ValueError, match="lower limit"):
        CtSettings(clamp_hu=(10, -10))


def read_as_hu(unit: str, *steps: Step) -> Volume:
    """A map of an image file, which is read as HU: its fill was set to -1024."""
    volume = stored(quantity="HU", unit=unit, overridden="material;unit")
    array = volume.array.copy()
    array[0] = -1024
    return Volume(array, GRID, "HU", volume.facts, steps)


def test_what_reading_as_hu_set_to_air_is_no_concentration() -> None:
    padding = Step("padding", {"voxels": 144, "set_to": -1024.0})
    result = iodine(read_as_hu("mg/mL", padding))
    assert (result.array[0] == 0).all()
    assert result.history[-1].settings["filled_voxels_set_to_0"] == 144
    np.testing.assert_array_equal(result.array[1:], stored().array[1:])


def test_noise_that_reading_as_hu_cut_off_is_not_measured() -> None:
    cut = Step("clamp", {"voxels": 144, "set_to": -1024.0})
    with pytest.raises(QuantityError, match="cut off") as caught:
        iodine(read_as_hu("ug/mL", cut))
    assert caught.value.code == "cut-off"
    assert iodine(read_as_hu("mg/mL", cut)).quantity == "mg/mL"


def test_only_the_roi_that_is_measured_must_lie_on_the_map() -> None:
    volume = iodine(stored(quantity="mg/mL"))
    far = Mask(BOX, Geometry(size=(12, 12, 12), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(99.0, 0.0, 0.0)))
    check_regions(volume, {"roi": LESION, "aorta": far, "liver": far}, HarmonizeSettings())
    with pytest.raises(GeometryError):
        check_regions(volume, {"roi": far}, HarmonizeSettings())


def test_a_pair_whose_unit_is_stated_gives_a_level() -> None:
    facts = {"modality": "CT", "unit": "g/mL", "overridden": "unit"}
    array = np.full(GRID.shape, 1.05)
    water_map = Volume(array, GRID, "unspecified", facts | {"material": "water"})
    made = derive({"image": stored(0.001, **facts), "water": water_map}, "vmi 70 keV")
    assert made.array[BOX].mean() == pytest.approx(50 + 2.52 * 26.0, abs=2)
    assert harmonize(made).quantity == "HU"


def test_a_map_of_water_is_no_map_of_iodine_for_a_recipe() -> None:
    grid = Geometry(size=(10, 10, 10), spacing_mm=(1.0, 1.0, 1.0))
    array = np.random.default_rng(0).normal(1000, 5, grid.shape)
    water = Volume(array, grid, "mg/mL", {"modality": "CT", "material": "water"})
    assert harmonize(water).quantity == "mg/mL of water"
    with pytest.raises(QuantityError, match="the recipe measures mg/mL, the image is in mg/mL of water"):
        features(water, Mask(np.ones(grid.shape), grid), Recipe.named("ct-iodine"))
