"""Where a number comes from: the settings in words, one feature, and what can be asked about."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from gclnm.errors import InputError, StoreError
from gclnm.store.versions.words import setting_lines

ENTROPY = "original_glcm_JointEntropy"


def test_the_settings_of_the_recipe_are_said(filled):
    lines = dict(filled.explain("a1").lines())
    assert lines["setting: quantity"] == "HU"
    assert "spacing_mm 1, 1, 1" in lines["setting: resample"]
    assert "range -150, 250" in lines["setting: resegment"]
    assert lines["setting: discretise"] == "bin_width 25"
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
