"""What the engine refuses, what it leaves out with a note, and what it never does silently."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from gclnm.engines import engine, upstream
from gclnm.engines import pyradiomics as module
from gclnm.errors import EngineError
from gclnm.recipe import Recipe
from gclnm.vocabulary import TEXTURE

CT = Recipe.named("ct")
SMALL = Recipe(name="small", compute={"shape": "all", "firstorder": "all", "glcm": "all", "ngtdm": "all"})


def run(case, recipe=SMALL):
    return engine("pyradiomics").run(case, recipe.prepare, recipe.compute)


def box(case, *slices: slice):
    roi = np.zeros(case.image.geometry.shape, dtype=bool)
    roi[slices] = True
    return roi


@pytest.mark.parametrize(
    ("slices", "code", "words"),
    [
        ((slice(0),), "empty-roi", "no voxel"),
        ((slice(5, 6), slice(5, 6), slice(5, 6)), "one-voxel", "one voxel"),
        ((slice(5, 6), slice(5, 15), slice(5, 15)), "one-slice", "one slice"),
    ],
)
def test_an_roi_that_cannot_be_measured_is_refused(make_case, slices, code, words) -> None:
    case = make_case()
    with pytest.raises(EngineError, match=words) as caught:
        run(make_case(roi=box(case, *slices)), CT)
    assert caught.value.code == code
    if code == "one-slice":
        assert "ct-2d" in str(caught.value)


def test_a_line_is_refused_in_its_plane(make_case) -> None:
    case = make_case()
    with pytest.raises(EngineError) as caught:
        run(make_case(roi=box(case, slice(5, 8), slice(5, 6), slice(5, 15))), Recipe.named("ct-2d"))
    assert caught.value.code == "thin-roi"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_voxels_that_are_not_numbers_are_refused(make_case, bad) -> None:
    case = make_case()
    array = case.image.array.copy()
    array[9, 19, 17] = bad
    with pytest.raises(EngineError, match="1 voxel in the ROI") as caught:
        run(make_case(array=array))
    assert caught.value.code == "not-finite"
    array = case.image.array.copy()
    array[0, 0, 0] = bad  # outside, but a spline carries it along
    with pytest.raises(EngineError, match="resampling") as caught:
        run(make_case(array=array), CT.with_(prepare__resample__interpolator="bspline"))
    assert caught.value.code == "not-finite"


def test_an_roi_outside_the_range_is_refused_by_the_numbers(make_case) -> None:
    with pytest.raises(EngineError, match="range 2000 to 3000") as caught:
        run(make_case(), SMALL.with_(prepare__resegment={"range": [2000, 3000]}))
    assert caught.value.code == "nothing-in-range"


def test_few_voxels_have_shape_and_intensities_but_no_texture(make_case) -> None:
    case = make_case()
    small = make_case(roi=box(case, slice(5, 8), slice(5, 9), slice(5, 9)))
    result = run(small)
    assert result.diagnostics["voxels_analysed"] == 48
    for column, value in result.values.items():
        family = column.split("_")[1]
        assert np.isnan(value) == (family in TEXTURE), column
    assert result.notes["glcm"] == "the ROI has 48 voxels, fewer than 64"
    assert not np.isnan(list(run(small, SMALL.with_(compute__min_voxels=48)).values.values())).any()


def test_a_constant_roi_gives_limits_without_warnings(make_case) -> None:
    case = make_case()
    flat = make_case(array=np.full(case.image.geometry.shape, 40.0))
    recipe = SMALL.with_(prepare__filters={"wavelet": {}, "gradient": {}}, compute__glszm="all")
    result = run(flat, recipe)
    values = result.values
    assert values["original_firstorder_Variance"] == 0
    assert values["original_glcm_Correlation"] == 1
    assert values["original_glcm_MCC"] == 1
    assert values["original_ngtdm_Coarseness"] == 1e6
    assert abs(values["original_firstorder_Entropy"]) < 1e-12
    assert set(result.notes) == {name for name, value in values.items() if np.isnan(value)}


def test_a_filter_without_finite_values_leaves_nan_and_a_note(make_case) -> None:
    case = make_case()
    zeros = make_case(array=np.zeros(case.image.geometry.shape))
    result = run(zeros, SMALL.with_(prepare__filters={"square": {}}))
    assert np.isnan(result.values["square_firstorder_Mean"])
    assert result.notes["square"] == "the filter gives no finite number in the ROI"
    assert result.values["original_firstorder_Mean"] == 0


def test_shape_in_a_plane_of_several_slices_is_nan_with_a_note(make_case) -> None:
    recipe = Recipe.named("ct-2d").with_(compute__shape2D="all")
    result = run(make_case(), recipe)
    assert np.isnan(result.values["original_shape2D_Perimeter"])
    assert result.notes["shape2D"] == "the ROI spans several slices"
    assert result.values["original_shape_MeshVolume"] > 0


def test_a_log_without_room_is_an_error_that_names_it(make_case) -> None:
    recipe = SMALL.with_(prepare__filters={"log": {"sigma_mm": [1, 200]}})
    with pytest.raises(EngineError, match="log-sigma-200-0-mm-3D") as caught:
        run(make_case(), recipe)
    assert caught.value.code == "filter-gave-nothing"


def test_a_feature_that_is_not_given_is_an_error(make_case, monkeypatch) -> None:
    genuine = module._run_family

    def forgetful(family, *rest):
        values = genuine(family, *rest)
        values.pop("Contrast", None)
        return values

    monkeypatch.setattr(module, "_run_family", forgetful)
    with pytest.raises(EngineError, match="original_glcm_Contrast"):
        run(make_case())


def test_a_bin_width_far_too_small_is_refused_before_memory_runs_out(make_case) -> None:
    with pytest.raises(EngineError, match="grey levels of original") as caught:
        run(make_case(), SMALL.with_(prepare__discretise__bin_width=0.01))
    assert caught.value.code == "too-many-grey-levels"


def test_lbp_3d_is_refused_beforehand_where_pyradiomics_cannot_make_it() -> None:
    recipe = SMALL.with_(prepare__filters={"lbp3d": {}})
    if upstream._gives_an_image("lbp3d"):
        pytest.skip("this installation makes it")
    with pytest.raises(EngineError, match="lbp3d") as caught:
        engine("pyradiomics").check(recipe.prepare, recipe.compute)
    assert caught.value.code == "filter-unavailable"


def test_lbp_2d_without_scikit_image_names_the_extra(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    upstream._gives_an_image.cache_clear()
    try:
        with pytest.raises(EngineError) as caught:
            upstream.require_filter("lbp2d")
    finally:
        upstream._gives_an_image.cache_clear()
    assert "gclnm[lbp]" in caught.value.fix


@pytest.mark.parametrize(("packages", "code"), [([], "no-engine"), (["a", "b"], "two-engines")])
def test_exactly_one_package_must_give_pyradiomics(monkeypatch, packages, code) -> None:
    upstream.provider.cache_clear()
    monkeypatch.setattr(upstream, "packages_distributions", lambda: {"radiomics": packages})
    try:
        with pytest.raises(EngineError) as caught:
            upstream.provider()
    finally:
        upstream.provider.cache_clear()
    assert caught.value.code == code


def test_the_provider_is_recorded_with_its_version() -> None:
    name, version = engine("pyradiomics").version.split()
    assert "pyradiomics" in name
    assert version[0].isdigit()


@pytest.mark.parametrize("value", [1 + 2e-9j, [1.0, 2.0]])
def test_a_value_that_is_not_one_real_number_is_an_error(value) -> None:
    with pytest.raises(EngineError) as caught:
        module._real(value, "original_shape_Flatness")
    assert caught.value.code == "feature-not-real"


def test_complex_numbers_without_imaginary_part_become_real() -> None:
    assert module._real(np.array(0.5 + 1e-12j), "original_shape_Flatness") == 0.5


def test_pyradiomics_says_nothing_and_its_log_is_left_as_it_was(make_case, caplog, capfd) -> None:
    logger = logging.getLogger("radiomics")
    logger.setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        run(make_case(), SMALL.with_(compute__glcm="all"))
    assert logger.level == logging.DEBUG
    assert not [record for record in caplog.records if record.name.startswith("radiomics")]
    assert capfd.readouterr().err == ""


def test_shape_cut_by_re_segmentation_is_counted(make_case) -> None:
    case = make_case()
    array = case.image.array.copy()
    array[:7] = 900
    result = run(make_case(array=array), SMALL.with_(prepare__resegment={"range": [-500, 500]}))
    assert result.diagnostics["shape_voxels_lost"] > 0
    assert "re-segmented" in result.notes["shape"]
    assert 0 < result.diagnostics["fraction_outside_range"] < 1


def test_rounding_makes_whole_numbers_after_resampling(make_case) -> None:
    recipe = SMALL.with_(prepare__resample={"spacing_mm": [1, 1, 1], "round": True})
    assert run(make_case(), recipe).values["original_firstorder_Minimum"] % 1 == 0
