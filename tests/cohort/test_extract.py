"""From samples to rows in a store, on workers in this process."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gclnm
from gclnm import pipeline
from gclnm.catalog.samples import Samples
from gclnm.cohort.extract import extract
from gclnm.errors import InputError, StoreError
from gclnm.images import Sample

if TYPE_CHECKING:
    from distributed import Client

    from gclnm.recipe.recipe import Recipe


def broken(sample: Sample) -> Sample:
    """The sample as it is when its image is gone."""
    image = replace(sample.images["image"], files=("nowhere.nii.gz",))
    return Sample({"image": image}, sample.masks, sample.coords)


def with_coords(sample: Sample, **coords: Any) -> Sample:
    return Sample(sample.images, sample.masks, {**sample.coords, **coords})


def test_every_sample_becomes_a_row_that_is_read_back(
    make_samples: Any, recipe: Recipe, client: Client
) -> None:
    samples = make_samples(3, rois=2)
    run = extract(samples, recipe, client=client, progress=False)
    assert (run.done, run.skipped, len(run.failed)) == (6, 0, 0)
    assert set(run.dataset["sample_id"].values) == {s.sample_id for s in samples}
    assert list(run.dataset["feature"].values) == list(recipe.features)
    assert np.isfinite(run.dataset["value"].values).all()


def test_the_numbers_are_those_of_one_case_alone(make_samples: Any, recipe: Recipe, client: Client) -> None:
    sample = make_samples(1)[0]
    run = extract([sample], recipe, client=client, progress=False)
    case = gclnm.load(sample)
    alone = gclnm.features(case.image, case.roi, recipe)
    stored = run.dataset["value"].values[0]
    assert stored.tolist() == alone[list(recipe.features)].tolist()


def test_a_sample_that_fails_is_a_row_with_its_reason_and_the_others_are_done(
    make_samples: Any, recipe: Recipe, client: Client
) -> None:
    first, second = make_samples(2)
    run = extract([first, broken(second)], recipe, client=client, progress=False)
    assert (run.done, len(run.failed)) == (1, 1)
    row = run.failed.iloc[0]
    assert row["patient_id"] == "p1"
    assert row["tried"]
    assert row["reason"]
    assert "nowhere" not in row["reason"]


def test_a_second_run_does_only_what_is_missing(make_samples: Any, recipe: Recipe, client: Client) -> None:
    samples = make_samples(3)
    store = gclnm.open_store("memory://")
    first = extract(samples[:2], recipe, store=store, client=client, progress=False)
    second = extract(samples, recipe, store=store, client=client, progress=False)
    assert (second.done, second.skipped) == (1, 2)
    assert first.commit != second.commit
    assert len(second.dataset["sample_id"]) == 3
    assert len(first.dataset["sample_id"]) == 2


def test_nothing_to_do_computes_nothing_and_starts_nothing(
    make_samples: Any, recipe: Recipe, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = make_samples(2)
    store = gclnm.open_store("memory://")
    first = extract(samples, recipe, store=store, client=client, progress=False)
    monkeypatch.setitem(sys.modules, "gclnm.cohort.cluster", None)
    second = extract(samples, recipe, store=store, progress=False)
    assert (second.done, second.skipped) == (0, 2)
    assert second.commit == first.commit


def test_a_failed_row_is_left_and_reported_until_its_files_change(
    make_samples: Any, recipe: Recipe, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, other = make_samples(2)
    image = Path(other.images["image"].files[0])
    content = image.read_bytes()
    image.write_bytes(b"nothing that can be read")
    store = gclnm.open_store("memory://")
    extract([good, other], recipe, store=store, client=client, progress=False)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gclnm.cohort.cluster", None)
        left = extract([good, other], recipe, store=store, progress=False)
    assert (left.done, left.skipped, len(left.failed)) == (0, 1, 1)
    assert left.failed["reason"].item()
    assert list(left.failed.columns) == list(
        extract([good], recipe, store=store, client=client, progress=False).failed.columns
    )
    assert not left.failed["tried"].item()
    tried = extract([good, other], recipe, store=store, client=client, retry_failed=True, progress=False)
    assert (tried.done, len(tried.failed), tried.failed["tried"].item()) == (0, 1, True)
    image.write_bytes(content)
    again = extract([good, other], recipe, store=store, client=client, progress=False)
    assert (again.done, again.skipped, len(again.failed)) == (1, 1, 0)
    assert dict(zip(store.keys("tiny")["sample_id"], store.keys("tiny")["revision"], strict=True)) == {
        good.sample_id: 1,
        other.sample_id: 2,
    }


def test_a_sample_whose_file_is_missing_starts_no_cluster_until_it_is_there(
    make_samples: Any, recipe: Recipe, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sample,) = make_samples(1)
    store = gclnm.open_store("memory://")
    extract([broken(sample)], recipe, store=store, client=client, progress=False)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gclnm.cohort.cluster", None)
        assert len(extract([broken(sample)], recipe, store=store, progress=False).failed) == 1
    assert extract([sample], recipe, store=store, client=client, progress=False).done == 1


def test_a_corrected_coordinate_replaces_the_row(make_samples: Any, recipe: Recipe, client: Client) -> None:
    samples = make_samples(2)
    store = gclnm.open_store("memory://")
    extract(samples, recipe, store=store, client=client, progress=False)
    samples[0] = with_coords(samples[0], phase="arterial")
    run = extract(samples, recipe, store=store, client=client, progress=False)
    assert (run.done, run.skipped) == (1, 1)
    assert sorted(run.dataset["phase"].values) == ["arterial", "unknown"]


def test_another_recipe_in_the_same_set_is_refused_before_anything_is_computed(
    make_samples: Any, recipe: Recipe, client: Client
) -> None:
    samples = make_samples(1)
    store = gclnm.open_store("memory://")
    extract(samples, recipe, store=store, client=client, progress=False)
    other = recipe.with_(prepare__discretise__bin_width=20)
    with pytest.raises(StoreError, match="recipe"):
        extract(samples, other, store=store, client=client, progress=False)
    run = extract(samples, other, store=store, replace=True, client=client, progress=False)
    assert run.done == 1


def test_a_worker_that_returns_too_little_makes_failed_rows_never_gaps(
    make_samples: Any, recipe: Recipe, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = make_samples(3, rois=1)
    real = pipeline.run

    def run(some: Any, recipe: Any, known: Any) -> Any:
        row = real(some, recipe)[0]
        if row.coords["patient_id"] == "p0":
            return []
        if row.coords["patient_id"] == "p1":
            return [replace(row, values=row.values[:-1])]
        impossible = row.values.copy()
        impossible[recipe.features.index("original_shape_Sphericity")] = 7.0
        return [replace(row, values=impossible)]

    monkeypatch.setattr(pipeline, "run", run)
    run_ = extract(samples, recipe, client=client, progress=False)
    assert run_.done == 0
    reasons = dict(zip(run_.failed["patient_id"], run_.failed["reason"], strict=True))
    assert "no row" in reasons["p0"]
    assert "features" in reasons["p1"]
    assert "original_shape_Sphericity is 7" in reasons["p2"]


def test_ctrl_c_keeps_what_was_done(
    make_samples: Any, recipe: Recipe, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gclnm.cohort import ledger

    samples = make_samples(4)
    store = gclnm.open_store("memory://")
    enter = ledger.Ledger.enter

    def interrupted(self: Any, *arguments: Any) -> None:
        if len(self.commits.waiting) == 2:
            raise KeyboardInterrupt
        enter(self, *arguments)

    monkeypatch.setattr(ledger.Ledger, "enter", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        extract(samples, recipe, store=store, client=client, progress=False)
    assert "2 rows done" in caught.value.__notes__[0]
    assert len(store.keys("tiny")) == 2


def test_misuse_is_refused_in_words(make_samples: Any, recipe: Recipe, client: Client) -> None:
    samples = make_samples(1)
    with pytest.raises(InputError, match="no samples"):
        extract([], recipe)
    with pytest.raises(InputError, match="more than once"):
        extract(samples * 2, recipe)
    with pytest.raises(InputError, match="at least 1"):
        extract(samples, recipe, workers=0)
    excluded = Samples(tuple(samples)).exclude("roi == 'ball'", "by hand")
    with pytest.raises(InputError, match="all were excluded or filtered"):
        extract(excluded, recipe)
    with pytest.raises(InputError, match="all were excluded or filtered"):
        extract(Samples(tuple(samples)).query("roi == 'other'"), recipe)
    for strange in (samples[0], "ct", 5, None, recipe):
        with pytest.raises(InputError, match=f"got an? {type(strange).__name__}"):
            extract(strange, recipe)
    mixed = [with_coords(samples[0], roi="b", arm=1), with_coords(samples[0], roi="c", arm="A")]
    with pytest.raises(InputError, match="text and numbers"):
        extract(mixed, recipe, client=client, progress=False)


def test_the_result_shows_itself(make_samples: Any, recipe: Recipe, client: Client, tmp_path: Path) -> None:
    first, second = make_samples(2)
    url = str(tmp_path / "a <b> store")
    run = extract([first, broken(second)], recipe, store=url, client=client, progress=False)
    shown = repr(run)
    assert "1 done, 0 skipped, 1 failed" in shown
    assert run.commit in shown
    assert len(eval(run.code, {"gclnm": gclnm})["sample_id"]) == 1
    assert "only in memory" in repr(extract([first], recipe, client=client, progress=False))
    html = run._repr_html_()
    assert "<b>" not in html
    assert "1 failed" in html
