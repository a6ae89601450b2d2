"""Rows are replaced, never doubled: the whole way from DICOM, for every way in which inputs change."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

import gclnm
from gclnm.cohort.extract import Extraction, extract
from gclnm.phantom import cohort
from gclnm.recipe.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from gclnm.store.store import FeatureStore

    Run = Callable[..., Extraction]

VOLUME, MEAN = "original_shape_MeshVolume", "original_firstorder_Mean"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PET of two patients with RTSTRUCT."""
    folder = tmp_path_factory.mktemp("made") / "cohort"
    return cohort(folder, patients=2, modalities=["PT"], workers=1, progress=False).dicom


@pytest.fixture
def dicom(made: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(made, tmp_path / "dicom"))


@pytest.fixture
def pet() -> Recipe:
    compute = {"shape": ["MeshVolume"], "firstorder": ["Mean"], "min_voxels": 8}
    return Recipe(name="pet", modality="PT", quantity="SUVbw", compute=compute)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return gclnm.open_store(tmp_path / "store")


@pytest.fixture
def run(
    client: Client, store: FeatureStore, pet: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))

    def go(folder: Path, recipe: Recipe = pet, **options: Any) -> Extraction:
        samples = gclnm.pair(gclnm.scan(folder, progress=False), "GTV")
        return extract(samples, recipe, store=store, client=client, progress=False, **options)

    return go


def edit(folder: Path, modality: str, change: Callable[[pydicom.Dataset], None]) -> None:
    """Change all objects of one modality in place."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        ds = pydicom.dcmread(file)
        if modality == ds.Modality:
            change(ds)
            ds.save_as(file)


def halve(ds: pydicom.Dataset) -> None:
    for roi in ds.ROIContourSequence:
        roi.ContourSequence = roi.ContourSequence[: len(roi.ContourSequence) // 2]


def double(ds: pydicom.Dataset) -> None:
    """Twice the activity, under the same UIDs: the series was reconstructed and exported again."""
    ds.RescaleSlope = str(2 * float(ds.RescaleSlope))


def numbers(done: Extraction) -> tuple[int, int, int]:
    return done.done, done.skipped, len(done.failed)


def values(store: FeatureStore, feature: str, at: Any = None) -> list[float]:
    """By patient."""
    data = store.read("pet", at=at, select=feature)
    assert list(data["patient_id"].values) == ["P001", "P002"]
    return [float(value) for value in data["value"].values[:, 0]]


def replaced_once(
    run: Run, store: FeatureStore, dicom: Path, feature: str, ratio: tuple[float, float]
) -> None:
    """What every case has in common: one revision in one commit, the old one readable in three ways."""
    before = values(store, feature)
    store.tag("submission-1")
    first, then = store.commit, datetime.now(UTC)
    commits = len(store.log())
    done = run(dicom)
    assert numbers(done) == (1, 1, 0)
    assert done.replaced == 1
    assert "1 done, 1 skipped, 0 failed; 1 earlier row replaced" in repr(done)
    after = values(store, feature)
    assert ratio[0] < after[0] / before[0] < ratio[1]
    assert after[1] == before[1]
    assert len(store.log()) == commits + 1
    assert store.log()[["added", "replaced"]].values[0].tolist() == [0, 1]
    for at in ("submission-1", first, then):
        assert values(store, feature, at) == before
    everything = store.read("pet", where={"current": [True, False], "patient_id": "P001"})
    found = sorted(zip(everything["revision"].values, everything["current"].values, strict=True))
    assert found == [(1, False), (2, True)]
    again = run(dicom)
    assert numbers(again) == (0, 2, 0)
    assert "replaced" not in repr(again)
    assert len(store.log()) == commits + 1


def test_a_corrected_contour(run: Run, store: FeatureStore, dicom: Path) -> None:
    run(dicom)
    edit(dicom / "P001", "RTSTRUCT", halve)
    replaced_once(run, store, dicom, VOLUME, (0.4, 0.7))


def test_a_newer_structure_set_beside_the_old_one_is_taken_when_the_user_prefers_it(
    client: Client, run: Run, store: FeatureStore, dicom: Path, pet: Recipe
) -> None:
    run(dicom)
    before = values(store, VOLUME)
    (old,) = (dicom / "P001").rglob("RTSTRUCT*")
    newer = pydicom.dcmread(old)
    halve(newer)
    newer.SOPInstanceUID = newer.file_meta.MediaStorageSOPInstanceUID = f"{newer.SOPInstanceUID[:-3]}999"
    newer.StructureSetDate = "20300101"
    newer.save_as(old.with_name("NEWER.dcm"))
    samples = gclnm.pair(gclnm.scan(dicom, progress=False), "GTV", prefer="newest")
    done = extract(samples, pet, store=store, client=client, progress=False)
    assert numbers(done) == (1, 1, 0)
    assert values(store, VOLUME)[0] < 0.7 * before[0]
    assert sorted(store.keys("pet")["revision"]) == [1, 2]


def test_a_series_exported_again_with_the_same_uids_and_other_pixels(
    run: Run, store: FeatureStore, dicom: Path
) -> None:
    run(dicom)
    edit(dicom / "P001", "PT", double)
    replaced_once(run, store, dicom, MEAN, (1.99, 2.01))


def test_a_corrected_weight(run: Run, store: FeatureStore, dicom: Path) -> None:
    run(dicom)

    def heavier(ds: pydicom.Dataset) -> None:
        ds.PatientWeight = str(1.25 * float(ds.PatientWeight))

    edit(dicom / "P001", "PT", heavier)
    replaced_once(run, store, dicom, MEAN, (1.24, 1.26))
    held = store.keys("pet")
    assert (held["same_as"] == "").all()


def test_a_retried_failure_whose_cause_was_removed(run: Run, store: FeatureStore, dicom: Path) -> None:
    weights: list[str] = []

    def without_weight(ds: pydicom.Dataset) -> None:
        weights.append(str(ds.PatientWeight))
        del ds.PatientWeight

    def with_weight(ds: pydicom.Dataset) -> None:
        ds.PatientWeight = weights[0]

    edit(dicom / "P001", "PT", without_weight)
    assert numbers(run(dicom)) == (1, 0, 1)
    store.tag("with-a-failure")
    commits = len(store.log())
    assert numbers(run(dicom)) == (0, 1, 1)
    assert numbers(run(dicom, retry_failed=True)) == (0, 1, 1)
    assert len(store.log()) == commits
    edit(dicom / "P001", "PT", with_weight)
    assert numbers(run(dicom)) == (1, 1, 0)
    assert store.log()[["added", "replaced"]].values[0].tolist() == [0, 1]
    assert len(values(store, MEAN)) == 2
    assert store.read("pet", at="with-a-failure").sizes["sample"] == 1
    assert store.read("pet", at="with-a-failure", where="status == 'failed'")["reason"].item()
    assert sorted(store.keys("pet")["revision"]) == [1, 2]


def test_another_recipe_starts_a_version_of_the_set_and_the_old_one_stays(
    run: Run, store: FeatureStore, dicom: Path, pet: Recipe
) -> None:
    run(dicom)
    before = values(store, MEAN)
    store.tag("submission-1")
    first, then = store.commit, datetime.now(UTC)
    changed = pet.with_(prepare={"resample": {"spacing_mm": [4, 4, 4]}})
    assert numbers(run(dicom, changed, replace=True)) == (2, 0, 0)
    assert not np.allclose(values(store, MEAN), before, rtol=1e-6)
    assert sorted(store.keys("pet")["revision"]) == [1, 1]
    for at in ("submission-1", first, then):
        assert values(store, MEAN, at) == before
    assert numbers(run(dicom, changed)) == (0, 2, 0)


def test_a_patient_whose_files_were_overwritten_by_another_patients_is_no_second_row(
    run: Run, store: FeatureStore, dicom: Path
) -> None:
    """Both mistakes happen: the wrong export under the right identifiers."""
    run(dicom)
    before = values(store, MEAN)
    (dicom / "P002").rename(dicom.parent / "aside")
    shutil.copytree(dicom / "P001", dicom / "P002")
    ids = {ds.Modality: ds for ds in map(pydicom.dcmread, sorted((dicom.parent / "aside").rglob("*/*")))}

    def as_second(ds: pydicom.Dataset) -> None:
        own = ids[ds.Modality]
        ds.PatientID, ds.StudyInstanceUID = own.PatientID, own.StudyInstanceUID
        ds.SeriesInstanceUID = own.SeriesInstanceUID
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{ds.SOPInstanceUID[:-3]}777"
        if ds.Modality == "RTSTRUCT":
            frame = ds.ReferencedFrameOfReferenceSequence[0]
            series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
            series.SeriesInstanceUID = ids["PT"].SeriesInstanceUID
            images = [*series.ContourImageSequence]
            for roi in ds.ROIContourSequence:
                for contour in roi.ContourSequence:
                    images += contour.get("ContourImageSequence", [])
            for image in images:
                image.ReferencedSOPInstanceUID = f"{image.ReferencedSOPInstanceUID[:-3]}777"

    edit(dicom / "P002", "PT", as_second)
    edit(dicom / "P002", "RTSTRUCT", as_second)
    mixed = run(dicom)
    assert numbers(mixed) == (0, 1, 1)
    assert mixed.twins["same_patient_id"].tolist() == ["P001"]
    assert store.read("pet")["patient_id"].values.tolist() == ["P001"]
    assert values(store, MEAN, at=store.log()["commit"].iloc[1]) == before


def test_two_runs_at_once_count_what_each_has_brought(
    client: Client,
    store: FeatureStore,
    dicom: Path,
    pet: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The other run commits the same rows between this one's look at the store and its commit."""
    from gclnm.cohort import ledger

    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    samples = gclnm.pair(gclnm.scan(dicom, progress=False), "GTV")
    commit = ledger.Ledger._commit
    others: list[Extraction] = []

    def after_the_other(self: Any, rows: Any) -> Any:
        if not others:
            monkeypatch.setattr(ledger.Ledger, "_commit", commit)
            second = gclnm.open_store(store.url)
            others.append(extract(samples[:1], pet, store=second, client=client, progress=False))
        return commit(self, rows)

    monkeypatch.setattr(ledger.Ledger, "_commit", after_the_other)
    mine = extract(samples, pet, store=store, client=client, progress=False)
    assert numbers(others[0]) == (1, 0, 0)
    assert numbers(mine) == (1, 1, 0)
    assert sorted(store.keys("pet")["revision"]) == [1, 1]
    assert store.read("pet").sizes["sample"] == 2
