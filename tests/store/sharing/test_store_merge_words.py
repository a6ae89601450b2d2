"""What a merge says where something may not be meant: forgotten new ids, a set under another name."""

from __future__ import annotations

import pytest

from gclnm.errors import StoreError
from gclnm.store.store import open_store


def made(recipe, *batches, name="ct"):
    """A store with one commit a batch."""
    store = open_store("memory://")
    for batch in batches:
        store.append(name, recipe, batch)
    return store


def refusal(ours, theirs, **options):
    with pytest.raises(StoreError) as caught:
        ours.merge(theirs, **options)
    return caught.value


def numbered(recipe, row, patients, **options):
    return made(recipe, [row(f"k{patient}", patient_id=patient, **options) for patient in patients])


@pytest.mark.parametrize("unread", [True, False])
def test_forgotten_new_ids_are_told_as_the_mapping_to_pass(recipe, row, unread):
    options = {"failed": "unreadable: gone", "unread": True} if unread else {}
    theirs = numbered(recipe, row, "12", **options)
    ours = open_store("memory://")
    ours.merge(theirs, patients=lambda number: f"east-{number}")
    error = refusal(ours, theirs)
    assert error.code == "renamed-before"
    assert error.what == "2 patients of the other store are here already under other ids"
    assert error.fix.endswith("patients={'1': 'east-1', '2': 'east-2'}.")
    assert ours.merge(theirs, patients={"1": "east-1", "2": "east-2"}).commits == []


def test_of_many_forgotten_ids_the_first_five_are_shown(recipe, row):
    theirs = numbered(recipe, row, "123456")
    ours = open_store("memory://")
    ours.merge(theirs, patients=lambda number: f"e{number}")
    assert refusal(ours, theirs).fix.endswith(
        "patients={'1': 'e1', '2': 'e2', '3': 'e3', '4': 'e4', '5': 'e5', ...}."
    )


def test_the_mapping_holds_those_too_that_were_right_and_not_those_that_kept_their_id(recipe, row):
    theirs = numbered(recipe, row, ["F", "K", "N"])
    ours = open_store("memory://")
    ours.merge(theirs, patients={"F": "G", "N": "M"})
    error = refusal(ours, theirs, patients={"F": "G", "K": "L"})
    assert error.what.startswith("2 patients")
    assert error.fix.endswith("patients={'F': 'G', 'N': 'M'}.")
    plain = open_store("memory://")
    plain.merge(theirs)
    one = refusal(plain, theirs, patients={"K": "L"})
    assert one.what == "1 patient of the other store is here already under another id"
    assert one.fix.endswith(": none.")


def test_a_forgotten_id_that_is_another_patients_here_is_told_once(recipe, row):
    """The coast's patient 1 is no reason to ask who the east's patient 1 is: he is here as east-1."""
    ours = open_store("memory://")
    ours.merge(numbered(recipe, row, "1"))
    east = made(recipe, [row("e1", patient_id="1")])
    ours.merge(east, patients={"1": "east-1"})
    error = refusal(ours, east)
    assert (error.code, error.where) == ("renamed-before", "patients 'east-1'")


def test_another_recipe_is_told_without_a_way_that_does_not_exist(recipe, other_recipe, row):
    error = refusal(made(recipe, [row("a")]), made(other_recipe, [row("b")]))
    assert error.code == "other-recipe"
    assert error.fix.endswith("Extract with one recipe file in both places.")


def test_a_set_that_is_new_here_is_told_where_one_of_ours_has_the_same_recipe(recipe, other_recipe, row):
    ours = made(recipe, [row("a")], name="ct-study")
    theirs = made(recipe, [row("b")])
    theirs.append("fine", other_recipe, [row("b")])
    merged = ours.merge(theirs)
    assert merged.notes == ("set 'ct' is new here; 'ct-study' has the same recipe",)
    assert merged.notes[0] in repr(merged)
    assert "is new here; &#x27;ct-study&#x27; has" in merged._repr_html_()
    assert ours.merge(theirs).notes == ()


def test_two_sets_of_one_recipe_that_come_together_are_not_told_of_each_other(recipe, row):
    theirs = made(recipe, [row("b")])
    theirs.append("twice", recipe, [row("b")])
    assert open_store("memory://").merge(theirs).notes == ()
