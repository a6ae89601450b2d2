"""Weight, height and sex, and the normalizers made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.errors import QuantityError
from gclnm.harmonize.pet import NORMALIZERS, PetSettings, normalizer

# The SUV manual's constants, worked out by hand for 71 kg, 163 cm, and 70 kg, 175 cm (BSA).
CHECKS = [
    ("LBMJAMES128", 71.0, 1.63, "M", 53814.3),
    ("LBM", 71.0, 1.63, "M", 55332.1),
    ("LBMJANMA", 71.0, 1.63, "M", 52856.0),
    ("IBW", 71.0, 1.63, "M", 59660.0),
    ("BSA", 71.0, 1.63, "M", 17659.86),
    ("BSA", 70.0, 1.75, "F", 18481.4),
    ("LBMJAMES128", 52.0, 1.65, "F", 40940.569),
    ("LBMJANMA", 52.0, 1.65, "F", 35864.944),
    ("IBW", 52.0, 1.65, "F", 57330.0),
]


@pytest.mark.parametrize(("kind", "weight", "height", "sex", "expected"), CHECKS)
def test_normalizers_agree_with_values_worked_out_by_hand(
    kind: str, weight: float, height: float, sex: str, expected: float
) -> None:
    assert normalizer(kind, weight, height, sex) == pytest.approx(expected, abs=0.06)


@given(weight=st.floats(20, 150), height=st.floats(1.4, 2.1), kind=st.sampled_from(sorted(NORMALIZERS)))
def test_neither_sex_is_the_mean_of_both(weight: float, height: float, kind: str) -> None:
    both = [normalizer(kind, weight, height, sex) for sex in ("M", "F")]
    assert normalizer(kind, weight, height, "O") == pytest.approx(sum(both) / 2)


@given(weight=st.floats(20, 250), height=st.floats(1.4, 2.1), sex=st.sampled_from(["M", "F"]))
def test_lean_mass_by_janmahasatian_grows_with_weight_and_stays_below_it(
    weight: float, height: float, sex: str
) -> None:
    lean = normalizer("LBMJANMA", weight, height, sex)
    assert normalizer("LBMJANMA", weight + 1, height, sex) > lean
    assert lean > 0
    if weight / height**2 > 15:
        assert lean < 1000 * weight


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (PetSettings(quantity="SUVlbm"), "LBMJANMA"),
        (PetSettings(quantity="SUVlbm", lean_mass="james"), "LBMJAMES128"),
        (PetSettings(quantity="SUVibw"), "IBW"),
        (PetSettings(quantity="SUVbsa"), "BSA"),
    ],
)
def test_another_normalizer_replaces_the_weight(
    found: Callable[..., Any], settings: PetSettings, kind: str
) -> None:
    assert found(settings).factors[0] == pytest.approx(normalizer(kind, 80.0, 1.8, "M") / 2e8)


def test_the_sex_is_told_where_it_is_neither(found: Callable[..., Any]) -> None:
    result = found(PetSettings(quantity="SUVlbm"), sex=None)
    assert result.told["sex"] == "O"
    assert "mean of the formulas of both" in result.notes[0]
    assert found(sex=None).notes == ()


def test_grams_centimetres_and_millimetres_are_repaired(repaired: Callable[..., Any]) -> None:
    assert repaired("80000 taken as grams", weight_kg=80_000.0).factors[0] == pytest.approx(80_000 / 2e8)


def test_grams_of_an_infant_are_repaired(repaired: Callable[..., Any]) -> None:
    for size in (0.65, 65.0, None):
        assert repaired("7000 taken as grams", weight_kg=7000.0, height_m=size).told["weight_kg"] == 7.0


@pytest.mark.parametrize(("size", "unit"), [(180.0, "centimetres"), (1800.0, "millimetres")])
def test_a_height_in_another_unit_is_repaired(found: Callable[..., Any], size: float, unit: str) -> None:
    lean = PetSettings(quantity="SUVlbm")
    result = found(lean, height_m=size)
    assert result.factors == found(lean).factors
    assert result.told["doubts"] == [f"PatientSize of {size:g} taken as {unit}"]
    with pytest.raises(QuantityError, match="strict"):
        found(PetSettings(quantity="SUVlbm", strict=True), height_m=size)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight_kg": None}, "PatientWeight is missing"),
        ({"weight_kg": 0.0}, "PatientWeight is missing"),
        ({"weight_kg": 1.5}, "PatientWeight of 1.5 kg is not plausible"),
        ({"weight_kg": 500.0}, "PatientWeight of 500 kg is not plausible"),
        ({"weight_kg": 1e6}, "PatientWeight of 1e+06 kg is not plausible"),
        ({"weight_kg": 1.8, "height_m": 80.0}, "PatientWeight of 1.8 and PatientSize of 80 look exchanged"),
        ({"weight_kg": 7000.0}, "PatientWeight of 7000 is neither kg nor, for this height, grams"),
        ({"weight_kg": 7000.0, "height_m": 175.0}, "is neither kg nor, for this height, grams"),
        ({"weight_kg": 80_000.0, "overridden": "weight_kg"}, "PatientWeight of 80000 kg is not plausible"),
    ],
)
def test_a_weight_that_leaves_a_doubt_is_refused(
    refused: Callable[..., QuantityError], changes: dict[str, Any], message: str
) -> None:
    error = refused(**changes)
    assert message in error.what
    assert "Supply weight_kg (kg) with Samples.override(table)" in error.fix


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height_m": None}, "PatientSize is missing, which LBMJANMA needs"),
        ({"height_m": 0.0}, "PatientSize is missing"),
        ({"height_m": 0.2}, "PatientSize of 0.2 m is not plausible"),
        ({"height_m": 2.8}, "PatientSize of 2.8 m is not plausible"),
        ({"height_m": 600.0}, "PatientSize of 600 m is not plausible"),
        ({"height_m": 180.0, "overridden": "height_m"}, "PatientSize of 180 m is not plausible"),
        ({"differing": "height_m"}, "disagree in PatientSize"),
        ({"differing": "sex"}, "disagree in PatientSex"),
        ({"height_m": 0.8, "weight_kg": 90.0}, "a body mass index of 140.6 kg/m2 is not plausible"),
    ],
)
def test_a_height_that_leaves_a_doubt_is_refused_where_it_is_used(
    refused: Callable[..., QuantityError], found: Callable[..., Any], changes: dict[str, Any], message: str
) -> None:
    assert message in refused(PetSettings(quantity="SUVlbm"), **changes).what
    found(**changes)


def test_an_impossible_body_mass_index_is_told_where_only_weight_counts(repaired: Callable[..., Any]) -> None:
    repaired("weight or height is wrong", height_m=0.8)


@pytest.mark.parametrize(("sex", "limit"), [("M", 43.0), ("F", 36.1)])
def test_james_formula_is_doubted_where_lean_mass_falls_with_weight(
    found: Callable[..., Any], sex: str, limit: float
) -> None:
    james = PetSettings(quantity="SUVlbm", lean_mass="james")
    heavy, light = (limit + 0.5) * 1.8**2, (limit - 0.5) * 1.8**2
    assert "does not hold" in found(james, weight_kg=heavy, sex=sex).notes[0]
    assert found(james, weight_kg=light, sex=sex).notes == ()
    # It is where the formula has its maximum.
    kind = "LBMJAMES128"
    assert normalizer(kind, heavy + 1, 1.8, sex) < normalizer(kind, heavy, 1.8, sex)
    assert normalizer(kind, light, 1.8, sex) > normalizer(kind, light - 1, 1.8, sex)


def test_a_formula_that_gives_nothing_is_refused(refused: Callable[..., QuantityError]) -> None:
    error = refused(PetSettings(quantity="SUVibw"), height_m=1.0, weight_kg=15.0)
    assert "IBW gives nothing above zero" in error.what
