"""What a user supplies takes part in SUV, or is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gclnm.errors import QuantityError
from gclnm.harmonize.pet import PetSettings

Found = Callable[..., Any]
Refusal = Callable[..., QuantityError]
COUNTS = {"units": "CNTS", "manufacturer": "Philips Medical Systems", "philips_suv_factor": 2e-4}
UNCORRECTED = {
    "decay_correction": "NONE",
    "corrected_image": "ATTN",
    "frame_duration_ms": "240000.0",
    "frame_reference_ms": "120000.0",
}


@pytest.mark.parametrize(
    ("change", "times"),
    [({"weight_kg": 160.0}, 2.0), ({"dose_bq": 2e8}, 2.0), ({"uptake_min": 0.0}, 0.5)],
)
def test_philips_counts_take_the_way_that_uses_a_supplied_value(
    found: Found, change: dict[str, float], times: float
) -> None:
    header = found(philips_activity_factor=0.5, **COUNTS)
    assert header.told["path"] == "(7053,1000)"
    supplied = found(philips_activity_factor=0.5, **COUNTS, **change, overridden=";".join(change))
    assert supplied.factors[0] == pytest.approx(0.5 * 80_000 / 2e8 * times)
    assert supplied.told["path"] == "(7053,1009)"
    assert supplied.told["overridden"] == list(change)
    assert supplied.told["factor_by_vendor"] == 2e-4


@pytest.mark.parametrize(
    ("changes", "overridden", "why", "instead"),
    [
        (COUNTS, "weight_kg;dose_bq", "Philips' factor (7053,1000)", "series in Bq/mL"),
        (COUNTS | {"philips_activity_factor": 0.0}, "dose_bq", "Philips' factor (7053,1000)", "Bq/mL"),
        ({"units": "GML"}, "weight_kg", "SUV already", "units (BQML)"),
        ({"units": "GML", "uptake_min": 60.0}, "uptake_min", "SUV already", "units (BQML)"),
        ({"decay_correction": "ADMIN", "uptake_min": 60.0}, "uptake_min", "is ADMIN", "decay_correction"),
        ({"decay_correction": "ADMIN"}, "half_life_s", "is ADMIN", "decay_correction"),
        (UNCORRECTED | {"reference_clock_s": 42586.2}, "reference_clock_s", "is NONE", "decay_correction"),
        ({"suv_type": "LBM"}, "suv_type", "it is activity", "units (GML)"),
        (
            {"uptake_min": 60.0, "reference_clock_s": 42586.2},
            "reference_clock_s;uptake_min",
            "uptake_min stands for both times",
            "leave uptake_min out",
        ),
    ],
)
def test_a_supplied_value_without_effect_is_refused_by_name(
    refused: Refusal, changes: dict[str, Any], overridden: str, why: str, instead: str
) -> None:
    error = refused(**changes, overridden=overridden)
    names = overridden.replace(";uptake_min", "").split(";")
    assert f"supplying {' and '.join(sorted(names))} has no effect on this image" in error.what
    assert why in error.what
    assert instead in error.fix


def test_supplied_facts_of_the_body_may_wait_for_another_kind_of_suv(found: Found) -> None:
    plain = found(sex="F", height_m=1.7, overridden="sex;height_m")
    assert "overridden" not in plain.told
    assert plain.notes == ("supplied, and not needed for this kind of SUV: height_m, sex",)
    lean = found(PetSettings(quantity="SUVlbm"), sex="F", height_m=1.7, overridden="sex;height_m")
    assert lean.told["overridden"] == ["height_m", "sex"]


def test_a_weight_that_turns_lean_into_weighted_suv_is_used(found: Found) -> None:
    lean = {"units": "GML", "suv_type": "LBMJANMA"}
    assert found(**lean, weight_kg=100.0, overridden="weight_kg").factors != found(**lean).factors
