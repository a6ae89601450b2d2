"""Features that compare: changes between phases and levels, slopes; NaN where a side is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import gclnm
from gclnm.errors import InputError

PHASES, KEV = ["arterial", "native"], [40.0, 70.0, 100.0]
numbers = st.floats(-1e3, 1e3) | st.just(float("nan"))
cubes = arrays.arrays(np.float64, (2, 2, 3, 2), elements=numbers)


def cube(values: Any) -> xr.Dataset:
    dims = ("patient_id", "phase", "energy_kev", "feature")
    return xr.Dataset(
        {"value": (dims, values), "diagnostic": (("patient_id", "phase", "energy_kev"), values[..., 0])},
        coords={
            "patient_id": ["a", "b"],
            "phase": PHASES,
            "energy_kev": KEV,
            "feature": ["f", "g"],
            "family": ("feature", ["firstorder", "glcm"]),
            "sample_id": (("patient_id", "phase", "energy_kev"), np.full((2, 2, 3), "x", dtype=object)),
        },
        attrs={"set": "ct"},
    )


@given(values=cubes)
def test_a_delta_is_the_difference_and_turns_round_with_its_sides(values):
    made = gclnm.delta(cube(values), "phase", "native", "arterial")["value"]
    np.testing.assert_array_equal(made.values, values[:, 0] - values[:, 1])
    back = gclnm.delta(cube(values), "phase", "arterial", "native")["value"]
    np.testing.assert_array_equal(back.values, -made.values)


@given(values=cubes)
def test_a_relative_delta_has_the_sign_of_the_change_and_no_value_at_zero(values):
    made = gclnm.delta(cube(values), "energy_kev", 40, 100, kind="relative")["value"].values
    first, last = values[:, :, 0], values[:, :, 2]
    known = np.isfinite(first) & np.isfinite(last) & (first != 0)
    assert np.array_equal(np.isnan(made), ~known)
    assert np.array_equal(np.sign(made[known]), np.sign((last - first)[known]))


@given(values=cubes)
def test_a_slope_is_that_of_the_fitted_line_and_needs_every_level(values):
    made = gclnm.slope(cube(values))["value"].values
    whole = np.isfinite(values).all(axis=2)
    assert np.array_equal(np.isfinite(made), whole)
    for index in np.argwhere(whole):
        line = np.polyfit(KEV, values[index[0], index[1], :, index[2]], 1)
        assert made[tuple(index)] == pytest.approx(line[0], abs=1e-9)


def test_between_two_levels_it_is_minus_the_slope_of_the_spectral_curve():
    values = np.zeros((2, 2, 3, 2))
    values[:, :, 0], values[:, :, 1], values[:, :, 2] = 180.0, 90.0, np.nan
    made = gclnm.slope(cube(values), between=(40, 70))
    np.testing.assert_allclose(made["value"].values, -(180.0 - 90.0) / 30.0)
    assert made.attrs["slope"] == "energy_kev: 40 to 70, 2 levels"


def test_what_belongs_to_single_rows_is_left_behind_and_features_keep_their_labels():
    made = gclnm.delta(cube(np.ones((2, 2, 3, 2))), "phase", "native", "arterial")
    assert set(made.coords) == {"patient_id", "energy_kev", "feature", "family"}
    assert list(made.data_vars) == ["value"]
    assert made.attrs == {"set": "ct", "delta": "phase: absolute, native to arterial"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda data: gclnm.delta(data, "sample", "a", "b"), "no dimension"),
        (lambda data: gclnm.delta(data, "phase", "native", "delayed"), "no value 'delayed'"),
        (lambda data: gclnm.delta(data, "phase", "native", "arterial", kind="percent"), "'relative'"),
        (lambda data: gclnm.slope(data, "phase"), "needs numbers"),
        (lambda data: gclnm.slope(data, between=(65, 75)), "1 levels"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call(cube(np.ones((2, 2, 3, 2))))
