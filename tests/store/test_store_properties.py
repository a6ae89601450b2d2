"""What any row must satisfy: bits survive, text survives, and a simple model agrees with the store."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gclnm.schemas.features import out_of_bounds
from gclnm.store.store import open_store

quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
numbers = st.floats(allow_infinity=False, allow_subnormal=True)


@quick
@given(data=st.data(), keys=st.lists(any_text, min_size=1, max_size=4, unique=True))
def test_values_written_are_the_values_read_bit_for_bit(data, keys, recipe, row):
    table = recipe.feature_table()
    free = np.isinf(table["lower"]) & np.isinf(table["upper"])
    rows = []
    for key in keys:
        made = row("x")
        made.values[free] = data.draw(arrays(np.float64, int(free.sum()), elements=numbers))
        made.diagnostics[:] = data.draw(arrays(np.float64, len(recipe.diagnostics), elements=numbers))
        rows.append(replace(made, sample_id=key))
    store = open_store("memory://")
    store.append("ct", recipe, rows)
    read = store.read("ct")
    assert read["sample_id"].values.tolist() == sorted(keys)
    rows.sort(key=lambda made: made.sample_id)
    for name, part in (("value", "values"), ("diagnostic", "diagnostics")):
        written = np.stack([getattr(r, part) for r in rows])
        missing = np.isnan(written)
        assert np.array_equal(np.isnan(read[name].values), missing)
        assert read[name].values[~missing].tobytes() == written[~missing].tobytes()


@quick
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=6))
def test_any_text_survives_as_a_coordinate(texts, recipe, row):
    store = open_store("memory://")
    store.append("ct", recipe, [row(f"s{i}", patient_id=text) for i, text in enumerate(texts)])
    assert store.read("ct")["patient_id"].values.tolist() == sorted(texts)


steps = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["", "engine: x", "unreadable: y"]),
    ),
    max_size=4,
    unique_by=lambda step: step[0],
)


@quick
@given(batches=st.lists(steps, max_size=6))
def test_the_store_agrees_with_a_simple_model(batches, recipe, row):
    store, model, seen = open_store("memory://"), {}, {}
    for batch in batches:
        rows = [
            row(key, inputs=inputs, failed=failed, unread=failed.startswith("unreadable"))
            for key, inputs, failed in batch
        ]
        commit = store.append("ct", recipe, rows)
        for new in rows:
            old = model.get(new.sample_id)
            if old is None or is_better(new, old[0]):
                model[new.sample_id] = (new, old[1] + 1 if old else 1)
        if commit:
            seen[commit] = dict(model)
    for commit, then in seen.items():
        read = store.read("ct", at=commit, where="status != ''")
        found = dict(zip(read["sample_id"].values, read["revision"].values, strict=True))
        assert found == {key: revision for key, (_, revision) in then.items()}
        for key, (new, _) in then.items():
            np.testing.assert_array_equal(read.sel(sample_id=key)["value"].values, new.values)


def is_better(new, old) -> bool:
    changed = new.inputs_sha256 != old.inputs_sha256
    if old.status == "failed":
        return new.status == "ok" or changed or new.reason != old.reason
    return changed and (new.status == "ok" or new.inputs_sha256 != "")


@given(st.lists(numbers, min_size=1, max_size=20))
def test_values_inside_their_own_range_are_never_out_of_bounds(values):
    known = [value for value in values if not np.isnan(value)] or [0.0]
    low, high = np.full(len(values), min(known)), np.full(len(values), max(known))
    assert not out_of_bounds(values, low, high).any()
