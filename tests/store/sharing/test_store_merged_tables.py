"""Clinical tables of several hospitals: which copy of a row is right, and what putting one again keeps."""

from __future__ import annotations

import pandas as pd
import pytest

from gclnm.errors import StoreError
from gclnm.store.store import open_store


def made(recipe, *rows):
    store = open_store("memory://")
    if rows:
        store.append("ct", recipe, rows)
    return store


def clinical(*rows):
    return pd.DataFrame(list(rows), columns=["patient_id", "age", "stage"])


@pytest.fixture
def ours(recipe, row):
    return made(recipe, row("a1", patient_id="A1"), row("a2", patient_id="A2"))


@pytest.fixture
def with_table(recipe, row):
    theirs = made(recipe, row("b1", patient_id="B1"), row("b2", patient_id="B2"))
    table = clinical(("B1", 61, "II"), ("B2", 48, "III"), ("B-not-imaged", 70, ""))
    theirs.put_table("clinical", table, values={"stage": str})
    return theirs


def test_of_two_copies_of_a_hospitals_table_the_later_one_counts(recipe, row, with_table):
    """A copy of before the correction neither brings the old cells back nor holds a merge up."""
    stale, fresh = made(recipe), made(recipe)
    stale.merge(with_table)
    table = clinical(("B1", 62, ""), ("B2", 48, "IV"), ("B-not-imaged", 70, ""))
    with_table.put_table("clinical", table, values={"stage": str})
    fresh.merge(with_table)
    with_table.merge(stale)
    fresh.merge(stale, prefer="other")
    for store in (with_table, fresh):
        assert store.get_table("clinical").set_index("patient_id").stage.to_dict() == {
            "B-not-imaged": "",
            "B1": "",
            "B2": "IV",
        }
    stale.merge(fresh)
    assert stale.get_table("clinical").equals(fresh.get_table("clinical"))
    assert stale.merge(fresh).commits == fresh.merge(stale).commits == []


def test_rows_that_one_side_wrote_itself_are_no_copies_of_the_others(recipe, row, with_table):
    copy, third = made(recipe), made(recipe, row("b1", patient_id="B1"))
    copy.merge(with_table)
    # Twice, so that the places in the two histories differ.
    for age in (98, 99):
        third.put_table("clinical", clinical(("B1", age, "I")))
    for one, other in ((copy, third), (third, copy), (third, with_table), (with_table, third)):
        with pytest.raises(StoreError, match="rows of a clinical table differ for 1 patient"):
            one.merge(other, patients="same")


def test_a_table_put_again_keeps_the_rows_that_a_merge_brought(ours, with_table):
    ours.put_table("clinical", clinical(("A1", 50, "I")))
    ours.merge(with_table)
    report = ours.put_table("clinical", clinical(("A1", 51, "I")))
    assert report.merged == 3
    assert "3 rows that a merge brought stay" in repr(report)
    ages = ours.get_table("clinical").set_index("patient_id").age.to_dict()
    assert ages == {"A1": 51, "B-not-imaged": 70, "B1": 61, "B2": 48}
    # Put as a whole, rows that are as they came are still the other hospital's: it can correct them.
    edited = ours.get_table("clinical")
    edited.loc[edited.patient_id == "A1", "age"] = 52
    assert ours.put_table("clinical", edited, values={"stage": str}).merged == 0
    table = clinical(("B1", 61, "II"), ("B2", 49, "III"), ("B-not-imaged", 71, ""))
    with_table.put_table("clinical", table, values={"stage": str})
    ours.merge(with_table)
    ages = ours.get_table("clinical").set_index("patient_id").age.to_dict()
    assert ages == {"A1": 52, "B-not-imaged": 71, "B1": 61, "B2": 49}
    before = ours.commit
    with pytest.raises(StoreError, match="than rows that a merge brought") as caught:
        ours.put_table("clinical", clinical(("A1", "old", "I")))
    assert caught.value.code == "merged-rows"
    assert ours.commit == before
