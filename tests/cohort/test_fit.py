"""A recipe learns from training cases; one bad case is left out, told, and stops nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gclnm
from gclnm.cohort.fit import learn
from gclnm.errors import FitWarning, InputError, RecipeError
from gclnm.images import Geometry, Mask, MaskRef, Sample, Volume, VolumeRef
from gclnm.images.volume import to_sitk
from gclnm.recipe import Recipe

GRID = Geometry(size=(32, 28, 8), spacing_mm=(3.0, 3.0, 5.0))
NYUL = Recipe(
    name="mine",
    quantity=["normalized"],
    harmonize={"mr": {"normalize": {"method": "nyul"}}},
    prepare={"discretise": {"bin_width": 5}},
    compute={"firstorder": "all", "glcm": "all"},
)


def body(seed: int) -> np.ndarray:
    """Air, and a body of smoothly varying tissue."""
    rng = np.random.default_rng(seed)
    array = np.abs(rng.normal(0, 2, GRID.shape))
    array[:, 4:24, 4:28] = rng.gamma(4, 40, (8, 20, 24)) + 60
    return array


def inside(seed: int = 0) -> np.ndarray:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[2:6, 8:14, 8:16] = True
    return np.roll(mask, seed % 3, axis=2)


@pytest.fixture
def cases(tmp_path: Path):
    """Write patients, each with its gain and offset, and give their samples."""
    import SimpleITK as sitk

    def write(n: int = 6, *, gain=lambda i: 1.0, offset=lambda i: 0.0, same: bool = False) -> list[Sample]:
        samples = []
        for i in range(n):
            image, mask = tmp_path / f"p{i}.mha", tmp_path / f"p{i}_mask.mha"
            array = body(0 if same else i) * gain(i) + offset(i)
            sitk.WriteImage(to_sitk(array.astype(np.float32), GRID), str(image))
            sitk.WriteImage(to_sitk(inside(0 if same else i).astype(np.uint8), GRID), str(mask))
            samples.append(
                Sample(
                    images={"image": VolumeRef(f"v{i}", "image", (str(image),), modality="MR")},
                    masks={"roi": MaskRef("labelmap", str(mask), 1)},
                    coords={"patient_id": f"p{i}", "roi": "roi", "modality": "MR"},
                )
            )
        return samples

    return write


def test_what_was_learnt_is_in_the_recipe_with_the_training_samples(cases, client) -> None:
    samples = cases()
    recipe = gclnm.fit(samples, NYUL, client=client, progress=False)
    standard = recipe.harmonize.mr.normalize.standard
    assert standard.cases == 6
    assert standard.sample_ids == tuple(sorted(sample.sample_id for sample in samples))
    assert standard.landmarks[0] == 0
    assert standard.landmarks[-1] == pytest.approx(100)
    assert list(standard.landmarks) == sorted(standard.landmarks)
    assert recipe.id != NYUL.id
    assert Recipe(**recipe.model_dump(mode="json")).id == recipe.id
    again = gclnm.fit(samples[::-1], recipe, client=client, progress=False)
    assert again.harmonize.mr.normalize.standard.sample_ids_sha256 == standard.sample_ids_sha256


def test_scanners_of_other_gain_and_offset_learn_the_same_scale(cases, client) -> None:
    plain = gclnm.fit(cases(), NYUL, client=client, progress=False)
    other = gclnm.fit(
        cases(gain=lambda i: 1.7 + i, offset=lambda i: 40.0 * i), NYUL, client=client, progress=False
    )
    a, b = (np.array(r.harmonize.mr.normalize.standard.landmarks) for r in (plain, other))
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_features_of_the_same_tissue_agree_between_scanners(cases, client) -> None:
    recipe = gclnm.fit(cases(), NYUL, client=client, progress=False)
    rng = np.random.default_rng(9)
    array = body(9) + rng.normal(0, 1, GRID.shape)
    mask = Mask(inside(), GRID)
    facts = {"modality": "MR"}
    first = gclnm.features(Volume(array, GRID, facts=facts), mask, recipe)
    other = gclnm.features(Volume(array * 1.7 + 40, GRID, facts=facts), mask, recipe)
    for name in (
        "original_firstorder_Mean",
        "original_firstorder_Entropy",
        "original_firstorder_90Percentile",
    ):
        assert other[name] == pytest.approx(first[name], rel=1e-3)


def test_one_bad_case_is_left_out_and_told(cases, client) -> None:
    samples = cases()
    Path(samples[2].images["image"].files[0]).unlink()
    wrong_label = replace(samples[4].masks["roi"], label=7)
    samples[4] = replace(samples[4], masks={"roi": wrong_label})
    with pytest.warns(FitWarning, match=r"2 of 6 samples were left out: 1 x .*\(p2\); 1 x .*\(p4\)"):
        recipe = gclnm.fit(samples, NYUL, min_cases=4, client=client, progress=False)
    standard = recipe.harmonize.mr.normalize.standard
    assert standard.cases == 4
    assert samples[2].sample_id not in standard.sample_ids


def test_too_few_cases_are_refused_with_the_reasons(cases, client) -> None:
    samples = cases(5)
    Path(samples[0].images["image"].files[0]).unlink()
    with pytest.raises(InputError, match="4 images can be learnt from, fewer than 5") as caught:
        gclnm.fit(samples, NYUL, client=client, progress=False)
    assert "p0" in caught.value.where
    assert caught.value.code == "too-few-cases"


def test_an_image_with_several_rois_counts_once(cases) -> None:
    first = cases(1)[0]
    second = Sample(first.images, first.masks, {**first.coords, "roi": "other"})
    lesson = learn([first, second], NYUL)
    assert lesson.used == (first.sample_id, second.sample_id)
    assert lesson.landmarks == learn([first], NYUL).landmarks


def test_adc_maps_are_left_out_by_name(cases, monkeypatch) -> None:
    from gclnm.images import load

    genuine = load.load_volume
    monkeypatch.setattr(load, "load_volume", lambda ref: replace(genuine(ref), quantity="1e-6 mm2/s"))
    (error,) = learn(cases(1), NYUL).left_out.values()
    assert error.code == "not-signal"
    assert "ADC map" in error.what


def test_what_nobody_foresaw_is_named_by_kind_only(cases, monkeypatch) -> None:
    from gclnm.images import load

    def broken(ref: VolumeRef) -> Volume:
        raise RuntimeError("secret of patient Doe")

    monkeypatch.setattr(load, "load_volume", broken)
    (error,) = learn(cases(1), NYUL).left_out.values()
    assert error.reason == "internal: RuntimeError in the worker"


def test_samples_of_several_sequences_are_refused(cases) -> None:
    one, two = cases(2)
    mixed = [replace(s, coords={**s.coords, "sequence": name}) for s, name in ((one, "T1"), (two, "T2"))]
    with pytest.raises(InputError, match="T1 1, T2 1"):
        gclnm.fit(mixed, NYUL, progress=False)


def test_a_recipe_without_anything_to_learn_is_refused(cases) -> None:
    with pytest.raises(RecipeError, match="nothing to learn"):
        gclnm.fit(cases(1), "mr-t1", progress=False)


def test_a_recipe_that_has_not_learnt_cannot_be_extracted(cases, tmp_path: Path) -> None:
    store = gclnm.open_store("memory://")
    with pytest.raises(RecipeError, match=r"gclnm\.fit"):
        gclnm.extract(cases(1), NYUL, store=store, progress=False)
    assert store.sets().empty
    with pytest.raises(RecipeError, match=r"gclnm\.fit"):
        gclnm.features(Volume(body(0), GRID, facts={"modality": "MR"}), Mask(inside(), GRID), NYUL)


@pytest.mark.slow
def test_local_workers_learn_what_threads_learn(cases, client) -> None:
    samples = cases()
    one = gclnm.fit(samples, NYUL, workers=2, progress=False)
    assert one.id == gclnm.fit(samples, NYUL, client=client, progress=False).id
