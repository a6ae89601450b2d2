"""Work does not grow with the set: what an append, a replacement and a read ask of the storage."""

from __future__ import annotations

from collections import Counter

import icechunk
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gclnm.store import layout, read
from gclnm.store.keys import KeyIndex
from gclnm.store.layout import set_group
from gclnm.store.parts import Columns
from gclnm.store.read import ORDER
from gclnm.store.store import FeatureStore

COUNT = 60


class Traffic(Counter[tuple[str, str]]):
    """Chunks that were read ("get") and written ("set"), by array."""

    def total_of(self, kind: str) -> int:
        return sum(count for (what, _), count in self.items() if what == kind)


@pytest.fixture
def traffic(monkeypatch) -> Traffic:
    seen = Traffic()

    def counting(kind: str):
        real = getattr(icechunk.IcechunkStore, kind)

        async def counted(self, key, *args, **kwargs):
            if "/c/" in key:
                seen[kind, key.split("/c/")[0].rpartition("/")[2]] += 1
            return await real(self, key, *args, **kwargs)

        return counted

    for kind in ("get", "set"):
        monkeypatch.setattr(icechunk.IcechunkStore, kind, counting(kind))
    return seen


@pytest.fixture
def short_chunks(monkeypatch) -> int:
    """Chunks of four rows, so that a small set has many."""
    rows = {name: (dtype, 4, fill) for name, (dtype, _, fill) in layout.ROW_ARRAYS.items()}
    monkeypatch.setattr(layout, "ROW_ARRAYS", rows)
    for name in ("ROWS_PER_CHUNK", "TEXTS_PER_CHUNK", "NUMBERS_PER_CHUNK"):
        monkeypatch.setattr(layout, name, 4)
    return 4


@pytest.fixture
def long(short_chunks, store, recipe, row) -> FeatureStore:
    """Sixty rows in fifteen chunks an array, of twenty patients and two centres."""
    rows = [row(f"s{i:02d}", patient_id=f"P{i % 20:02d}", centre=f"C{i % 2}") for i in range(COUNT)]
    store.append("ct", recipe, rows)
    return store


def test_an_append_to_a_long_set_reads_and_writes_as_much_as_to_a_short_one(
    short_chunks, store, recipe, row, traffic
):
    asked = []
    for batch in range(12):
        traffic.clear()
        store.append("ct", recipe, [row(f"{batch}-{i}") for i in range(4)])
        asked.append((traffic.total_of("get"), traffic.total_of("set")))
    assert asked[1][1] > 10
    assert len(set(asked[1:])) == 1


def test_replacing_scattered_rows_writes_what_appending_writes_and_the_chunks_of_current(
    store, recipe, row, traffic
):
    store.append("ct", recipe, [row(f"s{i}") for i in range(600)])
    traffic.clear()
    store.append("ct", recipe, [row(f"n{i}") for i in range(10)])
    appended = traffic.copy()
    traffic.clear()
    store.append("ct", recipe, [row(f"s{i}", inputs="new") for i in range(0, 600, 60)])
    more = Traffic(traffic)
    more.subtract(appended)
    assert store.sets()["replaced"].tolist() == [10]
    assert {key: count for key, count in more.items() if key[0] == "set" and count} == {("set", "current"): 1}


def test_offering_a_known_row_reads_its_own_chunks_only(long, recipe, row, traffic):
    long.keys("ct")
    traffic.clear()
    assert long.append("ct", recipe, [row("s05", patient_id="P05", centre="C1")]) is None
    assert traffic["get", "patient_id"] == 1
    assert traffic["get", "centre"] == 1
    assert traffic.total_of("set") == 0


def test_opening_a_set_reads_no_values_and_no_coordinate_that_is_not_needed(long, traffic):
    data = long.read("ct")
    assert "centre" in repr(data)
    assert data.sizes["sample"] == COUNT
    read_arrays = {name for _, name in traffic}
    assert read_arrays.isdisjoint({"value", "diagnostic", "centre", "inputs_sha256", "history", "seconds"})
    assert {"sample_id", "patient_id"} <= read_arrays


def test_a_key_in_where_reads_one_chunk_of_everything_else(long, traffic):
    data = long.read("ct", where={"sample_id": "s33"})
    assert data["patient_id"].values.tolist() == ["P13"]
    assert data["value"].shape[0] == 1
    data["value"].load()
    counts = {name: traffic["get", name] for name in ("patient_id", "status", "current", "value")}
    assert counts == dict.fromkeys(counts, 1)


def test_a_lazy_coordinate_is_the_stored_one_and_read_once(long, traffic):
    data = long.read("ct")
    assert not data["centre"].variable._in_memory
    expected = [f"C{int(key[1:]) % 2}" for key in data["sample_id"].values]
    assert data["centre"].dtype == object
    assert data["centre"].values.tolist() == expected
    assert type(data["centre"].values[0]) is str
    before = traffic["get", "centre"]
    assert data["centre"].values.tolist() == expected
    assert traffic["get", "centre"] == before


@pytest.mark.parametrize(
    "pick",
    [
        {"sample": 3},
        {"sample": -1},
        {"sample": slice(50, 10, -7)},
        {"sample": [5, 1, 1, 59]},
        {"sample": np.arange(60) % 3 == 0},
        {"sample": slice(0, 0)},
    ],
    ids=str,
)
def test_parts_of_lazy_arrays_are_those_of_the_whole(long, pick):
    lazy, whole = long.read("ct"), long.read("ct").load()
    for name in ("centre", "energy_kev", "revision", "value"):
        part = lazy[name].isel(pick)
        assert part.dtype == whole[name].dtype
        np.testing.assert_array_equal(part.values, whole[name].isel(pick).values)
    both = {**pick, "feature": [2, 0]}
    np.testing.assert_array_equal(lazy["value"].isel(both).values, whole["value"].isel(both).values)


def test_rows_are_grouped_and_filtered_by_a_lazy_coordinate(long):
    data = long.read("ct", select="original_shape_Sphericity")
    means = data["value"].groupby("centre").mean()
    table = long.table("ct", select="original_shape_Sphericity")
    expected = table.groupby("centre")["original_shape_Sphericity"].mean()
    np.testing.assert_allclose(means.values[:, 0], expected.to_numpy())
    assert data.isel(sample=data["centre"].values == "C1").sizes["sample"] == COUNT // 2


CONDITIONS: list[tuple[object, str]] = [
    ({"sample_id": ["s01", "s50", "none"]}, "sample_id in ['s01', 's50']"),
    ({"patient_id": "P03", "centre": ["C1"]}, "patient_id == 'P03' and centre == 'C1'"),
    ({"centre": "C0", "sample_id": "s02"}, "sample_id == 's02'"),
    ("patient_id == 'P07' or sample_id == 's59'", "patient_id == 'P07' or sample_id == 's59'"),
    ({"revision": 2}, "revision == 2"),
    ({"patient_id": []}, "patient_id == 'nobody'"),
]


@pytest.mark.parametrize(("where", "query"), CONDITIONS, ids=str)
def test_rows_chosen_chunk_by_chunk_are_those_chosen_from_the_whole_table(long, recipe, row, where, query):
    long.append("ct", recipe, [row("s10", inputs="new", patient_id="P10", centre="C0")])
    whole = long.table("ct")
    expected = whole.query(query, engine="python")["sample_id"].tolist()
    assert long.read("ct", where=where)["sample_id"].values.tolist() == expected


class _Memory:
    """Arrays in memory in the place of stored ones."""

    def __init__(self, values: np.ndarray) -> None:
        self._values, self.shape, self.chunks, self.dtype = values, values.shape, (3,), values.dtype

    def __getitem__(self, key):
        return self._values[key]

    def get_orthogonal_selection(self, key):
        return self._values[key]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "A", "a", "张"]),
            st.sampled_from(["X", "Y"]),
            st.sampled_from([float("nan"), 40.0, 70.0]),
        ),
        max_size=30,
    ),
    st.randoms(),
)
def test_reading_order_is_that_of_a_sort_by_all_keys(cells, random):
    keys = [f"k{i:02d}" for i in range(len(cells))]
    random.shuffle(keys)
    frame = pd.DataFrame(cells, columns=["patient_id", "rater", "energy_kev"]).assign(sample_id=keys)
    frame = frame.astype({"patient_id": object, "rater": object, "energy_kev": float})
    columns = Columns({name: _Memory(frame[name].to_numpy()) for name in frame})
    order = read._ordered(columns, np.arange(len(frame)), [name for name in ORDER if name in frame])
    expected = frame.sort_values([name for name in ORDER if name in frame], kind="stable")
    assert order.tolist() == expected.index.tolist()


@pytest.fixture
def old(monkeypatch, store, recipe, row) -> FeatureStore:
    """A set as an earlier version wrote it: shorter chunks, and row arrays that were not there yet."""
    with monkeypatch.context() as patch:
        rows = {name: (dtype, 8, fill) for name, (dtype, _, fill) in layout.ROW_ARRAYS.items()}
        patch.setattr(layout, "ROW_ARRAYS", rows)
        patch.setattr(layout, "TEXTS_PER_CHUNK", 8)
        store.append("ct", recipe, [row(f"s{i:02d}", centre="C") for i in range(20)])

    def take_away(root):
        group = set_group(root, "ct")
        del group["content_sha256"]
        del group["origin"]
        return layout_note()

    store._repository.commit(take_away)
    store._indices.clear()
    return store


def layout_note():
    from gclnm.store.repository import Note

    return Note("as it was", {"action": "append"})


def test_a_set_of_an_earlier_version_is_read_grows_and_is_compacted(old, recipe, row):
    assert "origin" not in layout.arrays(set_group(old._repository.root(old.commit), "ct"))
    assert old.read("ct").sizes["sample"] == 20
    assert len(old.keys("ct")) == 20
    new = [row("s03", inputs="new", centre="C"), row("late", centre="D", arm="B")]
    old.append("ct", recipe, new)
    stored = layout.arrays(set_group(old._repository.root(old.commit), "ct"))
    assert stored["sample_id"].chunks == (8,)
    assert stored["origin"].shape == stored["content_sha256"].shape == (22,)
    before = old.table("ct")
    assert before["centre"].tolist() == ["D"] + ["C"] * 20
    assert old.compact("ct")
    pd.testing.assert_frame_equal(old.table("ct"), before, check_like=True)
    np.testing.assert_array_equal(old.read("ct").sel(sample_id="s03")["value"].values, new[0].values)


def test_the_index_of_keys_hands_out_what_it_holds_without_copying(store, recipe, row):
    store.append("ct", recipe, [row("s1")])
    group = set_group(store._repository.root(store.commit), "ct")
    index = KeyIndex()
    live, copy = index.look(group), index.at(group)
    assert dict(live) == copy == store._index("ct").at(group)
    store.append("ct", recipe, [row("s2"), row("s1", inputs="new")])
    index.look(set_group(store._repository.root(store.commit), "ct"))
    assert live["s1"].revision == 2
    assert copy["s1"].revision == 1
    with pytest.raises(TypeError):
        live["s3"] = copy["s1"]  # type: ignore[index]


def test_an_empty_set_has_no_rows_in_any_order(store, recipe):
    store.create("ct", recipe)
    data = store.read("ct")
    assert data["value"].shape == (0, len(recipe.features))
    assert data["sample_id"].values.tolist() == []
