"""What a second run does when files have changed, only look changed, or are not remembered."""

from __future__ import annotations

import os
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gclnm
from gclnm import pipeline
from gclnm.catalog.memory import Memory, fingerprints, memory_file
from gclnm.cohort.extract import Extraction, extract
from gclnm.images import MaskRef, Sample, VolumeRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from gclnm.recipe.recipe import Recipe
    from gclnm.store.store import FeatureStore

    Extract = Callable[..., Extraction]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A memory of its own for each test."""
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def store() -> FeatureStore:
    return gclnm.open_store("memory://")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one entry whenever features are computed."""
    calls: list[str] = []
    genuine = pipeline._measure

    def counting(*arguments: Any) -> Any:
        calls.append("once")
        return genuine(*arguments)

    monkeypatch.setattr(pipeline, "_measure", counting)
    return calls


@pytest.fixture
def again(recipe: Recipe, store: FeatureStore, client: Client) -> Extract:
    def run(samples: list[Sample], **options: Any) -> Extraction:
        return extract(samples, recipe, store=store, client=client, progress=False, **options)

    return run


def numbers(run: Extraction) -> tuple[int, int, int]:
    return run.done, run.skipped, len(run.failed)


def volume_of(run: Extraction, sample: Sample) -> float:
    rows = run.dataset["value"].sel(feature="original_shape_MeshVolume")
    return float(rows.values[list(run.dataset["sample_id"].values).index(sample.sample_id)])


def grow(mask: str, to: str | None = None) -> str:
    """Draw the ROI one voxel larger, in place or into a new file."""
    import SimpleITK as sitk

    sitk.WriteImage(sitk.BinaryDilate(sitk.ReadImage(mask), [1, 1, 1]), to or mask)
    return to or mask


def wipe(mask: str) -> None:
    """Leave one voxel of the ROI, which has no shape."""
    import SimpleITK as sitk

    image = sitk.ReadImage(mask)
    labels = sitk.GetArrayFromImage(image)
    labels[:] = 0
    labels[0, 0, 0] = 1
    small = sitk.GetImageFromArray(labels)
    small.CopyInformation(image)
    sitk.WriteImage(small, mask)


def brighten(image: str) -> None:
    """Add 10 to every voxel."""
    import SimpleITK as sitk

    sitk.WriteImage(sitk.ReadImage(image) + 10, image)


def revisions(store: FeatureStore) -> list[int]:
    return sorted(store.keys("tiny")["revision"])


def test_a_contour_corrected_in_place_is_computed_again(
    make_samples: Any, again: Extract, store: FeatureStore
) -> None:
    samples = make_samples(2)
    before = again(samples)
    grow(samples[0].masks["roi"].file)
    run = again(samples)
    assert numbers(run) == (1, 1, 0)
    assert revisions(store) == [1, 2]
    assert volume_of(run, samples[0]) > 1.2 * volume_of(before, samples[0])
    assert numbers(again(samples)) == (0, 2, 0)


def test_a_newer_structure_set_replaces_the_row(
    make_samples: Any, again: Extract, store: FeatureStore, tmp_path: Path
) -> None:
    (sample,) = make_samples(1)
    again([sample])
    mask = sample.masks["roi"]
    newer = Sample(
        sample.images,
        {"roi": replace(mask, file=grow(mask.file, str(tmp_path / "newer.nii.gz")))},
        sample.coords,
    )
    assert newer.sample_id == sample.sample_id
    assert numbers(again([newer])) == (1, 0, 0)
    assert revisions(store) == [2]
    assert numbers(again([sample])) == (1, 0, 0)
    assert revisions(store) == [3]


def test_an_image_that_changed_is_computed_again(make_samples: Any, again: Extract) -> None:
    samples = make_samples(2)
    before = again(samples)
    brighten(samples[0].images["image"].files[0])
    run = again(samples)
    assert numbers(run) == (1, 1, 0)
    first, now = (r.dataset["value"].sel(feature="original_firstorder_Mean").values for r in (before, run))
    assert now - first == pytest.approx([10.0, 0.0], abs=1e-4)


def test_a_failed_row_whose_contour_was_corrected_is_computed_without_being_asked(
    make_samples: Any,
    again: Extract,
    store: FeatureStore,
    measured: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = make_samples(2)
    mask = Path(samples[0].masks["roi"].file)
    whole = mask.read_bytes()
    wipe(str(mask))
    assert numbers(again(samples)) == (1, 0, 1)
    os.utime(mask, (1.0, 1.0))
    tries = len(measured)
    left = again(samples)  # read and found equal
    assert (numbers(left), left.failed["tried"].item()) == ((0, 1, 1), False)
    assert len(measured) == tries
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gclnm.cohort.cluster", None)
        assert numbers(again(samples)) == (0, 1, 1)
    mask.write_bytes(whole)
    assert numbers(again(samples)) == (1, 1, 0)
    assert revisions(store) == [1, 2]


def test_a_file_that_only_looks_changed_is_read_and_not_measured(
    make_samples: Any, again: Extract, store: FeatureStore, measured: list[str]
) -> None:
    samples = make_samples(2, rois=2)
    first = again(samples)
    assert len(measured) == 4
    os.utime(samples[0].images["image"].files[0], (1.0, 1.0))
    run = again(samples)
    assert numbers(run) == (0, 4, 0)
    assert len(measured) == 4
    assert run.commit == first.commit


def test_nothing_to_do_reads_nothing_and_starts_no_cluster(
    make_samples: Any, again: Extract, recipe: Recipe, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = make_samples(2, rois=2)
    again(samples)
    os.utime(samples[0].masks["roi"].file, (1.0, 1.0))
    again(samples)  # what was read and found equal is remembered too
    monkeypatch.setitem(sys.modules, "gclnm.cohort.cluster", None)
    assert numbers(extract(samples, recipe, store=store, progress=False)) == (0, 4, 0)


def test_another_machine_reads_once_and_measures_nothing(
    make_samples: Any, again: Extract, measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = make_samples(2)
    again(samples)
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "elsewhere"))
    assert numbers(again(samples)) == (0, 2, 0)
    assert len(measured) == 2
    monkeypatch.setitem(sys.modules, "gclnm.cohort.cluster", None)
    assert numbers(again(samples)) == (0, 2, 0)


def test_verify_reads_what_only_the_memory_calls_unchanged(
    make_samples: Any, again: Extract, measured: list[str]
) -> None:
    samples = make_samples(2)
    again(samples)
    changed, same = (Path(s.images["image"].files[0]) for s in samples)
    then = changed.stat()
    content = same.read_bytes()[: then.st_size].ljust(then.st_size, b"\0")
    changed.write_bytes(content)
    os.utime(changed, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert numbers(again(samples)) == (0, 2, 0)
    run = again(samples, verify=True)
    assert run.skipped == 1
    assert run.done + len(run.failed) == 1


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_damaged_memory_costs_a_reading_and_is_made_anew(
    make_samples: Any, again: Extract, measured: list[str], content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = make_samples(1)
    again(samples)
    memory_file().write_bytes(content)
    assert numbers(again(samples)) == (0, 1, 0)
    assert len(measured) == 1
    monkeypatch.setitem(sys.modules, "gclnm.cohort.cluster", None)
    assert numbers(again(samples)) == (0, 1, 0)


def test_without_a_folder_for_the_memory_everything_works(
    make_samples: Any, again: Extract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "file" / "cache"))
    samples = make_samples(1)
    assert numbers(again(samples)) == (1, 0, 0)
    assert numbers(again(samples)) == (0, 1, 0)


def test_the_memory_holds_digests_only(make_samples: Any, again: Extract, folder: Path) -> None:
    samples = make_samples(2)
    again(samples)
    rows = sqlite3.connect(memory_file()).execute("SELECT * FROM inputs").fetchall()
    assert len(rows) == 2
    assert {len(text) for row in rows for text in row} == {64}
    assert memory_file().parent == folder
    assert b"nii.gz" not in memory_file().read_bytes()


def test_a_fingerprint_follows_the_files_and_how_the_mask_is_read(make_samples: Any) -> None:
    (sample,) = make_samples(1)
    mask = sample.masks["roi"]
    other = [
        Sample(sample.images, {"roi": changed}, sample.coords)
        for changed in (mask, replace(mask, label=2), replace(mask, component=1), replace(mask, rule="touch"))
    ]
    prints = [fingerprints([one])[sample.sample_id] for one in [sample, *other]]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


def test_a_file_that_is_gone_or_has_its_voxels_elsewhere_has_no_fingerprint(tmp_path: Path) -> None:
    header = tmp_path / "a.mhd"
    header.write_text("ElementDataFile = a.raw")
    for file in (str(header), str(tmp_path / "gone.nii")):
        image = VolumeRef("id", "image", (file,))
        sample = Sample({"image": image}, {"roi": MaskRef("labelmap", file, 1)}, {"patient_id": "p"})
        assert fingerprints([sample]) == {}


def test_a_worker_cannot_call_unchanged_what_was_not_compared(
    make_samples: Any, again: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = pipeline.run

    def lying(samples: Any, recipe: Any, known: Any) -> Any:
        return [replace(row, status="unchanged") for row in genuine(samples, recipe)]

    monkeypatch.setattr(pipeline, "run", lying)
    assert numbers(again(make_samples(1))) == (0, 0, 1)


def test_known_inputs_are_not_measured_and_others_are(
    make_samples: Any, recipe: Recipe, measured: list[str]
) -> None:
    samples = make_samples(1, rois=2)
    first, second = pipeline.run(samples, recipe)
    known = {first.sample_id: first.inputs_sha256, second.sample_id: "0" * 64}
    rows = pipeline.run(samples, recipe, known)
    assert [row.status for row in rows] == ["unchanged", "ok"]
    assert rows[0].inputs_sha256 == first.inputs_sha256
    assert np.isnan(rows[0].values).all()
    assert len(measured) == 3


def test_thousands_of_samples_cost_one_stat_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "slice.dcm"
    file.write_bytes(b"x")
    image = VolumeRef("id", "dicom", (str(file),) * 50)
    asked: list[str] = []
    genuine = os.stat

    def counting(path: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(str(path))
        return genuine(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", counting)
    samples = [
        Sample({"image": image}, {"roi": MaskRef("rtstruct", str(file), n)}, {"roi_instance": str(n)})
        for n in range(1000)
    ]
    assert len(fingerprints(samples)) == 1000
    assert asked.count(str(file)) == 51


def test_what_was_learnt_of_an_unknown_sample_is_not_written(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "m.sqlite", {"a": "1" * 64})
    memory.learn("b", "2" * 64)
    memory.save()
    assert not (tmp_path / "m.sqlite").exists()
    memory.learn("a", "2" * 64)
    memory.save()
    assert memory.inputs(["a", "b"]) == {"a": "2" * 64}
