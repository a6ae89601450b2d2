"""Parameter files of pyradiomics become recipes with the same settings, and say what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from gclnm.errors import RecipeError
from gclnm.recipe import Recipe
from gclnm.recipe.params import translate

PARAMS = Path(__file__).parent / "params"
FILES = sorted(PARAMS.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_published_example_becomes_a_recipe(path: Path) -> None:
    recipe = Recipe.from_pyradiomics(path)
    assert recipe.features
    assert recipe.name == path.stem
    assert Recipe(**recipe.model_dump()) == recipe


@pytest.mark.parametrize(
    "name", ["Params", "exampleCT", "exampleMR_3mm", "exampleMR_5mm", "example_allShape"]
)
def test_nothing_is_left_out_of_the_plain_examples(name: str) -> None:
    assert Recipe.from_pyradiomics(PARAMS / f"{name}.yaml").unmapped == ()


def test_the_ct_example_keeps_each_setting() -> None:
    recipe = Recipe.from_pyradiomics(PARAMS / "exampleCT.yaml", modality="CT", quantity=["HU"])
    assert recipe.prepare.resample is not None
    assert recipe.prepare.resample.spacing_mm == (1.0, 1.0, 1.0)
    assert recipe.prepare.resample.pad_voxels == 10
    assert recipe.prepare.discretise.bin_width == 25
    assert recipe.compute.intensity_shift == 1000
    assert len(recipe.compute.chosen["glcm"]) == 22
    assert recipe.quantity == ("HU",)
    codes = recipe.feature_table().set_index("feature")["ibsi_code"]
    assert codes["original_firstorder_Energy"] == ""  # IBSI's energy has no shift
    assert codes["original_firstorder_Mean"] == "Q4LE"


def test_names_of_the_first_version_are_understood_and_said() -> None:
    recipe = Recipe.from_pyradiomics(PARAMS / "exampleCT_v1.yaml")
    assert "wavelet" in recipe.prepare.filters.enabled
    assert "original_shape_MajorAxisLength" in recipe.features
    assert any("shape.Volume: read as MeshVolume and VoxelVolume" in note for note in recipe.unmapped)


def test_voxel_settings_are_said_to_be_left_out() -> None:
    recipe = Recipe.from_pyradiomics(PARAMS / "exampleVoxel.yaml")
    assert recipe.features == ("original_glcm_JointEntropy",)
    assert recipe.compute.texture.plane == "axial"
    assert [note for note in recipe.unmapped if note.startswith("voxelSetting")]


def test_shape_2d_without_force_2d_and_a_misspelt_key_are_said() -> None:
    recipe = Recipe.from_pyradiomics(PARAMS / "MR_2D_extraction.yaml")
    assert not any("shape2D" in column for column in recipe.features)
    assert any("force2DDimension: read as force2Ddimension" in note for note in recipe.unmapped)
    assert any("shape2D" in note for note in recipe.unmapped)


def test_cropping_without_resampling_is_kept() -> None:
    recipe = Recipe.from_pyradiomics(PARAMS / "exampleMR_NoResampling.yaml")
    assert recipe.prepare.resample is None
    assert recipe.prepare.crop is not None
    assert recipe.prepare.crop.pad_voxels == 5
    assert recipe.unmapped == ()


def test_a_bin_width_of_one_image_type_and_filter_options_among_the_settings_are_kept() -> None:
    data, unmapped = translate(
        {
            "setting": {"binWidth": 25, "wavelet": "db2", "lbp2DRadius": 2.0},
            "imageType": {"Wavelet": {"binWidth": 10}, "LBP2D": {"binWidth": 1}, "LoG": {"sigma": [1, 2.5]}},
        }
    )
    filters = data["prepare"]["filters"]
    assert filters["wavelet"] == {"wavelet": "db2", "discretise": {"bin_width": 10}}
    assert filters["lbp2d"] == {"radius": 2.0, "discretise": {"bin_width": 1}}
    assert filters["log"] == {"sigma_mm": [1, 2.5]}
    assert len(unmapped) == 1  # the name of an image of a whole sigma


def test_features_that_pyradiomics_no_longer_gives_name_their_equal() -> None:
    data, unmapped = translate({"featureClass": {"glcm": ["Homogeneity1", "Contrast", "Contrst"]}})
    assert data["compute"]["glcm"] == ["Contrast"]
    assert "equals glcm_Id" in unmapped[0]
    assert "did you mean Contrast" in unmapped[1]


def test_settings_decided_elsewhere_are_said() -> None:
    _, unmapped = translate(
        {"setting": {"label": 3, "correctMask": True, "minimumROISize": 50, "binWdth": 5}, "other": {}}
    )
    text = " ".join(unmapped)
    for word in ("label", "correctMask", "minimumROISize", "did you mean binWidth", "other"):
        assert word in text


def test_an_impossible_value_names_the_file_and_the_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("setting:\n  binWidth: -5\n")
    with pytest.raises(RecipeError) as caught:
        Recipe.from_pyradiomics(path)
    assert caught.value.where == str(path)
    assert "prepare.discretise.bin_width" in caught.value.what


def test_json_parameter_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"setting": {"binCount": 32}, "imageType": {"Original": {}}}')
    assert Recipe.from_pyradiomics(path).prepare.discretise.bin_count == 32
