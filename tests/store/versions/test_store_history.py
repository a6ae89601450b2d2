"""Commits, tags and dates; and where one row comes from."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gclnm import __version__
from gclnm.errors import InputError, StoreError


def test_the_log_reads_like_a_history_newest_first(filled, recipe, row):
    filled.append("ct", recipe, [row("b2", patient_id="B", rater="Y")], message="slice found again")
    filled.tag("submission-1")
    log = filled.log()
    assert log["what"].tolist() == [
        "ct: 1 row replaced",
        "ct: set created, 4 rows added, 1 of them failed",
        "create store",
    ]
    assert log["message"].tolist() == ["slice found again", "", ""]
    assert log["tags"].tolist() == ["submission-1", "", ""]
    assert log.loc[1, ["set", "added", "replaced", "failed"]].tolist() == ["ct", 4, 0, 1]
    assert log["time"].is_monotonic_decreasing
    assert str(log["time"].dt.tz) == "UTC"


def test_a_tag_names_the_newest_commit_and_never_moves(filled, recipe, row):
    commit = filled.tag("v1.0")
    filled.append("ct", recipe, [row("c1")])
    with pytest.raises(StoreError, match="never moves"):
        filled.tag("v1.0")
    assert filled.tags()[["tag", "commit"]].values.tolist() == [["v1.0", commit]]
    assert filled.read("ct", at="v1.0").sizes["sample"] == 3
    assert filled.read("ct").sizes["sample"] == 4


@pytest.mark.parametrize("name", ["", "a/b", "..", "x y", "-v"])
def test_a_tag_needs_a_safe_name(filled, name):
    with pytest.raises(InputError, match="cannot have this name"):
        filled.tag(name)


def test_a_tag_cannot_stand_for_another_commit_or_a_date(filled):
    for name in (filled.commit, "2020-01-01", "20200101"):
        with pytest.raises(InputError, match="look like a commit or a date"):
            filled.tag(name)


def test_every_way_to_name_a_version_reads_the_same_rows(filled, recipe, row):
    first = filled.log().iloc[0]
    filled.append("ct", recipe, [row("c1")])
    second = filled.log().iloc[0]
    between = first["time"] + (second["time"] - first["time"]) / 2
    for at in (
        first["commit"],
        first["commit"][:8],
        first["commit"][:8].lower(),
        first["time"],
        between.to_pydatetime(),
        between.tz_localize(None).isoformat(),
        between.tz_convert("Asia/Shanghai").isoformat(),
    ):
        assert filled.read("ct", at=at).sizes["sample"] == 3
    assert filled.table("ct", at=second["commit"])["sample_id"].tolist()[-1] == "c1"


def test_a_date_alone_means_its_end(filled):
    today = datetime.now(UTC).date()
    for at in (today, today.isoformat()):
        assert filled.read("ct", at=at).sizes["sample"] == 3
    with pytest.raises(StoreError, match="did not exist then"):
        filled.read("ct", at=(today - timedelta(days=2)).isoformat())


def test_an_unknown_version_names_the_tags(filled):
    filled.tag("v1")
    with pytest.raises(StoreError, match=r"no tag, commit or date.*Tags: v1"):
        filled.read("ct", at="v2")
    with pytest.raises(InputError, match="at="):
        filled.read("ct", at=3)


def test_a_set_that_came_later_does_not_exist_earlier(filled, recipe, row):
    filled.tag("v1")
    filled.append("pet", recipe, [row("p1")])
    with pytest.raises(StoreError, match="no feature set 'pet'"):
        filled.read("pet", at="v1")


def test_a_row_is_explained_with_everything_that_made_it(filled, recipe):
    explained = filled.explain("a1")
    assert explained.coords == {"patient_id": "A", "roi": "GTV", "rater": "X", "modality": "CT"}
    assert explained.recipe == json.loads(recipe.to_json())
    assert explained.recipe_id == recipe.id
    assert explained.commit == filled.log().iloc[0]["commit"]
    assert explained.versions["gclnm"] == __version__
    assert explained.versions["numpy"] == np.__version__
    assert "pyradiomics-bhklab" in explained.versions
    assert explained.history["image"][0]["step"] == "rescale"
    assert (explained.computed, explained.features) == (len(recipe.features), len(recipe.features))
    text = repr(explained)
    assert "rescale slope=1" in text
    assert "1, never replaced" in text


def test_a_replaced_row_is_explained_with_its_earlier_revisions(filled, recipe, row):
    first = filled.commit
    second = filled.append("ct", recipe, [row("b2", patient_id="B", rater="Y")])
    explained = filled.explain("b2")
    assert [(r["revision"], r["status"], r["commit"]) for r in explained.revisions] == [
        (1, "failed", first),
        (2, "ok", second),
    ]
    then = filled.explain("b2", at=first)
    assert (then.revision, then.status) == (1, "failed")
    assert "a slice is missing" in repr(then)


def test_a_sample_of_several_sets_needs_the_name(filled, recipe, row):
    filled.append("pet", recipe, [row("a1")])
    with pytest.raises(StoreError, match="name=: ct, pet"):
        filled.explain("a1")
    assert filled.explain("a1", "pet").set == "pet"


def test_an_unknown_sample_is_refused(filled):
    with pytest.raises(StoreError, match="no row has this sample_id"):
        filled.explain("zz")
    with pytest.raises(StoreError, match="no feature set"):
        filled.explain("a1", "pet")


def test_what_comes_from_files_is_escaped_in_notebooks(store, recipe, row):
    store.append("ct", recipe, [row("s1", patient_id="<script>alert(1)</script>")])
    for shown in (store.explain("s1")._repr_html_(), store._repr_html_()):
        assert "<script>" not in shown


def test_a_store_shows_its_sets(filled):
    assert repr(filled) == "FeatureStore memory://, ct: 3 rows x 107 features, 1 failed"
    assert "<td>ct</td>" in filled._repr_html_()


def test_every_kind_of_commit_is_a_sentence_of_the_history_and_leaves_the_store_whole(
    filled, recipe, other_recipe, row
):
    import pandas as pd

    from gclnm.store.store import open_store

    theirs = open_store("memory://")
    theirs.append("ct", recipe, [row("h1", patient_id="H"), row("h2", patient_id="H", rater="Y")])
    theirs.select("ct", "few", ["original_shape_Sphericity", "original_firstorder_Mean"])
    theirs.put_table("labels", pd.DataFrame({"patient_id": ["H"], "grade": [2]}))
    store_id = theirs._repository.root(theirs.commit).attrs["store_id"]
    filled.put_table("clinical", pd.DataFrame({"patient_id": ["A", "B"], "age": [60, 70]}))
    filled.select("ct", "robust", ["original_shape_Sphericity"])
    filled.link("ct", {"a2": "a1"})
    filled.merge(theirs)
    filled.compact("ct")
    filled.tag("submission-1")
    filled.create("ct", other_recipe, replace=True)
    filled.append("ct", other_recipe, [row("a1")], message="with narrow bins")
    log = filled.log()
    assert log["what"].tolist() == [
        "ct: 1 row added",
        "ct: set started anew",
        "ct: rewritten for reading columns",
        "labels: table merged from another store",
        f"ct: rows of store {store_id[:8]} merged, selection few taken over, 2 rows added",
        "ct: 1 sample linked",
        "ct: selection robust stored, 1 feature",
        "clinical: table stored, 2 rows",
        "ct: set created, 4 rows added, 1 of them failed",
        "create store",
    ]
    assert log["tags"].tolist()[2] == "submission-1"
    assert log["message"].tolist()[0] == "with narrow bins"
    for commit in log["commit"]:
        assert filled.diff(commit, commit).rows.empty
    found = filled.check()
    assert found.ok, found
    assert found.seen["tables"] == 2
    assert filled.explain("h1", at="submission-1").origin["store_id"] == store_id
