"""Samples with the content of another one: held back, linked, or called truly different."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gclnm.errors import InputError
from gclnm.store.store import open_store

if TYPE_CHECKING:
    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe
    from gclnm.store.store import FeatureStore

    from .conftest import RowMaker


def of_series(row: Row, series: str, like: Row | None = None, **coords: str) -> Row:
    """The row of a volume of this series; with the content of another row."""
    content = like.content_sha256 if like else row.content_sha256
    return replace(row, coords={**row.coords, "series_uid": series, **coords}, content_sha256=content)


@pytest.fixture
def first(row: RowMaker) -> Row:
    return of_series(row("a1", patient_id="A"), "1.2")


@pytest.fixture
def twin(row: RowMaker, first: Row) -> Row:
    """The same images and contour under another patient and series."""
    return of_series(row("x1", patient_id="X"), "9.8", first)


def status(store: FeatureStore) -> dict[str, str]:
    keys = store.keys("ct")
    return dict(zip(keys["sample_id"], keys["status"], strict=True))


def same_as(store: FeatureStore) -> dict[str, str]:
    keys = store.keys("ct")
    return {key: other for key, other in zip(keys["sample_id"], keys["same_as"], strict=True) if other}


@pytest.mark.parametrize("together", [True, False])
def test_a_row_with_the_content_of_another_sample_is_a_failed_row_that_names_it(
    store: FeatureStore, recipe: Recipe, first: Row, twin: Row, together: bool
) -> None:
    for rows in [[first, twin]] if together else [[first], [twin]]:
        taken = store.offer("ct", recipe, rows)
    assert [row.sample_id for row in taken.refused] == ["x1"]
    assert status(store) == {"a1": "ok", "x1": "failed"}
    assert same_as(store) == {"x1": "a1"}
    failed = store.read("ct", where="status == 'failed'")
    assert failed["reason"].item() == "same-content: its voxels, grid and mask are those of sample a1"
    assert np.isnan(failed["value"].values).all()
    assert list(store.read("ct")["sample_id"].values) == ["a1"]


def test_the_same_refusal_twice_is_one_row(
    store: FeatureStore, recipe: Recipe, first: Row, twin: Row
) -> None:
    store.append("ct", recipe, [first, twin])
    again = store.offer("ct", recipe, [twin])
    assert (again.commit, again.written, len(again.refused)) == (None, frozenset(), 1)


def test_two_readers_with_one_contour_on_one_volume_are_no_twins(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row
) -> None:
    other = of_series(row("a2", patient_id="A", rater="Y"), "1.2", first)
    assert not store.offer("ct", recipe, [first, other]).refused
    assert status(store) == {"a1": "ok", "a2": "ok"}


@pytest.mark.parametrize("coords", [{"patient_id": "X"}, {"series_uid": "9.8"}, {"split": "2"}])
def test_another_patient_series_or_volume_makes_a_twin(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row, coords: dict[str, str]
) -> None:
    other = of_series(row("a2"), "1.2", first, **{"patient_id": "A", **coords})
    assert len(store.offer("ct", recipe, [first, other]).refused) == 1


def test_of_several_twins_the_one_of_the_same_reader_is_named(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row
) -> None:
    readers = [of_series(row(f"a{who}", patient_id="A", rater=who), "1.2", first) for who in "YZ"]
    store.append("ct", recipe, readers)
    store.append("ct", recipe, [of_series(row("x1", patient_id="X", rater="Z"), "9.8", first)])
    assert same_as(store) == {"x1": "aZ"}


def test_what_was_perturbed_or_derived_is_not_the_twin_of_what_was_not(
    store: FeatureStore, recipe: Recipe, twin: Row, first: Row
) -> None:
    changed = replace(twin, coords={**twin.coords, "perturbation": "rotate 3"})
    assert not store.offer("ct", recipe, [first, changed]).refused


def test_a_row_without_content_and_a_failed_one_have_no_twins(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row, twin: Row
) -> None:
    without = [replace(first, content_sha256=""), replace(twin, content_sha256="")]
    assert not store.offer("ct", recipe, without).refused
    failed = of_series(row("b1", failed="engine: x"), "3.4", first)
    assert not store.offer("ct", recipe, [failed]).refused


@pytest.mark.parametrize("together", [True, False])
def test_a_twin_whose_contour_was_corrected_since_is_named(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row, twin: Row, together: bool
) -> None:
    store.append("ct", recipe, [first])
    corrected = of_series(row("a1", patient_id="A", inputs="2"), "1.2")
    for rows in [[corrected, twin]] if together else [[corrected], [twin]]:
        taken = store.offer("ct", recipe, rows)
    assert status(store) == {"a1": "ok", "x1": "failed"}
    assert same_as(store) == {"x1": "a1"}
    assert taken.refused[0].reason.endswith("are those of an earlier revision of sample a1")


@pytest.mark.parametrize("reopened", [True, False])
def test_the_content_of_a_linked_sample_names_the_one_that_it_counts_as(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row, reopened: bool
) -> None:
    own = of_series(row("x1", patient_id="X"), "9.8")
    store.append("ct", recipe, [first, own])
    store.link("ct", {"x1": "a1"})
    if reopened:
        store._indices.clear()
    store.append("ct", recipe, [of_series(row("y1", patient_id="Y"), "7.7", own)])
    assert same_as(store) == {"x1": "a1", "y1": "a1"}
    assert status(store)["y1"] == "failed"


def test_a_sample_that_returns_to_what_it_was_is_no_twin_of_one_that_was_called_different(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row, twin: Row
) -> None:
    store.offer("ct", recipe, [first, twin], distinct={"x1"})
    store.append("ct", recipe, [of_series(row("x1", patient_id="X", inputs="2"), "9.8")])
    assert not store.offer("ct", recipe, [twin]).refused
    assert status(store) == {"a1": "ok", "x1": "ok"}


def test_a_row_that_turns_into_another_sample_is_held_back_and_its_numbers_stay_readable(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row, twin: Row
) -> None:
    own = of_series(row("x1", patient_id="X", inputs="own"), "9.8")
    before = store.append("ct", recipe, [first, own])
    store.append("ct", recipe, [twin])
    assert status(store) == {"a1": "ok", "x1": "failed"}
    assert len(store.read("ct", at=before)["sample_id"]) == 2


def test_two_stores_on_one_folder_see_each_others_rows(
    tmp_path: object, recipe: Recipe, first: Row, twin: Row
) -> None:
    one, other = open_store(f"{tmp_path}/s"), open_store(f"{tmp_path}/s")
    other.create("ct", recipe)
    other.keys("ct")
    one.append("ct", recipe, [first])
    assert len(other.offer("ct", recipe, [twin]).refused) == 1


def test_a_link_retires_the_refusal_in_one_commit_that_says_so(
    store: FeatureStore, recipe: Recipe, first: Row, twin: Row
) -> None:
    before = store.append("ct", recipe, [first, twin])
    commit = store.link("ct", {"x1": "a1"})
    assert status(store) == {"a1": "ok", "x1": "linked"}
    assert store.log()["commit"].iloc[0] == commit
    assert store.log()["what"].iloc[0] == "ct: 1 sample linked"
    everything = store.read("ct", where="status in ['ok', 'failed', 'linked'] and current in [True, False]")
    assert sorted(everything["revision"].values) == [1, 1, 2]
    assert store.read("ct", at=before, where="status == 'failed'").sizes["sample"] == 1
    assert store.read("ct", where="status == 'failed'").sizes["sample"] == 0
    assert store.sets()[["rows", "failed"]].values.tolist() == [[1, 0]]
    assert store.link("ct", {"x1": "a1"}) is None


def linked(store: FeatureStore, recipe: Recipe, first: Row, twin: Row) -> None:
    store.append("ct", recipe, [first])
    store.link("ct", {"x1": "a1"}, coords={"x1": twin.coords})
    assert store.offer("ct", recipe, [twin]).written == frozenset()


def test_a_linked_sample_with_the_same_content_adds_no_row_and_is_known_from_then_on(
    store: FeatureStore, recipe: Recipe, first: Row, twin: Row
) -> None:
    linked(store, recipe, first, twin)
    keys = store.keys("ct").set_index("sample_id")
    assert keys.loc["x1", "inputs_sha256"] == twin.inputs_sha256
    assert (keys.loc["x1", "status"], keys.loc["a1", "revision"]) == ("linked", 1)
    assert store.offer("ct", recipe, [twin]).commit is None
    unreadable = replace(
        twin, status="failed", reason="unreadable: x", inputs_sha256="", values=twin.values * np.nan
    )
    assert store.offer("ct", recipe, [unreadable]).commit is None


def test_a_correction_of_a_linked_sample_is_a_revision_of_the_row_that_it_counts_as(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row, twin: Row
) -> None:
    linked(store, recipe, first, twin)
    before = store.commit
    corrected = of_series(row("x1", patient_id="X", inputs="corrected"), "9.8")
    assert store.offer("ct", recipe, [corrected]).written == {"x1"}
    now = store.read("ct")
    assert list(now["sample_id"].values) == ["a1"]
    assert (now["patient_id"].item(), now["series_uid"].item(), now["revision"].item()) == ("A", "1.2", 2)
    assert now["value"].values[0].tolist() == corrected.values.tolist()
    assert store.read("ct", at=before)["value"].values[0].tolist() == first.values.tolist()
    assert status(store)["x1"] == "linked"


def test_a_header_corrected_after_linking_is_a_revision_though_the_content_is_the_same(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row, twin: Row
) -> None:
    linked(store, recipe, first, twin)
    heavier = of_series(row("x1", patient_id="X", inputs="another weight"), "9.8", first)
    assert store.offer("ct", recipe, [heavier]).written == {"x1"}
    assert store.keys("ct").set_index("sample_id")["revision"].to_dict() == {"a1": 2, "x1": 3}
    assert store.read("ct")["value"].values[0].tolist() == heavier.values.tolist()


def test_of_several_samples_that_count_as_one_row_a_batch_writes_one_revision(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row, twin: Row
) -> None:
    other = of_series(row("y1", patient_id="Y"), "7.7", first)
    store.append("ct", recipe, [first, twin, other])
    store.link("ct", {"x1": "a1", "y1": "a1"})
    news = [of_series(row(key, patient_id=key, inputs="new"), "9.8") for key in ("x1", "y1")]
    assert store.offer("ct", recipe, news).written == {"x1"}
    everything = store.read("ct", where={"sample_id": "a1", "current": [True, False]})
    assert sorted(zip(everything["revision"].values, everything["current"].values, strict=True)) == [
        (1, False),
        (2, True),
    ]


def test_a_computed_row_can_be_linked_so_that_a_doubled_set_is_repaired(
    store: FeatureStore, recipe: Recipe, first: Row, twin: Row
) -> None:
    store.offer("ct", recipe, [first, twin], distinct={"x1"})
    assert status(store) == {"a1": "ok", "x1": "ok"}
    store.link("ct", {"x1": "a1"})
    assert list(store.read("ct")["sample_id"].values) == ["a1"]


def test_what_was_called_different_stays_and_may_leave_a_link(
    store: FeatureStore, recipe: Recipe, first: Row, twin: Row
) -> None:
    store.append("ct", recipe, [first])
    store.link("ct", {"x1": "a1"}, coords={"x1": twin.coords})
    assert store.offer("ct", recipe, [twin], distinct={"x1"}).written == {"x1"}
    moved = replace(twin, coords={**twin.coords, "phase": "arterial"})
    assert store.offer("ct", recipe, [moved]).written == {"x1"}
    assert status(store) == {"a1": "ok", "x1": "ok"}


def test_chains_lead_to_their_end_and_rings_and_strangers_are_refused(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row
) -> None:
    store.append("ct", recipe, [first, row("b"), row("c")])
    store.link("ct", {"b": "c", "c": "a1"})
    assert same_as(store) == {"b": "a1", "c": "a1"}
    with pytest.raises(InputError, match="ring"):
        store.link("ct", {"a1": "b"})
    with pytest.raises(InputError, match="2 samples of same_as are not known") as caught:
        store.link("ct", {"no": "a1", "a1": "nope"})
    assert caught.value.where == "'no', 'nope'"
    assert status(store)["a1"] == "ok"


def test_looking_for_twins_costs_little_in_a_large_set(
    store: FeatureStore, recipe: Recipe, row: RowMaker, first: Row
) -> None:
    """Only rows with the content of a new one are looked at: no array is read otherwise."""
    from gclnm.store import links
    from gclnm.store.layout import arrays, set_group

    store.append("ct", recipe, [first, row("b"), row("c")])
    group = set_group(store._repository.root(store.commit), "ct")
    assert group is not None
    index = store._index("ct")
    stored = dict.fromkeys(arrays(group), None)
    fresh = [row("d"), row("e")]
    assert links.screened(stored, index.look(group), fresh).rows == tuple(fresh)  # type: ignore[arg-type]
