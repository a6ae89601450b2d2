"""Injected activity and half-life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gclnm.errors import QuantityError


def test_megabecquerel_are_repaired(repaired: Callable[..., Any]) -> None:
    assert repaired("400 taken as MBq", dose_bq=400.0).factors[0] == pytest.approx(80_000 / 2e8)


def test_a_small_childs_megabecquerel_cannot_be_millicurie(
    repaired: Callable[..., Any], refused: Callable[..., QuantityError]
) -> None:
    # 26 mCi are 962 MBq: 96 MBq/kg at 10 kg, 32 at 30 kg.
    child = {"weight_kg": 10.0, "height_m": 0.75}
    assert repaired("26 taken as MBq", dose_bq=26.0, **child).told["dose_bq"] == 26e6
    assert "may be MBq or mCi" in refused(dose_bq=26.0, weight_kg=30.0, height_m=1.3).what


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "RadionuclideTotalDose is missing"),
        (0.0, "RadionuclideTotalDose is missing"),
        (10.8, "RadionuclideTotalDose of 10.8 may be MBq or mCi"),
        (26.0, "RadionuclideTotalDose of 26 may be MBq or mCi"),
        (60.0, "RadionuclideTotalDose of 60 may be MBq or mCi"),
        (4500.0, "RadionuclideTotalDose of 4500 is no Bq, and as MBq too much for 80 kg"),
        (4e5, "RadionuclideTotalDose of 400000 Bq is not plausible"),
        (8000.0, "RadionuclideTotalDose of 8000 Bq is not plausible"),
        (4e10, "RadionuclideTotalDose of 4e+10 Bq is not plausible"),
        (-4e8, "RadionuclideTotalDose of -4e+08 Bq is not plausible"),
    ],
)
def test_a_dose_of_two_readings_or_none_is_refused(
    refused: Callable[..., QuantityError], value: float | None, message: str
) -> None:
    error = refused(dose_bq=value)
    assert message in error.what
    assert "Supply dose_bq (Bq)" in error.fix


def test_a_dose_that_the_user_gave_is_not_repaired(refused: Callable[..., QuantityError]) -> None:
    assert "not plausible" in refused(dose_bq=400.0, overridden="dose_bq").what


@pytest.mark.parametrize("value", [6586.2, 6586.2001953125, 6588.0, 6582.0])
def test_the_headers_half_life_counts_within_a_percent(found: Callable[..., Any], value: float) -> None:
    result = found(half_life_s=value)
    assert result.factors[0] == pytest.approx(80_000 / (4e8 * 2 ** (-6586.2 / value)))
    assert "doubts" not in result.told


def test_a_half_life_in_minutes_is_repaired(repaired: Callable[..., Any]) -> None:
    assert repaired("109.77 taken as minutes", half_life_s=109.77).told["half_life_s"] == pytest.approx(
        6586.2
    )


@pytest.mark.parametrize("known", [{"nuclide": "C-111A1"}, {"nuclide": None, "tracer": "FDG"}])
def test_a_missing_half_life_is_the_radionuclides(
    repaired: Callable[..., Any], known: dict[str, Any]
) -> None:
    assert (
        repaired("RadionuclideHalfLife is missing", half_life_s=None, **known).told["half_life_s"] == 6586.2
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"half_life_s": None, "nuclide": None}, "RadionuclideHalfLife is missing, and no code names"),
        ({"half_life_s": 1223.1}, "RadionuclideHalfLife of 1223.1 s is not that of the radionuclide"),
        (
            {"half_life_s": 4057.7, "nuclide": None, "tracer": "FDG"},
            "4057.7 s is not that of the radionuclide",
        ),
        ({"half_life_s": 6500.0}, "6500 s is not that"),
        ({"half_life_s": 7000.0, "nuclide": None}, "7000 s is not that"),
    ],
)
def test_a_half_life_of_another_nuclide_is_refused(
    refused: Callable[..., QuantityError], changes: dict[str, Any], message: str
) -> None:
    error = refused(**changes)
    assert message in error.what
    assert "Supply half_life_s (s)" in error.fix


def test_a_half_life_that_the_user_gave_counts(found: Callable[..., Any]) -> None:
    assert found(half_life_s=6500.0, overridden="half_life_s").told["half_life_s"] == 6500.0


def test_the_first_of_several_injections_counts_and_is_told(repaired: Callable[..., Any]) -> None:
    repaired("2 injections are listed", injections=2.0)
