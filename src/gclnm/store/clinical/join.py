"""Clinical tables joined to a set as it is read: their columns become coordinates of the rows."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import InputError, StoreError
from gclnm.store.clinical.cells import cell_text
from gclnm.store.clinical.tables import About, read_table
from gclnm.store.parts import Columns
from gclnm.store.read import Select, Where, dataset, matching, names_in

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from gclnm.store.repository import Repository

__all__ = ["Tables", "dataset_with", "with_table"]

Tables = str | Sequence[str] | None


def dataset_with(
    repository: Repository, snapshot: str, name: str, select: Select, where: Where, tables: Tables
) -> xr.Dataset:
    """Rows of a set with the columns of clinical tables; ``where`` may name those too."""
    if tables is None:
        return dataset(repository, snapshot, name, select, where)
    root = repository.root(snapshot)
    given = [tables] if isinstance(tables, str) else list(dict.fromkeys(tables))
    found = {table: read_table(root, table) for table in given}
    clinical = {
        str(column["name"])
        for _, about in found.values()
        for column in about["columns"]
        if column["name"] not in about["keys"]
    }
    of_rows, of_patients = split_where(where, clinical)
    data = dataset(repository, snapshot, name, select, of_rows)
    for table, (frame, about) in found.items():
        data = with_table(data, table, frame, about)
    data = data.assign_attrs(tables=", ".join(given))
    return data if of_patients is None else _filtered(data, of_patients)


def with_table(data: xr.Dataset, table: str, frame: pd.DataFrame, about: About) -> xr.Dataset:
    """A dataset with the columns of a table as coordinates of its rows.

    Parameters
    ----------
    data
        Rows, (sample, feature).
    table
        Name of the table, for errors and the data dictionary.
    frame, about
        The table and what is known of it, as `gclnm.store.clinical.tables.read_table` gives them.

    Returns
    -------
    xarray.Dataset
        Every row of ``data``; numbers are NaN and text is ``""`` where the table says nothing.

    Raises
    ------
    StoreError
        When the rows lack a key of the table or have a column of its already, or none matches.
    """
    keys = [str(key) for key in about["keys"]]
    columns = [column for column in about["columns"] if column["name"] not in keys]
    _refuse_clashes(data, table, keys, [str(column["name"]) for column in columns])
    places = {key: place for place, key in enumerate(_keys(keys, {key: frame[key] for key in keys}))}
    wanted = _keys(keys, {key: data[key].values for key in keys})
    rows = np.array([places.get(key, -1) for key in wanted], dtype=np.int64)
    if len(rows) and places and (rows < 0).all():
        raise StoreError(
            f"no row of the set has a row in the clinical table {table!r}",
            where=f"the set has {wanted[0]}, the table {next(iter(places))}",
            fix=f"They are matched by {', '.join(keys)}: put the table again after the images are there.",
            code="no-match",
        )
    coords = {
        str(column["name"]): ("sample", _taken(frame[str(column["name"])], rows), _told(table, column))
        for column in columns
    }
    return data.assign_coords(coords)


def _refuse_clashes(data: xr.Dataset, table: str, keys: Sequence[str], columns: Sequence[str]) -> None:
    lacking = [key for key in keys if key not in data.coords]
    if lacking:
        raise StoreError(
            f"rows of the set have no coordinate {', '.join(lacking)}, a key of the clinical table {table!r}",
            fix="Assign it to the samples before they are extracted, or put the table with other keys=.",
            code="no-key",
        )
    there = {str(name) for name in (*data.coords, *data.variables, *data["feature"].values)}
    taken = [name for name in columns if name in there]
    if taken:
        raise StoreError(
            f"the rows have columns of the clinical table {table!r} already, from images or another table",
            where=", ".join(taken),
            fix="Put the table again with other names (columns=), or read one table at a time.",
            code="name-clash",
        )


def _keys(keys: Sequence[str], columns: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Keys as text; a patient's id as it stands, other coordinates as their numbers or words compare."""
    parts = [
        [str(value) if key == "patient_id" else cell_text(value) for value in columns[key]] for key in keys
    ]
    return list(zip(*parts, strict=True))


def _taken(column: pd.Series[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    number = column.dtype.kind == "f"
    values = column.to_numpy(dtype=np.float64 if number else object)
    found = np.full(len(rows), np.nan) if number else np.full(len(rows), "", dtype=object)
    found[rows >= 0] = values[rows[rows >= 0]]
    return found


def _told(table: str, column: Mapping[str, Any]) -> dict[str, str]:
    """What the data dictionary says of a column."""
    what = f"Clinical table {table}"
    header, mapped = column.get("header"), column.get("values") or []
    what += f", column {header}" if header and header != column["name"] else ""
    what += f": {', '.join(f'{old}={new}' for old, new in mapped)}" if mapped else ""
    return {"clinical_table": table, "description": f"{what}."}


def split_where(where: Where, clinical: set[str]) -> tuple[Where, Where]:
    """A condition cut in two: what speaks of rows alone, and what speaks of clinical columns.

    Examples
    --------
    >>> split_where("roi == 'GTV' and (pN > 0 or roi == 'LN')", {"pN"})
    ("roi == 'GTV'", "pN > 0 or roi == 'LN'")
    >>> split_where({"roi": "GTV", "pN": 1}, {"pN"})
    ({'roi': 'GTV'}, {'pN': 1})
    """
    if where is None or not names_in(where) & clinical:
        return where, None
    if isinstance(where, Mapping):
        rest = {name: value for name, value in where.items() if name not in clinical}
        return rest or None, {name: value for name, value in where.items() if name in clinical}
    parts = _conditions(ast.parse(where.strip(), mode="eval").body)
    of_rows = [part for part in parts if not names_in(part) & clinical]
    return _joined(of_rows), _joined([part for part in parts if part not in of_rows])


def _conditions(node: ast.expr) -> list[str]:
    """The conditions that all have to hold."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [part for value in node.values for part in _conditions(value)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
        return [*_conditions(node.left), *_conditions(node.right)]
    return [ast.unparse(node)]


def _joined(parts: Sequence[str]) -> str | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return " and ".join(f"({part})" for part in parts)


def _filtered(data: xr.Dataset, where: str | Mapping[str, Any]) -> xr.Dataset:
    named = names_in(where)
    unknown = sorted(name for name in named if name not in data.coords or data[name].dims != ("sample",))
    if unknown:
        raise InputError(
            f"where= names what no row has: {', '.join(unknown)}",
            fix="Conditions on clinical columns can be joined by `and` to others, not by `or`.",
        )
    columns = _Coordinates(data)
    return data.isel(sample=matching(columns, np.arange(data.sizes["sample"]), where))


class _Coordinates(Columns):
    """Coordinates of a dataset as a condition reads them."""

    def __init__(self, data: xr.Dataset) -> None:
        super().__init__({})
        self._data = data

    def at(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Values of a coordinate at rows."""
        return np.asarray(self._data[name].values)[rows]
