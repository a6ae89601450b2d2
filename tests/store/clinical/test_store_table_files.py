"""Clinical tables as hospitals hand them in: encodings, separators, workbooks, and what is wrong in them."""

from __future__ import annotations

import contextlib
import datetime
import io
import struct
import zipfile

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gclnm.errors import GclnmError, InputError, ReadError
from gclnm.store.clinical.files import MOST_BYTES, read_raw

HEADER = "患者编号,病理N分期,年龄"
TEXT = f"{HEADER}\n001,阴性,61\n002,阳性,48\n"
CELLS = (("001", "002"), ("阴性", "阳性"), ("61", "48"))


def written(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def workbook(tmp_path, rows, name="t.xlsx", change=lambda book: None):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book)
    book.save(tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("gb18030", "gb18030"),
        ("gbk", "gb18030"),
        ("utf-16", "utf-16"),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_csv_is_read_in_every_usual_dress(tmp_path, encoding, found, separator, newline):
    text = TEXT.replace(",", separator).replace("\n", newline)
    raw = read_raw(written(tmp_path, text.encode(encoding)))
    assert raw.header == ("患者编号", "病理N分期", "年龄")
    assert raw.columns == CELLS
    assert raw.encoding == found


def test_an_encoding_can_be_named(tmp_path):
    path = written(tmp_path, "id;Größe\n1;hoch\n".encode("cp1252"))
    assert read_raw(path, "cp1252").header == ("id", "Größe")
    with pytest.raises(InputError, match="no encoding 'latin99'"):
        read_raw(path, "latin99")
    with pytest.raises(ReadError, match="not text in ascii"):
        read_raw(path, "ascii")
    with pytest.raises(ReadError, match="not text in UTF-8 or GB18030"):
        read_raw(written(tmp_path, b"id,x\n1,\xff\n"))


def test_headers_are_normalised(tmp_path):
    assert read_raw(written(tmp_path, "　ＩＤ , 病理Ｎ分期\n1,2\n".encode())).header == ("ID", "病理N分期")


def test_quoted_cells_may_hold_separators_and_lines(tmp_path):
    raw = read_raw(written(tmp_path, b'id,"a;b,c"\n1,"x, y\nz"\n\n2,w\n'))
    assert raw.header == ("id", "a;b,c")
    assert raw.columns[1] == ("x, y\nz", "w")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no row below its header"),
        (b"id,x\n", "no row below its header"),
        (b"id,x\n,\n , \n", "no row below its header"),
        (b"id,x,x\n1,2,3\n", "share a header"),
        ("id,x,ｘ\n1,2,3\n".encode(), "share a header"),
        (b"id,,x\n1,2,3\n", "no header"),
        (b"id,x\n1,2,3\n", "longer than its header"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, words):
    with pytest.raises(GclnmError, match=words):
        read_raw(written(tmp_path, content))


def test_rows_are_numbered_as_the_user_sees_them(tmp_path):
    assert read_raw(written(tmp_path, b"id,x\n1,2\n\n3,4\n")).numbers == (2, 4)


@pytest.mark.parametrize("name", ["t.doc", "t", "t.parquet"])
def test_other_files_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_raw(written(tmp_path, b"id,x\n1,2\n", name))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ReadError, match="cannot be read") as found:
        read_raw(tmp_path / "none.csv")
    assert "none.csv" in found.value.where
    assert "none.csv" not in found.value.reason


def test_what_is_neither_frame_nor_path_is_refused():
    with pytest.raises(InputError, match="cannot be a list"):
        read_raw([1, 2])


# --- Excel


def test_a_workbook_is_read_with_its_types(tmp_path):
    rows = [
        ["编号", "年龄", "复发", "日期"],
        [7, 61.5, True, datetime.datetime(2021, 3, 5)],
        ["012", None, False, None],
    ]
    raw = read_raw(workbook(tmp_path, rows))
    assert raw.header == ("编号", "年龄", "复发", "日期")
    assert raw.columns == (
        (7, "012"),
        (61.5, None),
        (True, False),
        (datetime.datetime(2021, 3, 5), None),
    )
    assert raw.numbers == (2, 3)


def old_workbook(rows, code_page=936):
    """A sheet in the first format of Excel (BIFF2): records of kind, length and cell; formats 0 and 1."""
    records = [(0x09, struct.pack("<HH", 2, 0x10)), (0x42, struct.pack("<H", code_page))]
    records += [(0x1E, bytes((len(name),)) + name) for name in (b"General", b"yyyy/mm/dd")]
    for place, row in enumerate(rows):
        for column, cell in enumerate(row):
            dated = isinstance(cell, datetime.date)
            start = struct.pack("<HHBBB", place, column, 0, int(dated), 0)
            if isinstance(cell, bool):
                records.append((0x05, start + bytes((cell, 0))))
            elif isinstance(cell, str) and cell.startswith("#"):
                records.append((0x05, start + bytes((0x07, 1))))
            elif isinstance(cell, str):
                records.append((0x04, start + bytes((len(cell.encode("gbk")),)) + cell.encode("gbk")))
            elif dated:
                days = (cell - datetime.date(1899, 12, 30)).days
                records.append((0x03, start + struct.pack("<d", days)))
            elif cell is not None:
                records.append((0x03, start + struct.pack("<d", cell)))
    records.append((0x0A, b""))
    return b"".join(struct.pack("<HH", kind, len(body)) + body for kind, body in records)


def test_old_workbooks_are_read(tmp_path):
    rows = [
        ["编号", "年龄", "复发", "日期", "x"],
        [7, 61.5, True, datetime.date(2021, 3, 5), "#DIV/0!"],
        ["012"],
    ]
    raw = read_raw(written(tmp_path, old_workbook(rows), "t.xls"))
    assert raw.header == ("编号", "年龄", "复发", "日期", "x")
    assert raw.columns == (
        (7.0, "012"),
        (61.5, None),
        (True, None),
        (datetime.datetime(2021, 3, 5), None),
        ("#DIV/0!", None),
    )
    assert raw.numbers == (2, 3)


def test_a_workbook_of_several_sheets_is_not_guessed_at(tmp_path):
    def second(book):
        book.create_sheet("empty")
        book.create_sheet("more").append(["id", "x"])

    path = workbook(tmp_path, [["id", "x"], [1, 2]], change=second)
    with pytest.raises(InputError, match="2 sheets with content") as found:
        read_raw(path)
    assert "Sheet, more" in found.value.where


def test_empty_and_hidden_sheets_do_not_count(tmp_path):
    def lists(book):
        book.create_sheet("empty")
        hidden = book.create_sheet("lists")
        hidden.append(["a"])
        hidden.sheet_state = "hidden"

    assert read_raw(workbook(tmp_path, [["id", "x"], [1, 2]], change=lists)).columns == ((1,), (2,))


def test_formulas_without_a_result_are_not_read_as_missing(tmp_path):
    path = workbook(tmp_path, [["id", "x"], [1, "=1+1"]])
    with pytest.raises(ReadError, match="1 formula of the workbook has no stored result") as found:
        read_raw(path)
    assert "B2" in found.value.where


@pytest.mark.parametrize("name", ["t.xlsx", "t.xls"])
def test_a_damaged_workbook_is_a_problem_of_ours(tmp_path, name):
    with pytest.raises(ReadError, match="workbook cannot be read"):
        read_raw(written(tmp_path, b"PK\x03\x04 not a workbook", name))


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_does(tmp_path):
    path = workbook(tmp_path, [["id", "x"], [1, 2]])
    block = bytes(2**24)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/media/bomb", "w") as entry,
    ):
        for _ in range(MOST_BYTES // len(block) + 1):
            entry.write(block)
    with pytest.raises(ReadError, match="more than 512 MB"):
        read_raw(path)


# --- DataFrames


def test_a_frame_keyed_by_its_index_has_it_as_a_column():
    raw = read_raw(pd.DataFrame({"patient_id": ["A"], "x": [1]}).set_index("patient_id"))
    assert raw.header == ("patient_id", "x")


def test_every_kind_of_missing_is_none():
    frame = pd.DataFrame({"a": [1, None], "b": [pd.NA, "x"], "c": [pd.NaT, pd.Timestamp("2021-03-05")]})
    raw = read_raw(frame)
    assert raw.columns[0] == (1.0, None)
    assert raw.columns[1] == (None, "x")
    assert raw.columns[2][0] is None


# --- hostile files


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
@example(b'"' * 9)
@example(b"a\x00b,c\n1,2\n")
def test_bytes_of_any_kind_are_a_table_or_a_problem_of_ours(tmp_path, content):
    try:
        raw = read_raw(written(tmp_path, content))
    except GclnmError:
        return
    assert len({len(column) for column in raw.columns}) == 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 5000), st.binary(min_size=1, max_size=8))
def test_a_mutated_workbook_is_a_table_or_a_problem_of_ours(tmp_path, place, change):
    book = io.BytesIO()
    made = openpyxl.Workbook()
    made.active.append(["id", "x"])
    made.active.append([1, 2])
    made.save(book)
    content = bytearray(book.getvalue())
    place %= len(content)
    content[place : place + len(change)] = change
    with contextlib.suppress(GclnmError):
        read_raw(written(tmp_path, bytes(content), "t.xlsx"))
