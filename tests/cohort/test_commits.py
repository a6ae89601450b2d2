"""When rows are committed."""

from __future__ import annotations

from typing import Any

import pytest

from gclnm.cohort.commits import Commits


def test_rows_are_committed_in_batches_and_the_rest_at_the_end() -> None:
    batches: list[int] = []
    commits = Commits(lambda rows: batches.append(len(rows)), rows=256, seconds=1e9)
    rows: list[Any] = [object()] * 100
    for _ in range(6):
        commits.add(rows)
    commits.flush()
    commits.flush()
    assert batches == [300, 300]


def test_a_row_waits_no_longer_than_asked() -> None:
    now = 0.0
    batches: list[int] = []
    commits = Commits(lambda rows: batches.append(len(rows)), seconds=60, clock=lambda: now)
    row: Any = object()
    commits.add([row])
    now = 59.0
    commits.add([])
    assert batches == []
    now = 60.0
    commits.add([])
    assert batches == [1]
    now = 500.0
    commits.add([row])
    assert batches == [1]


def test_the_last_commit_is_remembered_and_an_empty_one_does_not_hide_it() -> None:
    ids = iter(["first", None])
    commits = Commits(lambda rows: next(ids), rows=1)
    row: Any = object()
    commits.add([row])
    commits.add([row])
    assert commits.last == "first"


def test_rows_of_a_commit_that_failed_are_offered_again() -> None:
    seen: list[int] = []

    def write(rows: Any) -> str:
        seen.append(len(rows))
        if len(seen) == 1:
            raise OSError("full")
        return "second"

    commits = Commits(write)
    row: Any = object()
    commits.add([row])
    with pytest.raises(OSError, match="full"):
        commits.flush()
    commits.flush()
    assert seen == [1, 1]
    assert commits.last == "second"
