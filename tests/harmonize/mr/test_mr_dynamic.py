"""Differences of time points, and which volumes are time points of one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gclnm
from gclnm.errors import QuantityError
from gclnm.harmonize.mr import relative_enhancement, subtract
from gclnm.images import Geometry, Volume
from gclnm.images.dicom.assemble import assemble
from gclnm.images.dicom.dynamics import with_time_points
from gclnm.images.dicom.frames import FrameHeader
from gclnm.images.load import load_volume

GRID = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))


def at(seconds: float | None, *values: float) -> Volume:
    facts = {} if seconds is None else {"acquisition_first_s": seconds}
    return Volume(np.array([[values]]), GRID, facts=facts)


def test_enhancement_is_percent_of_the_signal_before():
    found = relative_enhancement(at(60.0, 150.0, 80.0), at(0.0, 100.0, 100.0))
    assert found.array.ravel().tolist() == [50.0, -20.0]
    assert found.quantity == "%"


def test_a_subtraction_keeps_its_sign_and_units():
    found = subtract(at(60.0, 150.0, 80.0), at(0.0, 100.0, 100.0))
    assert found.array.ravel().tolist() == [50.0, -20.0]
    assert found.quantity == "arbitrary"


def test_images_in_the_wrong_order_are_refused_with_the_distance():
    with pytest.raises(QuantityError, match="60 s before") as caught:
        subtract(at(0.0, 1.0, 2.0), at(60.0, 1.0, 2.0))
    assert caught.value.code == "time-order"


def test_a_study_may_cross_midnight_and_times_may_be_missing():
    subtract(at(100.0, 1.0, 2.0), at(86300.0, 1.0, 2.0))
    subtract(at(None, 1.0, 2.0), at(60.0, 1.0, 2.0))


def series(number: int, **more: Any) -> list[FrameHeader]:
    common = {
        "series_uid": f"1.{number}",
        "study_uid": "1",
        "modality": "MR",
        "sequence": "T1-FS",
        "sequence_source": "timing",
        "rows": 4,
        "columns": 4,
        "orientation": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        "spacing": (1.0, 1.0),
        "te_ms": 1.2,
        "tr_ms": 3.5,
        "acquisition_time": f"10{number:02d}00.000000",
        **more,
    }
    return [
        FrameHeader(file=f"{number}-{z}", sop_uid=f"{number}.{z}", position=(0.0, 0.0, 3.0 * z), **common)
        for z in range(3)
    ]


def found(*frames: list[FrameHeader]) -> list[tuple[str, int | None]]:
    volumes = with_time_points(assemble([frame for part in frames for frame in part]))
    return [(volume.head.sequence, volume.head.temporal_position) for volume in volumes]


def test_series_of_one_grid_and_three_times_are_a_dynamic_one():
    assert found(series(5), series(2), series(9)) == [("DCE", 2), ("DCE", 1), ("DCE", 3)]


def test_two_times_are_numbered_and_stay_t1():
    assert found(series(5), series(2)) == [("T1-FS", 2), ("T1-FS", 1)]


@pytest.mark.parametrize(
    "change",
    [
        {"te_ms": 2.4},
        {"study_uid": "2"},
        {"sequence": "T2"},
        {"sequence_source": "inversion+words"},
        {"spacing": (2.0, 2.0)},
        {"fat_suppressed": "yes"},
    ],
)
def test_what_differs_in_more_than_time_is_no_time_point(change):
    parts = [series(1), series(2), series(3, **change)]
    assert {name for name, _ in found(*parts)} <= {"T1-FS", "T2"}


def test_without_different_times_nothing_is_numbered():
    parts = [series(n, acquisition_time="") for n in (1, 2, 3)]
    assert found(*parts) == [("T1-FS", None)] * 3


def test_temporal_positions_of_the_header_come_first():
    parts = [series(n, temporal_position=4 - n) for n in (1, 2, 3)]
    assert [position for _, position in found(*parts)] == [3, 2, 1]


def test_a_volume_that_cannot_be_used_is_no_time_point():
    broken = [replace(frame, position=(0.0, 0.0, z)) for frame, z in zip(series(3), (0, 3, 9), strict=True)]
    assert [name for name, _ in found(series(1), series(2), broken)] == ["T1-FS"] * 3


def test_the_agent_is_seen_in_a_real_dynamic_series(data):
    catalog = gclnm.scan(data("mr_raw") / "breast_dce_t1fs_ge_genesis_1p5T", progress=False)
    rows = catalog.volumes.sort_values("temporal_position")
    first, second, third = (load_volume(catalog.volume_ref(key)) for key in rows["volume_id"])
    gain = relative_enhancement(second, first)
    bright = first.array > 40
    assert np.median(gain.array[bright]) > 0
    assert subtract(third, first).array.max() > 100
    with pytest.raises(QuantityError, match="407 s before"):
        subtract(first, second)
