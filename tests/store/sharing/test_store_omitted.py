"""A condition that keeps patients out of a copy says whom, and says when it kept nobody out."""

from __future__ import annotations

import pytest

from gclnm.store.store import open_store


@pytest.fixture
def three(recipe, row):
    store = open_store("memory://")
    rows = [
        row(f"s{patient}{roi}", patient_id=patient, roi=roi) for patient in "ABC" for roi in ("GTV", "LN")
    ]
    failed = row("sCx", patient_id="C", roi="lung", failed="unreadable: gone")
    store.append("ct", recipe, [*rows, failed])
    return store


@pytest.mark.parametrize("where", ["patient_id != 'l'", {"roi": ["GTV", "LN", "lung"]}])
def test_a_condition_that_leaves_nobody_out_of_a_copy_is_told(three, where, tmp_path):
    merged = open_store("memory://").merge(three, where=where)
    deposit = three.export(tmp_path / "deposit", where=where)
    for shown in (merged, deposit):
        assert "where= left nothing out" in repr(shown)
        assert "where= left nothing out" in shown._repr_html_()


def test_patients_that_a_condition_leaves_out_are_named(three, tmp_path):
    merged = open_store("memory://").merge(three, where="patient_id != 'C'")
    assert (merged.omitted.rows, merged.omitted.patients) == (3, ("C",))
    assert "1 patient altogether: C" in repr(merged)
    deposit = three.export(tmp_path / "deposit", where="patient_id != 'C'")
    # The failed row goes into no deposit, with or without the condition.
    assert (deposit.omitted.rows, deposit.omitted.patients) == (2, ("C",))


def test_patients_of_whom_some_rows_come_are_not_left_out(three):
    merged = open_store("memory://").merge(three, where="roi == 'GTV'")
    assert (merged.omitted.rows, merged.omitted.patients) == (4, ())


def test_without_a_condition_nothing_is_said_of_one(three, tmp_path):
    assert "where=" not in repr(open_store("memory://").merge(three))
    assert "where=" not in repr(three.export(tmp_path / "deposit"))
