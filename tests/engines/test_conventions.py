"""The engine measures what `gclnm.prepare` made: IBSI's grid, masks and bins, pyradiomics' features."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from gclnm.engines import engine
from gclnm.engines.upstream import quiet
from gclnm.images import Case
from gclnm.prepare import resample, resegment
from gclnm.recipe import Recipe

FAMILIES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
IBSI = {"spacing_mm": [1.5, 1.5, 1.5], "align": "centre", "mask": "linear", "round": True}


def recipe(**prepare: Any) -> Recipe:
    return Recipe(name="x", prepare=prepare, compute=dict.fromkeys(FAMILIES, "all"))


def run(case: Case, asked: Recipe) -> Any:
    return engine("pyradiomics").run(case, asked.prepare, asked.compute)


def finished(case: Case, asked: Recipe, **words: Any) -> dict[str, float]:
    """pyradiomics' own numbers for an image and a mask that are only cropped and discretised."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    parameters = {
        "imageType": {"Original": {}, "Wavelet": {}},
        "featureClass": dict.fromkeys(FAMILIES),
        "setting": {"additionalInfo": False, **words},
    }
    with quiet():
        extractor = RadiomicsFeatureExtractor(copy.deepcopy(parameters))
        found = extractor.execute(case.image.to_sitk(), case.roi.to_sitk())
    return {name: float(np.real(value)) for name, value in found.items()}


@pytest.mark.parametrize("grid", ["anisotropic", "oblique"])
@pytest.mark.parametrize(
    "change", [{}, {"antialias": True, "spacing_mm": [2, 2, 3]}, {"interpolator": "linear"}]
)
def test_features_are_pyradiomics_numbers_of_the_prepared_image(make_case, grid, change) -> None:
    case = make_case(grid)
    asked = recipe(
        resample={**IBSI, **change},
        discretise={"bin_width": 25},
        filters={"original": {}, "wavelet": {}},
    )
    settings = asked.prepare.resample
    image, roi = (resample(part, settings, around=case.roi) for part in (case.image, case.roi))
    theirs = finished(Case({"image": image}, {"roi": roi}), asked, binWidth=25)
    ours = run(case, asked).values
    assert set(ours) == set(theirs)
    np.testing.assert_allclose([ours[k] for k in theirs], list(theirs.values()), rtol=1e-9, atol=1e-9)


def test_outliers_are_left_out_of_intensities_and_texture(make_case) -> None:
    case = make_case()
    asked = recipe(resegment={"range": [-300, 500], "sigma": 1.5}, discretise={"bin_count": 20})
    kept = resegment(case.image, case.roi, asked.prepare.resegment)
    assert 64 < kept.n_voxels < case.roi.n_voxels
    values = run(case, asked).values
    inside = case.image.array[kept.array]
    assert values["original_firstorder_Maximum"] == inside.max()
    theirs = finished(Case({"image": case.image}, {"roi": kept}), asked, binCount=20)
    texture = [name for name in values if "_shape_" not in name]
    np.testing.assert_allclose([values[k] for k in texture], [theirs[k] for k in texture], rtol=1e-9)


def test_shape_is_that_of_the_whole_roi_unless_it_is_cut_as_pyradiomics_does(make_case) -> None:
    case = make_case()
    array = case.image.array.copy()
    array[:7] = 900
    bright = make_case(array=array)
    volume = "original_shape_VoxelVolume"
    whole = case.roi.n_voxels * case.image.geometry.voxel_volume_mm3
    cut, ibsi = (
        run(bright, recipe(resegment={"range": [-500, 500], "cut_shape": value})) for value in (True, False)
    )
    assert cut.diagnostics["shape_voxels_lost"] > 0
    assert cut.values[volume] < whole
    assert ibsi.diagnostics["shape_voxels_lost"] == 0
    assert "shape" not in ibsi.notes
    np.testing.assert_allclose(ibsi.values[volume], whole)


def test_bins_begin_at_the_range_on_the_image_and_at_the_minimum_on_filtered_ones(make_case) -> None:
    case = make_case()
    asked = recipe(
        resegment={"range": [-1000, 1000]},
        discretise={"bin_width": 20, "origin": "minimum"},
        filters={"original": {}, "square": {}},
    )
    result = run(case, asked)
    values = case.image.array[case.roi.array].astype(float)
    # Emphasis of low grey levels tells where levels begin: the mean of 1 / level² over runs.
    highest = np.floor((values.max() + 1000) / 20) + 1
    assert result.diagnostics["grey_levels"] == highest
    lowest = np.floor((values.min() + 1000) / 20) + 1
    assert lowest > 10
    assert result.values["original_glszm_LowGrayLevelZoneEmphasis"] < 1 / lowest**2
    assert result.values["square_glszm_LowGrayLevelZoneEmphasis"] > 1 / 20**2
    same = run(case, asked.with_(prepare__discretise__origin="zero"))
    assert result.values["original_glcm_Contrast"] == pytest.approx(same.values["original_glcm_Contrast"])
    level = result.values["original_glcm_JointAverage"] - same.values["original_glcm_JointAverage"]
    assert level == pytest.approx(lowest - 1)


def test_far_too_many_levels_are_refused_from_the_range_on(make_case) -> None:
    from gclnm.errors import EngineError

    asked = recipe(resegment={"range": [-30000, 1000]}, discretise={"bin_width": 10, "origin": "minimum"})
    with pytest.raises(EngineError, match="grey levels of original") as caught:
        run(make_case(), asked)
    assert caught.value.code == "too-many-grey-levels"


def test_new_settings_at_their_defaults_leave_the_recipe_what_it_was() -> None:
    ct = Recipe.named("ct")
    spelt = ct.with_(
        prepare__resample={"align": "corner", "mask": "nearest", "antialias": False},
        prepare__resegment={"sigma": None, "cut_shape": True},
        prepare__discretise={"origin": "zero"},
    )
    assert spelt.id == ct.id
    changes: tuple[tuple[str, Any], ...] = (
        ("resample__align", "centre"),
        ("resample__mask", "linear"),
        ("resample__antialias", True),
        ("resegment__sigma", 3),
        ("resegment__cut_shape", False),
        ("discretise__origin", "minimum"),
    )
    ids = {ct.with_(**{f"prepare__{key}": value}).id for key, value in changes}
    assert len(ids | {ct.id}) == 7


def test_a_recipe_says_that_outliers_are_left_out() -> None:
    shown = repr(Recipe.named("ct").with_(prepare__resegment__sigma=3))
    assert "range -150 to 250 and within 3 sd of the mean" in shown
    assert "range within 3 sd of the mean" in repr(
        Recipe.named("pet").with_(prepare__resegment={"range": None, "sigma": 3})
    )
