"""Where a number comes from: the settings in words, one feature, and what can be asked about."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from gclnm.errors import InputError, StoreError
from gclnm.images.inputs import Inputs
from gclnm.store.store import open_store
from gclnm.store.versions.words import setting_lines

ENTROPY = "original_glcm_JointEntropy"


def test_the_settings_of_the_recipe_are_said(filled):
    lines = dict(filled.explain("a1").lines())
    assert lines["setting: quantity"] == "HU"
    assert "spacing_mm 1, 1, 1" in lines["setting: resample"]
    assert "range -150, 250" in lines["setting: resegment"]
    assert lines["setting: discretise"] == "bin_width 25; origin zero"
    assert "plane 3d" in lines["setting: texture"]


def test_the_steps_of_the_engine_are_said_in_its_order(filled):
    steps = [words.split(":")[0] for name, words in filled.explain("a1").lines() if name == "step: engine"]
    assert steps == ["resample", "resegment", "discretise"]


def test_a_recipe_with_keys_of_another_version_is_still_shown_whole():
    old = {"prepare": {"binning": {"width": 25}, "spacing": [1, 1, None]}, "extra": ["x"]}
    assert setting_lines(old) == [("binning", "width 25"), ("spacing", "1, 1, open"), ("extra", "x")]


def test_one_feature_is_explained_with_unit_bounds_and_code(filled):
    explained = filled.explain("a1", feature=ENTROPY)
    number = explained.number
    assert number is not None
    assert number.value == filled.table("ct").set_index("sample_id").loc["a1", ENTROPY]
    assert (number.unit, number.ibsi_code, number.family, number.lower) == ("bit", "TU9B", "glcm", 0.0)
    assert "grey_levels" in number.diagnostics
    assert "spacing_x_mm" not in number.diagnostics
    lines = dict(explained.lines())
    assert lines["value"] == f"{number.value!r} bit"
    assert lines["IBSI code"] == "TU9B"
    assert "voxels_analysed" in lines
    assert "spacing_x_mm" not in lines


def test_a_value_that_is_missing_says_why(filled, recipe, row):
    values = np.array(row("n1").values)
    values[recipe.features.index(ENTROPY)] = np.nan
    history = json.dumps({"notes": {"the ROI has 9 voxels, fewer than 64": ["glcm", "glrlm"]}})
    filled.append("ct", recipe, [replace(row("n1"), values=values, history=history)])
    lines = dict(filled.explain("n1", feature=ENTROPY).lines())
    assert lines["value"] == "none: the ROI has 9 voxels, fewer than 64"


def test_a_feature_that_the_set_does_not_have_is_refused(filled):
    with pytest.raises(StoreError, match="no such feature"):
        filled.explain("a1", feature="original_glcm_JointEntropie")
    with pytest.raises(InputError, match="several"):
        filled.explain("a1", feature="original_glcm_*")


def test_a_feature_in_the_place_of_a_sample_says_how_to_ask(filled):
    with pytest.raises(InputError, match=rf"name of a feature.*feature='{ENTROPY}'"):
        filled.explain(ENTROPY)


def test_a_row_of_the_table_can_be_explained(filled):
    table, data = filled.table("ct"), filled.read("ct")
    assert filled.explain(table.iloc[1]).sample_id == table["sample_id"][1]
    assert filled.explain(data.sample_id[1]).sample_id == table["sample_id"][1]
    for odd in (table, table["patient_id"], 3, None, {"patient_id": "A"}):
        with pytest.raises(InputError, match="sample_id of one row"):
            filled.explain(odd)


def test_numbers_of_coordinates_are_shown_short_and_kept_exact(filled, recipe, row):
    filled.append("ct", recipe, [row("t1", slice_thickness_mm=3.26999999999998)])
    explained = filled.explain("t1")
    assert explained.coords["slice_thickness_mm"] == 3.26999999999998
    assert dict(explained.lines())["slice_thickness_mm"] == "3.27"


def test_every_revision_says_why_it_took_the_place_of_the_one_before(store, recipe, row):
    parts = {"voxels:image": "1", "grid:image": "2", "facts:image": "3", "mask:roi": "4"}
    for changed in ({}, {"mask:roi": "5"}, {"mask:roi": "5", "overrides:image": "6"}):
        inputs = Inputs(parts | changed)
        history = json.dumps({"inputs": inputs.short()})
        store.append("ct", recipe, [replace(row("a1"), inputs_sha256=inputs.sha256, history=history)])
    store.append("ct", recipe, [replace(row("a1", rater="Z"), inputs_sha256=inputs.sha256, history=history)])
    found = store.explain("a1")
    assert [r["because"] for r in found.revisions] == ["", "mask", "overrides", "coordinates"]
    assert [r["detail"] for r in found.revisions[1:]] == [
        "mask of roi changed",
        "overrides of image added",
        "rater: none -> Z",
    ]
    first, second, _, _ = found.revisions
    line = dict(found.lines())["revision"]
    assert line.startswith(
        f"4 (because of coordinates); before it 1 (ok, {first['time']:%Y-%m-%d}, {first['commit']}),"
        f" 2 (because of mask, ok, {second['time']:%Y-%m-%d}, {second['commit']}), 3 ("
    )


def test_a_row_says_the_same_of_its_revisions_as_the_difference_of_the_versions(filled, recipe, row):
    theirs = open_store("memory://")
    before = filled.commit
    filled.append("ct", recipe, [row("b2", patient_id="B", rater="Y")])
    theirs.merge(filled)
    theirs.append("ct", recipe, [row("b2", patient_id="B", rater="Y", inputs="other")])
    middle = filled.commit
    filled.merge(theirs, patients="same", prefer="other")
    found = filled.explain("b2").revisions
    for a, b, revision in ((before, middle, found[1]), (middle, None, found[2])):
        rows = filled.diff(a, b).rows.set_index("sample_id")
        assert rows.loc["b2", ["because", "detail"]].tolist() == [revision["because"], revision["detail"]]
    assert "merged" in found[2]["because"]
