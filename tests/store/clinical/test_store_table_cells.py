"""Cells of clinical tables: types that are certain, doubts and private things that are refused."""

from __future__ import annotations

import contextlib
import datetime
import math

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gclnm.errors import InputError
from gclnm.store.clinical.cells import convert
from gclnm.store.clinical.columns import choose_columns
from gclnm.store.store import open_store


def taken(*cells, how=None, name="x"):
    return convert(name, cells, range(2, 2 + len(cells)), how)


def refused(*cells, how=None, name="x"):
    with pytest.raises(InputError) as found:
        taken(*cells, how=how, name=name)
    error = found.value
    # What is kept of an error names no cell.
    assert not any(str(cell) in error.reason for cell in cells if isinstance(cell, str) and len(cell) > 1)
    return error


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        ((1, 2.5, -3), "number", [1, 2.5, -3]),
        (("1", " 2.50 ", "-3", "+4", "1e3", ".5", "5."), "number", [1, 2.5, -3, 4, 1000, 0.5, 5]),
        (("１２", "３．５", "－１", "−2"), "number", [12, 3.5, -1, -2]),
        (("N0", "N1"), "text", ["N0", "N1"]),
        (("3a", "T4"), "text", ["3a", "T4"]),
        (("007", "012"), "text", ["007", "012"]),
        ((True, False), "yes/no", [1, 0]),
        (("yes", "No", "TRUE"), "yes/no", [1, 0, 1]),
        (("有", "无"), "yes/no", [1, 0]),
        (("是", "否"), "yes/no", [1, 0]),
        (("+", "-"), "text", ["+", "-"]),
        (("none", "chemo"), "text", ["none", "chemo"]),
        (("男 ", "女"), "text", ["男", "女"]),
    ],
)
def test_types_are_seen(cells, kind, values):
    found = taken(*cells)
    assert found.kind == kind
    assert found.values == values


@pytest.mark.parametrize(
    "word", ["", " ", "NA", "n/a", "#N/A", "NaN", "null", "Unknown", "未知", "不详", "缺失"]
)
def test_what_says_nothing_is_missing_and_counted(word):
    found = taken("1", word, None)
    assert found.kind == "number"
    assert found.values[0] == 1
    assert all(map(math.isnan, found.values[1:]))
    assert found.missing == ({word: 1} if word.strip() else {})
    assert taken("N0", word, None).values == ["N0", "", ""]


def test_a_column_without_content_is_missing_numbers():
    assert taken(None, "", "NA").kind == "number"


@pytest.mark.parametrize("odd", ["<0.5", "-", "neg", "12 mg", "1/2", "3a", "≥10", "++"])
def test_numbers_mixed_with_other_things_are_refused(odd):
    error = refused("1", "2.5", odd)
    assert "numbers and other things" in error.what
    assert "row 4" in error.where
    assert repr(odd) in error.where
    assert "values={'x': str}" in error.fix


@pytest.mark.parametrize("cells", [("12,5", "3"), ("12,5", "1,234"), ("1.234,5", "2,0")])
def test_numbers_with_commas_are_refused_not_guessed(cells):
    assert "numbers with a comma" in refused(*cells).what


@pytest.mark.parametrize("cells", [("85%", "90%"), ("<5", ">10"), ("≤0.1", "0.2")])
def test_numbers_in_another_dress_do_not_become_words(cells):
    assert "numbers and other things" in refused(*cells).what


def test_cells_are_taken_as_text_when_asked():
    found = taken("1", "2", "3a", None, how=str)
    assert found.kind == "text"
    assert found.values == ["1", "2", "3a", ""]


def test_a_map_to_none_alone_says_what_is_missing():
    found = taken("1.5", "-", 2, how={"-": None})
    assert found.kind == "number"
    assert found.values[0::2] == [1.5, 2]
    assert math.isnan(found.values[1])
    assert found.missing == {"-": 1}


@pytest.mark.parametrize(
    ("mapping", "kind", "values"),
    [
        ({"阴性": 0, "阳性": 1}, "number", [0, 1, 0]),
        ({"阴性": False, "阳性": True}, "yes/no", [0, 1, 0]),
        ({"阴性": "neg", "阳性": "pos"}, "text", ["neg", "pos", "neg"]),
    ],
)
def test_values_are_mapped(mapping, kind, values):
    found = taken("阴性", " 阳性", "阴性", how=mapping)
    assert (found.kind, found.values) == (kind, values)
    assert found.mapped == [list(pair) for pair in mapping.items()]


def test_numbers_and_booleans_are_mapped_as_they_show():
    assert taken(1, 2.0, "１", how={1: "a", "2": "b"}).values == ["a", "b", "a"]
    assert taken(True, False, how={True: 1, False: 2}).values == [1, 2]


def test_a_missing_spelling_may_have_a_meaning():
    assert taken("未知", "N0", how={"未知": "Nx", "N0": "N0"}).values == ["Nx", "N0"]
    assert taken("-", "+", None, how={"-": 0, "+": 1}).values[:2] == [0, 1]


def test_an_unmapped_value_is_an_error_that_lists_the_values_found():
    error = refused("阴性", "阳性", "可疑", how={"阴性": 0, "阳性": 1})
    assert error.code == "unmapped-value"
    assert "'可疑'" in error.where
    assert "row 4" in error.where
    assert "'阴性', '阳性', '可疑'" in error.fix


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"a": 0, "b": "x"}, "numbers and text"),
        ({"a": [1], "b": 2}, "gives a list"),
        ({"a": 0, "ａ": 1, "b": 1}, "two meanings"),
        (float, "takes a mapping or str"),
    ],
)
def test_what_is_no_map_is_refused(mapping, words):
    assert words in refused("a", "b", how=mapping).what


DATES = [
    datetime.date(2021, 3, 5),
    datetime.datetime(2021, 3, 5, 8),
    datetime.time(8),
    datetime.timedelta(3),
    pd.Timestamp("2021-03-05"),
    "2021-03-05",
    "2021/3/5 08:00",
    "2021-03-05T08:00:00",
    "2021.03.05",
    "2021年3月5日",
    "2021年3月",
    "２０２１年３月５日",
    "2021-03",
    "05.03.2021",
    "3/5/21",
    "5 Mar 2021",
    "Mar 5, 2021",
    "20210305",
]


@pytest.mark.parametrize("cell", DATES, ids=str)
def test_dates_are_refused_with_what_to_give_instead(cell):
    error = refused(cell, None)
    assert error.code == "date"
    assert "since a day of the patient's own" in error.fix
    assert refused("x", cell, how=str).code == "date" if cell != "20210305" else True


def test_days_of_a_spreadsheet_are_dates_where_the_header_says_so():
    assert refused(44260, 44300, name="手术日期").code == "date"
    assert refused("44260", name="Surgery date").code == "date"
    assert taken(44260, 44300, name="platelets").kind == "number"
    assert taken(12, 30, name="time to relapse").kind == "number"


@pytest.mark.parametrize("cell", ["2021", "2021.5", "1-2", "2021-2022", "T2-3", "10/20", "G1/2", "marker 5"])
def test_what_only_resembles_a_date_is_none(cell):
    assert taken(cell).values


@pytest.mark.parametrize(
    "cell", ["13812345678", "+86 13812345678", "11010519491231002X", "a.b@c.org", 13812345678]
)
def test_numbers_and_addresses_of_persons_are_refused(cell):
    assert refused("x" if isinstance(cell, str) else 3, cell).code == "private-column"


def test_free_text_and_errors_of_a_spreadsheet_are_refused():
    assert refused("a" * 65).code == "free-text"
    assert taken("a" * 64).kind == "text"
    assert "errors of the spreadsheet" in refused("x", "#DIV/0!").what
    assert "identifiers" in refused(2**53 + 1, name="x").what
    assert "too large" in refused(1e308, "1e400").what


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_its_text_to_the_last_bit(value):
    assume(abs(value) < 2**53)
    assert taken(value).values == [value]
    assert taken(repr(value)).values == [value]


@given(st.text(max_size=30))
def test_any_text_is_a_cell_or_a_problem_of_ours(text):
    with contextlib.suppress(InputError):
        assert len(taken(text).values) == 1


# --- columns


@pytest.mark.parametrize(
    "header",
    [
        *(
            "姓名",
            "患者姓名",
            "Name",
            "PatientName",
            "patient_name",
            "last name",
            "出生日期",
            "birthDate",
            "DOB",
        ),
        *(
            "家庭住址",
            "address",
            "联系电话",
            "手机",
            "phone",
            "E-mail",
            "身份证号",
            "National ID",
            "医保号",
            "住院号",
        ),
        *("MRN", "hospital number", "accession", "主治医师", "referring physician", "出生年月", "病理医生"),
    ],
)
def test_columns_about_a_person_are_refused_by_name(header):
    with pytest.raises(InputError, match="which no store keeps") as found:
        choose_columns(["patient_id", header, "age"], ["patient_id"], None)
    assert header in str(found.value)
    assert header.isascii() or header not in found.value.reason
    assert choose_columns(["patient_id", header, "age"], ["patient_id"], ["age"]).left_out == (header,)


@pytest.mark.parametrize(
    "header", ["性别", "年龄", "age", "pN", "tumour_size_mm", "chemo", "telomere", "surname_x"]
)
def test_other_columns_are_not(header):
    if header == "surname_x":
        with pytest.raises(InputError):
            choose_columns(["patient_id", header], ["patient_id"], None)
    else:
        assert choose_columns(["patient_id", header], ["patient_id"], None).names[header] == header


def test_a_column_that_only_resembles_one_is_taken_when_it_is_named():
    chosen = choose_columns(["patient_id", "drug name"], ["patient_id"], {"drug name": "drug"})
    assert chosen.names == {"patient_id": "patient_id", "drug name": "drug"}
    with pytest.raises(InputError, match="look like a name"):
        choose_columns(["patient_id", "姓名"], ["patient_id"], {"姓名": "who"})
    with pytest.raises(InputError, match="look like a name"):
        choose_columns(["patient_id", "x"], ["patient_id"], {"x": "name"})


def test_a_missing_key_and_a_private_column_are_told_at_once():
    with pytest.raises(InputError, match="2 problems") as found:
        choose_columns(["住院号", "姓名", "age"], ["patient_id"], None)
    assert "columns={'住院号': 'patient_id', ...}" in found.value.fix
    assert "'姓名': columns look like a name" in found.value.fix


def test_the_hospitals_number_may_be_the_key():
    chosen = choose_columns(["住院号", "年龄"], "patient_id", {"住院号": "patient_id", "年龄": "age"})
    assert chosen.names == {"住院号": "patient_id", "年龄": "age"}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"agee": "a"}, "does not have"),
        ({"age": "a", "sex": "a"}, "one name"),
        ({"age": "phase"}, "coordinates of the images"),
        ({"age": "current"}, "coordinates of the images"),
        ({"age": "my age"}, "cannot be used"),
        ({"age": "a/b"}, "cannot be used"),
        ({"age": "2nd"}, "cannot be used"),
        ({"age": "class"}, "cannot be used"),
        ({"age": "x" * 65}, "cannot be used"),
        ([], "no column besides"),
    ],
)
def test_names_that_columns_cannot_have(columns, words):
    with pytest.raises(InputError, match=words):
        choose_columns(["patient_id", "age", "sex"], ["patient_id"], columns)


def test_headers_are_found_however_their_width():
    assert (
        choose_columns(["patient_id", "病理N分期"], ["patient_id"], {"病理Ｎ分期 ": "pN"}).names["病理N分期"]
        == "pN"
    )


def test_all_bad_columns_are_told_at_once():
    frame = pd.DataFrame({"patient_id": ["A"], "a": ["2021-03-05"], "b": ["1,5"], "c": [1]})
    with pytest.raises(InputError, match="2 problems") as found:
        open_store("memory://").put_table("clinical", frame)
    assert "column 'a'" in found.value.fix
    assert "column 'b'" in found.value.fix
    assert "2021" not in found.value.reason


def test_a_map_for_a_column_that_is_not_there_is_refused():
    frame = pd.DataFrame({"patient_id": ["A"], "a": ["x"]})
    with pytest.raises(InputError, match="does not have"):
        open_store("memory://").put_table("clinical", frame, values={"b": {"x": 1}})


def test_numbers_beside_a_map_of_other_cells_stay_what_they_are():
    cells = ["<0.5", "2.1", 3, "-", None, "1e1"]
    found = convert("CEA", cells, range(2, 8), {"<0.5": 0.25, "-": None})
    assert found.kind == "number"
    assert [value for value in found.values if value == value] == [0.25, 2.1, 3.0, 10.0]
    assert found.mapped == [["<0.5", 0.25], ["-", None]]


@pytest.mark.parametrize(
    ("cells", "mapping"),
    [
        # Codes: one that the map lacks is a gap, not a number.
        (["1", "2", "3"], {"1": 0, "2": 1}),
        (["<0.5", "2.1", ">100"], {"<0.5": 0.25}),
        (["x", "3"], {"x": "other"}),
        (["x", "3"], {"x": True}),
    ],
)
def test_cells_that_a_map_lacks_are_refused_by_the_name_that_the_call_wants(cells, mapping):
    with pytest.raises(InputError) as caught:
        convert("CEA (ng/ml)", cells, range(len(cells)), mapping, "cea")
    assert caught.value.code == "unmapped-value"
    assert "values={'cea': {...}}" in caught.value.fix


def test_telephone_numbers_beside_a_map_are_refused():
    with pytest.raises(InputError) as caught:
        convert("contact", ["13812345678", "none at all"], [2, 3], {"none at all": 0})
    assert caught.value.code == "private-column"


def test_a_mixed_column_is_named_as_the_call_wants_it():
    with pytest.raises(InputError, match="other things") as caught:
        convert("CEA (ng/ml)", ["<0.5", "2.1"], [2, 3], None, "cea")
    assert "values={'cea': str}" in caught.value.fix
