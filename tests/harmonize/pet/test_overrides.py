"""What a user may replace: known keys, units, bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gclnm.harmonize.pet import OVERRIDES
from gclnm.harmonize.pet.body import weight
from gclnm.harmonize.pet.header import Header


@pytest.mark.parametrize(("key", "rule"), OVERRIDES.items())
def test_each_override_has_words_or_a_unit_with_bounds(key: str, rule: Any) -> None:
    assert rule.meaning
    assert bool(rule.words) != bool(rule.unit)
    inside = rule.words[0] if rule.words else rule.high
    outside = "another" if rule.words else rule.high * 1.01
    assert rule.allows(inside)
    assert not rule.allows(outside)
    assert not rule.allows(None)


def test_the_bounds_are_those_that_headers_are_held_to() -> None:
    rule = OVERRIDES["weight_kg"]
    assert [weight(Header({"weight_kg": edge})) for edge in (rule.low, rule.high)] == [2.0, 400.0]


def test_every_override_changes_what_is_computed_and_is_told(
    found: Callable[..., Any],
) -> None:
    values = {
        "weight_kg": 60.0,
        "dose_bq": 3e8,
        "half_life_s": 6588.0,
        "injection_clock_s": 37000.0,
        "reference_clock_s": 42000.0,
        "uptake_min": 60.0,
        "units": "GML",
        "decay_correction": "ADMIN",
    }
    before = found().factors
    for key, value in values.items():
        result = found(**{key: value, "overridden": key})
        assert result.factors != before
        assert result.told["overridden"] == [key]
