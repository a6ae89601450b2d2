"""compact changes how values lie on disk and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gclnm.errors import StoreError
from gclnm.store import compact
from gclnm.store.layout import array, set_group
from gclnm.store.store import FeatureStore, open_store


@pytest.fixture
def grown(tmp_path, recipe, row) -> FeatureStore:
    """Several commits, a replaced row, a failed row, a late coordinate and a tag."""
    store = open_store(tmp_path / "store")
    store.append("ct", recipe, [row(f"s{i}") for i in range(30)])
    store.append("ct", recipe, [row("s3", inputs="new"), row("f", failed="unreadable: a slice is missing")])
    store.tag("before")
    store.append("ct", recipe, [row("late", dose_gy=50.4)])
    return store


def everything(store: FeatureStore, **asked: object) -> pd.DataFrame:
    where = {"status": ["ok", "failed"], "current": [True, False]}
    return store.table("ct", where=where, diagnostics=True, **asked)


def chunks_of(store: FeatureStore) -> tuple[int, ...]:
    return array(set_group(store._repository.root(store.commit), "ct"), "value").chunks


def test_compact_leaves_rows_order_revisions_keys_and_explanations_as_they_were(grown):
    table, keys, told = everything(grown), grown.keys("ct"), grown.explain("s3", "ct")
    before = chunks_of(grown)
    assert grown.compact("ct") == grown.commit
    assert chunks_of(grown) != before
    pd.testing.assert_frame_equal(everything(grown), table)
    pd.testing.assert_frame_equal(grown.keys("ct"), keys)
    assert grown.explain("s3", "ct") == told
    assert grown.log()["what"].iloc[0] == "ct: rewritten for reading columns"
    assert grown.log()[["added", "replaced", "failed"]].iloc[0].tolist() == [0, 0, 0]


def test_older_versions_stay_readable_after_compact(grown):
    before = everything(grown, at="before")
    grown.compact("ct")
    pd.testing.assert_frame_equal(everything(grown, at="before"), before)


def test_a_dataset_read_before_compact_keeps_its_values(grown, row):
    data = grown.read("ct")
    grown.compact("ct")
    np.testing.assert_array_equal(data["value"].sel(sample_id="s7").values, row("s7").values)


def test_a_compact_set_is_not_rewritten_again(grown):
    grown.compact("ct")
    commit = grown.commit
    assert grown.compact("ct") is None
    assert grown.commit == commit


def test_appends_replacements_and_reads_go_on_after_compact(grown, recipe, row, monkeypatch):
    # Small blocks, so that the rows cross several in both directions.
    monkeypatch.setattr(compact, "CHUNK", (7, 50))
    grown.compact("ct")
    assert chunks_of(grown) == (7, 50)
    for batch in range(3):
        new = [row(f"n{batch}-{i}") for i in range(5)]
        grown.append("ct", recipe, [*new, row("s1", inputs=f"again {batch}")])
    data = grown.read("ct")
    assert data.sizes["sample"] == 31 + 15
    assert int(data.sel(sample_id="s1")["revision"]) == 4
    for key, inputs in (("s1", "again 2"), ("n1-4", ""), ("s29", ""), ("s3", "new")):
        np.testing.assert_array_equal(data.sel(sample_id=key)["value"].values, row(key, inputs=inputs).values)
    name = "original_shape_Sphericity"
    one = grown.read("ct", select=name)["value"].values[:, 0]
    np.testing.assert_array_equal(one, data["value"].sel(feature=name).values)


def test_compact_reads_and_writes_one_block_of_rows_at_a_time(grown, monkeypatch):
    import zarr

    monkeypatch.setattr(compact, "CHUNK", (8, 50))
    sizes, real = [], zarr.Array.__setitem__

    def noting(self, key, values):
        sizes.append(np.asarray(values).shape[0])
        real(self, key, values)

    monkeypatch.setattr(zarr.Array, "__setitem__", noting)
    grown.compact("ct")
    assert sizes == [8, 8, 8, 8, 1]


def test_an_empty_set_can_be_compacted_and_grows(store, recipe, row):
    store.create("ct", recipe)
    assert store.compact("ct")
    store.append("ct", recipe, [row("s1")])
    np.testing.assert_array_equal(store.read("ct")["value"].values, [row("s1").values])


def test_compact_names_the_sets_there_are(filled):
    with pytest.raises(StoreError, match="It has ct"):
        filled.compact("pet")


def test_a_compact_that_fails_half_way_leaves_the_set_as_it_was(grown, row, monkeypatch):
    def broken(source, group, chunks):
        group.create_array("value", shape=source.shape, chunks=chunks, dtype="f8", overwrite=True)
        raise OSError("No space left on device")

    before = grown.commit
    with monkeypatch.context() as patch:
        patch.setattr(compact, "_copy", broken)
        with pytest.raises(StoreError, match="holds what it held before"):
            grown.compact("ct")
    assert grown.commit == before
    np.testing.assert_array_equal(grown.read("ct").sel(sample_id="s9")["value"].values, row("s9").values)
