"""A set as one file: Parquet and CSV, exact to the last bit, saying what they are."""

from __future__ import annotations

import json
import os
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from gclnm._version import __version__
from gclnm.store.layout import FORMAT

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_csv", "to_parquet"]


def to_parquet(table: pd.DataFrame, path: str | PathLike[str]) -> Path:
    """Write a table; recipe, commit and version stand in the file's metadata under ``gclnm``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = json.dumps({**table.attrs, "gclnm": __version__, "gclnm_format": FORMAT}, sort_keys=True)
    bare = table.copy(deep=False)
    bare.attrs = {}
    arrow = pa.Table.from_pandas(bare, preserve_index=False)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), b"gclnm": facts.encode()})
    target = Path(path)
    part = _beside(target)
    try:
        pq.write_table(arrow, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def to_csv(table: pd.DataFrame, path: str | PathLike[str]) -> Path:
    """Write a table as UTF-8 with commas; every number in the shortest form that reads back the same."""
    target = Path(path)
    part = _beside(target)
    try:
        table.to_csv(part, index=False, encoding="utf-8", lineterminator="\n")
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _beside(target: Path) -> Path:
    """A name in the same folder: a reader never finds half a file under the real one."""
    return target.with_name(f".{target.name}.{uuid4().hex[:8]}")
