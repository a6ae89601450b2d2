"""One sample and a recipe become one row; whatever is wrong with a case becomes its reason."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest

from gclnm import pipeline
from gclnm.errors import EngineError, QuantityError
from gclnm.images import Geometry, Mask, MaskRef, Sample, Volume, VolumeRef
from gclnm.pipeline import Row, check, features, run
from gclnm.recipe import Recipe
from gclnm.schemas.features import check_rows

GRID = Geometry(size=(20, 18, 12), spacing_mm=(1.0, 1.1, 2.0), origin_mm=(5.0, 6.0, 7.0))
RECIPE = Recipe(
    name="mine",
    quantity=["arbitrary", "unspecified"],
    compute={"shape": "all", "firstorder": "all", "glcm": "all"},
)


def texture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 40, GRID.shape)


def ball(radius: float) -> np.ndarray:
    z, y, x = np.ogrid[tuple(slice(n) for n in GRID.shape)]
    return (z - 6) ** 2 * 4 + (y - 9) ** 2 + (x - 10) ** 2 < radius**2


@pytest.fixture
def written(tmp_path: Path):
    """Writes an image and a label map and gives a sample of one label."""
    import SimpleITK as sitk

    def write(
        array: np.ndarray | None = None, labels: np.ndarray | None = None, *, name: str = "p1"
    ) -> Sample:
        image, mask = tmp_path / f"{name}.mha", tmp_path / f"{name}_mask.mha"
        voxels = texture() if array is None else array
        sitk.WriteImage(Volume(voxels, GRID).to_sitk(), str(image))
        both = ball(8).astype(np.uint8) if labels is None else labels
        drawn = sitk.GetImageFromArray(both)
        drawn.CopyInformation(Volume(voxels, GRID).to_sitk())
        sitk.WriteImage(drawn, str(mask))
        return Sample(
            images={"image": VolumeRef(f"v-{name}", "image", (str(image),), modality="MR")},
            masks={"roi": MaskRef("labelmap", str(mask), 1)},
            coords={"patient_id": name, "roi": "roi"},
        )

    return write


def test_a_sample_becomes_a_row_that_the_store_accepts(written) -> None:
    sample = written()
    (row,) = run([sample], RECIPE)
    assert (row.status, row.reason) == ("ok", "")
    assert row.sample_id == sample.sample_id
    assert row.coords == dict(sample.coords)
    assert row.values.shape == (len(RECIPE.features),)
    assert row.values.dtype == np.float64
    assert np.isfinite(row.values).all()
    assert row.seconds > 0
    table = RECIPE.feature_table()
    check_rows([row], RECIPE.features, RECIPE.diagnostics, table["lower"], table["upper"])
    history = json.loads(row.history)
    assert "pyradiomics" in history["engine"]["version"]
    assert history["image"]
    again = pickle.loads(pickle.dumps(row))
    assert np.array_equal(again.values, row.values)


def test_rows_come_in_the_order_of_samples_and_shared_volumes_are_read_once(written, monkeypatch) -> None:
    labels = ball(8).astype(np.uint8)
    labels[:, :9] *= 2
    one, other = written(labels=labels, name="a"), written(texture(1), name="b")
    second = Sample(one.images, {"roi": MaskRef("labelmap", one.masks["roi"].file, 2)}, {"patient_id": "a2"})
    read: list[str] = []
    genuine = pipeline.load_volume

    def counting(ref: VolumeRef) -> Volume:
        read.append(ref.volume_id)
        return genuine(ref)

    monkeypatch.setattr(pipeline, "load_volume", counting)
    rows = run([one, other, second], RECIPE)
    assert [row.coords["patient_id"] for row in rows] == ["a", "b", "a2"]
    assert [row.status for row in rows] == ["ok"] * 3
    assert sorted(read) == ["v-a", "v-b"]


def test_features_of_one_case_are_those_of_the_row(written) -> None:
    from gclnm.images.load import load_mask, load_volume

    sample = written()
    (row,) = run([sample], RECIPE)
    volume = load_volume(sample.images["image"])
    series = features(volume, load_mask(sample.masks["roi"], volume), RECIPE)
    assert np.array_equal(series.to_numpy(), row.values)
    assert tuple(series.index) == RECIPE.features
    assert tuple(series.attrs["diagnostics"][name] for name in RECIPE.diagnostics) == tuple(row.diagnostics)


def test_features_take_roles_and_a_mask_on_another_grid() -> None:
    grid = Geometry(size=(16, 14, 8), spacing_mm=GRID.spacing_mm, origin_mm=(7.0, 8.2, 11.0))
    part = Mask(ball(6)[2:10, 2:16, 2:18], grid)
    volume = Volume(texture(), GRID)
    whole = features({"image": volume}, {"roi": Mask(ball(6), GRID)}, RECIPE)
    assert features(volume, part, RECIPE).to_dict() == whole.to_dict()


def test_the_digest_follows_voxels_and_mask_but_not_paths(written) -> None:
    first = run([written()], RECIPE)[0].inputs_sha256
    assert run([written(name="moved")], RECIPE)[0].inputs_sha256 == first
    changed = texture()
    changed[0, 0, 0] += 1
    assert run([written(changed)], RECIPE)[0].inputs_sha256 != first
    assert run([written(labels=ball(7).astype(np.uint8))], RECIPE)[0].inputs_sha256 != first


def test_the_digest_follows_facts_alone_and_the_masks_grid_alone(written, monkeypatch) -> None:
    from dataclasses import replace

    sample = written()
    first = run([sample], RECIPE)[0].inputs_sha256
    load_volume, load_mask = pipeline.load_volume, pipeline.load_mask

    def heavier(ref: VolumeRef) -> Volume:
        return replace(load_volume(ref), facts={"weight_kg": 81.0})

    def moved(ref: MaskRef, volume: Volume) -> Mask:
        mask = load_mask(ref, volume)
        return replace(mask, geometry=replace(mask.geometry, origin_mm=(5.0, 6.0, 9.0)))

    for name, other in (("load_volume", heavier), ("load_mask", moved)):
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, name, other)
            (row,) = run([sample], RECIPE)
        assert row.status == "ok"
        assert row.inputs_sha256 not in ("", first), name


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (np.zeros(GRID.shape, np.uint8), ""),
        (np.pad(np.ones((1, 1, 1), np.uint8), ((5, 6), (9, 8), (10, 9))), "one-voxel"),
        (np.pad(np.ones((1, 8, 8), np.uint8), ((5, 6), (5, 5), (6, 6))), "one-slice"),
    ],
)
def test_a_bad_roi_is_a_failed_row_and_the_others_go_on(written, labels, code) -> None:
    bad, good = written(labels=labels, name="bad"), written(name="good")
    rows = run([bad, good], RECIPE)
    assert [row.status for row in rows] == ["failed", "ok"]
    assert rows[0].reason.startswith(code)
    assert np.isnan(rows[0].values).all()
    assert "bad_mask" not in rows[0].reason
    table = RECIPE.feature_table()
    check_rows(rows, RECIPE.features, RECIPE.diagnostics, table["lower"], table["upper"])


@pytest.mark.parametrize("value", [np.nan, 7.0])
def test_an_image_without_numbers_or_contrast_is_a_failed_row(written, value) -> None:
    array = texture() if np.isnan(value) else np.full(GRID.shape, value)
    array[6, 9, 10] = value
    (row,) = run([written(array)], RECIPE)
    assert row.status == "failed"
    assert row.reason.split(":")[0] in ("not-finite", "constant-image")


def test_another_quantity_is_refused(written) -> None:
    (row,) = run([written()], "ct")
    assert row.status == "failed"
    assert "HU" in row.reason
    with pytest.raises(QuantityError, match="the recipe measures HU"):
        features(Volume(texture(), GRID), Mask(ball(6), GRID), "ct")


def test_a_missing_file_is_a_failed_row_without_its_path(written) -> None:
    sample = written()
    Path(sample.images["image"].files[0]).unlink()
    (row,) = run([sample], RECIPE)
    assert row.status == "failed"
    assert "p1.mha" not in row.reason
    assert row.inputs_sha256 == ""


def test_what_nobody_foresaw_is_named_by_kind_and_place_only(written, monkeypatch, caplog) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret of patient Doe in /data/doe")

    monkeypatch.setattr(pipeline, "onto", broken)
    with caplog.at_level(logging.DEBUG, logger="gclnm"):
        (row,) = run([written()], RECIPE)
    assert row.reason == f"internal: RuntimeError in {__name__}"
    assert row.inputs_sha256
    assert any("secret" in str(record.exc_info) for record in caplog.records)


def test_a_value_outside_its_bounds_is_a_failed_row(written, monkeypatch) -> None:
    from gclnm.engines import pyradiomics

    genuine = pyradiomics._checked

    def wrong(*args: object) -> dict[str, float]:
        return {**genuine(*args), "original_shape_Sphericity": 1.2}

    monkeypatch.setattr(pyradiomics, "_checked", wrong)
    (row,) = run([written()], RECIPE)
    assert row.reason.startswith("out-of-bounds: original_shape_Sphericity is 1.2")


def test_a_recipe_that_cannot_run_is_refused_before_anything_is_read(written, monkeypatch) -> None:
    from gclnm.engines import upstream

    monkeypatch.setattr(upstream, "_gives_an_image", lambda kind: False)
    recipe = RECIPE.with_(prepare__filters={"lbp2d": {}})
    with pytest.raises(EngineError):
        check(recipe)
    with pytest.raises(EngineError):
        run([written()], recipe)


def test_notes_on_missing_values_are_kept_together(written) -> None:
    (row,) = run([written(labels=ball(3).astype(np.uint8))], RECIPE)
    notes = json.loads(row.history)["notes"]
    assert [columns for note, columns in notes.items() if "fewer than 64" in note] == [["glcm"]]
    assert np.isnan(row.values).sum() == len(RECIPE.compute.chosen["glcm"])


def test_a_harmonised_pet_is_not_harmonised_again() -> None:
    facts = {"modality": "PT", "units": "GML", "suv_type": "BW", "corrected_image": "ATTN;DECY"}
    from gclnm.harmonize import harmonize

    raw = Volume(np.abs(texture()) / 20, GRID, quantity="g/mL", facts=facts)
    mask = Mask(ball(9), GRID)
    recipe = Recipe.named("pet").with_(prepare__resample=None)
    once, twice = features(raw, mask, recipe), features(harmonize(raw), mask, recipe)
    assert once.equals(twice)


def test_a_recipe_for_any_quantity_takes_the_image_as_it_is(written) -> None:
    (row,) = run([written()], RECIPE.with_(quantity=[]))
    assert row.status == "ok"


def test_no_samples_are_no_rows() -> None:
    assert run([], RECIPE) == []
    assert Row("a", {}, "failed", "x: y", np.zeros(0), np.zeros(0)).history == "{}"
