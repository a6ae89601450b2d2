"""For equal settings the engine gives the numbers of calling pyradiomics directly."""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gclnm import pipeline, vocabulary
from gclnm.engines import engine
from gclnm.engines.upstream import quiet
from gclnm.harmonize import harmonize
from gclnm.images import Case
from gclnm.images.load import read_mask, read_series
from gclnm.prepare.grid import onto
from gclnm.recipe import Recipe
from gclnm.schemas.features import out_of_bounds

NO_QUANTITIES = dict.fromkeys(vocabulary.NATIVE, ())
Directly = Callable[[Case, Recipe], dict[str, float]]
PARAMS = Path(__file__).parent.parent / "recipe" / "params"
EVERY_FILTER = {
    "original": {},
    "log": {"sigma_mm": [1, 2.5]},
    "wavelet": {"level": 2},
    **{name: {} for name in ("square", "squareroot", "logarithm", "exponential", "gradient", "lbp2d")},
}


def compare(case: Case, recipe: Recipe, directly: Directly) -> dict[str, float]:
    ours = engine("pyradiomics").run(case, recipe.prepare, recipe.compute)
    theirs = directly(case, recipe)
    assert tuple(ours.values) == recipe.with_(quantities=NO_QUANTITIES).features
    assert set(ours.values) == set(theirs)
    names = list(theirs)
    np.testing.assert_allclose(
        [ours.values[name] for name in names], [theirs[name] for name in names], rtol=1e-9, atol=1e-9
    )
    lower, upper = vocabulary.bounds(names)
    assert not out_of_bounds([theirs[name] for name in names], lower, upper).any()
    return ours.values


@pytest.mark.parametrize("grid", ["anisotropic", "oblique"])
@pytest.mark.parametrize("name", ["ct", "ct-2d", "mr-t1", "pet"])
def test_built_in_recipes_give_pyradiomics_numbers(make_case, directly, name: str, grid: str) -> None:
    recipe = Recipe.named(name)
    if name == "pet":
        recipe = recipe.with_(prepare__discretise__bin_width=10)
    compare(make_case(grid), recipe, directly)


@pytest.mark.parametrize("grid", ["anisotropic", "oblique"])
def test_every_filter_gives_pyradiomics_numbers(make_case, directly, grid: str) -> None:
    recipe = Recipe(name="all", prepare={"filters": EVERY_FILTER}, compute=Recipe.named("ct").compute)
    compare(make_case(grid), recipe, directly)
    resampled = recipe.with_(prepare__resample={"spacing_mm": [1.5, 1.5, 1.5], "interpolator": "linear"})
    compare(make_case(grid), resampled, directly)


DEFAULT = Recipe(
    name="x",
    prepare={"discretise": {"bin_width": 25}, "filters": {"original": {}}},
    compute={family: "all" for family in vocabulary.FAMILIES if family != "shape2D"},
)
NORMALIZED = {"prepare__normalize": {"scale": 100}}
COARSER = {"prepare__resample": {"spacing_mm": [2, 2, 3]}, "prepare__filters__wavelet": {}}
WAVELET = {"prepare__filters__wavelet": {}}
POSITIVE = {"prepare__resegment": {"range": [0.5, 2]}}
LBP = {"prepare__filters__lbp2d": {}}
CASES = [
    # What the recipe is before, what is changed, and what a pyradiomics user writes for both together.
    ({}, NORMALIZED, {"setting": {"normalize": True, "normalizeScale": 100}}),
    (
        NORMALIZED,
        {"prepare__normalize__scale": 250},
        {"setting": {"normalize": True, "normalizeScale": 250}},
    ),
    (
        NORMALIZED,
        {"prepare__normalize__clip_sd": 1.5},
        {"setting": {"normalize": True, "normalizeScale": 100, "removeOutliers": 1.5}},
    ),
    (
        {},
        {"prepare__resample__spacing_mm": [2, 0, 3]},
        {"setting": {"resampledPixelSpacing": [2, 0, 3]}},
    ),
    *(
        (
            COARSER,
            {"prepare__resample__interpolator": ours},
            {
                "imageType": {"Original": {}, "Wavelet": {}},
                "setting": {"resampledPixelSpacing": [2, 2, 3], "interpolator": theirs},
            },
        )
        for ours, theirs in (
            ("nearest", "sitkNearestNeighbor"),
            ("linear", "sitkLinear"),
            ("gaussian", "sitkGaussian"),
            ("hamming_sinc", "sitkHammingWindowedSinc"),
            ("cosine_sinc", "sitkCosineWindowedSinc"),
            ("welch_sinc", "sitkWelchWindowedSinc"),
            ("lanczos_sinc", "sitkLanczosWindowedSinc"),
            ("blackman_sinc", "sitkBlackmanWindowedSinc"),
        )
    ),
    (
        COARSER,
        {"prepare__resample__pad_voxels": 1},
        {
            "imageType": {"Original": {}, "Wavelet": {}},
            "setting": {"resampledPixelSpacing": [2, 2, 3], "padDistance": 1},
        },
    ),
    (
        WAVELET,
        {"prepare__crop__pad_voxels": 1},
        {"imageType": {"Original": {}, "Wavelet": {}}, "setting": {"preCrop": True, "padDistance": 1}},
    ),
    ({}, {"prepare__resegment": {"range": [0, None]}}, {"setting": {"resegmentRange": [0]}}),
    (
        {},
        {"prepare__resegment": {"range": [-50, 60]}},
        {"setting": {"resegmentRange": [-50, 60], "resegmentMode": "absolute"}},
    ),
    (
        POSITIVE,
        {"prepare__resegment__mode": "sigma"},
        {"setting": {"resegmentRange": [0.5, 2], "resegmentMode": "sigma"}},
    ),
    (
        POSITIVE,
        {"prepare__resegment__mode": "relative"},
        {"setting": {"resegmentRange": [0.5, 2], "resegmentMode": "relative"}},
    ),
    (
        {"prepare__resegment": {"range": [60, None]}},
        {"prepare__resegment__shape": True},
        {"setting": {"resegmentRange": [60], "resegmentShape": True}},
    ),
    ({}, {"prepare__discretise__bin_width": 40}, {"setting": {"binWidth": 40}}),
    ({}, {"prepare__discretise__bin_count": 20}, {"setting": {"binCount": 20}}),
    (
        WAVELET,
        {"prepare__filters__wavelet__discretise": {"bin_width": 7}},
        {"imageType": {"Original": {}, "Wavelet": {"binWidth": 7}}},
    ),
    (
        WAVELET,
        {"prepare__filters__original__discretise": {"bin_count": 12}},
        {"imageType": {"Original": {"binCount": 12}, "Wavelet": {}}},
    ),
    (
        WAVELET,
        {"prepare__filters__wavelet__wavelet": "haar"},
        {"imageType": {"Original": {}, "Wavelet": {"wavelet": "haar"}}},
    ),
    (
        WAVELET,
        {"prepare__filters__wavelet__level": 2},
        {"imageType": {"Original": {}, "Wavelet": {"level": 2}}},
    ),
    (
        WAVELET,
        {"prepare__filters__wavelet__start_level": 1},
        {"imageType": {"Original": {}, "Wavelet": {"start_level": 1}}},
    ),
    (
        {"prepare__filters__log": {"sigma_mm": [1]}},
        {"prepare__filters__log__sigma_mm": [2, 3.5]},
        {"imageType": {"Original": {}, "LoG": {"sigma": [2.0, 3.5]}}},
    ),
    (
        {"prepare__filters__gradient": {}},
        {"prepare__filters__gradient__use_spacing": False},
        {"imageType": {"Original": {}, "Gradient": {"gradientUseSpacing": False}}},
    ),
    (
        LBP,
        {"prepare__filters__lbp2d__radius": 2.5},
        {"imageType": {"Original": {}, "LBP2D": {"lbp2DRadius": 2.5}}},
    ),
    (
        LBP,
        {"prepare__filters__lbp2d__samples": 12},
        {"imageType": {"Original": {}, "LBP2D": {"lbp2DSamples": 12}}},
    ),
    (
        LBP,
        {"prepare__filters__lbp2d__method": "default"},
        {"imageType": {"Original": {}, "LBP2D": {"lbp2DMethod": "default"}}},
    ),
    ({}, {"compute__texture__distances": [1, 2]}, {"setting": {"distances": [1, 2]}}),
    ({}, {"compute__texture__symmetric_glcm": False}, {"setting": {"symmetricalGLCM": False}}),
    ({}, {"compute__texture__gldm_alpha": 1}, {"setting": {"gldm_a": 1}}),
    *(
        ({}, {"compute__texture__weighting": norm}, {"setting": {"weightingNorm": norm}})
        for norm in ("manhattan", "euclidean", "infinity", "no_weighting")
    ),
    *(
        (
            {},
            {"compute__texture__plane": plane},
            {"setting": {"force2D": True, "force2Ddimension": axis}},
        )
        for plane, axis in (("axial", 0), ("coronal", 1), ("sagittal", 2))
    ),
    ({}, {"compute__intensity_shift": 500}, {"setting": {"voxelArrayShift": 500}}),
    (
        {},
        {"compute__shape": ["Sphericity", "Compactness1"]},
        {"featureClass": {"shape": ["Sphericity", "Compactness1"]}},
    ),
]


def written_by_hand(case: Case, changes: dict[str, dict[str, object]]) -> dict[str, float]:
    """pyradiomics' own numbers for a parameter dictionary: nothing of gclnm translates it."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    families = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
    parameters = {
        "imageType": changes.get("imageType", {"Original": {}}),
        "featureClass": {**dict.fromkeys(families), **changes.get("featureClass", {})},
        "setting": {"binWidth": 25, "additionalInfo": False, **changes.get("setting", {})},
    }
    with quiet():
        extractor = RadiomicsFeatureExtractor(copy.deepcopy(parameters))
        found = extractor.execute(case.image.to_sitk(), case.roi.to_sitk())
    return {name: float(np.real(value)) for name, value in found.items()}


@pytest.mark.parametrize(
    ("before", "change", "parameters"),
    CASES,
    ids=[f"{name.split('__', 1)[1]}={value}" for _, change, _ in CASES for name, value in change.items()],
)
def test_every_setting_means_what_it_means_to_pyradiomics(make_case, before, change, parameters) -> None:
    case, run = make_case(), engine("pyradiomics").run
    default = DEFAULT.with_(**before)
    recipe = default.with_(**change)
    ours = run(case, recipe.prepare, recipe.compute).values
    theirs = written_by_hand(case, parameters)
    assert set(ours) == set(theirs)
    np.testing.assert_allclose([ours[k] for k in theirs], list(theirs.values()), rtol=1e-9, atol=1e-9)
    unchanged = run(case, default.prepare, default.compute).values
    assert any(not np.isclose(value, unchanged.get(name, np.nan)) for name, value in theirs.items())


def test_every_setting_that_is_translated_has_a_case_written_by_hand(in_their_words) -> None:
    translated, by_hand = set(), set()
    for before, change, parameters in CASES:
        recipe = DEFAULT.with_(**before).with_(**change)
        general, images = in_their_words(recipe)
        translated |= set(general).union(*images.values())
        for given in (parameters.get("setting", {}), *parameters.get("imageType", {}).values()):
            by_hand |= set(given)
    # What no recipe can change.
    fixed = {"label", "minimumROIDimensions"}
    assert translated - by_hand == fixed


def test_a_one_slice_roi_has_shape_in_its_plane(make_case, directly) -> None:
    case = make_case()
    roi = case.roi.array.copy()
    roi[:8] = False
    roi[9:] = False
    flat = make_case(roi=roi)
    recipe = Recipe.named("ct-2d").with_(compute__shape2D=list(vocabulary.names("shape2D", every=True)))
    values = compare(flat, recipe, directly)
    assert values["original_shape2D_PixelSurface"] > 0


@pytest.mark.parametrize(
    "path",
    [
        # Many grey levels: slow in pyradiomics.
        pytest.param(path, marks=pytest.mark.slow if "MR_NoResampling" in path.stem else ())
        for path in sorted(PARAMS.glob("*.yaml"))
        # Today's pyradiomics refuses the first two; the third makes maps.
        if path.stem not in ("exampleCT_v1", "MR_2D_extraction", "exampleVoxel")
    ],
    ids=lambda path: path.stem,
)
def test_parameter_files_give_what_pyradiomics_reads_from_them(make_case, path: Path) -> None:
    case, recipe = make_case(), Recipe.from_pyradiomics(path)
    ours = engine("pyradiomics").run(case, recipe.prepare, recipe.compute).values
    with quiet():
        from radiomics.featureextractor import RadiomicsFeatureExtractor

        extractor = RadiomicsFeatureExtractor(str(path))
        found = extractor.execute(case.image.to_sitk(), case.roi.to_sitk())
    theirs = {k: float(np.real(v)) for k, v in found.items() if not k.startswith("diagnostics")}
    assert set(theirs) == set(ours)
    np.testing.assert_allclose([ours[k] for k in theirs], list(theirs.values()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("PET", "pet"),
        pytest.param("CT", "ct", marks=pytest.mark.slow),
        pytest.param("MR_T1", "mr-t2", marks=pytest.mark.slow),
    ],
)
def test_a_real_patient_gives_pyradiomics_numbers_within_bounds(data, directly, folder, name) -> None:
    root = data("sts") / "STS_019" / folder
    image = harmonize(read_series(root / "image"))
    mask = onto(read_mask(next((root / "mask").glob("*.dcm")), image), image)
    recipe = Recipe.named(name).with_(
        prepare__filters={key: value for key, value in EVERY_FILTER.items() if key != "wavelet"}
    )
    values = compare(Case({"image": image}, {"roi": mask}), recipe, directly)
    series = pipeline.features(image, mask, recipe)
    assert series.drop(list(recipe.quantities.columns)).to_dict() == values
    assert series.attrs["diagnostics"]["voxels_native"] == mask.n_voxels


def test_codes_name_the_same_feature_as_the_ibsi(data) -> None:
    """The IBSI's digital phantom: every feature with a code has the reference value."""
    root = data("ibsi")
    files = sorted((root / "ibsi1_digital_phantom").rglob("*.nii*"))
    image = read_series(next(path for path in files if "mask" not in path.name))
    case = Case({"image": image}, {"roi": read_mask(next(p for p in files if "mask" in p.name), image)})
    every = {f: list(vocabulary.names(f, every=True)) for f in vocabulary.FAMILIES if f != "shape2D"}
    recipe = Recipe(name="phantom", prepare={"discretise": {"bin_width": 1}}, compute=every)
    values = engine("pyradiomics").run(case, recipe.prepare, recipe.compute).values
    with (root / "ibsi1_reference_values.csv").open() as handle:
        known = {row["tag"]: row for row in csv.DictReader(handle) if row["data_set"] == "digital"}
    coded = {name: vocabulary.feature(name).ibsi_tag for name in values if vocabulary.feature(name).ibsi_tag}
    assert len(coded) == 104
    for column, tag in coded.items():
        reference, tolerance = float(known[tag]["value"]), float(known[tag]["tolerance"])
        third_digit = 10.0 ** (np.floor(np.log10(abs(reference))) - 2)
        value = values[column]
        if column.endswith("AxisLength"):
            # pyradiomics divides the covariance by the number of voxels, the reference by one less.
            value *= np.sqrt(case.roi.n_voxels / (case.roi.n_voxels - 1))
        assert abs(value - reference) <= tolerance + 0.51 * third_digit, column
