"""Two-material arithmetic: against closed forms, published coefficients and compositions of tissue."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.errors import GeometryError, InputError, QuantityError
from gclnm.harmonize.spectral import decompose, from_material_pair, iodine_hu, monoenergetic, slope
from gclnm.images import Geometry, Volume

GRID = Geometry(size=(4, 3, 2), spacing_mm=(0.8, 0.8, 1.0))
# Hubbell and Seltzer, NISTIR 5632: total mass attenuation of water and iodine, cm2/g, by keV.
with (Path(__file__).parent / "nist_attenuation.csv").open(encoding="utf-8") as _table:
    NIST = {
        int(row["kev"]): (float(row["water_cm2_g"]), float(row["iodine_cm2_g"]))
        for row in csv.DictReader(_table)
    }
LEVELS = st.floats(40.0, 140.0)


def image(values: float | np.ndarray, quantity: str = "HU", **facts: float) -> Volume:
    return Volume(np.broadcast_to(np.float32(values), GRID.shape).copy(), GRID, quantity, facts)


def mixture(energy_kev: float, iodine_mg_ml: float, free_hu: float = 0.0) -> Volume:
    return image(free_hu + iodine_hu(energy_kev) * iodine_mg_ml)


@pytest.mark.parametrize("energy_kev", NIST)
def test_coefficients_are_those_of_nist(energy_kev: int) -> None:
    water, iodine = NIST[energy_kev]
    assert iodine_hu(energy_kev) == pytest.approx(iodine / water, rel=1e-3)


def test_between_tabulated_levels_the_curve_falls_smoothly() -> None:
    values = [iodine_hu(e) for e in np.arange(40, 200.1, 0.25)]
    assert all(a > b for a, b in itertools.pairwise(values))
    assert iodine_hu(42.5) == pytest.approx(math.sqrt(iodine_hu(42) * iodine_hu(43)), rel=2e-3)


@pytest.mark.parametrize("energy_kev", [33.0, 39.9, 201.0])
def test_no_coefficients_are_made_up_near_the_edge_of_iodine_or_beyond_the_table(energy_kev: float) -> None:
    with pytest.raises(InputError) as caught:
        iodine_hu(energy_kev)
    assert caught.value.code == "energy-out-of-range"


@given(st.floats(-0.5, 20.0), st.floats(-100.0, 120.0), LEVELS)
def test_a_mixture_of_water_and_iodine_is_exact_at_every_level(c: float, free: float, energy: float) -> None:
    made = monoenergetic(mixture(40, c, free), mixture(140, c, free), (40, 140), energy)
    assert made.array.max() == pytest.approx(free + iodine_hu(energy) * c, abs=2e-2)
    assert made.quantity == "HU"


@given(st.floats(-1000.0, 3000.0), st.floats(-1000.0, 3000.0), st.floats(40.0, 90.0), st.floats(95.0, 200.0))
def test_at_its_own_levels_the_pair_comes_back(
    at_low: float, at_high: float, low: float, high: float
) -> None:
    pair = (image(at_low), image(at_high))
    np.testing.assert_array_equal(monoenergetic(*pair, (low, high), low).array, pair[0].array)
    np.testing.assert_allclose(monoenergetic(*pair, (low, high), high).array, pair[1].array, atol=1e-3)


@pytest.mark.parametrize("energy_kev", range(40, 141, 10))
def test_water_is_0_hu_and_air_nearly_minus_1000_at_every_level(energy_kev: int) -> None:
    for hu in (0.0, -1000.0):
        made = monoenergetic(image(hu), image(hu), (40, 140), energy_kev)
        np.testing.assert_allclose(made.array, hu, atol=1e-3)


@given(LEVELS, st.floats(-2.0, 2.0))
def test_the_level_is_a_linear_map_of_the_pair(energy: float, factor: float) -> None:
    rng = np.random.default_rng(0)
    a, b, c, d = (rng.normal(0, 100, GRID.shape) for _ in range(4))
    both = monoenergetic(image(a + factor * c), image(b + factor * d), (40, 140), energy).array
    parts = [monoenergetic(image(x), image(y), (40, 140), energy).array for x, y in ((a, b), (c, d))]
    np.testing.assert_allclose(both, parts[0] + factor * parts[1], atol=1e-2)


# The same tables: soft tissue (density 1.06 g/cm3) and cortical bone (1.92), compositions of ICRU-44.
TISSUES = {
    "soft tissue": (1.06, {40: 0.2688, 60: 0.2048, 80: 0.1823, 100: 0.1693, 150: 0.1492}),
    "cortical bone": (1.92, {40: 0.6655, 60: 0.3148, 80: 0.2229, 100: 0.1855, 150: 0.1480}),
}


def tissue(name: str, energy_kev: int) -> Volume:
    density, coefficients = TISSUES[name]
    return image(1000 * (density * coefficients[energy_kev] / NIST[energy_kev][0] - 1))


@pytest.mark.parametrize("energy_kev", [60, 80, 100])
def test_soft_tissue_without_iodine_is_right_to_a_hu_and_bone_is_off_and_flagged(energy_kev: int) -> None:
    def made(name: str) -> Volume:
        return monoenergetic(tissue(name, 40), tissue(name, 150), (40, 150), energy_kev)

    soft, bone = made("soft tissue"), made("cortical bone")
    assert soft.array.max() == pytest.approx(tissue("soft tissue", energy_kev).array.max(), abs=1.5)
    assert bone.array.max() - tissue("cortical bone", energy_kev).array.max() > 30
    assert soft.history[-1].settings["bone_voxels"] == soft.history[-1].settings["fat_voxels"] == 0
    assert bone.history[-1].settings["bone_voxels"] == bone.array.size


def test_fat_is_flagged_and_air_is_not() -> None:
    fat = monoenergetic(image(-190.0), image(-90.0), (40, 140), 70)
    assert fat.history[-1].settings["fat_voxels"] == fat.array.size
    air = monoenergetic(image(-1000.0), image(-1000.0), (40, 140), 70)
    assert air.history[-1].settings["fat_voxels"] == 0


def test_noise_changes_as_the_history_says() -> None:
    rng = np.random.default_rng(1)
    grid = Geometry(size=(40, 40, 40), spacing_mm=(1.0, 1.0, 1.0))
    pair = [Volume(rng.normal(0, 10, grid.shape), grid, "HU") for _ in range(2)]
    inside = monoenergetic(*pair, (40, 100), 70)
    outside = monoenergetic(*pair, (70, 140), 40, extrapolate=True)
    assert inside.history[-1].settings["noise_gain"] == pytest.approx(0.82, abs=0.01)
    assert outside.history[-1].settings["noise_gain"] == pytest.approx(4.6, abs=0.05)
    for made in (inside, outside):
        assert made.array.std() / 10 == pytest.approx(made.history[-1].settings["noise_gain"], rel=0.01)
    assert "extrapolated" in outside.history[-1].note


def test_outside_the_pair_is_refused_unless_asked_for() -> None:
    pair = (mixture(70, 2), mixture(140, 2))
    with pytest.raises(QuantityError, match="outside the pair") as caught:
        monoenergetic(*pair, (70, 140), 40)
    assert caught.value.code == "outside-pair"
    made = monoenergetic(*pair, (70, 140), 40, extrapolate=True)
    assert made.array.max() == pytest.approx(2 * iodine_hu(40), abs=0.05)


@given(st.floats(-1.0, 15.0), st.floats(-90.0, 120.0), LEVELS)
def test_maps_and_levels_are_two_views_of_the_same(c: float, free: float, energy: float) -> None:
    iodine, water = decompose(mixture(40, c, free), mixture(100, c, free), (40, 100))
    assert iodine.array.max() == pytest.approx(c, abs=1e-3)
    assert water.array.max() == pytest.approx(1000 + free, abs=2e-2)
    assert (iodine.quantity, iodine.facts["material"], water.facts["material"]) == (
        "mg/mL",
        "iodine",
        "water",
    )
    made = from_material_pair(iodine, water, energy)
    assert made.array.max() == pytest.approx(free + iodine_hu(energy) * c, abs=5e-2)
    assert made.facts["energy_kev"] == pytest.approx(energy)
    assert "material" not in made.facts


def test_a_water_map_in_another_unit_is_refused() -> None:
    with pytest.raises(QuantityError) as caught:
        from_material_pair(image(2.0, "mg/mL"), image(1.0, "mg/mL"), 70)
    assert caught.value.code == "unit-suspect"


def test_the_slope_of_iodine_is_positive_and_per_kev() -> None:
    curve = slope(mixture(40, 2), mixture(70, 2), (40, 70))
    assert curve.quantity == "HU/keV"
    assert curve.array.max() == pytest.approx(2 * (iodine_hu(40) - iodine_hu(70)) / 30, rel=1e-5)


def test_levels_and_source_are_known_afterwards_and_facts_stay() -> None:
    made = monoenergetic(image(1.0, energy_kev=40.0, modality=1.0), image(0.0), (40, 100), 70)
    assert (made.facts["energy_kev"], made.facts["energy_source"], made.facts["modality"]) == (
        70.0,
        "derived",
        1.0,
    )


@pytest.mark.parametrize("energies", [(100, 40), (70, 70)])
def test_a_pair_in_the_wrong_order_is_refused(energies: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="no pair"):
        monoenergetic(image(1.0), image(0.0), energies, 70)


def test_an_image_of_another_level_than_stated_is_refused() -> None:
    with pytest.raises(InputError, match="70 keV is given as one of 40"):
        monoenergetic(image(1.0, energy_kev=70.0), image(0.0), (40, 100), 70)


def test_other_grids_and_frames_of_reference_are_refused() -> None:
    moved = Geometry(size=GRID.size, spacing_mm=GRID.spacing_mm, origin_mm=(0.0, 0.0, 1.0))
    framed = [Geometry(size=GRID.size, spacing_mm=GRID.spacing_mm, frame_uid=uid) for uid in ("1", "2")]
    zeros = np.zeros(GRID.shape)
    for low, high in ((GRID, moved), framed):
        with pytest.raises(GeometryError) as caught:
            monoenergetic(Volume(zeros, low, "HU"), Volume(zeros, high, "HU"), (40, 100), 70)
        assert caught.value.code == "different-grids"


def test_only_hu_is_interpolated() -> None:
    with pytest.raises(QuantityError, match="modified HU"):
        monoenergetic(image(1.0, "modified HU"), image(0.0), (40, 100), 70)
    with pytest.raises(QuantityError, match="needs mg/mL"):
        from_material_pair(image(1.0), image(1000.0, "mg/mL"), 70)
