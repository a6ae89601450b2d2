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
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gclnm.errors import StoreError
from gclnm.store import repository
from gclnm.store import store as module
from gclnm.store.store import open_store

SET = "ct"
ALL = "status != ''"
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
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_store(self.folder / "f")
        self.other = open_store("memory://")
        self.now, self.compacted = {}, False
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

    @rule(keys=st.sets(st.sampled_from("uvwxyz"), min_size=1, max_size=3))
    def merge(self, keys) -> None:
        # The other hospital's rows; merging again brings only what is new.
        self.other.append(SET, self.recipe, [self.make(key) for key in sorted(keys)])
        theirs = [self.make(key) for key in self.other.keys(SET)["sample_id"]]
        before, then = self.store.commit, self.after(theirs)
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
        assert log["added"].sum() == len(self.now)
        assert log["replaced"].sum() == sum(revision - 1 for _, revision in self.now.values())
        assert self.store.tags().set_index("tag")["commit"].to_dict() == self.tagged

    @invariant()
    def the_store_is_whole(self) -> None:
        found = self.store.check()
        assert found.ok, found


def replaces(new, old) -> bool:
    """Whether a row takes the place of the one that is there."""
    changed = new.inputs_sha256 != old.inputs_sha256
    if old.status == "failed":
        return new.status == "ok" or changed or new.reason != old.reason
    return changed and (new.status == "ok" or new.inputs_sha256 != "")


def drive(recipe, row, examples: int, steps: int) -> None:
    limits = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Model(recipe, row), settings=limits)


def test_the_store_agrees_with_a_model_whatever_is_done_to_it(recipe, row):
    drive(recipe, row, 6, 10)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_store_agrees_with_a_model_through_long_lives(recipe, row):
    drive(recipe, row, 60, 30)
