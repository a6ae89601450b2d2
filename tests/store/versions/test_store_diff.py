"""What differs between two versions: which rows, and of replaced rows why."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gclnm.errors import StoreError
from gclnm.pipeline import Row
from gclnm.store import write
from gclnm.store.store import FeatureStore, open_store
from gclnm.store.versions.diff import Diff

A1: dict[str, Any] = {"patient_id": "A", "rater": "X"}


def changes(diff: Diff) -> dict[str, tuple[str, str]]:
    rows = diff.rows
    return dict(zip(rows["sample_id"], zip(rows["change"], rows["because"], strict=True), strict=True))


def with_parts(row: Row, **parts: str) -> Row:
    """The row as if its inputs had these parts; the digest of the whole follows from them."""
    from gclnm.images.inputs import Inputs

    inputs = Inputs({key.replace("__", ":"): value for key, value in parts.items()})
    history = json.dumps({"inputs": inputs.short()})
    return replace(row, inputs_sha256=inputs.sha256, content_sha256=inputs.content_sha256, history=history)


WHOLE = {"voxels__image": "1", "grid__image": "2", "facts__image": "3", "mask__roi": "4"}


def test_two_equal_versions_do_not_differ(filled: FeatureStore) -> None:
    diff = filled.diff(filled.commit)
    assert not diff
    assert "nothing differs" in repr(diff)
    assert diff.rows.empty
    assert diff.values().empty


def test_rows_that_came_and_the_failed_one_that_was_retried(
    filled: FeatureStore, recipe: Any, row: Any
) -> None:
    filled.tag("v1")
    filled.append("ct", recipe, [row("c1"), row("b2", patient_id="B", rater="Y")])
    diff = filled.diff("v1")
    assert changes(diff) == {"c1": ("added", ""), "b2": ("replaced", "status")}
    rows = diff.rows.set_index("sample_id")
    assert rows.loc["b2", ["set", "patient_id", "rater", "revision_a", "revision_b"]].tolist() == [
        "ct",
        "B",
        "Y",
        1,
        2,
    ]
    assert rows.loc["b2", "detail"] == "failed -> ok (unreadable: a slice is missing)"
    assert rows.loc["c1", ["rater", "revision_b"]].tolist() == ["", 1]
    assert rows["revision_a"].isna().tolist() == [True, False]
    assert "1 row added, 1 row replaced" in repr(diff)
    assert diff.a.tags == ("v1",)


def test_the_other_way_round_what_was_added_is_removed(filled: FeatureStore, recipe: Any, row: Any) -> None:
    filled.tag("v1")
    filled.append("ct", recipe, [row("c1"), row("b2", patient_id="B", rater="Y")])
    back = filled.diff(filled.commit, "v1")
    assert changes(back) == {"c1": ("removed", ""), "b2": ("replaced", "status")}
    rows = back.rows.set_index("sample_id")
    assert rows.loc["b2", ["revision_a", "revision_b"]].tolist() == [2, 1]
    assert rows.loc["c1", "patient_id"] == "P-c1"


@pytest.mark.parametrize(
    ("changed", "because", "detail"),
    [
        ({"voxels__image": "x"}, "pixels", "pixels of image changed"),
        ({"grid__image": "x"}, "grid", "grid of image changed"),
        ({"facts__image": "x"}, "facts", "facts of image changed"),
        ({"mask__roi": "x"}, "mask", "mask of roi changed"),
        ({"mask__liver": "x"}, "mask", "mask of liver added"),
        ({"overrides__image": "x"}, "overrides", "overrides of image added"),
        (
            {"voxels__image": "x", "mask__roi": "y"},
            "mask, pixels",
            "mask of roi changed; pixels of image changed",
        ),
    ],
)
def test_which_part_of_the_inputs_changed(
    store: FeatureStore, recipe: Any, row: Any, changed: dict[str, str], because: str, detail: str
) -> None:
    store.append("ct", recipe, [with_parts(row("a1", **A1), **WHOLE)])
    first = store.commit
    store.append("ct", recipe, [with_parts(row("a1", **A1), **(WHOLE | changed))])
    diff = store.diff(first)
    assert changes(diff) == {"a1": ("replaced", because)}
    assert diff.rows["detail"].item() == detail


def test_rows_of_earlier_versions_say_what_can_be_said(store: FeatureStore, recipe: Any, row: Any) -> None:
    old = row("a1", **A1)
    store.append("ct", recipe, [old, row("b1")])
    first = store.commit
    other = "f" * 64
    store.append("ct", recipe, [replace(old, inputs_sha256=other), row("b1", inputs="other")])
    assert changes(store.diff(first)) == {"a1": ("replaced", "facts"), "b1": ("replaced", "inputs")}


def test_corrected_coordinates_are_named(filled: FeatureStore, recipe: Any, row: Any) -> None:
    first = filled.commit
    filled.append("ct", recipe, [row("a1", **A1, phase="arterial", energy_kev=70.0)])
    rows = filled.diff(first).rows
    assert rows["because"].tolist() == ["coordinates"]
    assert rows["detail"].item() == "energy_kev: none -> 70, phase: none -> arterial"


def test_two_revisions_in_between_are_one_replacement(filled: FeatureStore, recipe: Any, row: Any) -> None:
    first = filled.commit
    for inputs in ("one", "two"):
        filled.append("ct", recipe, [row("a1", inputs=inputs, **A1)])
    rows = filled.diff(first).rows
    assert rows[["revision_a", "revision_b"]].values.tolist() == [[1, 3]]


def test_a_set_started_anew_shows_the_settings_and_matches_samples(
    filled: FeatureStore, other_recipe: Any, row: Any
) -> None:
    first = filled.tag("v1")
    filled.create("ct", other_recipe, replace=True)
    filled.append("ct", other_recipe, [row("a1", **A1), row("n1")])
    diff = filled.diff("v1")
    assert changes(diff) == {
        "a1": ("replaced", "recipe"),
        "n1": ("added", ""),
        "a2": ("removed", ""),
        "b1": ("removed", ""),
        "b2": ("removed", ""),
    }
    assert diff.sets[["set", "change"]].values.tolist() == [["ct", "started anew"]]
    assert "prepare.discretise.bin_width: 25.0 -> 10.0" in diff.sets["detail"].item()
    assert filled.diff(first, first).sets.empty


def test_features_that_came_and_went(filled: FeatureStore, recipe: Any) -> None:
    first = filled.commit
    smaller = recipe.with_(compute={"glcm": [], "ngtdm": ["Busyness", "Contrast"]})
    filled.create("ct", smaller, replace=True)
    features = filled.diff(first).features
    gone = set(recipe.features) - set(smaller.features)
    assert set(features["feature"]) == gone
    assert set(features["change"]) == {"removed"}
    assert set(filled.diff(filled.commit, first).features["change"]) == {"added"}


def test_another_version_of_a_package_is_named(
    filled: FeatureStore, other_recipe: Any, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed rows that are tried again with a corrected engine: the inputs are equal, the software is not."""
    first = filled.commit
    newer = dict(write.versions()) | {"numpy": "99.0", "icechunk": "99.0"}
    before = write.versions()["numpy"]
    monkeypatch.setattr(write, "versions", lambda: newer)
    mended = row("b2", patient_id="B", rater="Y")
    second = filled.append("ct", filled_recipe(filled), [mended])
    filled.append("ct", filled_recipe(filled), [row("a1", **A1, phase="arterial")])
    assert filled.diff(second).rows["because"].tolist() == ["coordinates"]
    found = filled.diff(first, second).rows
    assert found["because"].tolist() == ["status, code"]
    assert found["detail"].item().endswith(f"numpy {before} -> 99.0")
    assert "icechunk" not in found["detail"].item()


def filled_recipe(store: FeatureStore) -> Any:
    from gclnm.recipe.recipe import Recipe

    return Recipe(**json.loads(store.read("ct").attrs["recipe"]))


def test_sets_that_came_are_named_with_their_rows(filled: FeatureStore, recipe: Any, row: Any) -> None:
    first = filled.commit
    filled.append("pet", recipe, [row("p1")])
    diff = filled.diff(first)
    assert diff.sets[["set", "change"]].values.tolist() == [["pet", "added"]]
    assert changes(diff) == {"p1": ("added", "")}
    assert not filled.diff(first, name="ct")
    assert "set pet added" in repr(diff)


def test_tables_and_selections_are_compared(filled: FeatureStore) -> None:
    import pandas as pd

    first = filled.commit
    filled.put_table("clinical", pd.DataFrame({"patient_id": ["A", "B"], "age": [60, 70]}))
    filled.select("ct", "robust", ["original_shape_Sphericity", "original_firstorder_Mean"])
    second = filled.commit
    assert filled.diff(first).tables[["table", "change"]].values.tolist() == [["clinical", "added"]]
    assert filled.diff(first).selections[["set", "selection", "change"]].values.tolist() == [
        ["ct", "robust", "added"]
    ]
    filled.put_table("clinical", pd.DataFrame({"patient_id": ["A", "B"], "age": [60, 71]}))
    filled.select("ct", "robust", ["original_shape_Sphericity"])
    diff = filled.diff(second)
    assert diff.tables["detail"].tolist() == ["other values: age"]
    assert diff.selections["detail"].tolist() == ["removed: original_firstorder_Mean"]
    assert "selection robust of set ct changed" in repr(diff)
    assert diff.rows.empty


def test_how_much_the_values_changed(filled: FeatureStore, recipe: Any, row: Any) -> None:
    first = filled.commit
    values = np.array(row("a1", **A1).values)
    place = list(recipe.features).index("original_glcm_JointEntropy")
    values[place] *= 1.25
    values[3] *= 1.001
    news = replace(row("a1", **A1), values=values, inputs_sha256="e" * 64)
    filled.append("ct", recipe, [news, row("a2", patient_id="A", rater="Y", phase="delayed")])
    found = filled.diff(first).values().set_index("sample_id")
    assert found.loc["a1", ["differing", "feature"]].tolist() == [2, "original_glcm_JointEntropy"]
    assert found.loc["a1", "relative"] == pytest.approx(0.2)
    assert found.loc["a1", "b"] == pytest.approx(1.25 * found.loc["a1", "a"])
    assert found.loc["a2", ["differing", "feature", "relative"]].tolist() == [0, "", 0.0]


def test_values_of_unchanged_rows_and_histories_are_not_read(
    filled: FeatureStore, recipe: Any, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zarr

    first = filled.commit
    filled.append("ct", recipe, [row("b2", patient_id="B", rater="Y")])
    read: set[str] = set()
    for name in ("__getitem__", "get_orthogonal_selection"):
        genuine = getattr(zarr.Array, name)

        def noted(self: Any, *given: Any, genuine: Any = genuine, **more: Any) -> Any:
            read.add(self.name.rpartition("/")[2])
            return genuine(self, *given, **more)

        monkeypatch.setattr(zarr.Array, name, noted)
    filled.diff(first)
    assert "current" in read
    assert not read & {"value", "diagnostic", "history"}


def test_a_version_or_a_set_that_is_not_there_is_refused(filled: FeatureStore) -> None:
    with pytest.raises(StoreError, match="no tag, commit or date"):
        filled.diff("v9")
    with pytest.raises(StoreError, match="no feature set"):
        filled.diff(filled.commit, name="mr")


def test_what_comes_from_files_is_escaped(filled: FeatureStore, recipe: Any, row: Any) -> None:
    first = filled.commit
    filled.append("ct", recipe, [row("x1", patient_id="<script>alert(1)</script>")])
    assert "<script>" not in filled.diff(first)._repr_html_()


steps = st.lists(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "one", "two"]), st.booleans()),
        min_size=1,
        max_size=4,
        unique_by=lambda item: item[0],
    ),
    min_size=2,
    max_size=4,
)


def with_few_features(recipe: Any) -> Any:
    families = dict.fromkeys(("glcm", "glrlm", "glszm", "gldm", "ngtdm"), ())
    return recipe.with_(compute={**families, "shape": ["Sphericity"], "firstorder": ["Mean"]})


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, data=st.data())
def test_a_diff_is_what_comparing_the_two_tables_gives(recipe: Any, row: Any, steps: Any, data: Any) -> None:
    recipe = with_few_features(recipe)
    row = type(row)(recipe)
    store = open_store("memory://")
    store.create("ct", recipe)
    commits = [store.commit]
    for batch in steps:
        rows = [row(key, inputs=inputs, failed="odd: why" if bad else "") for key, inputs, bad in batch]
        store.append("ct", recipe, rows)
        commits.append(store.commit)
    a, b = data.draw(st.sampled_from(commits)), data.draw(st.sampled_from(commits))
    before, after = (current(store, at) for at in (a, b))
    expected = dict.fromkeys(after.keys() - before.keys(), "added")
    expected |= dict.fromkeys(before.keys() - after.keys(), "removed")
    expected |= {key: "replaced" for key in after.keys() & before.keys() if after[key] != before[key]}
    assert {key: change for key, (change, _) in changes(store.diff(a, b)).items()} == expected


def current(store: FeatureStore, at: str) -> dict[str, int]:
    rows = store.read("ct", at=at, where="status in ['ok', 'failed']")
    return dict(zip(rows["sample_id"].values, rows["revision"].values, strict=True))


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_compared_in_seconds_and_checked(recipe: Any, row: Any) -> None:
    recipe = with_few_features(recipe)
    store = open_store("memory://")
    store.append("ct", recipe, [replace(row("x"), values=np.full(len(recipe.features), 0.5))])
    count = 100_000

    def grow(root: Any) -> Any:
        """Many copies of the row, written column by column: what `append` takes minutes for."""
        group = root["sets/ct"]
        for name, item in group.arrays():
            if name != "sample_id" and item.metadata.to_dict()["dimension_names"][0] == "sample":
                item.append(np.repeat(item[:1], count, axis=0))
        keys = [f"s{index:06d}" for index in range(count)]
        group["sample_id"].append(np.array(keys, dtype=np.dtypes.StringDType()))
        return write.note_of("ct", group, "append", start=1)

    first = store._repository.commit(grow)
    assert first is not None
    template = replace(row("x"), values=np.full(len(recipe.features), 0.25), inputs_sha256="f" * 64)
    keys = [f"s{index:06d}" for index in range(0, count, 1000)]
    store.append("ct", recipe, [replace(template, sample_id=key, content_sha256="") for key in keys])
    started = time.perf_counter()
    diff = store.diff(first)
    seconds = time.perf_counter() - started
    assert diff.rows["sample_id"].tolist() == keys
    assert set(diff.rows["change"]) == {"replaced"}
    assert seconds < 10
    assert len(diff.values()) == 100
    assert store.check().ok


def test_a_link_is_a_change_of_its_own(filled: FeatureStore) -> None:
    first = filled.commit
    filled.link("ct", {"a2": "a1", "n1": "b1"}, coords={"n1": {"patient_id": "N"}})
    diff = filled.diff(first)
    assert changes(diff) == {"a2": ("linked", "status"), "n1": ("linked", "")}
    assert diff.rows.set_index("sample_id").loc["a2", "detail"] == "ok -> linked (same-as: a1)"
    assert "ct: 2 samples linked" in diff.lines()
    assert "replaced" not in repr(diff)
    assert filled.log()[["what", "added", "replaced", "linked"]].values.tolist()[0] == [
        "ct: 2 samples linked",
        0,
        0,
        2,
    ]
    assert changes(filled.diff(filled.commit, first))["a2"] == ("replaced", "status")


def test_what_a_linked_sample_was_read_from_is_no_new_link(
    filled: FeatureStore, recipe: Any, row: Any
) -> None:
    filled.link("ct", {"n1": "b1"}, coords={"n1": {"patient_id": "N"}})
    first = filled.commit
    filled.append("ct", recipe, [replace(row("n1"), content_sha256=row("b1").content_sha256)])
    assert filled.diff(first).rows["change"].tolist() == ["replaced"]


def test_a_link_that_a_merge_brings_is_a_link(store: FeatureStore, filled: FeatureStore) -> None:
    ours = open_store("memory://")
    ours.merge(filled)
    first = ours.commit
    filled.link("ct", {"a2": "a1"})
    merged = ours.merge(filled)
    assert merged.sets[["added", "replaced", "linked"]].values.tolist() == [[0, 0, 1]]
    assert "ct: 0 rows added, 3 here already, 1 sample linked" in repr(merged)
    assert ours.log()["what"].iloc[0].endswith("merged, 1 sample linked")
    assert ours.diff(first).rows["change"].tolist() == ["linked"]
