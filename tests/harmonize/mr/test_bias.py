"""N4 finds a field that is known, keeps the level of the signal, and leaves alone what it is not for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gclnm.errors import QuantityError
from gclnm.harmonize.mr import N4, body_mask, n4
from gclnm.images import Volume
from gclnm.images.load import read_series

QUICK = N4(iterations=(20, 20, 20), shrink_to_mm=12.0)


def spread(ratio: np.ndarray) -> float:
    return float(np.log(ratio).std())


def test_the_known_field_is_found_to_three_percent(made) -> None:
    made_image = made()
    body = made_image.body & (made_image.tissue > 50)
    corrected = n4(made_image.volume, QUICK)
    estimated = made_image.volume.array / corrected.array
    assert spread(made_image.field[body]) > 0.15
    assert spread(estimated[body] / made_image.field[body]) < 0.03


def test_signal_keeps_its_level_and_becomes_more_even(made) -> None:
    made_image = made()
    corrected = n4(made_image.volume, QUICK)
    body = body_mask(made_image.volume).array
    field = made_image.volume.array[body] / corrected.array[body]
    assert np.median(field) == pytest.approx(1.0, abs=1e-6)
    told = corrected.history[-1].settings
    assert told["cv_before_after"][1] < 0.9 * told["cv_before_after"][0]
    assert told["shrink"] == [2, 2, 1]
    muscle = made_image.tissue == 100
    before, after = (v.array[muscle].std() / v.array[muscle].mean() for v in (made_image.volume, corrected))
    assert after < 0.35 * before


def test_an_even_image_stays_nearly_as_it_is(made) -> None:
    made_image = made(shading=0.0)
    corrected = n4(made_image.volume, QUICK)
    body = made_image.body & (made_image.tissue > 50)
    assert spread(made_image.volume.array[body] / corrected.array[body]) < 0.03


def test_twice_is_the_same_bit_for_bit_and_threads_do_not_matter(made) -> None:
    import SimpleITK as sitk

    volume = made().volume
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    first = n4(volume, QUICK)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(3)
    try:
        again = n4(Volume(volume.array, volume.geometry), QUICK)
        assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == 3
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert again.array.tobytes() == first.array.tobytes()
    assert again.history[-1].to_dict() == first.history[-1].to_dict()


def test_the_gain_of_the_scanner_does_not_matter(made) -> None:
    volume = made().volume
    louder = replace(volume, array=volume.array * 8)
    np.testing.assert_allclose(n4(louder, QUICK).array, 8 * n4(volume, QUICK).array, rtol=1e-4)


def test_negative_voxels_are_clipped_for_the_fit_and_divided_not_shifted(made) -> None:
    made_image = made()
    array = made_image.volume.array.copy()
    dark = made_image.body & (np.random.default_rng(1).random(array.shape) < 0.02)
    array[dark] = -30.0
    corrected = n4(replace(made_image.volume, array=array), QUICK)
    assert corrected.history[-1].settings["clipped_voxels"] >= dark.sum() * 0.9
    assert (corrected.array[dark] < 0).all()
    body = made_image.body & (made_image.tissue > 50) & ~dark
    assert spread(array[body] / corrected.array[body] / made_image.field[body]) < 0.03


@pytest.mark.parametrize("word", ["NORM", "PURE", "SCIC", "CLEAR"])
def test_what_the_scanner_corrected_is_left_and_the_history_says_so(made, word: str) -> None:
    volume = replace(made().volume, facts={"modality": "MR", "uniformity": word})
    result = n4(volume)
    assert result.array is volume.array
    assert result.history[-1].note == f"skipped: the scanner has corrected the shading ({word})"


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ("1e-6 mm2/s", "ADC map"),
        ("ADC, unit unknown", "ADC map"),
        ("SUVbw", "in SUVbw"),
        ("HU", "in HU"),
        ("normalized", "normalized already"),
    ],
)
def test_maps_and_other_modalities_are_refused(made, quantity: str, words: str) -> None:
    with pytest.raises(QuantityError, match=words) as caught:
        n4(replace(made().volume, quantity=quantity))
    assert caught.value.code == "not-signal"


def test_few_slices_are_not_shrunk_away(data) -> None:
    volume = read_series(data("mr_raw") / "brain_t1_uih_umr770_3T")
    thin = Volume(
        volume.array[:, ::4, ::4], replace(volume.geometry, size=(115, 128, 6), spacing_mm=(2, 2, 1))
    )
    told = n4(thin, N4(iterations=(10, 10, 10))).history[-1].settings
    assert told["shrink"] == [3, 3, 1]
    assert told["field_percentiles_1_50_99"][1] == 1.0


@pytest.mark.slow
def test_a_real_abdomen_becomes_more_even_within_minutes(data) -> None:
    volume = read_series(data("mr_raw") / "abdomen_t2_titan_1p5T")
    told = n4(volume).history[-1].settings
    before, after = told["cv_before_after"]
    assert after < before
    low, _, high = told["field_percentiles_1_50_99"]
    assert 0.5 < low < 1 < high < 2
    assert told["clipped_voxels"] > 0
