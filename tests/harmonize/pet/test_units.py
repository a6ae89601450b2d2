"""Units and Decay Correction: what is SUV already, what becomes SUV, what never can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gclnm.errors import QuantityError
from gclnm.harmonize.pet import PetSettings, normalizer

Found = Callable[..., Any]
Refusal = Callable[..., QuantityError]
COUNTS = {"units": "CNTS", "manufacturer": "Philips Medical Systems"}
BODY = (80.0, 1.8, "M")


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        ("PROPCNTS", "PROPCNTS"),
        ("PROPCPS", "PROPCPS"),
        ("CPS", "CPS"),
        ("NONE", "NONE"),
        ("1CM", "1CM"),
        (None, "absent"),
        ("PATIENT SMITH", "no defined term"),
    ],
)
def test_units_without_a_scale_are_refused_by_name(refused: Refusal, units: str | None, shown: str) -> None:
    error = refused(units=units)
    assert f"Units (0054,1001) is {shown}" in error.what
    assert "SMITH" not in str(error)


@pytest.mark.parametrize("kind", ["LBM", "LBMJAMES128", "LBMJANMA", "IBW"])
def test_suv_of_another_kind_becomes_suvbw_without_dose_or_decay(found: Found, kind: str) -> None:
    result = found(units="GML", suv_type=kind, dose_bq=None, series_s=None, half_life_s=None)
    assert result.factors[0] == pytest.approx(80_000 / normalizer(kind, *BODY))


def test_suv_by_surface_becomes_suvbw(found: Found) -> None:
    for kind in ("BSA", None):
        result = found(units="CM2ML", suv_type=kind)
        assert result.factors[0] == pytest.approx(80_000 / normalizer("BSA", *BODY))


def test_suv_that_is_of_the_wanted_kind_needs_no_body(found: Found) -> None:
    lean = PetSettings(quantity="SUVlbm")
    assert found(lean, units="GML", suv_type="LBMJANMA", weight_kg=None, height_m=None).factors == (1.0,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": "GML", "suv_type": "LBM", "height_m": None}, "PatientSize is missing, which LBM needs"),
        ({"units": "GML", "suv_type": "BSA"}, "SUVType BSA does not go with Units GML"),
        ({"units": "CM2ML", "suv_type": "BW"}, "SUVType BW does not go with Units CM2ML"),
        ({"units": "GML", "suv_type": "SMITH"}, "SUVType no defined term does not go with Units GML"),
        ({"units": "GML", "differing": "suv_type"}, "disagree in SUVType"),
        (COUNTS, "no factor of Philips (7053,1000) or (7053,1009)"),
        ({**COUNTS, "philips_suv_factor": 0.0, "philips_activity_factor": 0.0}, "no factor of Philips"),
        ({**COUNTS, "philips_suv_factor": 1e-3, "differing": "philips_suv_factor"}, "(7053,1000)"),
        ({"decay_correction": "SMITH"}, "DecayCorrection (0054,1102) is no defined term"),
        ({"decay_correction": None, "corrected_image": "ATTN"}, "DecayCorrection (0054,1102) is absent"),
        ({"corrected_image": "ATTN"}, "does not list DECY, yet DecayCorrection says so"),
        ({"decay_correction": "ADMIN", "corrected_image": "ATTN"}, "does not list DECY"),
        ({"decay_correction": "NONE"}, "lists DECY, yet DecayCorrection is NONE"),
    ],
)
def test_a_contradiction_is_refused(refused: Refusal, changes: dict[str, Any], message: str) -> None:
    error = refused(**changes)
    assert message in error.what
    assert "SMITH" not in str(error)


def test_a_missing_decay_correction_is_start_where_the_image_was_corrected(repaired: Found) -> None:
    assert repaired("DecayCorrection is missing", decay_correction=None).factors[0] == pytest.approx(4e-4)


def test_an_empty_list_of_corrections_leaves_decay_correction(found: Found) -> None:
    result = found(corrected_image=None, attenuation_method_named=True)
    assert "CorrectedImage is empty: DecayCorrection is believed" in result.told["doubts"]


def test_philips_suv_factor_needs_nothing_else(found: Found) -> None:
    keys = ("weight_kg", "dose_bq", "series_s", "injection_s", "injection_clock_s")
    result = found(philips_suv_factor=5e-4, **COUNTS, **dict.fromkeys(keys))
    assert result.factors == (5e-4,)
    assert result.told["path"] == "(7053,1000)"


def test_philips_counts_become_activity_first_without_an_suv_factor(found: Found) -> None:
    result = found(philips_activity_factor=0.5, philips_suv_factor=0.0, **COUNTS)
    assert result.factors[0] == pytest.approx(0.5 * 80_000 / 2e8)
    assert result.told["path"] == "(7053,1009)"


def test_philips_two_ways_are_compared(found: Found) -> None:
    good = found(philips_suv_factor=2e-4, philips_activity_factor=0.5, **COUNTS)
    assert good.told["factor_by_activity"] == pytest.approx(2e-4)
    assert good.notes == ()
    odd = found(philips_suv_factor=2.1e-4, philips_activity_factor=0.5, **COUNTS)
    assert odd.factors == (2.1e-4,)
    assert "-4.8 % of (7053,1000)" in odd.told["doubts"][0]


def test_philips_suv_factor_is_not_for_images_without_decay_correction(found: Found) -> None:
    plain = {
        **COUNTS,
        "decay_correction": "NONE",
        "corrected_image": "ATTN",
        "frame_duration_ms": "240000.0",
        "frame_reference_ms": "120000.0",
    }
    result = found(philips_suv_factor=2e-4, philips_activity_factor=0.5, **plain)
    assert result.told["path"] == "(7053,1009)"


def test_philips_factors_are_not_applied_to_activity(found: Found) -> None:
    plain = found()
    factors = {"philips_suv_factor": 8e-4, "philips_activity_factor": 2.0}
    assert found(**factors).factors == plain.factors
    assert "doubts" not in found(**factors).told
    assert "% off" in found(philips_suv_factor=9e-4, philips_activity_factor=2.0).notes[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"acquisition_s": None}, "AcquisitionTime is missing, which DecayCorrection NONE needs"),
        ({"acquisition_s": "42600.0 -"}, "AcquisitionTime is missing"),
        ({"frame_duration_ms": None}, "ActualFrameDuration is missing"),
        ({"frame_duration_ms": "240.0*2"}, "ActualFrameDuration is missing or not in ms"),
        ({"acquisition_s": "42600.0*2"}, "AcquisitionTime is one for all beds"),
    ],
)
def test_without_decay_correction_each_slice_needs_its_times(
    refused: Refusal, changes: dict[str, Any], message: str
) -> None:
    uncorrected = {
        "decay_correction": "NONE",
        "corrected_image": "ATTN",
        "acquisition_s": "42600.0 42900.0",
        "frame_duration_ms": "240000.0*2",
        "frame_reference_ms": "120000.0 420000.0",
    }
    assert message in refused(**{**uncorrected, **changes}).what
