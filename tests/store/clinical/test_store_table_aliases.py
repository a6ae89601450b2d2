"""Clinical tables that call a patient by the id of a second export, whose samples were linked."""

from __future__ import annotations

import pandas as pd
import pytest

from gclnm.errors import InputError
from gclnm.store.clinical.put import TableReport


@pytest.fixture
def linked(store, recipe, row):
    """Patient ANON is A (linked by way of another sample of hers); patient HALF is B in one ROI only."""
    ids = {"a": "A", "b": "B", "anon": "ANON", "older": "ANON", "half": "HALF", "own": "HALF"}
    store.append("ct", recipe, [row(key, patient_id=patient, roi="GTV") for key, patient in ids.items()])
    store.link("ct", {"older": "a"})
    store.link("ct", {"anon": "older", "half": "b"})
    return store


def test_a_row_of_a_linked_id_is_the_row_of_the_patient_who_counts(linked):
    table = pd.DataFrame({"patient_id": ["ANON", "B", "HALF"], "y": [1, 0, 2]})
    report = linked.put_table("clinical", table)
    assert (report.matched, report.only_in_table, report.only_in_sets) == (3, (), ())
    read = linked.table("ct", tables="clinical").set_index("sample_id")["y"]
    assert read.to_dict() == {"a": 1, "b": 0, "own": 2}


def test_two_ids_of_one_patient_in_one_table_are_refused(linked):
    with pytest.raises(InputError, match=r"'ANON', 'A': 2 rows .* share their key.*linked"):
        linked.put_table("clinical", pd.DataFrame({"patient_id": ["ANON", "A"], "y": [1, 0]}))


def test_a_report_has_a_line_for_each_thing_and_a_few_ids(linked):
    table = pd.DataFrame({"patient_id": ["A", *map(str, range(100, 107))], "y": range(8)})
    report = linked.put_table("clinical", table)
    lines = repr(report).splitlines()
    assert isinstance(report, TableReport)
    assert lines[:3] == [
        "TableReport clinical",
        "  8 rows by patient_id, 1 column",
        "  1 patient has images",
    ]
    assert lines[3].endswith("(.only_in_table): 100, 101, 102, 103, 104 and 2 more")
    assert lines[4].endswith("(.only_in_sets): B, HALF")
