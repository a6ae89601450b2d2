"""What is written, what is left out, what is replaced, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gclnm.errors import InputError, StoreError
from gclnm.store.store import open_store


def test_rows_come_back_as_they_were_written(store, recipe, row):
    rows = [row("s1", rater="张医生"), row("s2", rater="Ö", energy_kev=70.0)]
    store.append("ct", recipe, rows)
    data = store.read("ct")
    np.testing.assert_array_equal(data["value"].values, [r.values for r in rows])
    np.testing.assert_array_equal(data["diagnostic"].values, [r.diagnostics for r in rows])
    assert data["sample_id"].values.tolist() == ["s1", "s2"]
    assert data["rater"].values.tolist() == ["张医生", "Ö"]
    np.testing.assert_array_equal(data["energy_kev"].values, [np.nan, 70.0])


def test_the_same_rows_again_make_no_commit(filled, recipe, row):
    before = filled.commit
    assert filled.append("ct", recipe, [row("a1", patient_id="A", rater="X")]) is None
    assert filled.commit == before


def test_no_rows_make_no_commit_but_a_new_set(store, recipe):
    assert store.append("ct", recipe, []) is not None
    assert store.append("ct", recipe, []) is None
    assert store.sets()["rows"].tolist() == [0]
    assert store.read("ct").sizes["sample"] == 0
    assert store.table("ct").empty


def test_changed_inputs_replace_the_row_in_one_commit(filled, recipe, row):
    old, new = row("a1", patient_id="A", rater="X"), row("a1", inputs="corrected", patient_id="A", rater="X")
    filled.append("ct", recipe, [new])
    data = filled.read("ct").sel(sample_id="a1")
    np.testing.assert_array_equal(data["value"].values, new.values)
    assert int(data["revision"]) == 2
    both = filled.read("ct", where={"sample_id": "a1", "current": [True, False]})
    np.testing.assert_array_equal(both["value"].values, [old.values, new.values])
    assert both["current"].values.tolist() == [False, True]


def test_a_retried_failure_becomes_the_next_revision(filled, recipe, row):
    filled.append("ct", recipe, [row("b2", patient_id="B", rater="Y")])
    keys = filled.keys("ct").set_index("sample_id")
    assert keys.loc["b2", ["status", "revision"]].tolist() == ["ok", 2]
    assert filled.sets()[["rows", "failed", "replaced"]].values.tolist() == [[4, 0, 1]]


def test_a_failure_that_repeats_itself_is_not_written_again(filled, recipe, row):
    again = row("b2", patient_id="B", rater="Y", failed="unreadable: a slice is missing")
    assert filled.append("ct", recipe, [again]) is None
    assert filled.append("ct", recipe, [replace(again, reason="unreadable: two slices are missing")])


def test_a_failure_to_read_replaces_no_computed_row(filled, recipe, row):
    lost = row("a1", patient_id="A", rater="X", failed="unreadable: no such file", unread=True)
    same = row("a1", patient_id="A", rater="X", failed="engine: it crashed")
    assert filled.append("ct", recipe, [lost]) is None
    assert filled.append("ct", recipe, [same]) is None


def test_a_failure_on_changed_inputs_replaces_the_stale_row(filled, recipe, row):
    failed = row("a1", inputs="corrected", patient_id="A", rater="X", failed="geometry: outside the image")
    assert filled.append("ct", recipe, [failed])
    assert "a1" not in filled.read("ct")["sample_id"].values


def test_a_corrected_coordinate_replaces_the_row(filled, recipe, row):
    filled.append("ct", recipe, [row("a1", patient_id="A", rater="X", phase="arterial")])
    assert str(filled.read("ct").sel(sample_id="a1")["phase"].values) == "arterial"
    assert filled.read("ct").sizes["sample"] == 3


def test_a_corrected_coordinate_of_a_failed_row_is_kept_and_a_failure_moves_no_computed_row(
    filled, recipe, row
):
    why = "unreadable: a slice is missing"
    assert filled.append("ct", recipe, [row("b2", patient_id="B", rater="Z", failed=why)])
    assert filled.table("ct", where="status == 'failed'")["rater"].tolist() == ["Z"]
    assert filled.append("ct", recipe, [row("a1", patient_id="A", rater="Z", failed="engine: x")]) is None


def test_a_coordinate_that_appears_later_is_missing_in_earlier_rows(filled, recipe, row):
    filled.append("ct", recipe, [row("c1", patient_id="C", arm="experimental", dose_gy=50.4)])
    data = filled.read("ct")
    assert data["arm"].values.tolist() == ["", "", "", "experimental"]
    np.testing.assert_array_equal(data["dose_gy"].values, [np.nan, np.nan, np.nan, 50.4])
    filled.append("ct", recipe, [row("d1", patient_id="D")])
    assert filled.read("ct")["arm"].values.tolist() == ["", "", "", "experimental", ""]


def test_a_coordinate_without_any_value_waits_for_its_type(store, recipe, row):
    store.append("ct", recipe, [row("s1", arm=None)])
    assert "arm" not in store.read("ct").coords
    store.append("ct", recipe, [row("s2", arm="control")])
    assert store.read("ct")["arm"].values.tolist() == ["", "control"]


def test_a_coordinate_that_changes_its_type_is_refused(store, recipe, row):
    store.append("ct", recipe, [row("s1", arm="control")])
    with pytest.raises(StoreError, match="'arm' holds text in this set"):
        store.append("ct", recipe, [row("s2", arm=2)])
    assert store.keys("ct")["sample_id"].tolist() == ["s1"]


def test_a_whole_number_in_a_text_coordinate_becomes_its_digits(store, recipe, row):
    store.append("ct", recipe, [row("s1", roi_instance=3)])
    assert store.read("ct")["roi_instance"].values.tolist() == ["3"]


@pytest.mark.parametrize("name", ["status", "value", "feature", "diagnostic_name", "sample"])
def test_a_coordinate_may_not_take_a_name_of_the_stores_own(store, recipe, row, name):
    with pytest.raises(InputError, match="the store uses itself"):
        store.append("ct", recipe, [row("s1", **{name: "x"})])


@pytest.mark.parametrize("name", ["path", "roi_name", "patient_name", "../up", "Größe", "a/b"])
def test_private_and_unsafe_coordinates_never_enter(store, recipe, row, name):
    with pytest.raises(InputError, match="not allowed"):
        store.append("ct", recipe, [row("s1", **{name: "x"})])
    assert store.sets().empty


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": np.zeros(3)}, "recipe asks for"),
        ({"values": np.zeros(3, dtype=complex)}, "recipe asks for"),
        ({"diagnostics": np.zeros(1)}, "diagnostics"),
        ({"sample_id": ""}, "no sample_id"),
        ({"status": "done"}, "status"),
        ({"reason": "late"}, "has a reason"),
        ({"status": "failed"}, "has none"),
        ({"status": "failed", "reason": "engine: x"}, "a failed row has values"),
        ({"inputs_sha256": "abc"}, "inputs_sha256"),
        ({"inputs_sha256": ""}, "inputs_sha256"),
        ({"history": "{"}, "not JSON"),
        ({"sample_id": "\ud800"}, "Unicode"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(store, recipe, row, change, words):
    with pytest.raises(InputError, match=words):
        store.append("ct", recipe, [row("s0"), replace(row("s1"), **change)])
    assert store.sets().empty


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        ("original_shape_Sphericity", 1.3),
        ("original_glcm_Correlation", -1.2),
        ("original_firstorder_Entropy", -0.1),
        ("original_firstorder_Mean", float("inf")),
    ],
)
def test_a_value_that_mathematics_forbids_is_refused_by_name(store, recipe, row, feature, value):
    bad = row("s1")
    bad.values[recipe.features.index(feature)] = value
    with pytest.raises(InputError, match=f"'s1'.*{feature}"):
        store.append("ct", recipe, [bad])


def test_rounding_past_a_bound_is_let_through(store, recipe, row):
    good = row("s1")
    good.values[recipe.features.index("original_firstorder_Entropy")] = -3.2e-16
    store.append("ct", recipe, [good])
    assert store.table("ct")["original_firstorder_Entropy"].item() == -3.2e-16


def test_one_key_twice_in_a_batch_is_refused(store, recipe, row):
    with pytest.raises(InputError, match="same sample_id"):
        store.append("ct", recipe, [row("s1"), row("s1", inputs="other")])


def test_another_recipe_is_refused_and_the_difference_shown(filled, other_recipe, row):
    with pytest.raises(StoreError, match=r"prepare\.discretise\.bin_width: 25\.0 -> 10\.0") as caught:
        filled.append("ct", other_recipe, [row("x")])
    assert "replace=True" in str(caught.value)
    with pytest.raises(StoreError, match="another recipe"):
        filled.create("ct", other_recipe)


def test_replace_starts_a_new_version_and_keeps_the_old_one_readable(filled, recipe, other_recipe, row):
    filled.tag("before")
    old = filled.commit
    filled.create("ct", other_recipe, replace=True)
    assert filled.keys("ct").empty
    filled.append("ct", other_recipe, [row("a1", patient_id="A")])
    assert filled.keys("ct")[["sample_id", "revision"]].values.tolist() == [["a1", 1]]
    assert filled.read("ct").attrs["recipe_id"] == other_recipe.id
    for at in ("before", old, old[:6]):
        then = filled.read("ct", at=at)
        assert (then.sizes["sample"], then.attrs["recipe_id"]) == (3, recipe.id)


def test_replace_with_the_same_recipe_keeps_the_rows(filled, recipe):
    assert filled.create("ct", recipe, replace=True) is None
    assert filled.read("ct").sizes["sample"] == 3


def test_the_name_of_a_recipe_is_not_part_of_its_identity(filled, recipe, row):
    filled.append("ct", recipe.with_(name="ours", description="as in the paper"), [row("c1")])
    assert filled.read("ct").sizes["sample"] == 4


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "naïve"])
def test_a_set_cannot_have_an_unsafe_name(store, recipe, row, name):
    with pytest.raises(InputError, match="cannot have this name"):
        store.append(name, recipe, [row("s1")])


def test_a_built_in_recipe_is_known_by_its_name(store):
    store.create("ct", "ct")
    assert store.sets()["recipe"].tolist() == ["ct"]


def test_sets_do_not_touch_each_other(filled, other_recipe, row):
    filled.append("fine", other_recipe, [row("a1")])
    assert filled.sets().set_index("set")["rows"].to_dict() == {"ct": 3, "fine": 1}


def test_keys_of_a_set_that_does_not_exist_are_empty(store):
    keys = store.keys("ct")
    assert keys.empty
    assert list(keys) == ["sample_id", "status", "inputs_sha256", "revision", "same_as"]


def test_keys_follow_what_another_handle_wrote(tmp_path, recipe, row):
    first, second = open_store(tmp_path), open_store(tmp_path)
    first.append("ct", recipe, [row("s1")])
    assert second.keys("ct")["sample_id"].tolist() == ["s1"]
    second.append("ct", recipe, [row("s2"), row("s1", inputs="new")])
    assert first.keys("ct").set_index("sample_id")["revision"].to_dict() == {"s1": 2, "s2": 1}
    assert first.append("ct", recipe, [row("s2")]) is None


def test_many_appends_cross_chunks_without_loss(store, recipe, row):
    rows = [row(f"s{i}") for i in range(1200)]
    for start in range(0, 1200, 400):
        store.append("ct", recipe, rows[start : start + 400])
    store.append("ct", recipe, [row(f"s{i}", inputs="new") for i in range(0, 1200, 100)])
    data = store.read("ct")
    assert data.sizes["sample"] == 1200
    assert len(set(data["sample_id"].values)) == 1200
    np.testing.assert_array_equal(data.sel(sample_id="s777")["value"].values, rows[777].values)
    np.testing.assert_array_equal(
        data.sel(sample_id="s700")["value"].values, row("s700", inputs="new").values
    )


def test_a_commit_of_256_rows_takes_less_than_half_a_second(tmp_path, recipe, row):
    from time import perf_counter

    store, seconds = open_store(tmp_path), []
    for batch in range(4):
        rows = [row(f"{batch}-{i}") for i in range(256)]
        start = perf_counter()
        store.append("ct", recipe, rows)
        seconds.append(perf_counter() - start)
    assert min(seconds) < 0.5
