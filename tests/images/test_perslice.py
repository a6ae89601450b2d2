"""Numbers of slices as one fact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gclnm.images.perslice import pack, unpack

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.one_of(st.none(), numbers, st.just(0.0)), max_size=30))
def test_what_is_packed_comes_back(values: list[float | None]) -> None:
    kept = values if any(value is not None for value in values) else []
    assert unpack(pack(values)) == kept


def test_runs_are_written_once() -> None:
    assert pack([1.0] * 300 + [2.5]) == "1.0*300 2.5"
