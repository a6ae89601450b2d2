"""MR harmonisation as a recipe asks for it, and what the pipeline makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gclnm import pipeline
from gclnm.errors import QuantityError, RecipeError
from gclnm.harmonize.mr import bias
from gclnm.images import Mask, MaskRef, Sample, VolumeRef
from gclnm.images.volume import to_sitk
from gclnm.pipeline import features, run
from gclnm.recipe import Recipe

Z_SCORE = {"method": "z-score", "scale": 100}


def recipe(**mr: object) -> Recipe:
    return Recipe(
        name="mine",
        modality="MR",
        quantity=["normalized"] if mr.get("normalize") else ["arbitrary"],
        harmonize={"mr": mr},
        prepare={"discretise": {"bin_width": 5} if mr.get("normalize") else {"bin_count": 32}},
        compute={"firstorder": "all"},
    )


@pytest.fixture
def samples(made, tmp_path: Path) -> list[Sample]:
    """Two ROIs on one image, and the mask of a tissue."""
    import SimpleITK as sitk

    made_image = made()
    grid = made_image.volume.geometry
    labels = np.where(made_image.tissue == 200, 3, 0).astype(np.uint8)
    labels[made_image.roi.array] = 1
    labels[np.roll(made_image.roi.array, -8, axis=2)] = 2
    image, mask = str(tmp_path / "p.mha"), str(tmp_path / "p_mask.mha")
    sitk.WriteImage(made_image.volume.to_sitk(), image)
    sitk.WriteImage(to_sitk(labels, grid), mask)
    return [
        Sample(
            images={"image": VolumeRef("v", "image", (image,), modality="MR")},
            masks={"roi": MaskRef("labelmap", mask, label), "fat": MaskRef("labelmap", mask, 3)},
            coords={"patient_id": "p", "roi": f"roi {label}"},
        )
        for label in (1, 2)
    ]


def test_recipes_without_mr_settings_keep_their_ids() -> None:
    plain = Recipe.named("mr-t1")
    assert plain.harmonize.mr.n4 is None
    assert plain.with_(harmonize__mr={"n4": None, "normalize": None}).id == plain.id


def test_every_choice_gives_another_id() -> None:
    made = [
        recipe(),
        recipe(n4={}),
        recipe(n4={"iterations": [50, 50]}),
        *(recipe(normalize={"method": m}) for m in ("z-score", "percentile", "nyul", "reference-tissue")),
        recipe(normalize={"method": "white-stripe", "anatomy": "brain", "contrast": "T1"}),
        recipe(normalize={"method": "z-score", "clip_sd": None}),
    ]
    assert len({one.id for one in made}) == len(made)


def test_another_method_replaces_the_settings_of_the_first() -> None:
    first = recipe(normalize=Z_SCORE)
    changed = first.with_(harmonize__mr__normalize={"method": "nyul"})
    assert changed.harmonize.mr.normalize.method == "nyul"
    assert first.with_(harmonize__mr__normalize={"scale": 7}).harmonize.mr.normalize.scale == 7
    assert Recipe(**changed.model_dump(mode="json")).id == changed.id


def test_yaml_brings_it_back(tmp_path: Path) -> None:
    first = recipe(n4={}, normalize={"method": "percentile", "low": 2})
    first.to_yaml(tmp_path / "mine.yaml")
    assert Recipe.from_yaml(tmp_path / "mine.yaml").id == first.id


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantity": ["arbitrary"]}, "gives values that are"),
        ({"quantity": ["arbitrary", "normalized"]}, "gives values that are"),
        ({"quantity": []}, "quantity is empty"),
        ({"harmonize__mr__normalize": {"method": "nyul", "percentile": [1, 99]}}, "did you mean percentiles"),
        ({"harmonize__mr__normalize": {"method": "histogram"}}, "normalize"),
        (
            {"harmonize__mr__normalize": {"method": "white-stripe", "anatomy": "abdomen", "contrast": "T1"}},
            "harmonize.mr.normalize.anatomy: WhiteStripe looks for the peak of white matter",
        ),
        ({"harmonize__mr__n4": {"iterations": [50] * 5}}, "harmonize.mr.n4.iterations"),
    ],
)
def test_what_could_never_work_is_refused_at_once(changes, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        recipe(normalize=Z_SCORE).with_(**changes)


def test_each_roi_has_its_own_scale_and_n4_runs_once_an_image(samples, monkeypatch) -> None:
    fits: list[int] = []
    genuine = bias._field

    def counting(*args: object) -> np.ndarray:
        fits.append(1)
        return genuine(*args)

    monkeypatch.setattr(bias, "_field", counting)
    asked = recipe(n4={"iterations": [5, 5], "shrink_to_mm": 12}, normalize=Z_SCORE)
    rows = run(samples, asked)
    assert [row.reason for row in rows] == ["", ""]
    assert len(fits) == 1
    steps = [json.loads(row.history)["image"] for row in rows]
    assert [step["step"] for step in steps[0]][-2:] == ["n4", "normalize"]
    first, second = (one[-1]["settings"] for one in steps)
    assert first["mean"] != second["mean"]
    assert first["region"] == second["region"] == "body without the ROI"


def test_the_table_names_the_unit(samples) -> None:
    table = recipe(normalize=Z_SCORE).feature_table().set_index("feature")
    assert table.loc["original_firstorder_Mean", "unit"] == "normalized"


def test_a_tissue_is_taken_by_its_role(samples) -> None:
    asked = recipe(normalize={"method": "reference-tissue", "role": "fat"})
    (row, _) = run(samples, asked)
    assert row.status == "ok"
    assert json.loads(row.history)["image"][-1]["settings"]["method"] == "reference-tissue"
    (failed, _) = run(samples, recipe(normalize={"method": "reference-tissue", "role": "muscle"}))
    assert failed.reason == "no-reference: the reference tissue has no mask"


def test_features_do_not_depend_on_the_gain_after_a_z_score(made) -> None:
    from dataclasses import replace

    made_image = made()
    asked = recipe(normalize=Z_SCORE)
    louder = replace(made_image.volume, array=made_image.volume.array * 3 + 10)
    one, other = (features(v, made_image.roi, asked) for v in (made_image.volume, louder))
    for name in ("original_firstorder_Mean", "original_firstorder_90Percentile"):
        assert other[name] == pytest.approx(one[name], rel=1e-3)
    plain = recipe()
    a, b = (
        features(v, made_image.roi, plain)["original_firstorder_Mean"] for v in (made_image.volume, louder)
    )
    assert b > 2 * a


def test_the_roi_may_lie_on_another_grid(made) -> None:
    made_image = made()
    grid = made_image.volume.geometry
    part = Mask(made_image.roi.array[1:9, 5:35, 5:45], grid.crop((5, 5, 1), (40, 30, 8)))
    asked = recipe(normalize=Z_SCORE)
    whole = features(made_image.volume, made_image.roi, asked)
    assert features(made_image.volume, part, asked).to_dict() == whole.to_dict()


def test_adc_and_ct_are_refused_by_a_recipe_that_normalizes(made) -> None:
    from dataclasses import replace

    made_image = made()
    adc = replace(made_image.volume, quantity="1e-6 mm2/s")
    with pytest.raises(QuantityError, match="an ADC map, whose values mean the same") as caught:
        features(adc, made_image.roi, recipe(normalize=Z_SCORE))
    assert "harmonize.mr.normalize" in caught.value.fix
    ct = replace(
        made_image.volume, array=made_image.volume.array - 1000, quantity="HU", facts={"modality": "CT"}
    )
    with pytest.raises(QuantityError, match="the recipe measures normalized"):
        features(ct, made_image.roi, recipe(normalize=Z_SCORE))


def test_the_plan_looks_at_normalized_signal(samples) -> None:
    from gclnm.cohort.look import look_at

    look = look_at(samples[0], recipe(normalize=Z_SCORE))
    assert not [finding for finding in look.findings if finding.severity == "refused"]
    assert pipeline.check(recipe(normalize=Z_SCORE)) is None
