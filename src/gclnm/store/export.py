"""A set as files: Parquet and CSV, exact to the last bit, with what its columns are beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gclnm._version import __version__
from gclnm.errors import StoreError
from gclnm.store.layout import FORMAT

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_csv", "to_parquet", "write_csv"]


def to_parquet(table: pd.DataFrame, path: str | PathLike[str], columns: pd.DataFrame) -> Path:
    """Write a table; recipe, commit and version stand in the file's metadata under ``gclnm``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    bare = table.copy(deep=False)
    bare.attrs = {}
    arrow = pa.Table.from_pandas(bare, preserve_index=False)
    facts = json.dumps(_facts(table), sort_keys=True).encode()
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), b"gclnm": facts})
    target = Path(path)
    _replace(target, lambda part: pq.write_table(arrow, part))
    write_csv(columns, _beside(target, "columns.csv"))
    return target


def to_csv(table: pd.DataFrame, path: str | PathLike[str], columns: pd.DataFrame) -> Path:
    """Write a table as UTF-8 with commas; every number in the shortest form that reads back the same."""
    facts = _facts(table)
    facts["recipe"] = json.loads(facts["recipe"])
    words = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    target = write_csv(table, path)
    write_csv(columns, _beside(target, "columns.csv"))
    _replace(_beside(target, "recipe.json"), lambda part: part.write_text(words, encoding="utf-8"))
    return target


def write_csv(table: pd.DataFrame, path: str | PathLike[str]) -> Path:
    """Write a table as UTF-8 with commas, and nothing beside it."""
    target = Path(path)
    _replace(target, lambda part: _csv(table, part))
    return target


def _facts(table: pd.DataFrame) -> dict[str, Any]:
    named = {str(key): value for key, value in table.attrs.items()}
    return named | {"gclnm": __version__, "gclnm_format": FORMAT}


def _csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(f"{target.stem}.{ending}")


def _replace(target: Path, write: Callable[[Path], object]) -> None:
    """Write under another name in the same folder: a reader never finds half a file under the real one."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            "the folder for the export cannot be made",
            where=str(target.parent),
            fix=f"Choose another one ({error.strerror}).",
            code="cannot-write",
        ) from None
    part = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
    try:
        write(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
