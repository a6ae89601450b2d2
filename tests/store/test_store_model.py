"""The store on a folder, driven step by step beside a model of a few dictionaries: both must agree."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gclnm.errors import InputError, StoreError
from gclnm.store import repository
from gclnm.store import store as module
from gclnm.store.store import open_store

SET = "ct"
ALL = "status != ''"
# Samples that a merge is to bring, by the condition on their patients.
CONDITIONS = {None: "abcdef", "patient_id != 'P-a'": "bcdef", "patient_id in ['P-b', 'P-c']": "bc"}
batches = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["", "", "engine: x", "unreadable: y"]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda step: step[0],
)


class Crash(BaseException):
    """The process ends here."""


class Model(RuleBasedStateMachine):
    """What the store must hold: rows and revisions by key, after every commit; tags; commits in order."""

    def __init__(self, recipe, row) -> None:
        super().__init__()
        self.recipe, self.make = recipe, row
        self.first, self.second = recipe, recipe.with_(prepare__discretise__bin_width=10.0)
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_store(self.folder / "f")
        self.other = open_store("memory://")
        self.now, self.added, self.replaced = {}, 0, 0
        self.seen = {self.store.commit: {}}
        self.tagged = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def rows(self, batch):
        return [
            self.make(key, inputs=inputs, failed=failed, unread=failed.startswith("unreadable"))
            for key, inputs, failed in batch
        ]

    def after(self, rows):
        """The model once these rows are in."""
        then = dict(self.now)
        for new in rows:
            old = then.get(new.sample_id)
            if old is None or replaces(new, old[0]):
                then[new.sample_id] = (new, old[1] + 1 if old else 1)
        return then

    def committed(self, commit, then) -> None:
        before = {key: revision for key, (_, revision) in self.now.items()}
        self.added += len(then.keys() - before.keys())
        self.replaced += sum(revision != before.get(key, revision) for key, (_, revision) in then.items())
        self.now = then
        self.seen[commit] = then

    @rule(batch=batches)
    def append(self, batch) -> None:
        rows = self.rows(batch)
        then = self.after(rows)
        commit = self.store.append(SET, self.recipe, rows)
        assert (commit is None) == (then == self.now)
        if commit:
            self.committed(commit, then)

    @precondition(lambda self: self.now)
    @rule()
    def append_what_is_there(self) -> None:
        assert self.store.append(SET, self.recipe, [new for new, _ in self.now.values()]) is None

    @rule(batch=batches, late=st.booleans())
    def crash_before_the_commit(self, batch, late) -> None:
        write = module.write_rows

        def dies(*args, **kwargs):
            if late:
                write(*args, **kwargs)
            raise Crash

        rows = self.rows(batch)
        with mock.patch.object(module, "write_rows", dies):
            if self.after(rows) == self.now:
                assert self.store.append(SET, self.recipe, rows) is None
            else:
                with pytest.raises(Crash):
                    self.store.append(SET, self.recipe, rows)
        self.reopen()

    @rule(batch=batches)
    def crash_after_the_commit(self, batch) -> None:
        attempt = repository.Repository._attempt

        def dies(*args):
            attempt(*args)
            raise Crash

        rows = self.rows(batch)
        then = self.after(rows)
        with mock.patch.object(repository.Repository, "_attempt", dies), pytest.raises(Crash):
            self.store.append(SET, self.recipe, rows)
        self.reopen()
        if then != self.now:
            self.committed(self.store.commit, then)

    @rule()
    def reopen(self) -> None:
        self.store = open_store(self.folder / "f")

    @rule(name=st.sampled_from(["v1", "v2", "v3"]))
    def tag(self, name) -> None:
        if name in self.tagged:
            with pytest.raises(StoreError, match="never moves"):
                self.store.tag(name)
        else:
            self.tagged[name] = self.store.tag(name)
            assert self.tagged[name] == list(self.seen)[-1]

    @rule()
    def start_anew(self) -> None:
        # With another recipe: the set is empty, and what it held stays readable as it was.
        self.recipe = self.second if self.recipe is self.first else self.first
        self.committed(self.store.create(SET, self.recipe, replace=True), {})
        assert self.store.create(SET, self.recipe, replace=True) is None

    @rule(keys=st.sets(st.sampled_from("uvwxyz"), min_size=1, max_size=3))
    def merge(self, keys) -> None:
        # The other hospital's rows; merging again brings only what is new.
        self.other.append(SET, self.first, [self.make(key) for key in sorted(keys)])
        theirs = [self.make(key) for key in self.other.keys(SET)["sample_id"]]
        before, then = self.store.commit, self.after(theirs)
        if self.recipe is self.second:
            with pytest.raises(StoreError, match="different recipes"):
                self.store.merge(self.other, patients="same")
            return
        self.store.merge(self.other, patients="same")
        assert (self.store.commit == before) == (then == self.now)
        if then != self.now:
            self.committed(self.store.commit, then)

    @precondition(lambda self: self.now)
    @rule()
    def compact(self) -> None:
        if commit := self.store.compact(SET):
            self.committed(commit, self.now)

    @precondition(lambda self: self.now)
    @rule(data=st.data())
    def read_as_it_was(self, data) -> None:
        places = {commit: then for commit, then in self.seen.items() if then}
        places |= {name: self.seen[commit] for name, commit in self.tagged.items() if self.seen[commit]}
        place = data.draw(st.sampled_from(sorted(places)))
        self.agrees(self.store.read(SET, at=place, where=ALL), places[place])

    def agrees(self, read, then) -> None:
        assert sorted(read["sample_id"].values.tolist()) == sorted(then)
        for index, key in enumerate(read["sample_id"].values.tolist()):
            new, revision = then[key]
            assert read["revision"].values[index] == revision
            assert read["status"].values[index] == new.status
            np.testing.assert_array_equal(read["value"].values[index], new.values)

    @invariant()
    def keys_and_rows_are_the_models(self) -> None:
        keys = self.store.keys(SET).set_index("sample_id")
        assert keys["revision"].to_dict() == {key: revision for key, (_, revision) in self.now.items()}
        assert keys["inputs_sha256"].to_dict() == {k: new.inputs_sha256 for k, (new, _) in self.now.items()}
        if self.now:
            self.agrees(self.store.read(SET, where=ALL), self.now)
            assert self.store.read(SET).sizes["sample"] == sum(
                new.status == "ok" for new, _ in self.now.values()
            )

    @invariant()
    def history_and_tags_are_the_models(self) -> None:
        log = self.store.log()
        assert log["commit"].tolist() == list(self.seen)[::-1]
        assert log["added"].sum() == self.added
        assert log["replaced"].sum() == self.replaced
        assert self.store.tags().set_index("tag")["commit"].to_dict() == self.tagged

    @invariant()
    def the_store_is_whole(self) -> None:
        found = self.store.check()
        assert found.ok, found


class Linked(RuleBasedStateMachine):
    """Two stores that link their samples and merge each other's rows: no link leads nowhere, no row vanishes.

    Samples of both stores have the same keys, so that they can be joined as the same persons. What a sample
    is linked to, and what each store has ever held, is all the model knows.
    """

    def __init__(self, recipe, row) -> None:
        super().__init__()
        self.recipe, self.make = recipe, row
        self.stores = [open_store("memory://"), open_store("memory://")]
        for store in self.stores:
            store.create(SET, recipe)
        self.checked = set()

    def keys(self, store):
        keys = store.keys(SET)
        return dict(zip(keys["sample_id"], zip(keys["status"], keys["same_as"], strict=True), strict=True))

    @initialize()
    def the_second_has_rows_of_the_first(self) -> None:
        first, second = self.stores
        first.append(SET, self.recipe, [self.make(key) for key in "abc"])
        second.merge(first)

    @rule(side=st.sampled_from([0, 1]), batch=batches)
    def append(self, side, batch) -> None:
        before = self.keys(self.stores[side])
        self.stores[side].append(
            SET, self.recipe, [self.make(key, inputs=inputs, failed=failed) for key, inputs, failed in batch]
        )
        after = self.keys(self.stores[side])
        assert set(after) == set(before) | {key for key, _, _ in batch}
        # A row that comes for a linked sample goes to the one that it counts as; the link stays.
        linked = {key for key, (status, _) in before.items() if status == "linked"}
        assert all(after[key] == before[key] for key in linked)

    @rule(side=st.sampled_from([0, 1]), data=st.data())
    def link(self, side, data) -> None:
        store = self.stores[side]
        before = self.keys(store)
        if not before:
            return
        pairs = data.draw(
            st.dictionaries(*[st.sampled_from(sorted(before))] * 2, min_size=1, max_size=2), label="same_as"
        )
        if refused(lambda: store.link(SET, pairs)):
            assert self.keys(store) == before
            return
        after = self.keys(store)
        for sample_id, other in pairs.items():
            if sample_id != other:
                assert after[sample_id][0] == "linked"
                assert end(sample_id, after) == end(other, after)
        assert {key: after[key] for key in after.keys() - pairs.keys()} == {
            key: before[key] for key in before.keys() - pairs.keys()
        }

    @rule(
        to=st.sampled_from([0, 1]),
        prefer=st.sampled_from([None, "own", "other"]),
        only=st.sampled_from([None, *CONDITIONS]),
    )
    def merge(self, to, prefer, only) -> None:
        mine, other = self.stores[to], self.stores[1 - to]
        before, theirs = self.keys(mine), self.keys(other)
        if not theirs:
            return
        if refused(lambda: mine.merge(other, patients="same", prefer=prefer, where=only)):
            assert prefer is None
            assert self.keys(mine) == before
            return
        after = self.keys(mine)
        assert set(before) <= set(after) <= set(before) | set(theirs)
        # Merging again brings nothing.
        commit = mine.commit
        mine.merge(other, patients="same", prefer=prefer, where=only)
        assert mine.commit == commit

    @rule(only=st.sampled_from(list(CONDITIONS)))
    def merge_under_other_names(self, only) -> None:
        # Into a third store, as a copy without some patients: under new ids, with links that follow.
        new, theirs = open_store("memory://"), self.keys(self.stores[1])
        new.create(SET, self.recipe)

        def once_more() -> None:
            new.merge(self.stores[1], patients=lambda patient: f"N-{patient}", where=only)

        once_more()
        there, commit = self.keys(new), new.commit
        once_more()
        assert (self.keys(new), new.commit) == (there, commit)
        assert sorted(status for status, _ in there.values()) == sorted(
            theirs[key][0] for key in self.wanted(theirs, only)
        )
        self.every_link_ends(new)

    @staticmethod
    def wanted(keys, only):
        """Samples that come under a condition: those whose links end among them."""
        inside = {key: keys[key] for key in keys if key in CONDITIONS[only]}
        return {key for key in inside if end(key, inside)}

    def every_link_ends(self, store) -> None:
        keys = self.keys(store)
        for key, (status, _) in keys.items():
            assert status != "linked" or end(key, keys), (key, keys)
        found = store.check()
        assert found.ok, found

    @invariant()
    def every_linked_chain_ends_at_a_row_that_is_there(self) -> None:
        for store in self.stores:
            if store.commit not in self.checked:
                self.every_link_ends(store)
                self.checked.add(store.commit)


def refused(call):
    """Whether a link or a merge is refused for what the user must decide."""
    try:
        call()
    except (StoreError, InputError) as error:
        if error.code not in ("bad-link", "rows-differ"):
            raise
        return True
    return False


def end(key, keys):
    """The sample whose row counts for this one; empty where its links lead nowhere or round."""
    for _ in range(len(keys) + 1):
        if key not in keys:
            return ""
        if keys[key][0] != "linked":
            return key
        key = keys[key][1]
    return ""


def replaces(new, old) -> bool:
    """Whether a row takes the place of the one that is there."""
    changed = new.inputs_sha256 != old.inputs_sha256
    if old.status == "failed":
        return new.status == "ok" or changed or new.reason != old.reason
    return changed and (new.status == "ok" or new.inputs_sha256 != "")


def drive(machine, recipe, row, examples: int, steps: int) -> None:
    limits = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: machine(recipe, row), settings=limits)


def test_the_store_agrees_with_a_model_whatever_is_done_to_it(recipe, row):
    drive(Model, recipe, row, 6, 10)


def test_no_link_ever_leads_nowhere_however_two_stores_link_and_merge(recipe, row):
    drive(Linked, recipe, row, 3, 4)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_store_agrees_with_a_model_through_long_lives(recipe, row):
    drive(Model, recipe, row, 30, 20)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_link_ever_leads_nowhere_through_long_lives(recipe, row):
    drive(Linked, recipe, row, 20, 12)
