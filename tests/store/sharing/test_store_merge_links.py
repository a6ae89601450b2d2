"""Links in a merge: every sample counts as one that is there, and nothing is dropped in silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gclnm.errors import StoreError
from gclnm.store.store import open_store


def made(recipe, *batches):
    """A store with one commit a batch."""
    store = open_store("memory://")
    for batch in batches:
        store.append("ct", recipe, batch)
    return store


def rows_of(store):
    """Status of every current row, and the sample that a linked one counts as."""
    keys = store.keys("ct")
    return {
        key: same or status
        for key, status, same in zip(keys.sample_id, keys.status, keys.same_as, strict=True)
    }


@pytest.mark.parametrize("there", [0, 1])
def test_a_condition_that_breaks_a_chain_of_links_leaves_all_of_it_out(recipe, row, there):
    theirs = made(recipe, [row(key, patient_id=key.upper()) for key in "acde"])
    theirs.link("ct", {"a": "c"})
    theirs.link("ct", {"c": "d"})
    ours = made(recipe, *[[row("own")] for _ in range(there)])
    merged = ours.merge(theirs, where="patient_id != 'D'")
    assert rows_of(ours) == {"e": "ok"} | ({"own": "ok"} if there else {})
    assert merged.omitted.rows == 3
    assert merged.omitted.patients == ("A", "C", "D")


@pytest.mark.parametrize("there", [0, 1])
def test_a_ring_that_the_other_store_has_itself_is_refused_and_can_be_left_out(recipe, row, there):
    theirs = made(recipe, [row("x"), row("y"), row("z")])
    for key, other in (("x", "y"), ("y", "x")):
        link = replace(row(key), status="linked", reason=f"same-as: {other}")
        theirs.append("ct", recipe, [replace(link, values=np.full(len(link.values), np.nan))])
    ours = made(recipe, *[[row("own")] for _ in range(there)])
    with pytest.raises(StoreError, match="2 samples would be linked in a ring"):
        ours.merge(theirs)
    assert ours.merge(theirs, where="sample_id == 'z'").sets["added"].tolist() == [1]


@pytest.mark.parametrize(
    ("prefer", "left"), [("own", {"x": "y", "y": "ok"}), ("other", {"x": "ok", "y": "x"})]
)
def test_links_of_both_stores_that_make_a_ring_are_refused_unless_one_is_preferred(recipe, row, prefer, left):
    theirs = made(recipe, [row("x"), row("y")])
    ours = open_store("memory://")
    ours.merge(theirs)
    ours.link("ct", {"x": "y"})
    theirs.link("ct", {"y": "x"})
    with pytest.raises(StoreError, match="linked in a ring") as caught:
        ours.merge(theirs, patients="same")
    assert caught.value.code == "rows-differ"
    ours.merge(theirs, patients="same", prefer=prefer)
    assert rows_of(ours) == left
    assert ours.check().ok
    assert ours.merge(theirs, patients="same", prefer=prefer).commits == []


def test_a_ring_over_rows_of_two_origins_is_untied_too(recipe, row):
    ours = made(recipe, [row("x", inputs="1"), row("z")])
    ours.link("ct", {"y": "x"}, coords={"y": {"patient_id": "P-y"}})
    theirs = made(recipe, [row("x", inputs="2"), row("y"), row("n")])
    theirs.link("ct", {"x": "n"})
    theirs.link("ct", {"n": "y"})
    for prefer in (None, "own"):
        copy = open_store("memory://")
        copy.merge(ours)
        if prefer is None:
            with pytest.raises(StoreError):
                copy.merge(theirs, patients="same")
        else:
            copy.merge(theirs, patients="same", prefer=prefer)
            assert rows_of(copy) == {"x": "ok", "y": "x", "z": "ok", "n": "y"}
    ours.merge(theirs, patients="same", prefer="other")
    assert rows_of(ours) == {"x": "n", "y": "ok", "z": "ok", "n": "y"}
    assert ours.check().ok


def test_a_correction_of_a_linked_row_is_told(recipe, row):
    ours = made(recipe, [row("a")])
    first = replace(row("t"), content_sha256=row("a").content_sha256)
    theirs = made(recipe, [first])
    ours.merge(theirs)
    ours.link("ct", {"t": "a"})
    assert ours.merge(theirs).commits == []
    theirs.append("ct", recipe, [row("t", inputs="corrected")])
    with pytest.raises(StoreError, match="1 row is in both stores with other inputs"):
        ours.merge(theirs)
    kept = ours.merge(theirs, prefer="own").sets.iloc[0]
    assert kept[["replaced", "there", "kept"]].tolist() == [0, 0, 1]
    assert rows_of(ours) == {"a": "ok", "t": "a"}
    ours.merge(theirs, prefer="other")
    assert rows_of(ours) == {"a": "ok", "t": "ok"}


def test_a_row_that_was_linked_before_it_was_read_is_told_where_its_content_is_another(recipe, row):
    same = replace(row("t"), content_sha256=row("a").content_sha256)
    for there, told in ((same, False), (row("t"), True)):
        ours = made(recipe, [row("a")])
        ours.link("ct", {"t": "a"}, coords={"t": {"patient_id": "P-t"}})
        if told:
            with pytest.raises(StoreError, match="1 row is in both stores with other inputs"):
                ours.merge(made(recipe, [there]), patients="same")
        else:
            assert ours.merge(made(recipe, [there]), patients="same").sets.there[0] == 1


def test_other_names_are_refused_for_patients_whose_rows_were_never_read(recipe, row):
    failed = [row(f"key-of-{who}", patient_id=who, failed="unreadable: gone", unread=True) for who in "FK"]
    theirs = made(recipe, failed)
    ours = open_store("memory://")
    ours.merge(theirs, patients={"F": "G"})
    assert ours.merge(theirs, patients={"F": "G"}).commits == []
    theirs.append("ct", recipe, [row("key-of-F", patient_id="F")])
    for patients in (None, {"F": "H"}, {"F": "G", "K": "L"}):
        with pytest.raises(StoreError, match="1 patient of the other store is here already"):
            ours.merge(theirs, patients=patients)
    assert ours.merge(theirs, patients={"F": "G"}).sets.replaced[0] == 1
    assert len(ours.keys("ct")) == 2


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_patient_whose_row_was_replaced_since_is_still_the_same_person(recipe, row, side):
    """What came from one store on both sides tells so, even when it is no longer current."""
    hospital = made(recipe, [row("x")])
    stores = {name: made(recipe, [row(name)]) for name in ("ours", "theirs")}
    for store in stores.values():
        store.merge(hospital)
    stores[side].append("ct", recipe, [row("x", inputs="corrected")])
    assert stores["ours"].merge(stores["theirs"], prefer="own").sets.kept[0] == 1
