"""A PET volume to SUV: values, quantity, history, and what is refused whatever the factor."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gclnm.errors import QuantityError
from gclnm.harmonize import HarmonizeSettings, harmonize
from gclnm.harmonize.pet import PetSettings, suv
from gclnm.images import Geometry, Volume

GRID = Geometry(size=(2, 1, 2), spacing_mm=(4.0, 4.0, 3.0))
VALUES = np.array([[[1000.0, 2000.0]], [[0.0, 500.0]]])


def volume(facts: dict[str, Any], **changes: Any) -> Volume:
    kept = {key: value for key, value in {**facts, **changes}.items() if value is not None}
    return Volume(VALUES, GRID, "Bq/mL", kept)


def test_one_half_life_after_injection_the_factor_is_weight_over_half_the_dose(good: dict[str, Any]) -> None:
    result = suv(volume(good))
    np.testing.assert_allclose(result.array, VALUES * 80_000 / 2e8, rtol=1e-6)
    assert result.quantity == "SUVbw"
    told = result.history[-1].settings
    assert (told["uptake_min"], told["weight_kg"], told["reference"]) == (109.77, 80.0, "Series Time")
    assert "doubts" not in told
    json.dumps(result.history[-1].to_dict())


def test_an_image_corrected_to_the_injection_needs_no_times(good: dict[str, Any]) -> None:
    bare = volume(good, decay_correction="ADMIN", series_s=None, injection_s=None, injection_clock_s=None)
    np.testing.assert_allclose(suv(bare).array, VALUES * 80_000 / 4e8, rtol=1e-6)


@pytest.mark.parametrize("suv_type", ["BW", None])
def test_suv_images_stay_as_they_are(good: dict[str, Any], suv_type: str | None) -> None:
    already = volume(good, units="GML", suv_type=suv_type, weight_kg=None, dose_bq=None)
    np.testing.assert_array_equal(suv(already).array, VALUES)


def test_converting_twice_changes_nothing(good: dict[str, Any]) -> None:
    once = suv(volume(good))
    assert suv(once) is once
    with pytest.raises(QuantityError, match="was turned into SUVbw before, SUVlbm is asked for"):
        suv(once, PetSettings(quantity="SUVlbm"))


def test_each_slice_has_its_own_factor_without_decay_correction(good: dict[str, Any]) -> None:
    start_s, rate = good["series_s"], np.log(2) / 6586.2
    beds = volume(
        good,
        decay_correction="NONE",
        corrected_image="ATTN;SCAT",
        acquisition_s=f"{start_s} {start_s + 300}",
        frame_duration_ms="240000.0*2",
        frame_reference_ms="120000.0 420000.0",
    )
    result = suv(beds)
    during = rate * 240 / (1 - np.exp(-rate * 240))
    factors = 80_000 / 4e8 * during * np.exp(rate * (np.array([0.0, 300.0]) + 6586.2))
    np.testing.assert_allclose(result.array, VALUES * factors[:, None, None], rtol=1e-6)
    assert result.history[-1].settings["factor"] == pytest.approx(list(factors))


def test_facts_of_other_slices_than_the_images_are_refused(good: dict[str, Any]) -> None:
    wrong = volume(
        good,
        decay_correction="NONE",
        corrected_image="ATTN",
        acquisition_s="42000.0 42300.0 42600.0",
        frame_duration_ms="240000.0*3",
    )
    with pytest.raises(QuantityError, match="slices are not those of the image"):
        suv(wrong)


def test_settings_of_a_recipe_reach_the_conversion(good: dict[str, Any]) -> None:
    settings = HarmonizeSettings(pet=PetSettings(quantity="SUVbsa"))
    result = harmonize(volume(good), settings)
    surface_cm2 = 71.84 * 80**0.425 * 180**0.725
    assert result.quantity == "SUVbsa"
    np.testing.assert_allclose(result.array, VALUES * surface_cm2 / 2e8, rtol=1e-6)


@pytest.mark.parametrize(("scale", "highest"), [(1.0, "2000"), (1e-6, "0.002")])
def test_an_unlikely_suv_is_a_doubt(good: dict[str, Any], scale: float, highest: str) -> None:
    odd = Volume(VALUES * scale, GRID, "g/mL", {**good, "units": "GML"})
    doubts = suv(odd).history[-1].settings["doubts"]
    assert doubts == [f"highest SUV of {highest}: dose or units may be wrong"]
    with pytest.raises(QuantityError, match="strict"):
        suv(odd, PetSettings(strict=True))


def test_activity_that_comes_as_suv_is_refused(good: dict[str, Any]) -> None:
    # A litre of 9000 Bq/mL, as a scanner measures it.
    litre = Geometry(size=(10, 10, 10), spacing_mm=(10.0, 10.0, 10.0))
    raw = Volume(np.full((10, 10, 10), 9000.0), litre, "g/mL", {**good, "units": "GML"})
    with pytest.raises(QuantityError, match=r"hold 22.5 times the injected dose or more") as caught:
        suv(raw)
    assert "units (BQML" in caught.value.fix
    assert "bin_width" not in str(caught.value)


@pytest.mark.parametrize("too_high", [1.0, 1.5, 2.5, 13.0])
def test_a_scan_never_holds_more_than_the_injected_dose(good: dict[str, Any], too_high: float) -> None:
    # 80 kg of 1 g/mL with all of what is left of the dose, one half-life later; the dose is understated.
    body = Geometry(size=(40, 40, 50), spacing_mm=(10.0, 10.0, 10.0))
    activity = Volume(np.full((50, 40, 40), 2e8 / 80_000), body, "Bq/mL", {**good, "dose_bq": 4e8 / too_high})
    if too_high <= 2.0:
        assert float(suv(activity).array.max()) == pytest.approx(too_high)
    else:
        with pytest.raises(QuantityError, match=f"hold {too_high:g} times the injected dose"):
            suv(activity)


def test_a_pet_file_without_header_is_refused_and_says_what_a_user_can_state() -> None:
    bare = Volume(VALUES, GRID, facts={"modality": "PT"})
    with pytest.raises(QuantityError, match=r"Units .* is absent") as caught:
        harmonize(bare)
    assert "units" in caught.value.fix
    stated = Volume(VALUES, GRID, facts={"modality": "PT", "units": "GML", "overridden": "units"})
    assert harmonize(stated).quantity == "SUVbw"
    assert "attenuation" in harmonize(stated).history[-1].note


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.130"}, "enhanced"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.128.1"}, "enhanced"),
        ({"series_type": "WHOLE BODY;REPROJECTION"}, "REPROJECTION"),
        ({"corrected_image": "DECY"}, "ATTN"),
        ({"corrected_image": None}, "ATTN"),
        ({"rescale_intercept": 5.0}, "RescaleIntercept is not 0"),
        ({"differing": "rescale_intercept"}, "disagree in RescaleIntercept"),
        ({"differing": "weight_kg"}, "disagree in PatientWeight"),
        ({"differing": "dose_bq"}, "disagree in RadionuclideTotalDose"),
        ({"differing": "half_life_s"}, "disagree in RadionuclideHalfLife"),
        ({"differing": "injection_s"}, "disagree in RadiopharmaceuticalStartDateTime"),
        ({"differing": "units"}, "disagree in Units"),
        ({"differing": "decay_correction"}, "disagree in DecayCorrection"),
        ({"differing": "series_s"}, "disagree in SeriesTime"),
    ],
)
def test_what_no_factor_can_help_is_refused_by_name(
    refused: Callable[..., QuantityError], changes: dict[str, Any], named: str
) -> None:
    assert named in str(refused(**changes))


def test_attenuation_correction_named_by_its_method_alone_is_a_repair(repaired: Callable[..., Any]) -> None:
    repaired("AttenuationCorrectionMethod", corrected_image=None, attenuation_method_named=True)


def test_everything_that_a_stripped_header_lacks_is_named_at_once(
    refused: Callable[..., QuantityError],
) -> None:
    keys = ("weight_kg", "dose_bq", "injection_s", "injection_clock_s", "series_s", "acquisition_s")
    error = refused(**dict.fromkeys(keys))
    for name in ("PatientWeight", "RadionuclideTotalDose", "RadiopharmaceuticalStartDateTime", "SeriesTime"):
        assert name in error.what
    assert "weight_kg, dose_bq, injection_clock_s, reference_clock_s" in error.fix


def test_what_the_user_gave_counts_where_slices_disagree_and_is_told(found: Callable[..., Any]) -> None:
    result = found(weight_kg=40.0, differing="weight_kg", overridden="weight_kg;private words")
    assert result.factors[0] == pytest.approx(40_000 / 2e8)
    assert result.told["overridden"] == ["weight_kg"]
