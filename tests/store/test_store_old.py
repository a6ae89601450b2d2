"""Stores of earlier versions: kept here, opened by every later one, on both lines of icechunk."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gclnm.pipeline import Row
from gclnm.recipe.recipe import Recipe
from gclnm.store.store import open_store

FOLDER = Path(__file__).parent / "old"


@pytest.fixture(params=sorted(FOLDER.glob("format-*")), ids=lambda path: path.name)
def kept(request, tmp_path):
    """A copy of a kept store, and what was put into it."""
    shutil.copytree(request.param / "store", tmp_path / "store")
    return tmp_path / "store", json.loads((request.param / "expected.json").read_text("utf-8"))


def values(store, name, **how):
    data = store.read(name, **how)
    return dict(zip(data["sample_id"].values.tolist(), data["value"].values, strict=True))


def exact(found, expected):
    """The same rows, the same numbers to the last bit."""
    assert found.keys() == expected.keys()
    for key, numbers in expected.items():
        np.testing.assert_array_equal(found[key], [float.fromhex(number) for number in numbers])


def test_a_kept_store_is_read_to_the_last_bit(kept):
    url, expected = kept
    before = {path: path.read_bytes() for path in url.rglob("*") if path.is_file()}
    store = open_store(url, mode="r")
    exact(values(store, "ct"), expected["now"])
    exact(values(store, "pet"), expected["pet"])
    exact(values(store, "ct", at="submission-1"), expected["tag"])
    data = store.read("ct")
    assert data["feature"].values.tolist() == expected["features"]
    assert data.attrs["recipe_id"] == expected["recipe_id"]["ct"]
    rows = store.table("ct").set_index("sample_id")
    assert rows["rater"].to_dict() == expected["raters"]
    assert set(rows["centre"]) == {"北京"}
    energies = {key: None if value != value else value for key, value in rows["energy_kev"].items()}
    assert expected["energy_kev"].items() <= energies.items()
    assert {path: path.read_bytes() for path in url.rglob("*") if path.is_file()} == before


def test_failed_linked_and_replaced_rows_of_a_kept_store_are_what_they_were(kept):
    url, expected = kept
    store = open_store(url, mode="r")
    keys = store.keys("ct").set_index("sample_id")
    assert keys.revision[expected["replaced"]] == 2
    assert keys.same_as[list(expected["linked"])].to_dict() == expected["linked"]
    failed = store.table("ct", where="status == 'failed'").set_index("sample_id")
    assert failed.reason.to_dict() == expected["failed"]


def test_tables_and_selections_of_a_kept_store_are_what_they_were(kept):
    url, expected = kept
    store = open_store(url, mode="r")
    table = store.get_table("clinical")
    for name, wanted in expected["clinical"].items():
        assert [None if cell != cell else cell for cell in table[name]] == wanted
    assert store.selections("ct").names[0] == expected["robust"]
    assert store.read("ct", select="robust")["feature"].values.tolist() == expected["robust"]
    joined = store.table("ct", tables=["clinical"]).set_index("sample_id")
    assert joined.pN[expected["replaced"]] == 1


def test_the_history_of_a_kept_store_is_told(kept):
    url, expected = kept
    store = open_store(url, mode="r")
    log = store.log()
    assert log.message.iloc[-2] == "first rows"
    assert (log.added.sum(), log.tags.tolist().count("submission-1")) == (6, 1)
    merged = store.explain(expected["merged"])
    assert merged.origin["commit"] == expected["origin_commit"]
    assert merged.origin["store_id"] == expected["origin_store"]
    assert len(store.explain(expected["replaced"]).revisions) == 2
    assert store.explain(expected["merged"]).status == "ok"
    changed = store.diff("submission-1").rows.set_index("sample_id")
    assert changed.change[expected["replaced"]] == "replaced"
    assert store.check().ok


def test_a_kept_store_is_written_on(kept):
    url, expected = kept
    store = open_store(url)
    recipe = Recipe(**json.loads(store.read("ct").attrs["recipe"]))
    count = len(recipe.features)
    row = Row(
        sample_id="new",
        coords={"patient_id": "N", "roi": "GTV"},
        status="ok",
        reason="",
        values=np.linspace(0.1, 0.9, count),
        diagnostics=np.zeros(len(recipe.diagnostics)),
        inputs_sha256="0" * 64,
        content_sha256="1" * 64,
    )
    store.append("ct", recipe, [row])
    again = replace(row, sample_id=expected["replaced"], content_sha256="2" * 64)
    store.append("ct", recipe, [again])
    found = values(store, "ct")
    assert len(found) == len(expected["now"]) + 1
    np.testing.assert_array_equal(found["new"], row.values)
    assert store.keys("ct").set_index("sample_id").revision[expected["replaced"]] == 3
    exact(values(store, "ct", at="submission-1"), expected["tag"])
    store.compact("ct")
    assert values(store, "ct").keys() == found.keys()
    assert store.check().ok


def test_a_kept_store_is_merged_into_a_new_one(kept):
    url, expected = kept
    new = open_store("memory://")
    new.merge(url)
    exact(values(new, "ct"), expected["now"])
    assert new.explain(expected["merged"]).origin["commit"] == expected["origin_commit"]
    assert new.get_table("clinical").equals(open_store(url).get_table("clinical"))


def test_there_is_a_kept_store():
    assert sorted(path.name for path in FOLDER.glob("format-*")) == ["format-1"]
