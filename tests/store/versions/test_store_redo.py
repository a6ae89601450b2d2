"""A row computed again from its files: the same, or what is another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gclnm import pipeline
from gclnm.catalog.places import Places, places_file
from gclnm.errors import InputError
from gclnm.images import Geometry, MaskRef, Sample, VolumeRef
from gclnm.images.volume import to_sitk
from gclnm.recipe.recipe import Recipe
from gclnm.store import layout
from gclnm.store.store import FeatureStore, open_store
from gclnm.store.versions import redo
from gclnm.store.versions.redo import Redone

SECRET = "WANG-XIAOMING"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory of its own for each test."""
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def tiny() -> Recipe:
    return Recipe(
        name="tiny",
        prepare={"discretise": {"bin_width": 10}},
        compute={"shape": ["MeshVolume"], "firstorder": ["Mean", "Entropy"], "min_voxels": 8},
    )


def write(path: Path, array: Any) -> None:
    import SimpleITK

    size = tuple(reversed(array.shape))
    SimpleITK.WriteImage(to_sitk(array, Geometry(size=size, spacing_mm=(1.0, 1.0, 1.5))), str(path))


def ball(radius: float) -> Any:
    z, y, x = np.indices((16, 16, 16))
    return ((z - 8) ** 2 + (y - 8) ** 2 + (x - 8) ** 2 < radius**2).astype(np.uint8)


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A case in a folder that has the patient's name."""
    folder = tmp_path / SECRET
    folder.mkdir()
    write(folder / "image.nii.gz", np.random.default_rng(1).normal(40, 60, (16, 16, 16)).astype(np.float32))
    write(folder / "mask.nii.gz", ball(4))
    return Sample(
        images={"image": VolumeRef("volume-1", "image", (str(folder / "image.nii.gz"),), modality="MR")},
        masks={"roi": MaskRef("labelmap", str(folder / "mask.nii.gz"), 1)},
        coords={"patient_id": "P1", "roi": "ball", "modality": "MR", "b_value": 800.0},
    )


@pytest.fixture
def store(sample: Sample, tiny: Recipe) -> FeatureStore:
    """The row of the sample, with its files remembered, as `extract` leaves it."""
    store = open_store("memory://")
    rows = pipeline.run([sample], tiny)
    store.append("tiny", tiny, rows)
    Places(places_file()).keep([(sample, rows[0].inputs_sha256)])
    return store


def again(store: FeatureStore, sample: Sample, given: Any = True) -> Redone:
    found = store.explain(sample.sample_id, redo=given).redone
    assert found is not None
    return found


def test_a_row_is_not_computed_again_unless_asked(store: FeatureStore, sample: Sample) -> None:
    assert store.explain(sample.sample_id).redone is None


def test_the_same_files_give_the_same_row(store: FeatureStore, sample: Sample) -> None:
    found = again(store, sample)
    assert (found.outcome, found.compared, found.differing) == ("identical", 3, 0)
    assert not found.inputs
    assert not found.software
    text = repr(store.explain(sample.sample_id, redo=True))
    assert "identical: 3 values, to the last bit" in text
    assert "the same versions" in text


def test_no_path_is_shown(store: FeatureStore, sample: Sample) -> None:
    explained = store.explain(sample.sample_id, redo=True)
    assert explained.redone is not None
    assert SECRET not in repr(explained) + explained._repr_html_() + repr(explained.redone)
    Path(sample.masks["roi"].file).unlink()
    gone = store.explain(sample.sample_id, redo=True)
    assert SECRET not in repr(gone) + repr(gone.redone)


def test_samples_can_be_given_instead_of_the_memory(store: FeatureStore, sample: Sample) -> None:
    places_file().unlink()
    assert again(store, sample).outcome == "not computed"
    assert "does not know where its files are" in again(store, sample).why
    for given in (sample, [sample], iter([sample])):
        assert again(store, sample, given).outcome == "identical"


def test_files_that_were_moved_away_are_counted(store: FeatureStore, sample: Sample) -> None:
    Path(sample.masks["roi"].file).unlink()
    found = again(store, sample)
    assert found.outcome == "not computed"
    assert "does not reach 1 of its 2 files" in found.why


def test_a_mask_that_changed_is_named_with_the_largest_difference(
    store: FeatureStore, sample: Sample
) -> None:
    before = store.table("tiny")["original_shape_MeshVolume"].item()
    write(Path(sample.masks["roi"].file), ball(5))
    found = again(store, sample)
    assert found.outcome == "different"
    assert found.inputs == {"mask": "mask of roi changed"}
    assert (found.feature, found.before) == ("original_shape_MeshVolume", before)
    assert found.relative == pytest.approx(1 - found.before / found.now)
    assert "mask of roi changed" in repr(store.explain(sample.sample_id, redo=True))


def test_pixels_that_changed_are_named(store: FeatureStore, sample: Sample) -> None:
    (file,) = sample.images["image"].files
    write(Path(file), np.random.default_rng(2).normal(40, 60, (16, 16, 16)).astype(np.float32))
    assert set(again(store, sample).inputs) == {"pixels"}


def test_a_grid_that_changed_is_named(store: FeatureStore, sample: Sample) -> None:
    import SimpleITK

    for file in (*sample.images["image"].files, sample.masks["roi"].file):
        image = SimpleITK.ReadImage(file)
        image.SetSpacing((1.0, 1.0, 3.0))
        SimpleITK.WriteImage(image, file)
    assert {"grid", "mask"} <= set(again(store, sample).inputs)


def test_numbers_that_differ_from_equal_inputs_name_the_software(
    store: FeatureStore, sample: Sample, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = pipeline.run
    old = layout.versions()["numpy"]

    def other(*given: Any) -> Any:
        return [replace(row, values=row.values * [1, 1, 1.5]) for row in genuine(*given)]

    monkeypatch.setattr(pipeline, "run", other)
    monkeypatch.setattr(redo, "versions", lambda: {**layout.versions(), "numpy": "99"})
    found = again(store, sample)
    assert (found.outcome, found.differing, found.feature) == ("different", 1, tiny.features[2])
    assert found.relative == pytest.approx(1 / 3)
    assert found.software == (f"numpy {old} -> 99",)
    assert not found.inputs


def test_a_failure_that_repeats_itself_is_identical(sample: Sample, tiny: Recipe) -> None:
    write(Path(sample.masks["roi"].file), ball(4) * 0)
    store = open_store("memory://")
    rows = pipeline.run([sample], tiny)
    assert rows[0].status == "failed"
    store.append("tiny", tiny, rows)
    assert again(store, sample, sample).outcome == "identical"
    write(Path(sample.masks["roi"].file), ball(4))
    found = again(store, sample, sample)
    assert found.outcome == "different"
    assert "it was failed, and now is ok" in found.why


def test_the_stored_recipe_is_used(store: FeatureStore, sample: Sample, tiny: Recipe) -> None:
    first = store.commit
    other = tiny.with_(prepare={"discretise": {"bin_width": 40}})
    store.create("tiny", other, replace=True)
    store.append("tiny", other, pipeline.run([sample], other))
    assert again(store, sample).outcome == "identical"
    then = store.explain(sample.sample_id, at=first, redo=True)
    assert then.redone is not None
    assert then.redone.outcome == "identical"
    assert then.recipe_id == tiny.id


def test_a_recipe_of_another_version_is_said(store: FeatureStore, sample: Sample) -> None:
    session = store._repository.repo.writable_session("main")
    import zarr

    group = zarr.open_group(session.store, mode="a")["sets/tiny"]
    group.attrs["recipe"] = '{"name": "tiny", "settings_of_tomorrow": 1}'
    session.commit("by a newer version", metadata={"action": "other"})
    assert "does not understand the stored recipe" in again(store, sample).why


def test_samples_that_are_others_are_refused(store: FeatureStore, sample: Sample) -> None:
    other = replace(sample, coords={**sample.coords, "patient_id": "P2"})
    for given in ([other], []):
        with pytest.raises(InputError, match="none of the samples"):
            store.explain(sample.sample_id, redo=given)
    with pytest.raises(InputError, match="redo="):
        store.explain(sample.sample_id, redo=["somewhere"])  # type: ignore[list-item]


def test_a_merged_row_tells_its_origin_and_the_software_it_was_made_with(
    store: FeatureStore, sample: Sample
) -> None:
    ours = open_store("memory://")
    first = store.explain(sample.sample_id)
    ours.merge(store)
    merged = ours.explain(sample.sample_id, redo=True)
    assert merged.origin is not None
    assert merged.origin["commit"] == first.commit
    assert merged.origin["store_id"] == store._repository.root(store.commit).attrs["store_id"]
    assert merged.versions == first.versions
    assert merged.commit == ours.commit
    assert first.origin is None
    assert f"in commit {first.commit}" in dict(merged.lines())["merged"]
    assert merged.redone is not None
    assert merged.redone.outcome == "identical"
