"""A second export of the same patients under other identifiers: held back, linked, or called different."""

from __future__ import annotations

import random
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pydicom
import pytest
from pydicom.uid import generate_uid

import gclnm
from gclnm.cohort.extract import Extraction, extract
from gclnm.errors import InputError
from gclnm.phantom import cohort
from gclnm.recipe.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from gclnm.catalog.samples import Samples
    from gclnm.store.store import FeatureStore

    Run = Callable[..., Extraction]

OURS = "2.25."


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PET of two patients, one ROI of interest each."""
    folder = tmp_path_factory.mktemp("first") / "cohort"
    return cohort(folder, patients=2, modalities=["PT"], workers=1, progress=False).dicom


@pytest.fixture(scope="module")
def second(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same patients, anonymised anew: every UID, id, date and file name, and the weight rounded."""
    return reanonymised(first, tmp_path_factory.mktemp("second"), salt="second")


def reanonymised(source: Path, target: Path, salt: str) -> Path:
    names = random.Random(salt)
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        ds = pydicom.dcmread(file)
        for element in ds.iterall():
            if element.VR == "UI" and str(element.value).startswith(OURS):
                element.value = generate_uid(entropy_srcs=[salt, str(element.value)])
            elif element.VR in ("DA", "DT") and element.value:
                element.value = f"2031{element.value[4:]}"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.PatientID = ds.PatientName = f"{salt}-{ds.PatientID}"
        ds.PatientWeight = str(round(float(ds.PatientWeight) / 10) * 10)
        folder = target / salt / ds.PatientID
        folder.mkdir(parents=True, exist_ok=True)
        ds.save_as(folder / f"{names.getrandbits(64):x}")
    return target / salt


@cache
def samples_of(folder: Path) -> Samples:
    return gclnm.pair(gclnm.scan(folder, progress=False), "GTV")


@pytest.fixture(scope="module")
def pet() -> Recipe:
    return Recipe(
        name="pet",
        modality="PT",
        quantity="SUVbw",
        compute={"shape": ["MeshVolume"], "firstorder": ["Mean"], "min_voxels": 8},
    )


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def store() -> FeatureStore:
    return gclnm.open_store("memory://")


@pytest.fixture
def run(client: Client, store: FeatureStore, pet: Recipe) -> Run:
    def go(folder: Path, **options: Any) -> Extraction:
        options = {"store": store, "client": client, "progress": False, **options}
        return extract(samples_of(folder), options.pop("recipe", pet), **options)

    return go


def numbers(done: Extraction) -> tuple[int, int, int, int]:
    return done.done, done.skipped, len(done.failed), len(done.twins)


def test_a_reanonymised_export_is_held_back_and_named(
    run: Run, store: FeatureStore, first: Path, second: Path
) -> None:
    before = run(first)
    assert numbers(before) == (2, 0, 0, 0)
    after = run(second)
    assert numbers(after) == (0, 0, 2, 2), after.failed["reason"].tolist()
    assert set(after.failed["reason"].str.split(":").str[0]) == {"same-content"}
    assert dict(zip(after.twins["patient_id"], after.twins["same_patient_id"], strict=True)) == {
        "second-P001": "P001",
        "second-P002": "P002",
    }
    assert set(after.twins["same_as"]) == set(before.dataset["sample_id"].values)
    assert set(after.twins["set"]) == {"pet"}
    assert store.read("pet").sizes["sample"] == 2
    assert "Pass same_as=run.twins" in repr(after)
    assert "0 done, 0 skipped, 2 failed (2 held back)" in repr(after)
    assert "(2 held back)" in after._repr_html_()
    assert "held back)" not in repr(before)
    assert all("same_as=run.twins" in fix for fix in after.failed["fix"])


def test_it_is_reported_again_by_a_run_that_computes_nothing(
    run: Run, store: FeatureStore, first: Path, second: Path
) -> None:
    run(first)
    held = run(second)
    commits = len(store.log())
    again = run(second)
    assert numbers(again) == (0, 0, 2, 2)
    assert not again.failed["tried"].any()
    assert again.twins.equals(held.twins)
    assert len(store.log()) == commits
    assert again.failed["fix"].tolist() == held.failed["fix"].tolist()


def test_linked_samples_are_the_old_rows_from_then_on(
    run: Run, store: FeatureStore, first: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(first)
    held = run(second)
    linked = run(second, same_as=held.twins)
    assert numbers(linked) == (0, 2, 0, 0)
    assert store.log()["what"].iloc[0] == "pet: 2 samples linked"
    assert store.read("pet", where="status == 'failed'").sizes["sample"] == 0
    assert sorted(store.read("pet")["patient_id"].values) == ["P001", "P002"]
    commits = len(store.log())
    assert numbers(run(second)) == (0, 2, 0, 0)  # not told again
    assert numbers(run(second, retry_failed=True)) == (0, 2, 0, 0)
    assert numbers(run(second, verify=True)) == (0, 2, 0, 0)
    assert len(store.log()) == commits


def test_a_link_can_be_given_before_the_export_was_ever_read(
    run: Run, store: FeatureStore, first: Path, second: Path
) -> None:
    run(first)
    pairs = {
        new.sample_id: old.sample_id for new, old in zip(samples_of(second), samples_of(first), strict=True)
    }
    assert numbers(run(second, same_as=pairs)) == (0, 2, 0, 0)
    assert store.read("pet").sizes["sample"] == 2
    assert store.read("pet", where="status == 'failed'").sizes["sample"] == 0


def test_a_tree_that_holds_both_exports_gives_each_patient_one_row(
    run: Run, store: FeatureStore, first: Path, second: Path, tmp_path: Path
) -> None:
    shutil.copytree(first, tmp_path / "both" / "first")
    shutil.copytree(second, tmp_path / "both" / "second")
    both = run(tmp_path / "both")
    assert numbers(both) == (2, 0, 2, 2)
    # Samples are sorted by patient: the first ones of the run are the ones that count.
    assert sorted(store.read("pet")["patient_id"].values) == ["P001", "P002"]
    assert numbers(run(tmp_path / "both", same_as=both.twins)) == (0, 4, 0, 0)
    assert numbers(run(tmp_path / "both", retry_failed=True)) == (0, 4, 0, 0)


def test_samples_mapped_to_themselves_are_truly_different(
    run: Run, store: FeatureStore, first: Path, second: Path
) -> None:
    run(first)
    held = run(second)
    different = run(second, same_as=held.twins.assign(same_as=held.twins["sample_id"]))
    assert numbers(different) == (2, 0, 0, 0)
    assert store.read("pet").sizes["sample"] == 4
    assert numbers(run(second)) == (0, 2, 0, 0)
    assert numbers(run(second, verify=True)) == (0, 2, 0, 0)


def test_the_other_export_can_be_made_the_one_that_counts(
    run: Run, store: FeatureStore, first: Path, second: Path
) -> None:
    run(first)
    held = run(second)
    swapped = dict(zip(held.twins["same_as"], held.twins["sample_id"], strict=True))
    with pytest.raises(InputError, match="none of these samples"):
        run(second, same_as=swapped)
    assert numbers(run(first, same_as=swapped))[3] == 0
    assert numbers(run(second))[:3] == (2, 0, 0)
    assert sorted(store.read("pet")["patient_id"].values) == ["second-P001", "second-P002"]


def test_a_contour_corrected_in_the_linked_export_is_a_revision_of_the_old_row(
    run: Run,
    store: FeatureStore,
    first: Path,
    second: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = run(first)
    run(second, same_as=run(second).twins)
    shutil.copytree(second, tmp_path / "copy")
    for file in (tmp_path / "copy" / "second-P001").iterdir():
        ds = pydicom.dcmread(file)
        if ds.Modality == "RTSTRUCT":
            for roi in ds.ROIContourSequence:
                # Half of the slices are cut away.
                roi.ContourSequence = roi.ContourSequence[: len(roi.ContourSequence) // 2]
            ds.save_as(file)
    corrected = run(tmp_path / "copy")
    assert numbers(corrected) == (1, 1, 0, 0)
    old, new = (r.dataset.sel(feature="original_shape_MeshVolume") for r in (before, corrected))
    assert list(new["patient_id"].values) == ["P001", "P002"]
    assert list(new["revision"].values) == [2, 1]
    assert new["value"].values[0] < 0.8 * old["value"].values[0]
    assert new["value"].values[1] == old["value"].values[1]
    assert numbers(run(tmp_path / "copy")) == (0, 2, 0, 0)
    # The first export's files, as they always were, do not take it back; nor are they read again.
    commit = store.commit
    assert numbers(run(first, verify=True)) == (0, 2, 0, 0)
    monkeypatch.setattr("gclnm.cohort.extract._compute", lambda *_, **__: pytest.fail("it computes"))
    assert numbers(run(first)) == (0, 2, 0, 0)
    assert store.commit == commit


def test_links_outlive_a_new_version_of_the_set_and_hold_in_other_sets(
    run: Run, store: FeatureStore, first: Path, second: Path, pet: Recipe, tmp_path: Path
) -> None:
    run(first)
    run(second, same_as=run(second).twins)
    shutil.copytree(first, tmp_path / "both" / "first")
    shutil.copytree(second, tmp_path / "both" / "second")
    other = pet.with_(compute={"shape": ["MeshVolume", "Sphericity"], "min_voxels": 8})
    assert numbers(run(tmp_path / "both", recipe=other, name="shapes")) == (2, 2, 0, 0)
    assert numbers(run(tmp_path / "both", recipe=other, replace=True)) == (2, 2, 0, 0)
    # Where only the second export is left, it is computed as itself.
    alone = pet.with_(compute={"shape": ["Sphericity"], "min_voxels": 8})
    assert numbers(run(second, recipe=alone, name="alone")) == (2, 0, 0, 0)


def test_a_table_read_from_csv_and_misuse(
    run: Run, store: FeatureStore, first: Path, second: Path, tmp_path: Path
) -> None:
    run(first)
    run(second).twins.to_csv(tmp_path / "twins.csv", index=False)
    table = pd.read_csv(tmp_path / "twins.csv")
    for wrong, words in (
        (5, "cannot be a int"),
        ("nowhere.csv", "no such file"),
        ({"a": 5}, "no sample_id"),
        ({"a": "b"}, "none of these samples"),
        (table.assign(same_as="0" * 24), "not known to the set"),
        (table.drop(columns="same_as"), "no column same_as"),
    ):
        with pytest.raises(InputError, match=words):
            run(second, same_as=wrong)
    assert numbers(run(second, same_as=tmp_path / "twins.csv")) == (0, 2, 0, 0)


def test_opposite_links_of_two_sets_block_no_third_and_a_ring_of_the_users_no_set_is_replaced_for(
    run: Run, store: FeatureStore, first: Path, second: Path, pet: Recipe, tmp_path: Path
) -> None:
    run(first)
    pairs = {b.sample_id: a.sample_id for a, b in zip(samples_of(first), samples_of(second), strict=True)}
    store.link("pet", pairs, coords={sample.sample_id: sample.coords for sample in samples_of(second)})
    other = pet.with_(compute={"shape": ["Sphericity"], "min_voxels": 8})
    store.create("other", other)
    coords = {sample.sample_id: sample.coords for path in (first, second) for sample in samples_of(path)}
    store.link("other", {a: b for b, a in pairs.items()}, coords=coords)
    shutil.copytree(first, tmp_path / "both" / "first")
    shutil.copytree(second, tmp_path / "both" / "second")
    third = pet.with_(compute={"firstorder": ["Mean", "Median"], "min_voxels": 8})
    commit = store.commit
    with pytest.raises(InputError, match="in a ring"):
        run(tmp_path / "both", recipe=third, replace=True, same_as=pairs | {a: b for b, a in pairs.items()})
    assert store.commit == commit
    assert numbers(run(tmp_path / "both", recipe=third, name="third")) == (2, 0, 2, 2)
    said = run(tmp_path / "both", recipe=third, replace=True, same_as=pairs)
    assert numbers(said) == (2, 2, 0, 0)
