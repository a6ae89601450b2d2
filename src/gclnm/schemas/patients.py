"""What is told of the clinical tables and the feature selections of a store."""

from __future__ import annotations

from gclnm.schemas.table import Column, Table

__all__ = ["KINDS", "SELECTIONS", "STORED_TABLES", "TABLE_COLUMNS"]

KINDS = ("number", "text", "yes/no")

STORED_TABLES = Table(
    "tables",
    (
        Column("name", "str", "Name of the clinical table.", unique=True),
        Column("keys", "str", "Coordinates that tell its rows apart, with commas."),
        Column("rows", "int", "Number of rows.", ge=0),
        Column("columns", "int", "Number of columns besides the keys.", ge=0),
        Column("commit", "str", "The commit that wrote this version."),
    ),
    description="One clinical table of a store.",
)

TABLE_COLUMNS = Table(
    "table_columns",
    (
        Column("column", "str", "Name in the store.", unique=True),
        Column("header", "str", "Name in the table that was given."),
        Column("kind", "str", "What it holds; yes/no is 1 and 0.", isin=KINDS),
        Column("values", "str", "What was written for what, `阴性=0, 阳性=1`; empty: as it stood."),
        Column("missing", "int", "How many cells say nothing.", ge=0),
        Column("spellings", "str", "How cells that say nothing were written, other than empty."),
    ),
    description="One column of a clinical table as it was stored.",
)

SELECTIONS = Table(
    "selections",
    (
        Column("selection", "str", "Name of the selection.", unique=True),
        Column("features", "int", "Number of features.", ge=1),
        Column("commit", "str", "The commit that wrote this version."),
    ),
    description="One named selection of features of a set; column `names` lists them, in order.",
    open=True,
)
