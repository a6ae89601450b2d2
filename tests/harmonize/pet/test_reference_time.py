"""Which of the header's times decay is corrected to, and what contradicts it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.errors import QuantityError
from gclnm.harmonize.pet.frames import average_s, loss

Found = Callable[..., Any]
Refusal = Callable[..., QuantityError]
START_S, HALF_LIFE_S = 36000.0 + 6586.2, 6586.2


def minutes(result: Any) -> float:
    """Uptake by the factor itself."""
    return HALF_LIFE_S * math.log2(result.factors[0] * 4e8 / 80_000) / 60


def decay_factor(since_start_s: float, duration_s: float) -> float:
    """What a scanner writes for a frame that begins so long after the reference time."""
    return loss(duration_s, HALF_LIFE_S) * 2 ** (since_start_s / HALF_LIFE_S)


def beds(*starts_s: float, offset: Callable[[float], float], length_s: float = 240.0) -> dict[str, Any]:
    """Frames that begin so many seconds after the reference time; ``offset`` is Frame Reference Time."""
    return {
        "acquisition_s": " ".join(str(START_S + s) for s in starts_s),
        "frame_duration_ms": f"{1000 * length_s}*{len(starts_s)}",
        "frame_reference_ms": " ".join(str(1000 * offset(s)) for s in starts_s),
    }


def starting(since_s: float) -> float:
    return since_s


def middle(since_s: float) -> float:
    return since_s + 120.0


def average(since_s: float) -> float:
    return since_s + average_s(240.0, HALF_LIFE_S)


VENDORS = [
    ("GE MEDICAL SYSTEMS", starting),
    ("Philips Medical Systems", middle),
    ("SIEMENS", average),
    ("UIH", average),
    ("", average),
]


def test_series_time_counts_when_nothing_contradicts(found: Found) -> None:
    result = found(acquisition_s=f"{START_S + 300} {START_S}")
    assert result.told["reference"] == "Series Time"
    assert minutes(result) == pytest.approx(109.77)
    assert "doubts" not in result.told
    # Some files are late by the rounding of a second.
    assert found(acquisition_s=f"{START_S - 0.9}").told["reference"] == "Series Time"


@pytest.mark.parametrize(("manufacturer", "offset"), VENDORS)
def test_a_series_time_written_later_gives_way_to_the_frames(
    found: Found, manufacturer: str, offset: Callable[[float], float]
) -> None:
    frames = beds(0.0, 240.0, 480.0, offset=offset)
    result = found(manufacturer=manufacturer, series_s=START_S + 1800, **frames)
    assert result.told["reference"] == "Frame Reference Time"
    assert minutes(result) == pytest.approx(109.77, abs=1e-3)
    assert "SeriesTime is 1800 s after the first AcquisitionTime" in result.told["doubts"][0]


@pytest.mark.parametrize(("manufacturer", "offset"), VENDORS)
def test_a_bed_that_was_dropped_changes_nothing(
    found: Found, manufacturer: str, offset: Callable[[float], float]
) -> None:
    for kept in ((0.0, 240.0, 480.0), (480.0, 240.0), (240.0,)):
        frames = beds(*kept, offset=offset)
        late = found(manufacturer=manufacturer, series_s=START_S + 1800, **frames)
        good = found(manufacturer=manufacturer, **frames)
        assert minutes(late) == pytest.approx(109.77, abs=1e-3)
        assert minutes(good) == pytest.approx(109.77, abs=1e-9)


def test_the_vendors_own_time_comes_before_the_frames(found: Found) -> None:
    frames = beds(0.0, 240.0, offset=starting)
    late = {"manufacturer": "GE", "series_s": START_S + 1800, **frames}
    result = found(vendor_reference_clock_s=START_S - 5, **late)
    assert result.told["reference"] == "the vendor's own time"
    assert minutes(result) == pytest.approx(109.77 - 5 / 60, abs=1e-3)


def test_without_any_other_word_the_earliest_acquisition_counts(found: Found) -> None:
    result = found(series_s=START_S + 2730, acquisition_s=f"{START_S + 180} {START_S}")
    assert result.told["reference"] == "the earliest Acquisition Time"
    assert result.told["others_s"] == {"Series Time": 2730.0}
    assert minutes(result) == pytest.approx(109.77)
    assert "the first bed must be in the series" in result.told["doubts"][0]


def test_a_frame_reference_time_that_is_not_filled_is_not_used(found: Found) -> None:
    unfilled = {"frame_duration_ms": "180000.0", "frame_reference_ms": "0.0"}
    result = found(manufacturer="CPS", series_s=START_S + 2730, acquisition_s=f"{START_S}", **unfilled)
    assert result.told["reference"] == "the earliest Acquisition Time"
    assert minutes(result) == pytest.approx(109.77)


@pytest.mark.parametrize("written_s", [36000.0 + 5000, 36000.0 + 6500])
def test_a_dummy_series_time_gives_way_where_two_witnesses_agree(found: Found, written_s: float) -> None:
    frames = beds(240.0, offset=starting)
    result = found(
        manufacturer="GE MEDICAL SYSTEMS",
        series_s=written_s,
        vendor_reference_clock_s=START_S,
        decay_factor=str(decay_factor(240.0, 240.0)),
        **frames,
    )
    assert result.told["reference"] == "the vendor's own time"
    assert minutes(result) == pytest.approx(109.77)
    assert f"SeriesTime is {START_S - written_s:.0f} s off" in result.told["doubts"][0]


def test_a_dummy_series_time_gives_way_to_several_beds_by_two_ways(found: Found) -> None:
    frames = beds(0.0, 240.0, offset=average)
    frames["decay_factor"] = " ".join(str(decay_factor(s, 240.0)) for s in (0.0, 240.0))
    result = found(series_s=START_S - 1500, **frames)
    assert result.told["reference"] == "Decay Factor"
    assert minutes(result) == pytest.approx(109.77, abs=1e-3)


def test_two_ways_that_rest_on_one_acquisition_time_confirm_nothing(refused: Refusal) -> None:
    frames = beds(0.0, offset=average)
    error = refused(series_s=START_S - 1500, decay_factor=str(decay_factor(0.0, 240.0)), **frames)
    assert "Series Time and Decay Factor disagree by 1500 s" in error.what


def test_one_acquisition_time_for_all_beds_computes_nothing_back(found: Found) -> None:
    """GE Discovery ST: the beds begin later than Acquisition Time says."""
    frames = {
        "acquisition_s": f"{START_S}*3",
        "frame_duration_ms": "240000.0*3",
        "frame_reference_ms": "0.0 243000.0 486000.0",
        "decay_factor": " ".join(str(decay_factor(s, 240.0)) for s in (0.0, 243.0, 486.0)),
    }
    result = found(manufacturer="GE MEDICAL SYSTEMS", **frames)
    assert result.told["reference"] == "Series Time"
    assert "others_s" not in result.told
    assert "not that of each bed" in result.notes[0]
    # The last bed alone looks as if it began with the series.
    last = {key: value.split()[-1].replace("*3", "") for key, value in frames.items()}
    assert minutes(found(manufacturer="GE MEDICAL SYSTEMS", **last)) == pytest.approx(109.77)


@pytest.mark.parametrize("sign", [-1, 1])
def test_clocks_may_differ_by_ten_seconds_and_are_told_and_refused_beyond_a_minute(
    found: Found, refused: Refusal, repaired: Found, sign: int
) -> None:
    assert "doubts" not in found(vendor_reference_clock_s=START_S + sign * 9).told
    repaired("disagree by 11 s", vendor_reference_clock_s=START_S + sign * 11)
    error = refused(vendor_reference_clock_s=START_S + sign * 61)
    assert "Series Time and the vendor's own time disagree by 61 s" in error.what
    assert "Supply reference_clock_s" in error.fix


def test_the_date_of_the_vendors_time_does_not_matter(found: Found) -> None:
    late = {"injection_s": 80000.0, "injection_clock_s": 80000.0}
    result = found(series_s=86395.0, acquisition_s="86400.0", vendor_reference_clock_s=2.0, **late)
    assert "doubts" not in result.told
    assert result.told["others_s"] == {"the vendor's own time": 7.0}


def test_a_decay_factor_that_contradicts_series_time_is_refused(found: Found, refused: Refusal) -> None:
    frames = beds(0.0, offset=starting)
    good = found(manufacturer="GE", decay_factor=str(decay_factor(0.0, 240.0)), **frames)
    assert good.told["others_s"] == {"Decay Factor": 0.0, "Frame Reference Time": 0.0}
    error = refused(manufacturer="SIEMENS", decay_factor=str(decay_factor(300.0, 240.0)), **frames)
    assert "Series Time and Decay Factor disagree by 300 s" in error.what


def test_several_beds_that_agree_on_another_time_are_not_overruled(refused: Refusal) -> None:
    error = refused(series_s=START_S - 1500, **beds(0.0, 240.0, offset=average))
    assert "Series Time and Frame Reference Time disagree by 1500 s" in error.what


@pytest.mark.parametrize("early_s", [11, 59, 1500, 3000])
def test_one_frame_that_computes_back_to_another_time_is_a_doubt(repaired: Found, early_s: int) -> None:
    result = repaired(f"disagree by {early_s} s", series_s=START_S - early_s, **beds(0.0, offset=average))
    assert result.told["reference"] == "Series Time"


def test_a_witness_that_supports_series_time_outweighs_one_that_does_not(found: Found) -> None:
    frames = beds(1650.0, offset=lambda s: 0.0)
    result = found(manufacturer="GE", vendor_reference_clock_s=START_S, **frames)
    assert result.told["reference"] == "Series Time"


def test_beds_that_contradict_each_other_are_not_used(found: Found) -> None:
    frames = beds(0.0, 240.0, offset=lambda s: 120.0)
    result = found(**frames)
    assert "Frame Reference Time gives times 240 s apart by slice" in result.notes[0]


def test_an_acquisition_under_another_date_counts_by_its_clock(found: Found) -> None:
    result = found(acquisition_s=f"{START_S + 20 * 86400}")
    assert minutes(result) == pytest.approx(109.77)
    assert "AcquisitionDate is not that of the series" in result.notes[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"series_s": None}, "SeriesTime is missing"),
        ({"acquisition_s": None}, "AcquisitionTime is missing, and nothing else confirms SeriesTime"),
        ({"series_s": START_S - 4000}, "SeriesTime is more than an hour before the first AcquisitionTime"),
    ],
)
def test_times_that_nothing_confirms_are_refused(
    refused: Refusal, changes: dict[str, Any], message: str
) -> None:
    error = refused(**changes)
    assert message in error.what
    assert "Supply reference_clock_s" in error.fix


def test_missing_times_are_replaced_by_what_says_the_same(found: Found) -> None:
    vendor = {"vendor_reference_clock_s": START_S}
    assert minutes(found(series_s=None, **vendor)) == pytest.approx(109.77)
    assert minutes(found(acquisition_s=None, **vendor)) == pytest.approx(109.77)
    frames = beds(0.0, 240.0, offset=average)
    assert minutes(found(series_s=None, **frames)) == pytest.approx(109.77, abs=1e-3)


def test_a_reference_time_of_the_user_counts_whatever_the_header_says(found: Found) -> None:
    result = found(
        reference_clock_s=START_S, overridden="reference_clock_s", series_s=1.0, acquisition_s=None
    )
    assert result.told["reference"] == "given by the user"
    assert minutes(result) == pytest.approx(109.77)


def test_a_duration_in_seconds_is_not_used(found: Found) -> None:
    frames = {"frame_duration_ms": "240.0", "frame_reference_ms": "120000.0"}
    result = found(series_s=START_S + 1800, acquisition_s=f"{START_S}", **frames)
    assert any("ActualFrameDuration is below a second" in words for words in result.notes)
    assert result.told["reference"] == "the earliest Acquisition Time"


@given(duration_s=st.floats(1.0, 7200.0), half_life_s=st.floats(76.0, 300_000.0))
def test_the_average_count_rate_lies_before_the_middle_of_the_frame(
    duration_s: float, half_life_s: float
) -> None:
    x = math.log(2) * duration_s / half_life_s
    assert loss(duration_s, half_life_s) == pytest.approx(x / (1 - math.exp(-x)), rel=1e-6)
    inside = average_s(duration_s, half_life_s)
    assert 0 < inside <= duration_s / 2 * (1 + 1e-9)
    assert math.exp(-math.log(2) * inside / half_life_s) == pytest.approx(1 / loss(duration_s, half_life_s))
