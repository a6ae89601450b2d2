"""ADC maps: fitted, against closed forms and a scanner's own map; and brought to one unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gclnm
from gclnm.errors import GclnmError, GeometryError, QuantityError
from gclnm.harmonize import harmonize
from gclnm.harmonize.mr import AdcSettings, fit_adc, standard_units, trace
from gclnm.images import Geometry, Step, Volume
from gclnm.images.load import load_volume

SIZE = (24, 24, 2)
GRID = Geometry(size=SIZE, spacing_mm=(1.0, 1.0, 5.0))
SHAPE = SIZE[::-1]


def body(values: object) -> np.ndarray:
    """Tissue in the middle, air in the corners."""
    array = np.zeros(SHAPE)
    array[:, 4:20, 4:20] = values
    return array


def signal(b: float, adc: object = 1e-3, **facts: object) -> Volume:
    return Volume(body(1000 * np.exp(-b * np.asarray(adc))), GRID, facts={"modality": "MR", **facts})


def test_a_decay_without_noise_gives_the_coefficient_it_was_made_with():
    truth = np.linspace(0.2e-3, 3e-3, 256).reshape(16, 16)
    adc = fit_adc({b: signal(b, truth) for b in (0.0, 50.0, 400.0, 800.0)})
    assert adc.quantity == "1e-6 mm2/s"
    assert adc.array[:, 4:20, 4:20] == pytest.approx(np.stack([truth * 1e6] * 2), rel=1e-4)
    assert np.isnan(adc.array[:, :4]).all()


@given(low=st.floats(0, 200), high=st.floats(300, 3000), adc=st.floats(1e-4, 2e-3))
def test_two_b_values_give_the_logarithm_of_the_ratio(low, high, adc):
    first, second = signal(low, adc), signal(high, adc)
    found = fit_adc({high: second, low: first}, AdcSettings(noise=0)).array[0, 10, 10]
    ratio = float(first.array[0, 10, 10]) / float(second.array[0, 10, 10])
    assert found == pytest.approx(1e6 * np.log(ratio) / (high - low), rel=1e-5)


def test_weights_are_squares_of_the_signal():
    b = np.array([0.0, 500.0, 1000.0])
    measured = np.array([1000.0, 700.0, 200.0])
    slope = np.polyfit(b, np.log(measured), 1, w=measured)[0]  # polyfit takes roots of weights
    volumes = {x: Volume(body(s), GRID) for x, s in zip(b, measured, strict=True)}
    assert fit_adc(volumes).array[0, 10, 10] == pytest.approx(-slope * 1e6, rel=1e-5)


def noisy(snr: np.ndarray, adc: np.ndarray, b: float, generator: np.random.Generator) -> Volume:
    """Magnitude images, one slice for each pair of SNR at b = 0 and ADC; noise has a sigma of 1."""
    size = (64, 64, len(snr))
    truth = np.broadcast_to((snr * np.exp(-b * adc * 1e-6))[:, None, None], size[::-1])
    real, imaginary = generator.normal(size=(2, *size[::-1]))
    return Volume(np.hypot(truth + real, imaginary), Geometry(size, (2.0, 2.0, 5.0)))


@pytest.mark.parametrize("b_values", [(0.0, 800.0), (0.0, 50.0, 800.0), (0.0, 50.0, 400.0, 800.0)])
def test_the_coefficient_of_noisy_tissue_is_that_it_was_made_with(b_values):
    snr, adc = (a.ravel() for a in np.meshgrid([5.0, 10, 20, 50], [500.0, 1000, 1500, 2000, 2500]))
    generator = np.random.default_rng(0)
    images = {b: noisy(snr, adc, b, generator) for b in b_values}
    found = fit_adc(images, AdcSettings(noise=3)).array.reshape(len(snr), -1)
    values = [slice_[slice_ > 0] for slice_ in found]
    means = np.array([v.mean() for v in values]) / adc - 1
    medians = np.array([np.median(v) for v in values]) / adc - 1
    measurable = (snr >= 10) & (snr * np.exp(-800e-6 * adc) >= 2)
    assert np.abs(means[measurable]).max() < 0.1
    assert np.sqrt(np.mean(medians**2)) < 0.1
    # Voxels are not chosen by the ADC that noise gave them.
    assert min(len(v) for v, level in zip(values, snr, strict=True) if level >= 10) > 0.98 * 64**2


def test_a_b_value_whose_signal_is_weak_is_fitted_with_the_others_and_told():
    b, measured, sigma = np.array([0.0, 50.0, 800.0]), np.array([1000.0, 870.0, 130.0]), 50.0
    images = {x: Volume(body(s), GRID) for x, s in zip(b, measured, strict=True)}
    found = fit_adc(images, AdcSettings(noise=3 * sigma))
    corrected = np.sqrt(measured**2 - sigma**2)
    slope = np.polyfit(b, np.log(corrected), 1, w=corrected)[0]
    # b = 0 and 50 alone would give 2,785.
    assert found.array[0, 10, 10] == pytest.approx(-slope * 1e6, rel=1e-5)
    assert found.history[-1].settings["weak_at_highest_b"] == 2 * 256


def test_the_variance_of_noise_is_taken_from_the_signal():
    images = {b: Volume(body(value), GRID) for b, value in ((0.0, 1000.0), (1000.0, 50.0))}
    found = fit_adc(images, AdcSettings(noise=90)).array[0, 10, 10]  # sigma is 30
    truth = np.log(np.sqrt(1000.0**2 - 30**2) / np.sqrt(50.0**2 - 30**2)) / 1000
    assert found == pytest.approx(truth * 1e6, rel=1e-5)


def test_a_signal_of_zero_is_at_least_half_a_sigma_and_none_where_noise_is_not_known():
    images = {b: Volume(body(value), GRID) for b, value in ((0.0, 1000.0), (1000.0, 0.0))}
    known = fit_adc(images, AdcSettings(noise=30)).array[0, 10, 10]  # sigma is 10
    assert known == pytest.approx(np.log(np.sqrt(1000.0**2 - 100) / 5) * 1e3, rel=1e-5)
    assert np.isnan(fit_adc(images, AdcSettings(noise=0)).array).all()


def test_what_is_not_above_noise_without_weighting_has_no_coefficient():
    found = fit_adc({b: signal(b) for b in (0.0, 1000.0)}, AdcSettings(noise=1000))
    assert np.isnan(found.array).all()
    assert found.history[-1].settings["without_value"] == found.facts["without_value"] == found.array.size


def test_a_signal_that_does_not_fall_has_no_coefficient():
    same = {b: signal(0.0) for b in (0.0, 1000.0)}
    rising = {0.0: signal(1000.0), 1000.0: signal(0.0)}
    assert np.isnan(fit_adc(same).array).all()
    assert np.isnan(fit_adc(rising).array).all()


def test_noise_of_corners_is_three_standard_deviations_of_air():
    generator = np.random.default_rng(3)
    grid = Geometry(size=(96, 96, 4), spacing_mm=(1.0, 1.0, 5.0))
    parts = generator.normal(0, 2.0, (2, 4, 96, 96))
    air = np.hypot(*parts)
    image = air.copy()
    image[:, 24:72, 24:72] += 800
    weak = air.copy()
    weak[:, 24:72, 24:72] += 300
    found = fit_adc({0.0: Volume(image, grid), 1000.0: Volume(weak, grid)})
    assert found.history[-1].settings["noise"] == pytest.approx(6.0, rel=0.1)
    assert "corners" in found.history[-1].note


@pytest.mark.parametrize("sigma", [1.0, 4.0, 8.0, 12.0])
def test_corners_are_air_at_modest_snr_too(sigma):
    generator = np.random.default_rng(0)
    shape = (5, 80, 80)
    grid = Geometry(shape[::-1], (2.0, 2.0, 5.0))
    y, x = np.mgrid[-40:40, -40:40]
    images = {}
    for b in (0.0, 800.0):
        tissue = 100 * (np.hypot(x, y) < 32) * np.exp(-b * 1.4e-3)
        real, imaginary = generator.normal(0, sigma, (2, *shape))
        images[b] = Volume(np.hypot(tissue + real, imaginary), grid)
    step = fit_adc(images).history[-1]
    assert step.settings["noise"] == pytest.approx(3 * sigma, rel=0.1)
    assert "of the air in the corners" in step.note


def test_corners_that_are_not_air_measure_no_noise():
    texture = np.random.default_rng(0).gamma(4.0, 250.0, SHAPE)  # spreads as air does, but falls with b
    for tissue in (np.full(SHAPE, 1000.0), texture):
        found = fit_adc({b: Volume(tissue * np.exp(-b * 1e-3), GRID) for b in (0.0, 800.0)})
        assert found.history[-1].settings["noise"] == 0
        assert "the corners are not air" in found.history[-1].note
        assert found.array == pytest.approx(1000, rel=1e-4)


def test_corners_that_the_scanner_emptied_measure_no_noise_and_say_so(data):
    made = fit_adc({b: signal(b) for b in (0.0, 800.0)})
    folder = data("dwi") / "siemens_xa30_enhanced"
    real = fit_adc({b: gclnm.read_series(folder / f"{k:03d}.dcm") for b, k in ((0.0, 0), (2500.0, 4))})
    for found in (made, real):
        assert found.history[-1].settings["noise"] == 0
        assert "the corners are empty" in found.history[-1].note


def test_b_values_outside_the_range_are_not_used():
    volumes = {b: signal(b, 1e-3) for b in (100.0, 500.0, 1000.0)} | {0.0: signal(0.0), 2500.0: signal(10.0)}
    found = fit_adc(volumes, AdcSettings(b_range=(100, 1000)))
    assert found.history[-1].settings["b_values"] == [100, 500, 1000]
    assert found.array[0, 10, 10] == pytest.approx(1000, rel=1e-4)


@pytest.mark.parametrize("b_values", [(0.0,), (0.0, 20.0), ()])
def test_too_few_b_values_are_refused(b_values):
    with pytest.raises(QuantityError, match="two b-values") as caught:
        fit_adc({b: signal(b) for b in b_values})
    assert caught.value.code == "b-values"


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (Volume(np.ones(SHAPE), GRID, quantity="1e-6 mm2/s"), "not-signal"),
        (Volume(np.ones(SHAPE), GRID, history=(Step("n4"),)), "not-signal"),
        (
            Volume(np.ones(SHAPE), Geometry(SIZE, (1.0, 1.0, 5.0), origin_mm=(9.0, 0.0, 0.0))),
            "other-grid",
        ),
        (Volume(np.ones(SHAPE), GRID, facts={"signal_scale": 2.0}), "mixed-scales"),
    ],
)
def test_images_that_do_not_fit_together_are_refused(other, code):
    with pytest.raises((QuantityError, GeometryError)) as caught:
        fit_adc({0.0: signal(0.0), 800.0: other})
    assert caught.value.code == code


def test_series_of_different_scales_are_brought_to_one():
    weighted = signal(800.0)
    scaled = Volume(weighted.array * 3, GRID, facts={"signal_scale": 6.0})
    found = fit_adc({0.0: signal(0.0, signal_scale=2.0), 800.0: scaled})
    assert found.array[0, 10, 10] == pytest.approx(1000, rel=1e-4)


def test_three_directions_give_a_third_of_the_trace():
    directions = [signal(1000.0, adc) for adc in (0.5e-3, 1.0e-3, 1.8e-3)]
    found = fit_adc({0.0: signal(0.0), 1000.0: trace(directions)})
    assert found.array[0, 10, 10] == pytest.approx(1100, rel=1e-4)


def test_the_map_equals_that_of_a_siemens_scanner(data):
    folder = data("dwi") / "siemens_xa30_enhanced"
    plain, weighted, theirs = (gclnm.read_series(folder / f"{k:03d}.dcm") for k in (0, 4, 3))
    ours = fit_adc({0.0: plain, 2500.0: weighted}).array
    theirs = harmonize(theirs).array
    tissue = (plain.array > 200) & (weighted.array > 5) & (theirs > 0) & (ours > 0)
    assert tissue.sum() == 62838
    assert np.median(ours[tissue]) == pytest.approx(708.4, abs=0.05)
    assert np.median(theirs[tissue]) == 706
    assert np.median(theirs[tissue] / ours[tissue]) == pytest.approx(0.997, abs=5e-4)


def test_mosaics_and_vframes_of_real_scanners_give_adc_of_brain(data):
    for case in ("siemens_prisma_mosaic", "uih_umr770_vframe"):
        catalog = gclnm.scan(data("dwi") / case, progress=False)
        by_b: dict[float, list[Volume]] = {}
        for row in catalog.volumes.itertuples():
            by_b.setdefault(row.b_value_s_mm2, []).append(load_volume(catalog.volume_ref(row.volume_id)))
        adc = fit_adc({b: trace(volumes) for b, volumes in by_b.items()}).array
        # Grey and white matter lie at 700 to 900, with fluid in some voxels.
        assert 650 < np.median(adc[adc > 0]) < 1100, case


@pytest.mark.parametrize("factor", [1.0, 1e-3, 1e-6])
def test_a_map_without_a_unit_gets_it_from_its_range(factor):
    values = body(np.linspace(600, 2200, 256).reshape(16, 16)) * factor
    found = standard_units(Volume(values, GRID, quantity="ADC, unit unknown"))
    assert found.quantity == "1e-6 mm2/s"
    assert found.array[0, 4, 4] == pytest.approx(600, rel=1e-5)
    assert "range" in found.history[-1].note


def test_a_stated_unit_is_converted():
    found = standard_units(Volume(body(1.2), GRID, quantity="1e-3 mm2/s"))
    assert found.array[0, 10, 10] == pytest.approx(1200)
    assert found.history[-1].note.startswith("unit 1e-3 mm2/s stated in the header;")


def test_what_a_scanner_wrote_as_0_or_less_has_no_value():
    values = body(1000.0)
    values[0, 10, 10] = -3.0
    found = standard_units(Volume(values, GRID, quantity="1e-6 mm2/s"))
    assert found.facts["without_value"] == np.isnan(found.array).sum() == values.size - 2 * 256 + 1
    assert harmonize(found) is found


def test_a_supplied_unit_is_not_applied_twice():
    facts = {"modality": "MR", "unit": "1e-3 mm2/s", "overridden": "unit"}
    once = harmonize(Volume(body(np.linspace(0.8, 1.2, 16)), GRID, quantity="1e-6 mm2/s", facts=facts))
    assert harmonize(once) is once


@pytest.mark.parametrize(
    ("value", "quantity"), [(30.0, "ADC, unit unknown"), (0.0, "ADC, unit unknown"), (1.2, "1e-6 mm2/s")]
)
def test_a_unit_that_does_not_fit_is_refused(value, quantity):
    with pytest.raises(QuantityError) as caught:
        standard_units(Volume(body(value), GRID, quantity=quantity))
    assert caught.value.code == "adc-unit"
    assert "override" in caught.value.fix


def test_a_supplied_unit_wins_over_the_header_and_is_told():
    facts = {"unit": "1e-3 mm2/s", "overridden": "unit"}
    found = standard_units(Volume(body(0.9), GRID, quantity="1e-6 mm2/s", facts=facts))
    assert found.array[0, 10, 10] == pytest.approx(900)
    assert "supplied by the user" in found.history[-1].note


def background(level: float, inside: float) -> np.ndarray:
    """A map with noise around the body."""
    values = np.abs(np.random.default_rng(0).normal(0, level, (4, 40, 40)))
    values[:, 12:28, 12:28] = inside
    return values


@pytest.mark.parametrize("level", [0.7, 90.0])
def test_the_unit_is_found_by_the_body_and_not_by_noise_around_it(level):
    grid = Geometry(size=(40, 40, 4), spacing_mm=(2.0, 2.0, 5.0))
    found = standard_units(Volume(background(level, 1100.0), grid, quantity="ADC, unit unknown"))
    assert found.history[-1].settings == {"median": 1100.0, "factor": 1.0, "without_value": 0}


@pytest.mark.parametrize("quantity", ["ADC, unit unknown", "1e-3 mm2/s"])
def test_a_supplied_unit_is_taken_even_where_it_is_not_plausible(quantity):
    facts = {"unit": "1e-6 mm2/s", "overridden": "unit"}
    found = standard_units(Volume(body(30.0), GRID, quantity=quantity, facts=facts))
    assert found.array[0, 10, 10] == 30
    note = found.history[-1].note
    assert note.startswith("unit 1e-6 mm2/s supplied by the user, although a median of 30 in the body")


def test_signal_and_other_maps_are_left_alone():
    for quantity in ("arbitrary", "ms", "Hz", "%"):
        volume = Volume(body(3.0), GRID, quantity=quantity)
        assert standard_units(volume) is volume


def test_a_fitted_map_is_not_judged_by_its_range():
    lesion = fit_adc({b: signal(b, 0.1e-3) for b in (0.0, 1000.0)})
    assert standard_units(lesion) is lesion


def test_the_unit_of_a_canon_map_is_found_by_its_range(data):
    found = harmonize(gclnm.read_series(data("mr_raw") / "abdomen_adc_titan_1p5T"))
    assert found.quantity == "1e-6 mm2/s"
    told = found.history[-1].settings
    assert told["factor"] == 1
    assert told["median"] == pytest.approx(1106, rel=0.05)  # of all stored values above 0


def test_errors_say_nothing_of_the_images():
    with pytest.raises(GclnmError) as caught:
        fit_adc({0.0: signal(0.0), 10.0: signal(10.0)})
    assert "0, 10" in caught.value.what
