"""Reading: lazily, by feature, by condition, as a table and as a cube."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gclnm.errors import InputError, StoreError
from gclnm.store import write
from gclnm.store.store import open_store


def test_values_stay_in_the_store_until_they_are_used(quiet):
    data = quiet.read("ct")
    assert not data["value"].variable._in_memory
    one = data["value"].sel(sample_id="a2", feature="original_shape_Sphericity")
    assert not one.variable._in_memory
    assert 0 < float(one) <= 1


def test_a_dataset_has_labels_units_and_its_provenance(quiet, recipe):
    data = quiet.read("ct")
    assert data["value"].shape == (3, len(recipe.features))
    assert data["diagnostic_name"].values.tolist() == list(recipe.diagnostics)
    volume = data.sel(feature="original_shape_MeshVolume")
    assert [str(volume[key].values) for key in ("image_type", "family", "ibsi_code", "unit")] == [
        "original",
        "shape",
        "RNU0",
        "mm^3",
    ]
    assert data.attrs["commit"] == quiet.commit
    assert data.attrs["recipe_id"] == recipe.id
    assert all(isinstance(value, str) for value in data.attrs.values())


def test_texts_are_plain_python_text(quiet):
    data = quiet.read("ct")
    for name in ("sample_id", "patient_id", "feature", "unit"):
        assert data[name].dtype == object
        assert type(data[name].values[0]) is str


def test_the_dataset_outlives_later_commits(filled, recipe, row):
    data = filled.read("ct")
    filled.append("ct", recipe, [row("a1", inputs="new", patient_id="A"), row("c1")])
    np.testing.assert_array_equal(data.sel(sample_id="a1")["value"].values, row("a1").values)


def test_one_row_is_read_by_its_key_in_every_commit_as_it_was_there(filled, recipe, row):
    before = filled.commit
    assert filled.read("ct", where={"sample_id": "a1"}).sizes["sample"] == 1
    filled.append("ct", recipe, [row("a1", inputs="new", patient_id="A"), row("c1")])
    now = filled.read("ct", where={"sample_id": "a1"})
    np.testing.assert_array_equal(now["value"].values, [row("a1", inputs="new").values])
    assert now["revision"].values.tolist() == [2]
    then = filled.read("ct", where={"sample_id": "a1"}, at=before)
    np.testing.assert_array_equal(then["value"].values, [row("a1").values])
    assert filled.read("ct", where={"sample_id": "c1"}).sizes["sample"] == 1
    assert filled.read("ct", where={"sample_id": "c1"}, at=before).sizes["sample"] == 0
    assert filled.read("ct", where={"sample_id": "a1", "patient_id": "B"}).sizes["sample"] == 0


def test_a_commit_that_is_read_again_is_not_opened_again(filled, monkeypatch):
    first = filled.read("ct", where={"sample_id": "a1"})
    monkeypatch.setattr("gclnm.store.read.arrays", None)
    again = filled.read("ct", where={"sample_id": "a2"})
    assert [first.sizes["sample"], again.sizes["sample"]] == [1, 1]


def test_failed_rows_are_read_when_status_is_asked_for(quiet):
    failed = quiet.read("ct", where={"status": "failed"})
    assert failed["sample_id"].values.tolist() == ["b2"]
    assert failed["reason"].values.tolist() == ["unreadable: a slice is missing"]
    assert quiet.read("ct", where="status in ['ok', 'failed']").sizes["sample"] == 4


def test_perturbed_rows_are_read_when_asked_for(store, recipe, row):
    store.append("ct", recipe, [row("s1"), row("s2", perturbation="rotate 3")])
    assert store.read("ct")["sample_id"].values.tolist() == ["s1"]
    assert store.read("ct", where="perturbation != ''")["sample_id"].values.tolist() == ["s2"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("rater == 'X'", ["a1", "b1"]),
        ("rater == 'X' and patient_id != 'A'", ["b1"]),
        ("patient_id in ['B', 'C']", ["b1"]),
        ({"patient_id": "A"}, ["a1", "a2"]),
        ({"patient_id": ["A", "B"], "rater": "X"}, ["a1", "b1"]),
        ({"energy_kev": None}, ["a1", "a2", "b1"]),
        ({"energy_kev": 70}, []),
        ({"rater": {"Y"}}, ["a2"]),
        ({"sample_id": np.array(["a2"])}, ["a2"]),
        ("revision > 1", []),
    ],
)
def test_rows_are_chosen_by_their_coordinates(quiet, where, expected):
    assert quiet.read("ct", where=where)["sample_id"].values.tolist() == expected


@pytest.mark.parametrize(
    "where", ["rater = 'X'", "rater", "rater +", "@x == 1", "", "rater > 3", "[1, 2]", 5]
)
def test_what_is_no_condition_is_refused(quiet, where):
    with pytest.raises(InputError, match="not a condition"):
        quiet.read("ct", where=where)


@pytest.mark.parametrize("where", ["colour == 'red'", {"colour": "red"}, "__import__('os') == 1"])
def test_a_condition_on_an_unknown_coordinate_names_those_there_are(quiet, where):
    with pytest.raises(InputError, match="patient_id, roi"):
        quiet.read("ct", where=where)


def test_features_are_chosen_by_name_and_pattern_in_the_order_asked_for(quiet, recipe):
    select = ["original_shape_Sphericity", "original_ngtdm_*", "original_shape_Sphericity"]
    names = quiet.read("ct", select=select)["feature"].values.tolist()
    assert names[0] == "original_shape_Sphericity"
    assert names[1:] == [name for name in recipe.features if name.startswith("original_ngtdm_")]
    one = quiet.read("ct", select="original_shape_Sphericity")
    full = quiet.read("ct").sel(feature=["original_shape_Sphericity"])
    np.testing.assert_array_equal(one["value"].values, full["value"].values)


def test_an_unknown_feature_names_its_neighbours(quiet):
    with pytest.raises(StoreError, match=r"Near it: .*original_shape_Sphericity"):
        quiet.read("ct", select="original_shape_Spherisity")
    with pytest.raises(StoreError, match="no such feature"):
        quiet.read("ct", select=["wavelet*"])


def test_an_unknown_set_names_those_there_are(quiet):
    with pytest.raises(StoreError, match=r"no feature set 'pet'.*It has ct"):
        quiet.read("pet")


def test_a_table_has_coordinates_first_then_features(quiet, recipe):
    table = quiet.table("ct", where={"patient_id": "A"})
    assert list(table)[:4] == ["sample_id", "patient_id", "roi", "rater"]
    assert list(table)[-len(recipe.features) :] == list(recipe.features)
    assert table["rater"].tolist() == ["X", "Y"]
    assert table[list(recipe.features)].to_numpy().dtype == np.float64
    assert table.attrs["commit"] == quiet.commit
    assert isinstance(table, pd.DataFrame)


def test_a_table_fits_the_published_schema(quiet):
    from gclnm.schemas.features import FEATURES, KEYS

    FEATURES.validate(quiet.table("ct"))
    KEYS.validate(quiet.keys("ct"))


def test_a_cube_lays_rows_out_along_coordinates(quiet, row):
    cube = quiet.read("ct", dims=("patient_id", "rater"))
    assert cube["value"].dims == ("patient_id", "rater", "feature")
    np.testing.assert_array_equal(cube["value"].sel(patient_id="A", rater="Y"), row("a2").values)
    assert np.isnan(cube["value"].sel(patient_id="B", rater="Y")).all()
    assert cube["sample_id"].values.tolist() == [["a1", "a2"], ["b1", ""]]
    assert str(cube["roi"].values) == "GTV"
    assert cube["diagnostic"].dims == ("patient_id", "rater", "diagnostic_name")


def test_a_cube_keeps_a_coordinate_along_the_dimension_that_decides_it(store, recipe, row):
    rows = [
        row(f"{p}{e}", patient_id=p, scanner=f"scanner of {p}", energy_kev=float(e))
        for p in "AB"
        for e in (70, 40)
    ]
    store.append("ct", recipe, rows)
    cube = store.read("ct", dims=["patient_id", "energy_kev"])
    assert cube["energy_kev"].values.tolist() == [40.0, 70.0]
    assert cube["scanner"].dims == ("patient_id",)
    np.testing.assert_array_equal(cube["value"].sel(patient_id="B", energy_kev=40), rows[3].values)


def test_rows_that_share_a_place_are_refused_with_the_coordinate_that_tells_them_apart(quiet):
    with pytest.raises(StoreError, match=r"patient_id='A'.*2 rows share a place.*Add rater"):
        quiet.read("ct", dims=("patient_id",))
    with pytest.raises(StoreError, match="rater='X'"):
        quiet.read("ct", dims="rater")


def test_rows_that_nothing_tells_apart_are_refused_too(store, recipe, row):
    store.append("ct", recipe, [row("s1", patient_id="A"), row("s2", patient_id="A")])
    with pytest.raises(StoreError, match="No coordinate tells them apart"):
        store.read("ct", dims=("patient_id",))


def test_several_coordinates_that_together_tell_rows_apart_are_all_named(store, recipe, row):
    rows = [
        row(f"s{a}{b}", patient_id="A", rater=a, phase=b) for a in ("X", "Y") for b in ("native", "arterial")
    ]
    store.append("ct", recipe, rows)
    with pytest.raises(StoreError, match="They differ in rater, phase: add those"):
        store.read("ct", dims=("patient_id",))
    assert store.read("ct", dims=("patient_id", "rater", "phase")).sizes["phase"] == 2


@pytest.mark.parametrize("dims", [(), ("colour",), ("rater", "rater")])
def test_a_cube_needs_coordinates_that_exist(quiet, dims):
    with pytest.raises(InputError, match="dims="):
        quiet.read("ct", dims=dims)


def test_a_missing_value_has_its_own_place_in_a_cube(store, recipe, row):
    store.append("ct", recipe, [row("s1", energy_kev=None), row("s2", energy_kev=70.0)])
    cube = store.read("ct", dims=("energy_kev",))
    np.testing.assert_array_equal(cube["energy_kev"].values, [70.0, np.nan])
    np.testing.assert_array_equal(cube["value"].values[1], row("s1").values)


def test_reading_while_another_row_is_being_written_sees_whole_commits(filled, recipe, row, monkeypatch):
    seen = []
    extend = write._extend

    def look_and_extend(*args):
        seen.append(filled.read("ct").sizes["sample"])
        extend(*args)

    monkeypatch.setattr(write, "_extend", look_and_extend)
    filled.append("ct", recipe, [row("c1")])
    assert set(seen) == {3}
    assert filled.read("ct").sizes["sample"] == 4


def test_rows_are_read_in_one_order_whatever_order_they_were_written_in(recipe, row):
    rows = [row(key, patient_id=who, modality="CT") for key, who in (("b", "P2"), ("c", "P1"), ("a", "P1"))]
    there, back = open_store("memory://"), open_store("memory://")
    there.append("ct", recipe, rows)
    for made in reversed(rows):
        back.append("ct", recipe, [made])
    assert there.read("ct").sample_id.values.tolist() == ["a", "c", "b"]
    assert back.table("ct").equals(there.table("ct"))
