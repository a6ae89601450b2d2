"""Recipes: built-in ones, their identity, changes, files, and what is refused."""

from __future__ import annotations

import contextlib
import json
import pickle
import random
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.engines.settings import Features
from gclnm.errors import RecipeError
from gclnm.prepare.settings import Prepare
from gclnm.recipe import Recipe
from gclnm.recipe.recipe import BUILT_IN

MINIMAL: dict[str, Any] = {"name": "mine", "compute": {"firstorder": "all"}}


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_recipe_round_trips_through_yaml(name: str, tmp_path: Path) -> None:
    recipe = Recipe.named(name)
    path = tmp_path / "recipe.yaml"
    recipe.to_yaml(path)
    again = Recipe.from_yaml(path)
    assert again == recipe
    assert again.id == recipe.id
    assert hash(again) == hash(recipe)
    assert Recipe(**json.loads(recipe.to_json())) == recipe
    assert pickle.loads(pickle.dumps(recipe)) == recipe


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_recipe_explains_each_choice(name: str) -> None:
    import gclnm.recipe.recipe as module

    text = (Path(module.__file__).parent / "builtin" / f"{name}.yaml").read_text()
    assert sum(line.strip().startswith("#") for line in text.splitlines()) >= 10


def test_built_in_recipes_suit_their_images() -> None:
    ct, flat, mr, pet = (Recipe.named(name) for name in ("ct", "ct-2d", "mr-t1", "pet"))
    assert ct.quantity == flat.quantity == ("HU",)
    assert ct.prepare.resegment is not None
    assert ct.compute.texture.plane == "3d"
    assert flat.compute.texture.plane == "axial"
    assert mr.prepare.discretise.bin_count == 32
    assert mr.prepare.resample is not None
    assert mr.prepare.resample.spacing_mm[2] == 0
    assert pet.quantity == ("SUVbw",)
    assert pet.prepare.discretise.bin_width == 0.25


def test_the_feature_table_has_one_row_a_column_with_units_of_the_quantity() -> None:
    table = Recipe.named("ct").feature_table()
    assert list(table) == ["feature", "image_type", "family", "ibsi_code", "unit", "lower", "upper"]
    assert tuple(table["feature"]) == Recipe.named("ct").features
    assert table["feature"].is_unique
    rows = table.set_index("feature")
    assert rows.loc["original_shape_Sphericity", "upper"] == 1
    assert rows.loc["wavelet-LLH_firstorder_Mean", "unit"] == "HU"
    assert rows.loc["original_firstorder_Energy", "unit"] == "HU^2"
    assert rows.loc["log-sigma-1-0-mm-3D_glcm_Correlation", "lower"] == -1


def shuffled(data: Any, seed: int) -> Any:
    if not isinstance(data, dict):
        return data
    keys = list(data)
    random.Random(seed).shuffle(keys)
    return {key: shuffled(data[key], seed) for key in keys}


@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(BUILT_IN))
def test_the_order_of_keys_does_not_change_the_id(seed: int, name: str) -> None:
    recipe = Recipe.named(name)
    other = Recipe(**shuffled(recipe.model_dump(mode="json"), seed))
    assert (other.id, other.to_json()) == (recipe.id, recipe.to_json())


@given(
    width=st.floats(1e-3, 1e6),
    sigmas=st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.5]), min_size=1),
    spacing=st.tuples(*[st.floats(0.1, 10)] * 3),
)
def test_any_recipe_round_trips_through_json(
    width: float, sigmas: list[float], spacing: tuple[float, ...]
) -> None:
    recipe = Recipe.named("ct").with_(
        prepare__discretise__bin_width=width,
        prepare__filters__log={"sigma_mm": sigmas},
        prepare__resample__spacing_mm=spacing,
    )
    again = Recipe(**json.loads(recipe.to_json()))
    assert (again, again.id) == (recipe, recipe.id)


def test_the_id_is_that_of_the_settings_not_of_the_name() -> None:
    ct = Recipe.named("ct")
    assert ct.with_(name="other", description="else").id == ct.id
    assert len({ct.id, ct.with_(compute__min_voxels=10).id, ct.with_(quantity=[]).id}) == 3
    assert len(ct.id) == 64


def test_writing_a_default_out_does_not_change_the_id() -> None:
    short = Recipe(**MINIMAL)
    long = Recipe(**MINIMAL, engine="pyradiomics", prepare={"discretise": {"bin_width": 25.0}})
    assert short.id == long.id
    full = short.with_(compute__firstorder=list(short.compute.chosen["firstorder"]))
    assert full.id == short.id


def test_changes_reach_any_depth_and_bins_replace_each_other() -> None:
    ct = Recipe.named("ct")
    fine = ct.with_(prepare__discretise__bin_count=32, prepare__filters={"log": None, "gradient": {}})
    assert fine.prepare.discretise.bin_width is None
    assert list(fine.prepare.filters.enabled) == ["original", "wavelet", "gradient"]
    assert fine.prepare.resample == ct.prepare.resample
    assert ct.with_(prepare__resample=None).prepare.resample is None
    with pytest.raises(RecipeError, match=r"prepare\.discretise\.bin_wdth"):
        ct.with_(prepare__discretise__bin_wdth=10)


def test_several_problems_are_told_at_once_with_paths_and_nearest_keys() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe(
            name="x",
            quantity=["HU"],
            prepare={
                "resampel": {},
                "discretise": {"bin_width": "25 SUV"},
                "filters": {"log": {"sigma_mm": []}, "original": {}},
                "resegment": {"range": [250, -150]},
            },
            compute={"glcm": ["Contrst"], "min_voxels": 0},
        )
    what = caught.value.what
    assert what.startswith("7 problems") or what.startswith("6 problems")
    for part in (
        "prepare.resampel is not a key of a recipe, did you mean resample?",
        "prepare.discretise.bin_width: the unit SUV is not HU",
        "prepare.filters.log.sigma_mm",
        "prepare.resegment",
        "did you mean Contrast?",
        "compute.min_voxels",
    ):
        assert part in what
    assert "\n" not in what


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"prepare": {"resample": {"spacing_mm": [1, 1]}}}, "prepare.resample.spacing_mm"),
        ({"prepare": {"resample": {"spacing_mm": [0, 0, 0]}}}, "prepare.resample.spacing_mm"),
        ({"prepare": {"resample": {"spacing_mm": [1, -1, 1]}}}, "prepare.resample.spacing_mm"),
        ({"prepare": {"resample": {"spacing_mm": ["1 cm", 1, 1]}}}, "prepare.resample.spacing_mm"),
        ({"prepare": {"resample": {"spacing_mm": [1, 1, 1], "interpolator": "cubic"}}}, "interpolator"),
        ({"prepare": {"discretise": {"bin_width": 5, "bin_count": 5}}}, "either bin_width or bin_count"),
        ({"prepare": {"discretise": {"bin_width": float("nan")}}}, "prepare.discretise.bin_width"),
        ({"prepare": {"filters": {"wavelet": {"wavelet": "coif99"}, "original": {}}}}, "wavelet"),
        ({"prepare": {"filters": {}}}, "no image"),
        ({"quantity": ["Hu"]}, "quantity"),
        ({"engine": "mine"}, "engine"),
        ({"name": "../up"}, "name"),
        ({"compute": {"shape2D": "all"}}, "shape2D"),
        ({"compute": {}}, "no feature"),
        ({"modality": "XA"}, "modality"),
        ({"prepare": {"crop": {}, "resample": {"spacing_mm": [1, 1, 1]}}}, "crop"),
    ],
)
def test_an_impossible_value_is_refused_with_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe(**{**MINIMAL, **change})
    assert path in caught.value.what
    assert caught.value.code == "bad-recipe"


def test_right_units_are_read() -> None:
    recipe = Recipe(
        **MINIMAL,
        quantity="HU",
        prepare={"discretise": {"bin_width": "25 HU"}, "resample": {"spacing_mm": ["1 mm", "1 mm", "3mm"]}},
    )
    assert recipe.prepare.discretise.bin_width == 25
    assert recipe.prepare.resample is not None
    assert recipe.prepare.resample.spacing_mm == (1, 1, 3)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("name: a\nname: b\n", "duplicate-key"),
        ("prepare:\n  resample: {}\n  resample: {}\n", "duplicate-key"),
        ("- 1\n", "bad-yaml"),
        ("a: [1\n", "bad-yaml"),
        ("!!python/object/apply:os.system ['true']\n", "bad-yaml"),
        ("? [a]\n: 1\n", "bad-yaml"),
        ("", "bad-yaml"),
    ],
)
def test_yaml_that_is_not_a_recipe_is_refused(text: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        Recipe.from_yaml(path)
    assert caught.value.code == code
    assert caught.value.where == str(path)


@given(st.text(max_size=200))
def test_any_text_is_a_recipe_or_refused_in_our_words(text: str) -> None:
    from gclnm.recipe.files import parse_yaml

    with contextlib.suppress(RecipeError):
        Recipe(**parse_yaml(text))


def test_a_recipe_is_found_by_value_name_or_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    Recipe.named("pet").with_(name="mine").to_yaml(path)
    assert Recipe.of(path).name == Recipe.of(str(path)).name == "mine"
    assert Recipe.of("ct") == Recipe.named("ct") == Recipe.of(Recipe.named("ct"))
    with pytest.raises(RecipeError, match="no built-in recipe") as caught:
        Recipe.of("ct2d")
    assert "ct-2d" in caught.value.fix
    with pytest.raises(RecipeError) as caught:
        Recipe.of(tmp_path / "absent.yaml")
    assert caught.value.code == "no-recipe"
    with pytest.raises(RecipeError, match="a recipe is no dict"):
        Recipe.of({"name": "mine"})  # type: ignore[arg-type]


def test_the_json_schema_accepts_every_built_in_recipe_and_refuses_unknown_keys() -> None:
    schema = Recipe.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for name in BUILT_IN:
        assert list(validator.iter_errors(json.loads(Recipe.named(name).to_json()))) == []
    assert list(validator.iter_errors({**MINIMAL, "prepar": {}}))
    assert list(validator.iter_errors({**MINIMAL, "compute": {"glcm": ["Contrst"]}}))
    assert list(validator.iter_errors(MINIMAL)) == []


def test_every_setting_is_described_in_the_schema() -> None:
    schema = Recipe.json_schema()
    for title, model in schema["$defs"].items():
        assert model.get("description"), title
        for key, field in model.get("properties", {}).items():
            assert field.get("description"), f"{title}.{key}"


def test_a_recipe_shows_itself() -> None:
    recipe = Recipe.named("ct").with_(description="<b>&")
    assert "1 x 1 x 1 mm" in repr(recipe)
    assert str(recipe) == repr(recipe)
    assert "&lt;b&gt;&amp;" in recipe._repr_html_()


def test_expanding_gives_the_samples_as_they_are() -> None:
    assert Recipe.named("ct").expand(()) == []


def test_settings_alone_have_useful_defaults() -> None:
    assert Prepare().discretise.bin_width == 25
    assert Features(glcm="all").chosen["glcm"]


@pytest.mark.parametrize("name", ["ct-spectral", "ct-spectral-fbn"])
def test_every_energy_level_of_a_spectral_recipe_measures_the_same_voxels(name: str) -> None:
    """A wall with 2.5 mg/mL of iodine and a layer with 7: beyond 500 HU at 40 keV alone."""
    from gclnm.harmonize.spectral import iodine_hu
    from gclnm.images import Geometry, Mask, Volume
    from gclnm.pipeline import features

    grid = Geometry(size=(20, 20, 20), spacing_mm=(1.0, 1.0, 1.0))
    iodine = np.full(grid.shape, 2.5)
    iodine[:, :, 9:11] = 7.0
    inside = np.zeros(grid.shape, dtype=bool)
    inside[4:16, 4:16, 4:16] = True
    recipe = Recipe.named(name).with_(compute={"glcm": [], "glrlm": [], "glszm": [], "gldm": [], "ngtdm": []})
    at = {}
    for kev in (40.0, 70.0, 140.0):
        image = Volume(40 + iodine * iodine_hu(kev), grid, "HU", {"modality": "CT", "energy_kev": kev})
        at[kev] = features(image, Mask(inside, grid), recipe)
        assert at[kev].attrs["diagnostics"]["voxels_analysed"] == inside.sum()
    volumes = {values["original_shape_MeshVolume"] for values in at.values()}
    assert len(volumes) == 1
    means = {kev: values["original_firstorder_Mean"] for kev, values in at.items()}
    iodine_mean = float(iodine[inside].mean())
    expected = iodine_mean * (iodine_hu(40.0) - iodine_hu(70.0))
    assert means[40.0] - means[70.0] == pytest.approx(expected, rel=1e-5)
