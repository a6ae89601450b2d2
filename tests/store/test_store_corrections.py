"""What a linked sample has corrected stays, until the sample that counts brings something new itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gclnm.store.keys import KeyIndex
from gclnm.store.layout import set_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe
    from gclnm.store.store import FeatureStore

    from .conftest import RowMaker

    Read = Callable[..., Row]


@pytest.fixture
def a(row: RowMaker) -> Read:
    """What is read from the files of the sample that counts."""
    return lambda **what: replace(row("a", patient_id="A", **what), seconds=1.0)


@pytest.fixture
def t(row: RowMaker) -> Read:
    """What is read from the second export, of another patient and series."""

    def read(**what: str) -> Row:
        made = row("t", patient_id="T", **what)
        return replace(made, coords={**made.coords, "series_uid": "9.8"})

    return read


@pytest.fixture
def linked(store: FeatureStore, recipe: Recipe, a: Read, t: Read) -> FeatureStore:
    """``t`` is linked to ``a``, and was read after that: the same content, and the same digest."""
    store.append("ct", recipe, [a()])
    twin = replace(t(), content_sha256=a().content_sha256, inputs_sha256=a().inputs_sha256)
    store.append("ct", recipe, [twin])
    store.link("ct", {"t": "a"})
    return store


def current(store: FeatureStore) -> tuple[int, list[float]]:
    rows = store.read("ct", where={"sample_id": "a"})
    return int(rows["revision"].item()), rows["value"].values[0].tolist()


@pytest.mark.parametrize("reopened", [False, True])
def test_old_files_do_not_undo_the_correction_of_a_linked_sample(
    linked: FeatureStore, recipe: Recipe, a: Read, t: Read, reopened: bool
) -> None:
    corrected = t(inputs="corrected")
    linked.append("ct", recipe, [corrected])
    if reopened:
        linked._indices.clear()
    for rows in ([a()], [a(), corrected]):
        assert linked.offer("ct", recipe, rows).commit is None
    assert current(linked) == (2, corrected.values.tolist())
    assert linked._outdated("ct") == {"a": {a().inputs_sha256}}


def test_a_correction_of_the_sample_that_counts_is_a_revision_and_may_be_taken_back(
    linked: FeatureStore, recipe: Recipe, a: Read, t: Read
) -> None:
    linked.append("ct", recipe, [t(inputs="corrected")])
    for revision, row in ((3, a(inputs="own")), (4, a()), (5, a(inputs="own"))):
        assert linked.offer("ct", recipe, [row]).written == {"a"}
        assert current(linked) == (revision, row.values.tolist())
    assert linked._outdated("ct") == {}
    again = t(inputs="corrected again")
    linked.append("ct", recipe, [again])
    assert linked.offer("ct", recipe, [a(inputs="own")]).commit is None
    assert linked.offer("ct", recipe, [a(inputs="corrected")]).written == {"a"}


def test_a_writer_keeps_its_index_while_another_thread_reads_an_older_state(
    linked: FeatureStore, a: Read
) -> None:
    then, now = linked.log()["commit"].iloc[-2], linked.commit
    older, newer = (set_group(linked._repository.root(commit), "ct") for commit in (then, now))
    assert older is not None
    assert newer is not None
    index = KeyIndex()
    held = index.look(newer)
    assert len(index.at(older)) < len(held) == 2
    assert "a" in held.with_content(a().content_sha256)
    assert "a" in index.look(newer).with_content(a().content_sha256)
