"""Ids of a table and of the images: spelled alike, matched where it is certain, refused where not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.catalog.scanning.patients import key_function
from gclnm.errors import InputError
from gclnm.store.clinical.cells import cell_text
from gclnm.store.clinical.patient_ids import match_ids, normalise_id

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
numbers = st.integers(0, 10**12)
texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12)


@given(texts)
def test_a_normalised_id_stays_as_it_is(text):
    once = normalise_id(text)
    assert normalise_id(once) == once


@given(numbers, st.integers(0, 4))
def test_every_spelling_of_a_number_is_one_id(number, decimals):
    plain = str(number)
    for spelling in (
        plain.translate(FULL_WIDTH),
        f"  {plain}\t",
        f"\u3000{plain}",
        f"{plain}.{'0' * decimals}" if decimals else plain,
        cell_text(number),
        cell_text(float(number)),
    ):
        assert normalise_id(spelling) == plain


@given(numbers, st.integers(0, 6), st.integers(0, 6))
def test_leading_zeros_do_not_part_a_patient_from_the_images(number, here, there):
    table, image = "0" * here + str(number), "0" * there + str(number)
    match = match_ids([table], [image, "other"])
    assert match.stored == {table: image}
    assert match.known == {table}


@given(numbers, st.integers(0, 3), st.integers(0, 3))
def test_leading_zeros_do_not_part_a_patient_from_keyed_images(number, here, there):
    key = key_function("a secret")
    table, image = "0" * here + str(number), "0" * there + str(number)
    assert match_ids([table], [key(image)], "a secret").stored == {table: key(image)}


@given(st.lists(texts.filter(lambda text: normalise_id(text)), unique=True, max_size=6))
def test_ids_written_as_the_images_write_them_always_match(ids):
    assert match_ids(ids, ids).stored == {name: name for name in ids}


@given(st.sets(numbers, min_size=1, max_size=8), st.sets(numbers, min_size=1, max_size=8))
def test_no_patient_is_taken_for_another(table, images):
    match = match_ids(map(str, table), [f"{n:014d}" for n in images])
    assert {int(name) for name in match.known} == table & images
    assert all(int(raw) == int(stored) for raw, stored in match.stored.items())


def test_the_spelling_of_the_images_comes_first():
    assert match_ids(["7"], ["7", "007"]).stored == {"7": "7"}
    assert match_ids(["12.0"], ["12.0", "12"]).stored == {"12.0": "12.0"}
    assert match_ids(["１２"], ["12", "012"]).stored == {"１２": "12"}


@pytest.mark.parametrize("key", [None, "a secret", lambda name: f"X{name}", {"7": "a", "007": "b"}])
def test_an_id_that_could_be_two_patients_is_refused(key):
    made = key_function(key)
    with pytest.raises(InputError, match="more than one patient") as found:
        match_ids(["07"], [made("7"), made("007")], key)
    assert found.value.where == "'07'"
    assert "07" not in found.value.reason


@pytest.mark.parametrize("key", [None, "a secret", lambda name: f"X{name}", {"07": "a"}])
def test_two_ids_that_could_be_one_patient_are_refused(key):
    with pytest.raises(InputError, match="or share one"):
        match_ids(["7", "007"], [key_function(key)("07")], key)


def test_zeros_count_in_ids_with_letters():
    match = match_ids(["P7", "00A"], ["P07", "A"])
    assert match.known == frozenset()
    assert match.stored == {"P7": "P7", "00A": "00A"}


def test_a_mapping_names_all_the_patients_that_it_lacks():
    with pytest.raises(InputError, match="lacks 2 patients") as found:
        match_ids(["1", "2", "3"], ["P1"], {"1": "P1"})
    assert found.value.where == "'2', '3'"


def test_a_mapping_may_know_patients_without_images():
    match = match_ids(["1", "2"], ["P1"], {"001": "P1", "2": "P2"})
    assert match.stored == {"1": "P1", "2": "P2"}
    assert match.known == {"1"}


def test_a_function_that_takes_only_some_ids_is_asked_kindly():
    def three_digits(name):
        if len(name) != 3:
            raise ValueError(name)
        return f"X{name}"

    assert match_ids(["007"], ["X007"], three_digits).stored == {"007": "X007"}
