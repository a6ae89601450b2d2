"""Scales that images share: closed forms, invariance to the scanner's gain, and refusals with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gclnm.errors import QuantityError
from gclnm.harmonize import HarmonizeSettings, harmonize
from gclnm.harmonize.mr import (
    MrSettings,
    Nyul,
    Percentile,
    ReferenceTissue,
    StandardScale,
    WhiteStripe,
    ZScore,
    body_mask,
    normalize,
)
from gclnm.harmonize.mr.nyul import histogram_landmarks, onto_standard, standard_scale
from gclnm.images import Mask

DIGEST = "0" * 64


def without_roi(made_image) -> np.ndarray:
    return body_mask(made_image.volume).array & ~made_image.roi.array


def learnt(made_image, **changes) -> Nyul:
    settings = Nyul(method="nyul", **changes)
    landmarks = histogram_landmarks(made_image.volume.array[without_roi(made_image)], settings.percentiles)
    return settings.model_copy(update={"standard": standard_scale([landmarks], settings, ["a"])})


def test_a_z_score_has_mean_0_and_sd_1_in_the_body_without_the_roi(made) -> None:
    made_image = made()
    result = normalize(made_image.volume, ZScore(method="z-score", clip_sd=None), roi=made_image.roi)
    values = result.array[without_roi(made_image)].astype(np.float64)
    assert values.mean() == pytest.approx(0, abs=1e-6)
    assert values.std() == pytest.approx(1, abs=1e-6)
    assert result.quantity == "normalized"
    assert result.history[-1].settings["region"] == "body without the ROI"


def test_the_roi_counts_when_it_is_not_left_out(made) -> None:
    made_image = made()
    settings = ZScore(method="z-score", clip_sd=None, exclude_roi=False)
    result = normalize(made_image.volume, settings, roi=made_image.roi)
    assert result.array[body_mask(made_image.volume).array].mean(dtype=float) == pytest.approx(0, abs=1e-6)
    assert result.history[-1].settings["region"] == "body"


def test_a_bright_lesion_does_not_move_the_scale_of_what_surrounds_it(made) -> None:
    made_image = made()
    bright = made_image.volume.array.copy()
    bright[made_image.roi.array] = 250.0
    settings = ZScore(method="z-score")
    one, other = (
        normalize(replace(made_image.volume, array=array), settings, roi=made_image.roi)
        for array in (made_image.volume.array, bright)
    )
    outside = ~made_image.roi.array
    np.testing.assert_array_equal(one.array[outside], other.array[outside])


def test_clipping_is_told_and_counted_in_the_roi(made) -> None:
    made_image = made()
    bright = made_image.volume.array.copy()
    bright[made_image.roi.array] = 5000.0
    settings = ZScore(method="z-score", scale=100)
    result = normalize(replace(made_image.volume, array=bright), settings, roi=made_image.roi)
    assert result.array.max() == 300.0
    told = result.history[-1].settings
    assert told["clipped_in_roi"] == made_image.roi.n_voxels
    assert told["clipped_voxels"] >= told["clipped_in_roi"]


def test_percentiles_become_0_and_the_scale(made) -> None:
    made_image = made()
    result = normalize(
        made_image.volume, Percentile(method="percentile", low=5, high=95, scale=10), roi=made_image.roi
    )
    values = result.array[without_roi(made_image)]
    np.testing.assert_allclose(np.percentile(values, (5, 95)), (0, 10), atol=1e-4)
    assert values.max() > 10


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_the_reference_tissue_becomes_the_scale(made, statistic: str) -> None:
    made_image = made()
    fat = Mask(made_image.tissue == 200, made_image.volume.geometry)
    settings = ReferenceTissue(method="reference-tissue", statistic=statistic, scale=2.0)
    result = normalize(made_image.volume, settings, reference=fat)
    found = getattr(np, statistic)(result.array[fat.array].astype(np.float64))
    assert found == pytest.approx(2.0, rel=1e-6)


METHODS = {
    "z-score": lambda made_image: ZScore(method="z-score"),
    "percentile": lambda made_image: Percentile(method="percentile"),
    "nyul": lambda made_image: learnt(made_image),
}


@pytest.mark.parametrize("method", METHODS)
def test_gain_and_offset_of_the_scanner_vanish(made, method: str) -> None:
    made_image = made()
    settings = METHODS[method](made_image)
    other = replace(made_image.volume, array=made_image.volume.array * 1.7 + 40)
    first, second = (normalize(v, settings, roi=made_image.roi) for v in (made_image.volume, other))
    np.testing.assert_allclose(first.array, second.array, atol=2e-4 * np.ptp(first.array))


def test_a_tissue_ratio_does_not_depend_on_gain(made) -> None:
    made_image = made()
    fat = Mask(made_image.tissue == 200, made_image.volume.geometry)
    louder = replace(made_image.volume, array=made_image.volume.array * 4)
    settings = ReferenceTissue(method="reference-tissue")
    one, other = (normalize(v, settings, reference=fat) for v in (made_image.volume, louder))
    np.testing.assert_allclose(one.array, other.array, rtol=1e-6)


def test_landmarks_lie_on_the_standard_scale_after_nyul(made) -> None:
    made_image, other = made(), made(seed=5)
    settings = learnt(made_image)
    result = normalize(other.volume, settings, roi=other.roi)
    found = np.percentile(result.array[without_roi(other)].astype(np.float64), settings.percentiles)
    np.testing.assert_allclose(found, settings.standard.landmarks, atol=0.05)


def test_one_training_image_learns_its_own_histogram() -> None:
    settings = Nyul(method="nyul", percentiles=(0, 50, 100), scale=(0, 100))
    scale = standard_scale([[10, 30, 50]], settings, ["b", "a"])
    assert scale.landmarks == (0.0, 50.0, 100.0)
    assert scale.sample_ids == ("a", "b")
    assert scale == standard_scale([[10, 30, 50]], settings, ["a", "b"])


def test_many_training_samples_are_kept_as_number_and_digest() -> None:
    scale = standard_scale(
        [[0, 1, 2]] * 3, Nyul(method="nyul", percentiles=(1, 50, 99)), [f"{i}" for i in range(101)]
    )
    assert (scale.cases, scale.sample_ids) == (3, ())
    assert len(scale.sample_ids_sha256) == 64


ascending = st.lists(st.integers(-1000, 1000), min_size=2, max_size=11, unique=True).map(sorted)


@given(old=ascending, new=ascending, at=st.lists(st.floats(-2000, 2000), min_size=2, max_size=20))
def test_the_map_to_the_standard_scale_never_changes_the_order(old, new, at) -> None:
    n = min(len(old), len(new))
    values = np.sort(at)
    mapped = onto_standard(values, old[:n], new[:n])
    assert (np.diff(mapped) >= -1e-6).all()
    np.testing.assert_allclose(onto_standard(old[:n], old[:n], new[:n]), new[:n], atol=1e-9)


def test_beyond_the_outer_landmarks_the_outer_segments_go_on() -> None:
    mapped = onto_standard([-10, 5, 30], [0, 10, 20], [0, 50, 60])
    np.testing.assert_allclose(mapped, [-50, 25, 70])


def test_equal_landmarks_are_refused() -> None:
    with pytest.raises(QuantityError) as caught:
        histogram_landmarks([0] * 50 + [1, 2], (1, 50, 99))
    assert caught.value.code == "flat-histogram"


def test_nyul_needs_to_be_learnt(made) -> None:
    with pytest.raises(QuantityError, match=r"gclnm\.fit") as caught:
        normalize(made().volume, Nyul(method="nyul"))
    assert caught.value.code == "not-learnt"


def brain(made_image, rng=None) -> tuple:
    """Grey matter 100, white matter 150: two peaks with noise of 5 and 4."""
    rng = rng or np.random.default_rng(0)
    array = made_image.volume.array.copy()
    _, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in array.shape], indexing="ij")
    inside = y**2 + x**2 < 0.5**2
    white = y**2 + x**2 < 0.35**2
    array[inside] = rng.normal(100, 5, int(inside.sum()))
    array[white] = rng.normal(150, 4, int(white.sum()))
    volume = replace(made_image.volume, array=array)
    return volume, Mask(inside, volume.geometry), white


@pytest.mark.parametrize(("contrast", "expected"), [("T1", 150), ("T2", 150)])
def test_white_matter_has_mean_0_after_whitestripe(made, contrast: str, expected: int) -> None:
    volume, mask, white = brain(made(shape=(20, 60, 60)))
    settings = WhiteStripe(method="white-stripe", anatomy="brain", contrast=contrast)
    result = normalize(volume, settings, reference=mask)
    told = result.history[-1].settings
    assert told["peak"] == pytest.approx(expected, abs=2)
    stripe_sd = told["sd"]
    assert result.array[white].mean(dtype=float) == pytest.approx(0, abs=3 / stripe_sd)
    louder = normalize(replace(volume, array=volume.array * 1.7), settings, reference=mask)
    np.testing.assert_allclose(louder.array, result.array, atol=1e-3)


def test_whitestripe_is_refused_for_the_abdomen_and_without_a_brain(made) -> None:
    with pytest.raises(ValidationError, match="only the brain has"):
        WhiteStripe(method="white-stripe", anatomy="abdomen", contrast="T1")
    settings = WhiteStripe(method="white-stripe", anatomy="brain", contrast="T1")
    with pytest.raises(QuantityError, match="without skull") as caught:
        normalize(made().volume, settings)
    assert caught.value.code == "no-reference"
    speck = np.zeros(made().volume.geometry.shape, dtype=bool)
    speck[5, 20, 20:30] = True
    with pytest.raises(QuantityError, match="10 voxels"):
        normalize(made().volume, settings, reference=Mask(speck, made().volume.geometry))


@pytest.mark.parametrize("quantity", ["1e-6 mm2/s", "1e-3 mm2/s", "HU", "SUVbw", "normalized", "ms"])
@pytest.mark.parametrize("method", ["z-score", "percentile", "nyul"])
def test_what_has_a_unit_is_refused_by_every_method(made, method: str, quantity: str) -> None:
    made_image = made()
    with pytest.raises(QuantityError, match="arbitrary units") as caught:
        normalize(replace(made_image.volume, quantity=quantity), METHODS[method](made_image))
    assert caught.value.code == "not-signal"


def test_a_reference_that_cannot_serve_is_refused(made) -> None:
    made_image = made()
    settings = ReferenceTissue(method="reference-tissue", role="muscle")
    with pytest.raises(QuantityError, match="no mask") as caught:
        normalize(made_image.volume, settings)
    assert "'muscle'" in caught.value.fix
    few = np.zeros(made_image.volume.geometry.shape, dtype=bool)
    few[5, 20, 20:23] = True
    with pytest.raises(QuantityError, match="3 voxels"):
        normalize(made_image.volume, settings, reference=Mask(few, made_image.volume.geometry))
    air = Mask(~made_image.body, made_image.volume.geometry)
    silent = replace(made_image.volume, array=np.where(made_image.body, made_image.volume.array, -1.0))
    with pytest.raises(QuantityError, match="-1"):
        normalize(silent, settings, reference=air)


def test_an_roi_that_is_the_whole_body_leaves_nothing(made) -> None:
    made_image = made()
    everything = Mask(np.ones(made_image.volume.geometry.shape), made_image.volume.geometry)
    with pytest.raises(QuantityError) as caught:
        normalize(made_image.volume, ZScore(method="z-score"), roi=everything)
    assert caught.value.code == "no-body"


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "percentile", "low": 90, "high": 10},
        {"method": "nyul", "percentiles": (50, 10)},
        {"method": "nyul", "scale": (1, 0)},
        {"method": "nyul", "standard": {"landmarks": (0, 1), "cases": 1, "sample_ids_sha256": DIGEST}},
        {"method": "z-score", "role": "fat"},
        {"method": "histogram"},
        {"method": "reference-tissue", "role": "../x"},
    ],
)
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        MrSettings(normalize=wrong)
    with pytest.raises(ValidationError):
        StandardScale(landmarks=(1, 1), cases=1, sample_ids_sha256=DIGEST)


def test_n4_comes_first_and_neither_is_done_twice(made) -> None:
    made_image = made()
    mr = MrSettings(
        n4={"iterations": (5, 5), "shrink_to_mm": 12}, normalize={"method": "z-score", "clip_sd": None}
    )
    settings = HarmonizeSettings(mr=mr)
    once = harmonize(made_image.volume, settings, {"roi": made_image.roi})
    assert [step.name for step in once.history] == ["n4", "normalize"]
    assert harmonize(once, settings, {"roi": made_image.roi}) is once


def test_signal_without_settings_stays_as_stored(made) -> None:
    volume = made().volume
    assert harmonize(volume) is volume
