"""Quantities in recipes, rows, stores and explanations; one contour on CT and PET."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gclnm
from gclnm import pipeline, vocabulary
from gclnm.engines.quantities import Quantities
from gclnm.errors import GeometryError, RecipeError
from gclnm.harmonize import harmonize
from gclnm.images import Geometry, Mask, MaskRef, Volume
from gclnm.images.load import load
from gclnm.pipeline import features, run
from gclnm.recipe import Recipe
from gclnm.schemas.features import check_rows
from gclnm.store.dictionary import DIAGNOSTICS

GRID = Geometry(size=(14, 13, 12), spacing_mm=(4.0, 4.0, 3.0))
SUV = ["SUVmax", "MTV2p5", "SUVmaxToLiver"]
SMALL = Recipe(
    name="small",
    modality="PT",
    quantity="SUVbw",
    compute={"shape": ["VoxelVolume"], "firstorder": ["Mean"], "glcm": ["Contrast"]},
    quantities={"pet": SUV},
)


def block(*limits: int) -> np.ndarray:
    inside = np.zeros(GRID.shape, dtype=bool)
    z0, z1, y0, y1, x0, x1 = limits
    inside[z0:z1, y0:y1, x0:x1] = True
    return inside


def pet() -> Volume:
    array = np.random.default_rng(4).gamma(3.0, 0.8, GRID.shape)
    return Volume(array, GRID, "SUVbw", history=())


LESION, LIVER = block(3, 9, 3, 9, 3, 9), block(1, 11, 10, 12, 2, 12)


def test_what_needs_no_other_roi_is_measured_without_being_asked_for() -> None:
    recipe = Recipe.named("pet")
    assert not [name for name in recipe.features if "Liver" in name or "Blood" in name or "PERCIST" in name]
    assert not [name for name in recipe.diagnostics if name.startswith(("liver", "blood"))]
    found = features(pet(), Mask(LESION, GRID), recipe)
    native = found[[name for name in recipe.features if name.startswith("native_")]]
    assert len(native) == 10
    assert native.drop(["native_pet_MTV4p0", "native_pet_TLG4p0"]).notna().all()
    blood_alone = recipe.with_(quantities__pet=["SUVmaxToBlood"])
    assert [name for name in blood_alone.diagnostics if "_mean" in name][-1] == "blood_mean"
    assert "liver_mean" not in blood_alone.diagnostics


def test_columns_follow_those_of_the_engine_and_all_parse() -> None:
    recipe = Recipe.named("pet").with_(quantities__pet="all")
    start = len(recipe.with_(quantities={"pet": []}).features)
    assert all(column.startswith("native_pet_") for column in recipe.features[start:])
    assert len(recipe.features) == start + len(vocabulary.names("pet"))
    for column in recipe.features[start:]:
        assert vocabulary.split(column).image_type == "native"
    table = recipe.feature_table().set_index("feature")
    assert table.loc["native_pet_SUVpeakLocal", ["ibsi_code", "unit"]].tolist() == ["VJGA", "g/mL"]
    assert table.loc["native_pet_SUVpeakGlobal", "ibsi_code"] == "0F91"
    assert table.loc[["native_pet_MTV41pct", "native_pet_TLG41pct"], "unit"].tolist() == ["mL", "g"]


def test_names_have_no_character_that_a_column_may_not_have() -> None:
    for family in vocabulary.NATIVE:
        assert all(name.isalnum() for name in vocabulary.names(family))
        assert Quantities(**{family: True}).chosen == {family: vocabulary.names(family)}


def test_adc_is_in_the_unit_of_the_image() -> None:
    recipe = Recipe(name="adc", quantity="1e-6 mm2/s", compute={}, quantities={"adc": "all"})
    assert recipe.features == ("native_adc_ADCmean", "native_adc_ADCmin")
    assert set(recipe.feature_table()["unit"]) == {"1e-6 mm2/s"}


def test_a_recipe_without_quantities_keeps_its_id_and_a_choice_changes_it() -> None:
    ct = Recipe.named("ct")
    assert ct.quantities == Quantities()
    assert "quantities" not in ct.model_dump(exclude_defaults=True)
    assert SMALL.with_(quantities__pet=["SUVmax"]).id != SMALL.id
    assert SMALL.with_(quantities__pet=SUV[::-1]).id == SMALL.id
    assert Recipe(**json.loads(SMALL.to_json())) == SMALL


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantity": ["HU"]}, "quantities.pet measures SUVbw or SUVlbm or SUVibw, and quantity is HU"),
        ({"quantity": []}, "quantity is anything"),
        ({"quantity": ["SUVbsa"]}, "quantity is SUVbsa"),
        ({"quantities": {"pet": ["SUVmx"]}}, "did you mean SUVmax?"),
        ({"quantities": {"suv": "all"}}, "quantities.suv is not a key of a recipe"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        SMALL.with_(**changes)
    assert said in str(caught.value)


def test_quantities_see_the_image_as_scanned_whatever_the_recipe_prepares() -> None:
    masks = {"roi": Mask(LESION, GRID), "liver": Mask(LIVER, GRID)}
    changed = SMALL.with_(
        prepare__resample={"spacing_mm": [2, 2, 2]}, prepare__resegment={"range": [1.0, 2.0]}
    )
    one, other = features(pet(), masks, SMALL), features(pet(), masks, changed)
    native = list(SMALL.quantities.columns)
    assert one[native].equals(other[native])
    assert one["native_pet_SUVmax"] == pet().array[LESION].max()
    assert one["original_firstorder_Mean"] != other["original_firstorder_Mean"]


def test_a_small_roi_has_quantities_and_shape_but_no_texture() -> None:
    found = features(pet(), Mask(block(3, 5, 3, 6, 3, 6), GRID), SMALL)
    assert np.isnan(found["original_glcm_Contrast"])
    assert np.isfinite(found[["original_shape_VoxelVolume", "native_pet_SUVmax"]]).all()


def test_diagnostics_tell_what_the_liver_is_like() -> None:
    found = features(pet(), {"roi": Mask(LESION, GRID), "liver": Mask(LIVER, GRID)}, SMALL)
    about = found.attrs["diagnostics"]
    values = pet().array[LIVER].astype(float)
    assert about["liver_voxels"] == LIVER.sum()
    assert about["liver_mean"] == pytest.approx(values.mean())
    assert about["liver_sd"] == pytest.approx(values.std())
    assert found["native_pet_SUVmaxToLiver"] == pytest.approx(found["native_pet_SUVmax"] / values.mean())
    every = Quantities(pet="all", spectral="all").diagnostics
    assert set(every) <= set(DIAGNOSTICS)


@pytest.fixture(scope="module")
def thigh(data) -> gclnm.Samples:
    """A sarcoma and its oedema in one real structure set: the oedema stands for the liver."""
    catalog = gclnm.scan(data("pet_real"), progress=False)
    return gclnm.pair(catalog, {"roi": "GTV_Mass", "liver": "GTV_Edema"}, label="gtv")


def test_an_roi_of_another_role_reaches_the_row(thigh) -> None:
    (row,) = run(list(thigh), SMALL)
    assert (row.status, row.reason) == ("ok", "")
    found = dict(zip(SMALL.features, row.values, strict=True))
    case = load(thigh[0])
    suv, oedema = harmonize(case.image).array, case.masks["liver"].array
    assert found["native_pet_SUVmax"] == pytest.approx(7.91067, rel=1e-6)
    assert found["native_pet_SUVmaxToLiver"] == pytest.approx(
        suv[case.roi.array].max() / suv[oedema].mean(dtype=np.float64), rel=1e-6
    )
    history = json.loads(row.history)
    assert [step["step"] for step in history["liver"]] == ["rasterise"]
    shared = int((oedema & case.roi.array).sum())
    assert shared > 0
    assert history["notes"] == {
        f"the ROI of role liver and the one measured share {shared} voxels": ["native_pet_SUVmaxToLiver"]
    }
    check_rows([row], SMALL.features, SMALL.diagnostics, *vocabulary.bounds(SMALL.features))


def test_a_liver_that_is_not_on_the_image_does_not_cost_the_row(thigh, monkeypatch) -> None:
    genuine = pipeline.load_mask

    def outside(ref: MaskRef, volume: Volume) -> Mask:
        if ref == thigh[0].masks["liver"]:
            raise GeometryError("the ROI lies outside the image", where="a file", code="mask-outside-image")
        return genuine(ref, volume)

    monkeypatch.setattr(pipeline, "load_mask", outside)
    (row,) = run(list(thigh), SMALL)
    found = dict(zip(SMALL.features, row.values, strict=True))
    assert row.status == "ok"
    assert found["native_pet_SUVmax"] == pytest.approx(7.91067, rel=1e-6)
    assert json.loads(row.history)["notes"] == {
        "the ROI of role liver cannot be used: mask-outside-image: the ROI lies outside the image": [
            "native_pet_SUVmaxToLiver"
        ]
    }


def test_a_store_keeps_and_explains_them(thigh) -> None:
    recipe = SMALL.with_(quantities__pet="all", name="suv")
    store = gclnm.open_store("memory://")
    rows = run(list(thigh), recipe)
    store.append("suv", recipe, rows)
    data = store.read("suv")
    peak = data.sel(feature="native_pet_SUVpeakLocal")
    assert (str(peak["ibsi_code"].values), str(peak["unit"].values)) == ("VJGA", "g/mL")
    told = dict(store.explain(rows[0].sample_id, feature="native_pet_SUVmaxToBlood").lines())
    assert told["value"] == "none: no ROI of role blood or aorta is paired"
    assert told["spacing_z_mm"] == "3.27034"
    assert "liver_mean" in told
    assert "voxels_analysed" not in told
    assert store.check().problems.empty


def test_one_contour_gives_samples_on_ct_and_pet_each_on_its_own_grid(data) -> None:
    """The structure set of the CT, whose contours lie in the frame of reference that CT and PET share."""
    catalog = gclnm.scan(data("sts") / "STS_003", progress=False)
    alone = gclnm.pair(catalog, "GTV_Mass_CT", label="gtv")
    assert alone.table["modality"].tolist() == ["CT"]
    both = gclnm.pair(catalog, "GTV_Mass_CT", label="gtv", on="frame", modality=["CT", "PT"])
    assert sorted(both.table["modality"]) == ["CT", "PT"]
    cases = {str(sample.coords["modality"]): load(sample) for sample in both}
    for case in cases.values():
        assert case.roi.geometry == case.image.geometry
    spacings = {modality: case.image.geometry.spacing_mm[0] for modality, case in cases.items()}
    assert spacings == {"CT": pytest.approx(0.977, abs=1e-3), "PT": pytest.approx(5.469, abs=1e-3)}
    # The data's own contour of the PET, made from that of the CT, has 817 voxels (README of sts).
    assert cases["PT"].roi.n_voxels == pytest.approx(817, rel=0.01)
    by_modality = {sample.coords["modality"]: sample for sample in both}
    ct = Recipe.named("ct").with_(
        prepare__filters={"log": None, "wavelet": None}, prepare__resample=None, compute__glcm=[]
    )
    (on_ct,) = run([by_modality["CT"]], ct)
    (on_pet,) = run([by_modality["PT"]], SMALL)
    assert (on_ct.status, on_pet.status) == ("ok", "ok")
    assert on_ct.sample_id != on_pet.sample_id
    suv = harmonize(cases["PT"].image).array[cases["PT"].roi.array]
    assert on_pet.values[SMALL.features.index("native_pet_SUVmax")] == suv.max()
    volumes = [
        row.values[recipe.features.index("original_shape_VoxelVolume")] / 1000
        for row, recipe in ((on_ct, ct), (on_pet, SMALL))
    ]
    # One shape on a fine and a coarse grid: within the voxels of its surface.
    assert volumes[1] == pytest.approx(volumes[0], rel=0.05)


def test_the_how_to_names_every_quantity() -> None:
    text = (Path(__file__).parents[3] / "docs" / "howto" / "quantities.md").read_text("utf-8")
    for family in vocabulary.NATIVE:
        for name in vocabulary.names(family):
            assert name in text, name
