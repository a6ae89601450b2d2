"""The methods paragraph names every setting that can change a number, and cites what it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import gclnm
from gclnm.recipe import Recipe
from gclnm.recipe.methods import REFERENCES
from gclnm.recipe.recipe import BUILT_IN


def leaves(settings: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        path = f"{above}__{name}" if above else name
        if isinstance(value, dict) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def words_of(value: Any) -> list[str]:
    if isinstance(value, list):
        return [word for item in value for word in words_of(item)]
    if isinstance(value, bool) or value is None or value == {}:
        return []
    return [f"{value:g}" if isinstance(value, int | float) else str(value)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_number_of_a_built_in_recipe_is_in_its_paragraph(name: str) -> None:
    recipe = Recipe.named(name)
    text = recipe.methods().split("\n\n")[0]
    settings = recipe.model_dump(mode="json", exclude_defaults=True, exclude={"description"})
    symbols = {"bspline": "cubic B-spline", "axial": "axial slices", "MR": "MR", "PT": "PET"}
    symbols |= {"SUVbw": "uptake values by body weight", "HU": "Hounsfield units", "arbitrary": "arbitrary"}
    skipped = {"all", "absolute"}
    for path, value in leaves(settings):
        for word in words_of(value):
            if word in skipped or (word == "0" and "spacing" in path):
                continue
            assert symbols.get(word, word) in text, (path, word)


@pytest.mark.parametrize("name", BUILT_IN)
def test_references_are_numbered_in_the_order_of_citing_and_all_are_cited(name: str) -> None:
    text, _, references = Recipe.named(name).methods().partition("\n\n")
    cited = [int(n) for group in re.findall(r"\[(\d+(?:,\d+)*)\]", text) for n in group.split(",")]
    numbers = [int(line.split(".")[0]) for line in references.splitlines()]
    assert list(dict.fromkeys(cited)) == numbers == list(range(1, len(numbers) + 1))
    assert all("doi:10." in line for line in references.splitlines())


def test_software_and_its_versions_are_named() -> None:
    text = Recipe.named("ct").methods()
    assert f"gclnm {gclnm.__version__}" in text
    for tool in ("pyradiomics-bhklab", "SimpleITK", "numpy", "PyWavelets"):
        assert re.search(rf"{tool} v?\d", text), tool


CHANGES: list[dict[str, Any]] = [
    {"quantity": ["HU", "mg/mL"]},
    {"modality": ""},
    {"energies_kev": [40, 70]},
    {"energies_kev": [40, 70], "extrapolate": True},
    {"derive": "adc"},
    {"derive": "subtraction"},
    {"derive": "enhancement"},
    {"prepare__normalize": {"scale": 100}},
    {"prepare__normalize": {"scale": 100, "clip_sd": 3}},
    {"prepare__resample__spacing_mm": [1, 1, 2]},
    {"prepare__resample__interpolator": "lanczos_sinc"},
    {"prepare__resample__pad_voxels": 7},
    {"prepare__resample__round": True},
    {"prepare__resample": None},
    {"prepare__resample": None, "prepare__crop": {"pad_voxels": 9}},
    {"prepare__resegment": None},
    {"prepare__resegment__range": [-100, None]},
    {"prepare__resegment": {"range": [-3, 3], "mode": "sigma"}},
    {"prepare__resegment": {"range": [0.4, 1], "mode": "relative", "shape": True}},
    {"prepare__discretise__bin_count": 32},
    {"prepare__filters__log__sigma_mm": [1.5]},
    {"prepare__filters__wavelet__wavelet": "haar"},
    {"prepare__filters__wavelet__level": 2},
    {"prepare__filters__wavelet__discretise": {"bin_width": 3}},
    {"prepare__filters__gradient": {"use_spacing": False}},
    {"prepare__filters__square": {}},
    {"compute__glcm": ["Contrast"]},
    {"compute__texture__plane": "coronal"},
    {"compute__texture__distances": [1, 2]},
    {"compute__texture__symmetric_glcm": False},
    {"compute__texture__weighting": "euclidean"},
    {"compute__texture__gldm_alpha": 1},
    {"compute__intensity_shift": 1000},
    {"compute__min_voxels": 10},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_change_of_any_setting_changes_the_words(change: dict[str, Any]) -> None:
    def without_id(recipe: Recipe) -> str:
        return re.sub(r"id [0-9a-f]{12}", "", recipe.methods())

    assert without_id(Recipe.named("ct").with_(**change)) != without_id(Recipe.named("ct"))


def test_a_setting_without_a_sentence_of_its_own_is_named_with_its_value() -> None:
    # A choice for another modality than the recipe's has no effect, and so no sentence.
    recipe = Recipe.named("ct").with_(harmonize__pet__strict=True)
    assert "Further settings: harmonize.pet.strict true." in recipe.methods()
    assert "Further settings" not in Recipe.named("ct").methods()


def test_harmonisation_of_each_modality_is_told_in_sentences() -> None:
    strict = Recipe.named("pet").with_(harmonize__pet__strict=True).methods()
    assert "implausible header values were refused" in strict
    lean = Recipe.named("pet").with_(quantity=["SUVlbm"], harmonize__pet__quantity="SUVlbm").methods()
    assert "lean body mass (Janmahasatian [" in lean
    assert "Clin Pharmacokinet" in lean
    clamped = Recipe.named("ct").with_(harmonize__ct__clamp_hu=[-1024, 3071]).methods()
    assert "below -1024 HU or above 3071 HU were set to these limits" in clamped
    asked = {"n4": {}, "normalize": {"method": "percentile", "high": 98}}
    signal = Recipe.named("mr-t1").with_(quantity=["normalized"], harmonize={"mr": asked})
    assert "corrected by N4 [" in signal.methods()
    assert "percentiles 1 and 98 in the body without the ROI became 0 and 1" in signal.methods()
    assert "Further settings" not in signal.methods()
    assert "Nyul" not in signal.methods()


def test_quantities_and_the_ways_of_the_ibsi_are_told() -> None:
    text = Recipe.named("pet").methods()
    assert "On the image as scanned, without resampling: SUVmax, SUVmean" in text
    ibsi = {"resample": {"align": "centre", "mask": "linear"}, "discretise": {"origin": "minimum"}}
    text = Recipe.named("ct").with_(prepare={**ibsi, "resegment": {"sigma": 3}}).methods()
    assert "from the lower limit of the ROI on" in text
    for words in ("threshold of 0.5", "aligned at their centres", "within 3 standard deviations"):
        assert words in text
    assert "Further settings" not in text


def test_a_fitted_adc_is_told_once_with_its_b_values_noise_and_sources() -> None:
    mr = {"adc": {"b_range": [100, 1000], "noise": 20}}
    text = Recipe.named("mr-adc").with_(derive="adc", harmonize={"mr": mr}).methods()
    assert text.count("fitted to") == 1
    assert "fitted to b-values from 100 to 1000 s/mm2" in text
    assert "(standard deviation 6.66667) was subtracted in quadrature" in text
    assert "all b-values" not in text
    for source in ("10.1148/radiology.161.2.3763909", "10.1002/hbm.20076"):
        assert source in text
    plain = Recipe.named("mr-adc").with_(derive="adc").methods()
    assert "fitted to all b-values" in plain
    assert "in the image's corners, where these are air" in plain
    assert "Voxels without a value" in plain
    assert "fitted" not in Recipe.named("mr-adc").methods()


def test_thresholds_of_volumes_are_told_in_words() -> None:
    text = Recipe.named("pet").with_(quantities={"pet": ["MTV41pct", "TLG4p0"]}).methods()
    assert "total lesion glycolysis (TLG)" in text
    assert "41 % of SUVmax (41pct) and SUV 4.0 (4p0)." in text
    assert "glycolysis" not in Recipe.named("pet").with_(quantities={"pet": ["SUVmax"]}).methods()


def test_iodine_is_told_with_a_source() -> None:
    assert "10.1097/MD.0000000000005878" in Recipe.named("ct-iodine").methods()


def test_every_reference_says_who_where_and_its_doi() -> None:
    for key, words in REFERENCES.items():
        assert re.search(r"\. .+(19|20)\d\d;\d+:\S+\. doi:10\.\d{4,}/\S+$", words), key
