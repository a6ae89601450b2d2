"""Clinical tables in a store: a group for each, one array a column, and what is known of the columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from gclnm.errors import InputError, StoreError
from gclnm.schemas.patients import STORED_TABLES
from gclnm.store.layout import SET_NAME, TEXT, text

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from gclnm.store.repository import Repository

__all__ = [
    "About",
    "check_table_name",
    "existing_table",
    "read_about",
    "read_table",
    "table_list",
    "table_names",
    "write_table",
]

PATIENTS = "patients"
# What is kept of a table beside its columns: keys, columns (name, kind, header, values, missing), encoding,
# source_sha256, content_sha256. JSON.
About = dict[str, Any]


def check_table_name(name: str) -> str:
    """The name of a clinical table, where it can be one."""
    if not isinstance(name, str) or not SET_NAME.fullmatch(name):
        raise InputError(
            "a clinical table cannot have this name",
            where=repr(name),
            fix="Use letters, digits, '-', '_' and '.', 64 at most, starting with a letter or digit.",
        )
    return name


def table_names(root: zarr.Group) -> list[str]:
    """Names of the clinical tables, sorted."""
    found = root.get(PATIENTS)
    return sorted(found.group_keys()) if isinstance(found, zarr.Group) else []


def existing_table(root: zarr.Group, name: str) -> zarr.Group:
    """The group of a table, or an error that says which tables there are."""
    group = root.get(f"{PATIENTS}/{check_table_name(name)}")
    if not isinstance(group, zarr.Group):
        names = table_names(root)
        known = f"It has {', '.join(names)}." if names else "It has none yet: put_table stores one."
        raise StoreError(f"the store has no clinical table {name!r}", fix=known, code="unknown-table")
    return group


def read_about(root: zarr.Group, name: str) -> About:
    """What is known of a table: its keys, and name, kind, header and value map of every column."""
    return dict(existing_table(root, name).attrs)


def read_table(root: zarr.Group, name: str) -> tuple[pd.DataFrame, About]:
    """A table and what is known of it. Text is ``str`` (missing: ``""``), numbers are float64 (NaN)."""
    import pandas as pd

    group = existing_table(root, name)
    about: About = dict(group.attrs)
    stored = dict(group.arrays())
    columns = {}
    for column in about["columns"]:
        label = str(column["name"])
        if label not in stored:
            raise StoreError(
                "a column of a clinical table is missing", where=f"{group.path}/{label}", code="damaged"
            )
        values = np.asarray(stored[label][:])
        columns[label] = values.astype(object) if stored[label].dtype == TEXT else values
    return pd.DataFrame(columns), about


def write_table(root: zarr.Group, name: str, frame: pd.DataFrame, about: Mapping[str, Any]) -> bool:
    """Write a table in the place of the one of this name; False when that one is the same already.

    Parameters
    ----------
    root
        The root group of a session that can write.
    name
        Name of the table.
    frame
        The columns that ``about["columns"]`` names.
    about
        ``keys``, and ``columns``: a list of ``{"name", "kind", "header", "values", "missing"}``, kind
        ``"text"``, ``"number"`` or ``"yes/no"`` (1 and 0).
    """
    check_table_name(name)
    columns = {str(c["name"]): _values(frame[str(c["name"])], str(c["kind"])) for c in about["columns"]}
    digest = _digest(columns, about)
    if name in table_names(root) and read_about(root, name).get("content_sha256") == digest:
        return False
    group = root.require_group(PATIENTS).create_group(name, overwrite=True)
    for label, values in columns.items():
        made = group.create_array(
            label,
            shape=values.shape,
            chunks=(max(1, len(values)),),
            dtype=values.dtype,
            dimension_names=("row",),
        )
        if len(values):
            made[:] = values
    group.attrs.update({**about, "content_sha256": digest})
    return True


def _values(column: pd.Series[Any], kind: str) -> NDArray[Any]:
    if kind == "text":
        return text([str(value) for value in column])
    return np.asarray(column, dtype=np.float64)


def _digest(columns: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> str:
    """Digest of what a reader of the table would see: not of the file it came from."""
    told = [{key: c.get(key) for key in ("name", "kind", "header", "values")} for c in about["columns"]]
    cells = {
        name: [None if value != value else value for value in values.tolist()]
        for name, values in columns.items()
    }
    content = json.dumps([list(about["keys"]), told, cells], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def table_list(repository: Repository, snapshot: str) -> pd.DataFrame:
    """The tables at a commit: name, keys, rows, columns, and the commit that wrote this version."""
    import pandas as pd

    root = repository.root(snapshot)
    names = table_names(root)
    written = _written(repository, snapshot, set(names))
    rows = []
    for name in names:
        about = read_about(root, name)
        columns = [str(column["name"]) for column in about["columns"]]
        first = existing_table(root, name).get(columns[0])
        rows.append(
            {
                "name": name,
                "keys": ", ".join(about["keys"]),
                "rows": first.shape[0] if isinstance(first, zarr.Array) else 0,
                "columns": len(columns) - len(about["keys"]),
                "commit": written.get(name, ""),
            }
        )
    return STORED_TABLES.validate(pd.DataFrame(rows)) if rows else STORED_TABLES.empty()


def _written(repository: Repository, snapshot: str, names: set[str]) -> dict[str, str]:
    """The newest commit that says it wrote each table (``table`` or ``tables`` of its record)."""
    found: dict[str, str] = {}
    for commit in repository.ancestry(snapshot):
        if not names - found.keys():
            break
        record = commit.metadata
        wrote = {str(record["table"])} if record.get("table") else set()
        wrote |= {str(name) for name in record.get("tables") or ()}
        found.update({name: str(commit.id) for name in wrote & names - found.keys()})
    return found
