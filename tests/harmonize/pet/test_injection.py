"""Seconds since the injection: dates, clocks, midnight, offsets from UTC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset

from gclnm.errors import QuantityError
from gclnm.harmonize.pet import PetSettings
from gclnm.images.dicom.petfacts import pet_facts, slice_facts

Found = Callable[..., Any]
Refusal = Callable[..., QuantityError]


def test_an_injection_before_midnight_belongs_to_the_day_before(found: Found) -> None:
    late = found(injection_s=None, injection_clock_s=85800.0, series_s=3000.0, acquisition_s="3000.0")
    assert late.told["uptake_min"] == 60.0
    assert "before midnight" in late.notes[0]
    dated = found(injection_s=-600.0, injection_clock_s=85800.0, series_s=3000.0, acquisition_s="3000.0")
    assert dated.told["uptake_min"] == 60.0
    assert dated.notes == ()


@pytest.mark.parametrize("days", [-40000, -1, 1, 365])
def test_dates_that_were_shifted_apart_do_not_count(repaired: Found, days: int) -> None:
    result = repaired("date of the injection", injection_s=36000.0 + days * 86400)
    assert result.told["uptake_min"] == 109.77
    # How far they were shifted is nobody's business.
    assert not any(char.isdigit() for char in result.told["doubts"][0].replace("0 to 2", ""))


@pytest.mark.parametrize("key", ["injection_s", "injection_clock_s"])
def test_either_time_alone_is_enough(found: Found, key: str) -> None:
    assert found(**{key: None}).told["uptake_min"] == 109.77


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"injection_s": None, "injection_clock_s": None},
            "RadiopharmaceuticalStartDateTime and RadiopharmaceuticalStartTime are missing",
        ),
        (
            {"injection_clock_s": 36500.0},
            "RadiopharmaceuticalStartDateTime and RadiopharmaceuticalStartTime disagree by 500 s",
        ),
        (
            {"injection_s": None, "injection_clock_s": 43200.0},
            "-10 min before the scan, which is not plausible",
        ),
        (
            {"injection_s": None, "injection_clock_s": 25200.0},
            "290 min before the scan, which is not plausible",
        ),
        (
            {"injection_s": None, "injection_clock_s": 72000.0},
            "950 min before the scan, which is not plausible",
        ),
        (
            {"half_life_s": 282240.0, "nuclide": "C-168A4", "injection_s": None},
            "a half-life of 78 h needs a date of the injection",
        ),
    ],
)
def test_times_that_leave_a_doubt_are_refused(
    refused: Refusal, changes: dict[str, Any], message: str
) -> None:
    error = refused(**changes)
    assert message in error.what
    assert "Supply injection_clock_s" in error.fix or "Supply uptake_min" in error.fix


def test_a_long_half_life_with_a_plausible_date_is_fine(found: Found) -> None:
    result = found(half_life_s=282240.0, nuclide="C-168A4", injection_s=36000.0 - 86400)
    assert result.told["uptake_min"] == pytest.approx(109.77 + 1440)


def test_seconds_between_the_two_times_do_not_matter(found: Found) -> None:
    result = found(injection_clock_s=36014.0)
    assert result.told["uptake_min"] == 109.77
    assert "doubts" not in result.told


@pytest.mark.parametrize(("dated", "clock"), [(36000.0, 0.0), (0.0, 36000.0)])
def test_of_two_times_the_only_plausible_one_counts(repaired: Found, dated: float, clock: float) -> None:
    result = repaired("plausible is only", injection_s=dated, injection_clock_s=clock)
    assert result.told["uptake_min"] == 109.77


def test_of_two_times_the_one_that_the_vendor_confirms_counts(repaired: Found) -> None:
    vendor = {"vendor_reference_clock_s": 42586.0, "vendor_uptake_s": 6586.0}
    result = repaired("the vendor's own time confirms", injection_clock_s=36500.0, **vendor)
    assert result.told["uptake_min"] == 109.77


def test_the_vendors_time_counts_where_the_others_are_missing(repaired: Found) -> None:
    vendor = {"vendor_reference_clock_s": 42586.0, "vendor_uptake_s": 6586.0}
    result = repaired("are missing", injection_s=None, injection_clock_s=None, **vendor)
    assert result.told["uptake_min"] == pytest.approx(109.77)


def test_a_dynamic_scan_may_begin_before_the_injection(found: Found, refused: Refusal) -> None:
    early = {"injection_s": 42600.0, "injection_clock_s": 42600.0}
    assert "after the start of a dynamic scan" in found(series_type="DYNAMIC;IMAGE", **early).notes[0]
    assert "not plausible" in refused(**early).what


@pytest.mark.parametrize(("minutes", "said"), [(45, False), (170, False), (200, True)])
def test_a_late_scan_is_told(found: Found, minutes: int, said: bool) -> None:
    clock = 42586.2 - 60 * minutes
    assert bool(found(injection_s=clock, injection_clock_s=clock).notes) == said


@pytest.mark.parametrize("minutes", [0, 5, 25])
def test_an_uptake_too_short_for_fdg_is_a_doubt(found: Found, repaired: Found, minutes: int) -> None:
    clock = 42586.2 - 60 * minutes
    words = f"{minutes} min of uptake are unusual for FDG"
    repaired(words, injection_s=clock, injection_clock_s=clock)
    # Zeros of a table are seen as well; strict settings doubt the header alone.
    for strict in (False, True):
        given = found(PetSettings(strict=strict), uptake_min=float(minutes), overridden="uptake_min")
        assert words in given.told["doubts"][0]
    assert "doubts" not in found(uptake_min=5.0, overridden="uptake_min", series_type="DYNAMIC;IMAGE").told


def test_times_of_the_user_count_whatever_the_header_says(found: Found) -> None:
    wrong = {"injection_s": 1.0, "differing": "injection_s;injection_clock_s"}
    given = found(injection_clock_s=36000.0, overridden="injection_clock_s", **wrong)
    assert given.told["uptake_min"] == 109.77
    minutes = found(uptake_min=60.0, overridden="uptake_min", series_s=None, acquisition_s=None, **wrong)
    assert minutes.factors[0] == pytest.approx(80_000 / (4e8 * 2 ** (-3600 / 6586.2)))
    assert minutes.told["injection"] == "given by the user"


def injected(stamp: str, clock: str | None, offset: str | None) -> dict[str, Any]:
    item = Dataset()
    item.RadiopharmaceuticalStartDateTime = stamp
    slice_ = Dataset()
    slice_.SeriesDate, slice_.SeriesTime = "20200301", "114946"
    if clock is not None:
        item.RadiopharmaceuticalStartTime = clock
    if offset is not None:
        slice_.TimezoneOffsetFromUTC = offset
    slice_.RadiopharmaceuticalInformationSequence = [item]
    facts = pet_facts([slice_facts(slice_)])
    return {key: facts.get(key) for key in ("injection_s", "injection_clock_s", "injection_offset")}


@pytest.mark.parametrize(
    ("stamp", "clock", "offset"),
    [
        ("20200301100000+0100", None, "+0100"),
        ("20200301100000-0000", None, "+0000"),
        ("20200301100000+0100", "100030", None),
        ("20200301100000", None, None),
        ("20200301100000", None, "+0100"),
        ("20200301090000+0000", None, "+0100"),
        ("20200229230000-1000", None, "+0100"),
    ],
)
def test_an_injection_on_the_clock_of_the_series_counts(
    found: Found, stamp: str, clock: str | None, offset: str | None
) -> None:
    result = found(**injected(stamp, clock, offset))
    assert result.told["uptake_min"] == 109.77
    assert "doubts" not in result.told


def test_an_offset_from_utc_that_the_series_lacks_is_taken_as_its_clock(repaired: Found) -> None:
    result = repaired("taken as their clock", **injected("20200301100000+0100", None, None))
    assert result.told["uptake_min"] == 109.77


def test_an_injection_in_utc_beside_times_of_an_unknown_zone_is_refused(refused: Refusal) -> None:
    error = refused(**injected("20200301100000+0000", None, None))
    assert "RadiopharmaceuticalStartDateTime is in UTC" in error.what
    assert "TimezoneOffsetFromUTC" in error.fix
