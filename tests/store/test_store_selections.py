"""Named selections of features: resolved, kept in history, read by name."""

from __future__ import annotations

import pytest

from gclnm.errors import InputError, StoreError

SHAPE = "original_shape_*"
ROUND = "original_shape_Sphericity"


def names(store, select, **kwargs):
    return store.read("ct", select=select, **kwargs)["feature"].values.tolist()


def test_a_selection_is_read_by_its_name_in_its_order(filled, recipe):
    filled.select("ct", "robust", ["original_ngtdm_Contrast", SHAPE])
    shape = [name for name in recipe.features if name.startswith("original_shape_")]
    assert names(filled, "robust") == ["original_ngtdm_Contrast", *shape]
    assert names(filled, [ROUND, "robust"])[:2] == [ROUND, "original_ngtdm_Contrast"]
    assert filled.table("ct", select="robust").columns[-1] == shape[-1]


def test_a_selection_may_be_made_of_others(filled):
    filled.select("ct", "a", ROUND)
    filled.select("ct", "b", ["a", "original_ngtdm_Contrast"])
    assert names(filled, "b") == [ROUND, "original_ngtdm_Contrast"]


def test_a_new_version_of_a_selection_leaves_the_old_one_readable(filled):
    first = filled.select("ct", "robust", ROUND)
    filled.tag("submission-1")
    second = filled.select("ct", "robust", ["original_ngtdm_Contrast"])
    assert filled.select("ct", "robust", ["original_ngtdm_Contrast"]) is None
    assert names(filled, "robust") == ["original_ngtdm_Contrast"]
    assert names(filled, "robust", at="submission-1") == [ROUND]
    listed = filled.selections("ct")
    assert listed[["selection", "features", "commit"]].values.tolist() == [["robust", 1, second]]
    assert listed["names"].tolist() == [["original_ngtdm_Contrast"]]
    assert filled.selections("ct", at="submission-1")["commit"].tolist() == [first]
    assert filled.log()["what"].tolist()[0] == "ct: selection robust stored, 1 feature"


def test_a_set_without_selections_has_an_empty_list_of_them(quiet):
    assert quiet.selections("ct").columns.tolist() == ["selection", "features", "commit", "names"]
    assert quiet.selections("ct").empty


def test_selections_survive_appends_and_compact(filled, recipe, row):
    filled.select("ct", "robust", ROUND)
    filled.append("ct", recipe, [row("c1", patient_id="C")])
    filled.compact("ct")
    data = filled.read("ct", select="robust")
    assert data["feature"].values.tolist() == [ROUND]
    assert data.sizes["sample"] == 4


def test_a_set_that_is_started_anew_drops_its_selections_and_the_log_says_so(filled, other_recipe):
    filled.select("ct", "robust", ROUND)
    filled.tag("before")
    filled.create("ct", other_recipe, replace=True)
    assert filled.selections("ct").empty
    assert filled.log()["message"].tolist()[0] == "dropped selections: robust"
    assert names(filled, "robust", at="before") == [ROUND]


@pytest.mark.parametrize("name", [ROUND, "", "a b", "../x", "x" * 65, "original_*", None])
def test_a_selection_cannot_have_every_name(filled, name):
    before = filled.commit
    with pytest.raises(InputError, match="cannot have this name"):
        filled.select("ct", name, ROUND)
    assert filled.commit == before


@pytest.mark.parametrize("features", [[], [3], [None]])
def test_a_selection_needs_names_of_features(filled, features):
    with pytest.raises(InputError, match="needs names or patterns"):
        filled.select("ct", "robust", features)


def test_an_unknown_name_lists_the_selections_there_are(filled):
    filled.select("ct", "robust", ROUND)
    with pytest.raises(StoreError, match="Selections: robust"):
        filled.read("ct", select="rubust")
    with pytest.raises(StoreError, match="no such feature"):
        filled.select("ct", "other", "original_shape_Spherisity")
    with pytest.raises(StoreError, match="no feature set 'pet'"):
        filled.select("pet", "robust", ROUND)
