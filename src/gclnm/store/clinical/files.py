"""Clinical tables as they are handed in: a DataFrame, CSV of any usual encoding, an Excel workbook."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gclnm.catalog.pairing.names import normalise
from gclnm.counts import count
from gclnm.errors import InputError, ReadError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RawTable", "read_raw"]

CSV_ENDINGS = (".csv", ".tsv", ".txt")
# UTF-8 first: text in another encoding is almost never valid UTF-8, while GB18030 takes nearly anything.
ENCODINGS = ("utf-8-sig", "gb18030")
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
SEPARATORS = ",;\t"
# What a workbook may unpack to: far more than any table of patients, far less than memory.
MOST_BYTES = 512 * 2**20
HOW = "Give a DataFrame, or a file that ends in .csv, .tsv, .xlsx or .xls."


@dataclass(frozen=True)
class RawTable:
    """Cells as they stood, with the numbers by which the user finds the rows."""

    header: tuple[str, ...]
    columns: tuple[tuple[Any, ...], ...]
    numbers: tuple[int, ...]
    sha256: str
    encoding: str

    def column(self, header: str) -> tuple[Any, ...]:
        """The cells of one column."""
        return self.columns[self.header.index(header)]


def read_raw(data: pd.DataFrame | str | os.PathLike[str], encoding: str | None = None) -> RawTable:
    """Read a table; headers are normalised, rows without any content are left out.

    Raises
    ------
    InputError
        When it is no table, a header is missing or occurs twice, or a row is longer than the header.
    ReadError
        When the file cannot be read.
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return _of_frame(data)
    if not isinstance(data, (str, os.PathLike)):
        raise InputError(f"a clinical table cannot be a {type(data).__name__}", fix=HOW, code="bad-table")
    path = Path(data).expanduser()
    ending = path.suffix.lower()
    if ending not in (*CSV_ENDINGS, ".xlsx", ".xlsm", ".xls"):
        raise InputError("a file of this kind cannot be read as a table", where=str(path), fix=HOW)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError("the table cannot be read", where=str(path), fix=f"{error.strerror}.") from None
    used = ""
    if ending in CSV_ENDINGS:
        rows, used = _csv_rows(content, path, encoding)
    elif ending == ".xls":
        rows = _xls_rows(content, path)
    else:
        rows = _xlsx_rows(content, path)
    return _of_rows(rows, str(path), hashlib.sha256(content).hexdigest(), used)


def _of_frame(frame: pd.DataFrame) -> RawTable:
    import pandas as pd

    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    cells = [
        [None if pd.api.types.is_scalar(value) and pd.isna(value) else value for value in column.tolist()]
        for column in (frame.iloc[:, place] for place in range(frame.shape[1]))
    ]
    rows: list[tuple[int, list[Any]]] = [(0, [str(name) for name in frame.columns])]
    rows += [(number, list(row)) for number, row in enumerate(zip(*cells, strict=True))]
    digest = hashlib.sha256(repr([row for _, row in rows]).encode("utf-8", "backslashreplace")).hexdigest()
    return _of_rows(rows, "the DataFrame", digest, "")


def _of_rows(rows: list[tuple[int, list[Any]]], where: str, digest: str, encoding: str) -> RawTable:
    rows = [(number, row) for number, row in rows if any(not _empty(cell) for cell in row)]
    if len(rows) < 2:
        raise InputError(
            "the table has no row below its header", where=where, fix="Look at the file.", code="bad-table"
        )
    header = [normalise("" if cell is None else str(cell)) for cell in rows[0][1]]
    while header and not header[-1]:
        header.pop()
    _check_header(header, where)
    width = len(header)
    for number, row in rows[1:]:
        if any(not _empty(cell) for cell in row[width:]):
            raise InputError(
                "a row of the table is longer than its header",
                where=f"{where}, row {number}",
                fix="Quote cells that hold the separator; give every column a header in the first row.",
                code="bad-table",
            )
    body = [[*row, *[None] * (width - len(row))][:width] for _, row in rows[1:]]
    return RawTable(
        header=tuple(header),
        columns=tuple(zip(*body, strict=True)),
        numbers=tuple(number for number, _ in rows[1:]),
        sha256=digest,
        encoding=encoding,
    )


def _empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _check_header(header: list[str], where: str) -> None:
    missing = [str(place + 1) for place, name in enumerate(header) if not name]
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if missing or twice:
        raise InputError(
            "a column of the table has no header" if missing else "two columns of the table share a header",
            where=f"{where}: {'column ' + ', '.join(missing) if missing else ', '.join(twice)}",
            fix="The first row holds the headers, each of them once.",
            code="bad-table",
        )


def _csv_rows(content: bytes, path: Path, encoding: str | None) -> tuple[list[tuple[int, list[Any]]], str]:
    text, used = _decoded(content, path, encoding)
    header = next((line for line in text.splitlines() if line.strip()), "")
    # The separator that cuts the header into most pieces.
    separator = max(SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return [(reader.line_num, row) for row in reader], used
    except csv.Error as error:
        raise ReadError(
            "the table is not valid CSV",
            where=f"{path}, line {reader.line_num}",
            fix=f"{error}.",
            code="bad-table",
        ) from None


def _decoded(content: bytes, path: Path, encoding: str | None) -> tuple[str, str]:
    marked = ("utf-16",) if content.startswith(UTF16_MARKS) else ENCODINGS
    for name in (encoding,) if encoding else marked:
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        except LookupError:
            raise InputError(f"there is no encoding {name!r}", fix='Give "utf-8", "gb18030" ...') from None
        return text, {"utf-8-sig": "utf-8"}.get(name, name)
    raise ReadError(
        f"the table is not text in {encoding or 'UTF-8 or GB18030'}",
        where=str(path),
        fix='Name its encoding, for example encoding="cp1252".',
        code="bad-encoding",
    )


def _xlsx_rows(content: bytes, path: Path) -> list[tuple[int, list[Any]]]:
    import warnings

    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MOST_BYTES:
            raise ReadError(
                "the workbook unpacks to more than 512 MB", where=str(path), fix="Save it as CSV."
            )
        with warnings.catch_warnings():
            # openpyxl warns of styles and extensions that it drops; values are what is read here.
            warnings.simplefilter("ignore")
            written = _sheets(openpyxl.load_workbook(io.BytesIO(content)))
            name = _one_sheet(list(written), path)
            sheet = written[name]
            if not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row):
                return _values(sheet)
            values = openpyxl.load_workbook(io.BytesIO(content), data_only=True)[name]
    except (InputError, ReadError):
        raise
    except Exception as error:  # openpyxl raises whatever its XML, or the archive, happen to raise
        raise _not_a_workbook(path, error) from None
    _refuse_uncomputed(sheet, values, path)
    return _values(values)


def _sheets(book: Any) -> dict[str, Any]:
    """Visible sheets that hold something."""
    return {
        sheet.title: sheet
        for sheet in book.worksheets
        if sheet.sheet_state == "visible"
        and any(cell.value is not None for row in sheet.iter_rows() for cell in row)
    }


def _values(sheet: Any) -> list[tuple[int, list[Any]]]:
    return [(row[0].row, [cell.value for cell in row]) for row in sheet.iter_rows() if row]


def _refuse_uncomputed(formulas: Any, values: Any, path: Path) -> None:
    empty = [
        cell.coordinate
        for row in formulas.iter_rows()
        for cell in row
        if cell.data_type == "f" and values[cell.coordinate].value is None
    ]
    if empty:
        raise ReadError(
            f"{count(len(empty), 'formula of the workbook has', 'formulas of the workbook have')} no stored"
            " result",
            where=f"{path}: {', '.join(empty[:5])}",
            fix="Open it in a spreadsheet program, save it, and try again.",
            code="bad-table",
        )


def _xls_rows(content: bytes, path: Path) -> list[tuple[int, list[Any]]]:
    import xlrd

    try:
        book = xlrd.open_workbook(file_contents=content, logfile=io.StringIO())
    except Exception as error:  # xlrd raises whatever a damaged file makes it stumble over
        raise _not_a_workbook(path, error) from None
    sheets = {sheet.name: sheet for sheet in book.sheets() if sheet.visibility == 0 and sheet.nrows}
    sheet = sheets[_one_sheet(list(sheets), path)]
    return [
        (index + 1, [_xls_cell(cell, book.datemode) for cell in sheet.row(index)])
        for index in range(sheet.nrows)
    ]


def _xls_cell(cell: Any, datemode: int) -> Any:
    import xlrd

    if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return None
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return xlrd.xldate_as_datetime(cell.value, datemode)
        except (ValueError, OverflowError):
            return cell.value
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return bool(cell.value)
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return xlrd.error_text_from_code.get(cell.value, "#VALUE!")
    return cell.value


def _one_sheet(names: list[str], path: Path) -> str:
    if len(names) != 1:
        raise InputError(
            f"the workbook has {len(names)} sheets with content" if names else "the workbook is empty",
            where=f"{path}: {', '.join(names)}" if names else str(path),
            fix="Choose one: pass pandas.read_excel(path, sheet_name=..., dtype=object).",
            code="bad-table",
        )
    return names[0]


def _not_a_workbook(path: Path, error: Exception) -> ReadError:
    return ReadError(
        f"the workbook cannot be read ({type(error).__name__})",
        where=str(path),
        fix="Save it again as .xlsx or CSV.",
        code="bad-table",
    )
