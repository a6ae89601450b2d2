"""Rows of several stores in one: what comes along, what is refused, and what is told of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gclnm.errors import InputError, StoreError
from gclnm.recipe.recipe import Recipe
from gclnm.store.layout import array, arrays, set_group
from gclnm.store.lineage import Lineage, row_frame
from gclnm.store.store import open_store


def made(recipe, *batches, name="ct", url="memory://"):
    """A store with one commit a batch."""
    store = open_store(url)
    for batch in batches:
        store.append(name, recipe, batch)
    return store


def cells(store, key, *names, name="ct"):
    """Parts of the current row of a key, as they lie in the store."""
    group = set_group(store._repository.root(store.commit), name)
    at = store._index(name).at(group)[key].position
    return [np.asarray(array(group, label)[at : at + 1])[0] for label in names]


def record(store):
    """What the newest commit says of itself."""
    return next(store._repository.ancestry()).metadata


@pytest.fixture
def ours(recipe, row):
    return made(recipe, [row("a1", patient_id="A1"), row("a2", patient_id="A2")])


@pytest.fixture
def theirs(recipe, row):
    """Another hospital: two commits, a failed row, and a row that was replaced."""
    first = [row("b1", patient_id="B1", inputs="old"), row("b2", patient_id="B2", failed="unreadable: gone")]
    second = [row("b1", patient_id="B1", energy_kev=70.0), row("b3", patient_id="B3", rater="张医生")]
    return made(recipe, first, second)


# --- what comes along


def test_current_rows_come_and_our_own_stay(ours, theirs):
    result = ours.merge(theirs)
    assert sorted(ours.keys("ct").sample_id) == ["a1", "a2", "b1", "b2", "b3"]
    assert result.sets.iloc[0][["added", "replaced", "failed", "there"]].tolist() == [3, 0, 1, 0]
    assert result.commits == [ours.commit]
    assert "ct: 3 rows added, 1 of them failed" in repr(result)
    assert "<table" in result._repr_html_()


def test_a_merged_row_is_the_other_stores_row_bit_for_bit(ours, theirs):
    ours.merge(theirs)
    same = (
        "value",
        "diagnostic",
        "inputs_sha256",
        "content_sha256",
        "status",
        "reason",
        "history",
        "seconds",
    )
    for key in ("b1", "b2", "b3"):
        names = (*same, "seconds", "patient_id", "roi", "modality", "energy_kev")
        for mine, other in zip(cells(ours, key, *names), cells(theirs, key, *names), strict=True):
            np.testing.assert_array_equal(mine, other)
    assert cells(ours, "b3", "rater") == ["张医生"]


def test_the_origin_of_a_row_is_the_commit_that_wrote_it_there(ours, theirs):
    newest, oldest = theirs.log().commit[0], theirs.log().commit[1]
    ours.merge(theirs)
    origins = [cells(ours, key, "origin")[0] for key in ("b1", "b2", "b3")]
    assert origins == [newest, oldest, newest]
    assert cells(ours, "a1", "origin") == [""]
    told = record(ours)["origin"]
    assert told["store_id"] == theirs._repository.root(theirs.commit).attrs["store_id"]
    assert set(told["commits"]) == {newest, oldest}
    assert all("numpy" in known["versions"] and known["time"] for known in told["commits"].values())


def test_the_history_says_that_rows_of_another_store_came(ours, theirs):
    ours.merge(theirs)
    store = theirs._repository.root(theirs.commit).attrs["store_id"][:8]
    assert ours.log().what[0] == f"ct: rows of store {store} merged, 3 rows added, 1 of them failed"


def test_a_store_without_sets_takes_over_all_of_them(theirs, recipe, other_recipe, row):
    theirs.append("fine", other_recipe, [row("b1", patient_id="B1")])
    whole = open_store("memory://")
    result = whole.merge(theirs)
    assert result.sets.set.tolist() == ["ct", "fine"]
    assert whole.table("ct").drop(columns="revision").equals(theirs.table("ct").drop(columns="revision"))
    assert whole.table("ct").revision.tolist() == [1, 1]
    assert whole.read("fine").attrs["recipe"] == theirs.read("fine").attrs["recipe"]
    # The set is the recipe's own: extracting goes on in it.
    whole.append("fine", other_recipe, [row("c1", patient_id="C1")])
    assert len(whole.keys("fine")) == 2


def test_merging_again_brings_only_what_is_new(ours, theirs, recipe, row):
    ours.merge(theirs)
    before = ours.commit
    again = ours.merge(theirs)
    assert ours.commit == before
    assert again.sets.iloc[0][["added", "replaced", "there", "commit"]].tolist() == [0, 0, 3, ""]
    theirs.append("ct", recipe, [row("b4", patient_id="B1")])
    assert ours.merge(theirs).sets.iloc[0][["added", "there"]].tolist() == [1, 3]


def test_a_row_that_they_replaced_since_becomes_our_next_revision(ours, theirs, recipe, row):
    ours.merge(theirs)
    theirs.append("ct", recipe, [row("b1", patient_id="B1", inputs="corrected"), row("b2", patient_id="B2")])
    result = ours.merge(theirs)
    assert result.sets.iloc[0][["added", "replaced"]].tolist() == [0, 2]
    keys = ours.keys("ct").set_index("sample_id")
    assert keys.revision[["b1", "b2", "b3"]].tolist() == [2, 2, 1]
    assert keys.status.tolist() == ["ok"] * 5
    np.testing.assert_array_equal(cells(ours, "b1", "value"), cells(theirs, "b1", "value"))


def test_a_corrected_coordinate_comes_too(ours, theirs, recipe, row):
    ours.merge(theirs)
    theirs.append("ct", recipe, [row("b3", patient_id="B3", rater="李医生")])
    assert ours.merge(theirs).sets.replaced[0] == 1
    assert cells(ours, "b3", "rater") == ["李医生"]


def test_where_picks_the_rows_that_come(ours, theirs):
    ours.merge(theirs, where={"patient_id": ["B2", "B3"]})
    assert ours.keys("ct").sample_id.tolist() == ["a1", "a2", "b2", "b3"]


def test_a_copy_without_a_patient_has_no_trace_of_them(recipe, row, tmp_path):
    kept = row("stays-here", patient_id="REMAINS")
    gone = [row("gone-row-1", patient_id="WITHDRAWN", inputs=i) for i in ("1", "2")]
    twin = replace(kept, sample_id="gone-twin", status="linked", reason="same-as: gone-row-1")
    theirs = made(recipe, [kept, gone[0]], [gone[1]])
    theirs.append("ct", recipe, [replace(twin, values=np.full(len(kept.values), np.nan))])
    open_store(tmp_path / "copy").merge(theirs, where="patient_id != 'WITHDRAWN'")
    text = everything(tmp_path / "copy")
    assert "REMAINS" in text
    assert not [
        word for word in ("WITHDRAWN", "gone-row", "gone-twin", gone[0].inputs_sha256) if word in text
    ]


def everything(url):
    """All that every commit of a store holds, as text: chunks are compressed, so bytes do not tell."""
    repository = open_store(url, mode="r")._repository
    found = [file.read_bytes().decode("latin-1") for file in url.rglob("*") if file.is_file()]
    for snapshot in repository.ancestry():
        found += [snapshot.message, str(snapshot.metadata)]
        if "action" in snapshot.metadata:
            for _, member in repository.root(snapshot.id).members(max_depth=None):
                found.append(str(dict(member.attrs)))
                if not hasattr(member, "members"):
                    found.append(str(np.asarray(member[...]).astype(object).ravel().tolist()))
    return "".join(found)


def test_a_condition_on_a_coordinate_that_one_set_lacks_leaves_that_set_out(recipe, other_recipe, row):
    store = made(recipe, [row("b1", arm="x")])
    store.append("fine", other_recipe, [row("b1")])
    whole = open_store("memory://")
    assert whole.merge(store, where="arm == 'x'").sets.set.tolist() == ["ct"]
    with pytest.raises(InputError, match="what no row has: leg"):
        whole.merge(store, where="leg == 'x'")


def test_coordinates_that_only_one_store_has_are_kept(recipe, row):
    ours = made(recipe, [row("a1", arm="x")])
    theirs = made(recipe, [row("b1", dose=2.5)])
    ours.merge(theirs)
    table = ours.table("ct").set_index("sample_id")
    assert table.arm.tolist() == ["x", ""]
    np.testing.assert_array_equal(table.dose, [np.nan, 2.5])


def test_more_rows_than_a_batch_come_whole(recipe, row, monkeypatch):
    monkeypatch.setattr("gclnm.store.sharing.takeover.BATCH", 4)
    ours = made(recipe, [row(f"a{i}") for i in range(3)])
    theirs = made(
        recipe, [row(f"b{i:02}", inputs="old") for i in range(7)], [row(f"b{i:02}") for i in range(9)]
    )
    ours.merge(theirs)
    table = ours.table("ct", where="sample_id >= 'b'").drop(columns="revision")
    assert table.equals(theirs.table("ct").drop(columns="revision"))
    assert len(ours.keys("ct")) == 12


def doubled(recipe, row):
    """Another hospital with one image of ours under another name."""
    there = row("c1", patient_id="C1")
    both = [replace(there, content_sha256=row("a1").content_sha256), row("c2", patient_id="C2")]
    return made(recipe, both)


def status(store):
    return store.keys("ct").set_index("sample_id").status.to_dict()


def test_one_image_measured_in_both_places_is_held_back_and_can_be_linked(ours, recipe, row):
    theirs = doubled(recipe, row)
    result = ours.merge(theirs)
    assert result.twins.values.tolist() == [["ct", "c1", "C1", "a1", "A1"]]
    assert "store.link('ct', merged.twins)" in repr(result)
    assert status(ours) == {"a1": "ok", "a2": "ok", "c1": "failed", "c2": "ok"}
    assert np.isnan(cells(ours, "c1", "value")[0]).all()
    assert result.sets.failed.tolist() == [1]
    assert ours.check().ok
    # It is told again as long as nobody has said what it is.
    again = ours.merge(theirs)
    assert (again.commits, again.twins.values.tolist()) == ([], result.twins.values.tolist())
    assert ours.link("ct", again.twins)
    assert ours.merge(theirs).twins.empty
    # The link is the user's word, and stays.
    assert ours.merge(theirs).commits == []
    assert ours.keys("ct").set_index("sample_id").same_as["c1"] == "a1"


@pytest.mark.parametrize("later", [True, False])
def test_one_that_is_called_different_comes_with_its_values_and_stays(ours, recipe, row, later):
    theirs = doubled(recipe, row)
    if later:
        ours.merge(theirs)
    result = ours.merge(theirs, distinct=["c1"])
    assert result.twins.empty
    assert status(ours)["c1"] == "ok"
    np.testing.assert_array_equal(cells(ours, "c1", "value"), cells(theirs, "c1", "value"))
    assert ours.merge(theirs).commits == []
    assert ours.check().ok


def test_the_content_that_a_row_of_ours_had_before_its_correction_is_known(ours, recipe, row):
    ours.append("ct", recipe, [row("a1", patient_id="A1", inputs="corrected")])
    assert ours.merge(doubled(recipe, row)).twins.same_as.tolist() == ["a1"]


def test_two_readers_of_one_volume_in_two_places_are_no_twins(ours, recipe, row):
    other = replace(row("c1", patient_id="A1"), content_sha256=row("a1").content_sha256)
    assert ours.merge(made(recipe, [other]), patients="same").twins.empty
    assert status(ours)["c1"] == "ok"


# --- what is refused


def test_another_recipe_is_refused_and_the_difference_shown(ours, other_recipe, row):
    theirs = made(other_recipe, [row("b1")])
    with pytest.raises(StoreError, match=r"bin_width: 25.0 -> 10.0") as caught:
        ours.merge(theirs)
    assert caught.value.code == "other-recipe"


def test_all_refusals_come_before_anything_is_written(ours, recipe, other_recipe, row):
    theirs = made(recipe, [row("b1"), row("c1", patient_id="A1")])
    ours.append("fine", recipe, [row("f1")])
    theirs.append("fine", other_recipe, [row("f2")])
    before = ours.commit
    with pytest.raises(StoreError, match="for 2 reasons") as caught:
        ours.merge(theirs)
    assert "bin_width" in str(caught.value)
    assert "patients 'A1'" in str(caught.value)
    assert ours.commit == before


def test_a_patient_id_in_both_stores_is_refused_unless_told(ours, recipe, row):
    theirs = made(recipe, [row("c1", patient_id="A1"), row("c2", patient_id="A2"), row("c3")])
    with pytest.raises(StoreError, match="2 patient ids are in both stores") as caught:
        ours.merge(theirs)
    assert caught.value.where == "patients 'A1', 'A2'"
    assert "A1" not in caught.value.reason
    assert ours.merge(theirs, patients="same").sets.added[0] == 3
    # They are told to be the same once and for all.
    assert ours.merge(theirs).sets.there[0] == 3


def test_a_condition_without_the_colliding_patients_is_enough(ours, recipe, row):
    theirs = made(recipe, [row("c1", patient_id="A1"), row("c3")])
    assert ours.merge(theirs, where="patient_id != 'A1'").sets.added[0] == 1


@pytest.mark.parametrize("patients", [{"A1": "B-A1", "A2": "B-A2"}, lambda patient: f"B-{patient}"])
def test_their_patients_get_new_ids(ours, recipe, row, patients):
    theirs = made(recipe, [row("c1", patient_id="A1"), row("c2", patient_id="A2")])
    ours.merge(theirs, patients=patients)
    table = ours.table("ct")
    assert table.patient_id.tolist() == ["A1", "A2", "B-A1", "B-A2"]
    assert not {"c1", "c2"} & set(table.sample_id)
    assert table.sample_id.str.fullmatch("[0-9a-f]+|a[12]").all()
    # The same again brings nothing twice, a new row keeps to the new id.
    theirs.append("ct", recipe, [row("c3", patient_id="A1", inputs="x")])
    result = ours.merge(theirs, patients=patients)
    assert result.sets.iloc[0][["added", "there"]].tolist() == [1, 2]
    assert ours.table("ct").patient_id.value_counts()["B-A1"] == 2


def test_ids_that_a_mapping_does_not_name_stay(ours, recipe, row):
    theirs = made(recipe, [row("c1", patient_id="A1"), row("c2", patient_id="C2")])
    ours.merge(theirs, patients={"A1": "C1"})
    table = ours.table("ct").set_index("patient_id")
    assert table.index.tolist() == ["A1", "A2", "C1", "C2"]
    assert table.sample_id["C2"] == "c2"


def test_other_names_for_patients_that_came_before_are_refused(ours, recipe, row):
    theirs = made(recipe, [row("c1", patient_id="A1", inputs="1")], [row("c2", patient_id="C2", inputs="2")])
    ours.merge(theirs, patients={"A1": "C1"})
    for other in ({"A1": "D1"}, {"A1": "C1", "C2": "D2"}, {"C2": "C1", "A1": "E1"}):
        with pytest.raises(StoreError, match="here already under"):
            ours.merge(theirs, patients=other)
    # Even when their row was replaced in the meantime.
    theirs.append("ct", recipe, [row("c1", patient_id="A1", inputs="new")])
    with pytest.raises(StoreError, match="here already under"):
        ours.merge(theirs, patients={"A1": "D1"})


@pytest.mark.parametrize(
    ("patients", "words"),
    [
        ({"A1": "X", "A2": "X"}, "make 2 patients of the other store share an id"),
        ({"A1": "A2"}, "make 2 patients of the other store share an id"),
        ({"Z": "X"}, "names 1 patient that the other store does not have"),
        ({"A1": ""}, "gives 1 patient no id"),
        ({"A1": 7}, "gives 1 patient no id"),
        (3, "must be"),
    ],
)
def test_a_renaming_that_cannot_be_is_refused(ours, recipe, row, patients, words):
    theirs = made(recipe, [row("c1", patient_id="A1"), row("c2", patient_id="A2")])
    with pytest.raises(InputError, match=words):
        ours.merge(theirs, patients=patients)


def test_a_new_id_that_is_one_of_our_patients_is_refused(ours, recipe, row):
    theirs = made(recipe, [row("c1", patient_id="C1")])
    with pytest.raises(StoreError, match="1 patient id is in both stores"):
        ours.merge(theirs, patients={"C1": "A1"})


def test_rows_that_differ_are_refused_unless_one_side_is_preferred(ours, recipe, row):
    theirs = made(recipe, [row("a1", patient_id="A1", inputs="theirs"), row("a2", patient_id="A2")])
    with pytest.raises(StoreError, match="1 row is in both stores with other inputs") as caught:
        ours.merge(theirs, patients="same")
    assert "'a1'" in caught.value.where
    kept = ours.merge(theirs, patients="same", prefer="own")
    assert kept.sets.iloc[0][["added", "replaced", "there", "kept"]].tolist() == [0, 0, 1, 1]
    taken = ours.merge(theirs, patients="same", prefer="other")
    assert taken.sets.iloc[0][["added", "replaced", "there"]].tolist() == [0, 1, 1]
    np.testing.assert_array_equal(cells(ours, "a1", "value"), cells(theirs, "a1", "value"))
    assert ours.merge(theirs, patients="same").commits == []


def test_a_computed_row_replaces_a_failure_and_never_the_other_way_round(recipe, row):
    good = [row("s1", patient_id="S"), row("s2", patient_id="S", failed="unreadable: gone", unread=True)]
    bad = [row("s1", patient_id="S", failed="unreadable: gone", unread=True), row("s2", patient_id="S")]
    ours, theirs = made(recipe, good), made(recipe, bad)
    result = ours.merge(theirs, patients="same")
    assert result.sets.iloc[0][["replaced", "there"]].tolist() == [1, 1]
    assert ours.keys("ct").status.tolist() == ["ok", "ok"]


def test_text_where_we_have_numbers_is_refused_by_name(recipe, row):
    ours = made(recipe, [row("a1", dose=2.0)])
    theirs = made(recipe, [row("b1", dose="two")])
    with pytest.raises(StoreError, match="text in one store and numbers in the other") as caught:
        ours.merge(theirs)
    assert "dose" in caught.value.where


def test_a_store_is_not_merged_into_itself_or_a_copy_of_itself(recipe, row, tmp_path):
    made(recipe, [row("a1")], url=tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for other in ("one", "two"):
        with pytest.raises(StoreError, match="the other store is this one, or a copy of it"):
            open_store(tmp_path / "one").merge(tmp_path / other)


def test_prefer_is_one_of_two_words(ours, theirs):
    with pytest.raises(InputError, match="prefer is 'mine'"):
        ours.merge(theirs, prefer="mine")


# --- tables and selections


def clinical(*rows, **more):
    return pd.DataFrame(list(rows), columns=["patient_id", "age", "stage"]).assign(**more)


@pytest.fixture
def with_table(theirs):
    table = clinical(("B1", 61, "II"), ("B2", 48, "III"), ("B-not-imaged", 70, ""))
    theirs.put_table("clinical", table, values={"stage": str})
    theirs.select("ct", "robust", ["original_shape_*"])
    return theirs


def test_tables_and_selections_come_along(ours, with_table):
    result = ours.merge(with_table)
    assert ours.get_table("clinical").equals(with_table.get_table("clinical"))
    assert ours.tables().commit.tolist() == [result.commits[1]]
    assert ours.selections("ct").names[0] == with_table.selections("ct").names[0]
    assert ours.selections("ct").commit[0] == result.commits[0]
    assert "table clinical: 3 rows added" in repr(result)
    assert "clinical: table merged from another store" in ours.log().what[0]
    assert ours.merge(with_table).commits == []


def test_tables_of_one_name_are_joined(ours, with_table):
    own = clinical(("A1", 50, "I"), ("A2", 51, "I"), hb=[13.5, 12.0])
    ours.put_table("clinical", own, values={"stage": str})
    ours.merge(with_table)
    table = ours.get_table("clinical").set_index("patient_id")
    assert table.age.to_dict() == {"A1": 50, "A2": 51, "B-not-imaged": 70, "B1": 61, "B2": 48}
    np.testing.assert_array_equal(table.hb, [13.5, 12.0, np.nan, np.nan, np.nan])
    assert ours.merge(with_table).commits == []


def test_a_cell_that_they_corrected_since_is_corrected_here(ours, with_table):
    ours.merge(with_table)
    table = clinical(("B1", 62, "II"), ("B2", 48, "IV"), ("B3", 33, "I"), ("B-not-imaged", 70, ""))
    with_table.put_table("clinical", table, values={"stage": str})
    result = ours.merge(with_table)
    assert result.tables[["added", "replaced"]].values.tolist() == [[1, 2]]
    assert ours.get_table("clinical").equals(with_table.get_table("clinical"))


def test_cells_that_differ_are_refused_unless_one_side_is_preferred(ours, recipe, row):
    theirs = made(recipe, [row("a1", patient_id="A1")])
    ours.put_table("clinical", clinical(("A1", 50, "I")))
    # An empty column is of no kind.
    theirs.put_table("clinical", clinical(("A1", 51, ""), sex=["F"]))
    with pytest.raises(StoreError, match="rows of a clinical table differ for 1 patient") as caught:
        ours.merge(theirs, patients="same")
    assert caught.value.where == "table 'clinical': patients 'A1'"
    ours.merge(theirs, patients="same", prefer="own")
    # A cell that one side does not have is the other's.
    assert ours.get_table("clinical").values.tolist() == [["A1", 50, "I", "F"]]
    ours.merge(theirs, patients="same", prefer="other")
    assert ours.get_table("clinical").values.tolist() == [["A1", 51, "I", "F"]]


def test_tables_with_other_keys_or_kinds_are_refused_by_name(ours, with_table):
    ours.put_table("clinical", clinical(("A1", "old", "I")))
    with pytest.raises(StoreError, match="other keys or kinds of columns") as caught:
        ours.merge(with_table)
    assert caught.value.where == "table 'clinical': age"


def test_a_patient_of_a_table_alone_collides_too(ours, with_table, recipe, row):
    ours.append("ct", recipe, [row("x1", patient_id="B-not-imaged")])
    with pytest.raises(StoreError, match="1 patient id is in both stores"):
        ours.merge(with_table)


def test_a_patient_of_our_table_alone_collides_with_rows_of_theirs(ours, theirs):
    ours.put_table("clinical", clinical(("A1", 61, "II"), ("B3", 48, "III")), values={"stage": str})
    with pytest.raises(StoreError, match="1 patient id is in both stores") as caught:
        ours.merge(theirs)
    assert caught.value.where == "patients 'B3'"


def test_patients_have_their_new_ids_in_tables_and_links_too(ours, with_table, recipe, row):
    gone = np.full(len(row("x").values), np.nan)
    link = replace(row("b9", patient_id="B2"), status="linked", reason="same-as: b1", values=gone)
    with_table.append("ct", recipe, [link])
    names = {"B1": "N1", "B2": "N2", "B3": "N3", "B-not-imaged": "N4"}
    ours.merge(with_table, patients=names)
    assert ours.get_table("clinical").patient_id.tolist() == ["N1", "N2", "N4"]
    keys = ours.keys("ct").set_index("sample_id")
    new = ours.table("ct").set_index("patient_id").sample_id["N1"]
    assert keys.same_as[keys.status == "linked"].tolist() == [new]
    assert ours.merge(with_table, patients=names).commits == []


def test_a_condition_holds_for_tables_too(with_table):
    by_patient, by_row = open_store("memory://"), open_store("memory://")
    by_patient.merge(with_table, where="patient_id != 'B1'")
    assert by_patient.get_table("clinical").patient_id.tolist() == ["B-not-imaged", "B2"]
    by_row.merge(with_table, where="patient_id != 'B1' and modality == 'CT'")
    assert by_row.get_table("clinical").patient_id.tolist() == ["B2"]


def test_selections_of_one_name_with_other_features_are_refused(ours, with_table):
    ours.select("ct", "robust", ["original_glcm_*"])
    with pytest.raises(StoreError, match="selections of one name hold other features"):
        ours.merge(with_table)
    ours.merge(with_table, prefer="other")
    assert ours.selections("ct").names[0] == with_table.selections("ct").names[0]


# --- chains


def test_a_row_merged_twice_keeps_its_first_origin(ours, theirs):
    middle = open_store("memory://")
    middle.merge(theirs)
    ours.merge(middle)
    assert cells(ours, "b1", "origin") == cells(middle, "b1", "origin") == [theirs.commit]
    known = record(ours)["origin"]["commits"][theirs.commit]
    assert known["store_id"] == Lineage(theirs._repository).store_id
    # From its own store it is not news, nor a collision.
    assert ours.merge(theirs).commits == []


def test_our_rows_come_back_from_another_store_without_harm(ours, theirs, recipe, row):
    theirs.merge(ours)
    ours.append("ct", recipe, [row("a1", patient_id="A1", inputs="corrected")])
    result = ours.merge(theirs)
    assert result.sets.iloc[0][["added", "replaced", "there"]].tolist() == [3, 0, 2]
    assert ours.keys("ct").set_index("sample_id").revision["a1"] == 2
    # And the correction reaches them.
    assert theirs.merge(ours).sets.iloc[0][["added", "replaced"]].tolist() == [0, 1]


def test_an_older_copy_of_a_third_stores_row_replaces_nothing(theirs, recipe, row):
    old, new = open_store("memory://"), open_store("memory://")
    old.merge(theirs)
    theirs.append("ct", recipe, [row("b1", patient_id="B1", inputs="corrected")])
    new.merge(theirs)
    assert new.merge(old).commits == []
    assert old.merge(new).sets.replaced[0] == 1
    np.testing.assert_array_equal(cells(old, "b1", "value"), cells(theirs, "b1", "value"))


def test_copies_that_went_different_ways_are_no_revisions_of_each_other(recipe, row, tmp_path):
    made(recipe, [row("s1", patient_id="S"), row("s2", patient_id="S")], url=tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for name in ("one", "two"):
        open_store(tmp_path / name).append("ct", recipe, [row("s1", patient_id="S", inputs=name)])
    # The longer history is not the later one.
    open_store(tmp_path / "two").append("ct", recipe, [row("s3", patient_id="S")])
    open_store(tmp_path / "two").append("ct", recipe, [row("s1", patient_id="S", inputs="three")])
    joined = open_store("memory://")
    joined.merge(tmp_path / "one")
    with pytest.raises(StoreError, match="1 row is in both stores with other inputs"):
        joined.merge(tmp_path / "two")
    joined.merge(tmp_path / "two", prefer="other")
    np.testing.assert_array_equal(
        cells(joined, "s1", "value"), cells(open_store(tmp_path / "two"), "s1", "value")
    )


def test_every_row_of_a_frame_knows_its_commit(theirs):
    frame = row_frame(set_group(theirs._repository.root(theirs.commit), "ct"), Lineage(theirs._repository))
    newest, oldest = theirs.log().commit[0], theirs.log().commit[1]
    assert frame.commit.tolist() == [oldest, oldest, newest, newest]
    assert frame.current.tolist() == [False, True, True, True]


# --- several at once


def test_merges_and_appends_at_the_same_time_lose_nothing(recipe, row, tmp_path):
    url = tmp_path / "whole"
    open_store(url)
    stores = [made(recipe, [row(f"{c}{i}") for i in range(4)]) for c in "bcd"]
    work = [lambda store=store: open_store(url).merge(store) for store in stores]
    work += [lambda i=i: open_store(url).append("ct", recipe, [row(f"a{i}")]) for i in range(3)]
    errors = []

    def run(task):
        try:
            task()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    whole = open_store(url)
    assert len(whole.keys("ct")) == 15
    assert len(whole.table("ct")) == 15
    assert whole.log().added.sum() == 15


MERGES = """
import sys
from gclnm.store.sharing import takeover
from gclnm.store.store import open_store
takeover.BATCH = 16
ours, other = open_store(sys.argv[1]), open_store(sys.argv[2], mode="r")
print("ready", flush=True)
ours.merge(other)
"""


@pytest.mark.slow
def test_a_merge_that_is_killed_brings_all_rows_or_none(recipe, row, tmp_path):
    made(recipe, [row("a1")], url=tmp_path / "ours")
    made(recipe, [row(f"b{i:03}") for i in range(200)], url=tmp_path / "theirs")
    outcomes = []
    for pause in np.linspace(0.05, 3.0, 12):
        url = tmp_path / f"run-{pause:.2f}"
        shutil.copytree(tmp_path / "ours", url)
        command = [sys.executable, "-c", MERGES, str(url), str(tmp_path / "theirs")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(pause)
            process.kill()
        store = open_store(url)
        outcomes.append(len(store.keys("ct")))
        assert store.check().ok
        store.merge(tmp_path / "theirs")
        assert len(store.table("ct")) == 201
    assert set(outcomes) <= {1, 201}
    assert 1 in outcomes, "no process was killed before its commit"


@pytest.mark.slow
def test_processes_that_merge_at_the_same_time_lose_nothing(recipe, row, tmp_path):
    open_store(tmp_path / "whole")
    sources = [tmp_path / name for name in ("b", "c", "d", "e")]
    for source in sources:
        made(recipe, [row(f"{source.name}{i:02}") for i in range(40)], url=source)
    commands = [[sys.executable, "-c", MERGES, str(tmp_path / "whole"), str(s)] for s in sources]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    whole = open_store(tmp_path / "whole")
    assert whole.table("ct").sample_id.nunique() == len(whole.table("ct")) == 160
    assert whole.check().ok


def test_a_row_out_of_bounds_in_the_other_store_leaves_ours_as_it_was(ours, theirs):
    def damage(root):
        group = set_group(root, "ct")
        arrays(group)["value"][-1] = np.inf
        from gclnm.store.write import note_of

        return note_of("ct", group, "append")

    theirs._repository.commit(damage)
    before = ours.commit
    with pytest.raises(InputError, match="Nothing was written"):
        ours.merge(theirs)
    assert ours.commit == before


def test_the_recipe_of_a_merged_set_is_a_recipe(theirs, recipe):
    whole = open_store("memory://")
    whole.merge(theirs)
    import json

    assert Recipe(**json.loads(whole.read("ct").attrs["recipe"])).id == recipe.id
