"""The contract of a table: dtypes, bounds, names, and the schema that is published."""

from __future__ import annotations

import jsonschema
import pandas as pd
import pytest

from gclnm.errors import InputError
from gclnm.schemas.table import Column, Table

TABLE = Table(
    "points",
    (
        Column("id", "str", "Key.", unique=True),
        Column("kind", "str", "Kind.", isin=("a", "b")),
        Column("share", "float", "Share.", nullable=True, ge=0, le=1),
        Column("n", "int", "Count.", ge=0),
        Column("usable", "bool", "Whether it can be used."),
        Column("note", "str", "Free.", required=False),
    ),
    description="One point.",
)
ROW = {"id": "x", "kind": "a", "share": 0.5, "n": 1, "usable": True}


def test_a_good_table_comes_back_in_order_and_with_dtypes():
    table = TABLE.validate(pd.DataFrame([dict(reversed(ROW.items()))]))
    assert list(table) == list(ROW)
    assert [str(table.dtypes[name]) for name in ("share", "n", "usable")] == ["float64", "int64", "bool"]
    assert table.iloc[0].to_dict() == ROW


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "c"}, "kind"),
        ({"share": 1.5}, "share"),
        ({"n": -1}, "'n'"),
        ({"n": "many"}, "'n'"),
        ({"id": None}, "missing value"),
        ({"id": 5}, "not str"),
        ({"usable": "no"}, "not bool"),
        ({"other": 1}, "does not know"),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence(change, words):
    with pytest.raises(InputError, match=words) as error:
        TABLE.validate(pd.DataFrame([ROW | change]))
    assert error.value.code == "schema"


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="lacks column kind"):
        TABLE.validate(pd.DataFrame([ROW]).drop(columns="kind"))


def test_a_repeated_key_is_refused():
    with pytest.raises(InputError, match="a value twice"):
        TABLE.validate(pd.DataFrame([ROW, ROW]))


def test_an_empty_table_is_valid_and_has_all_columns():
    empty = TABLE.empty()
    assert list(empty) == list(TABLE.names)
    assert TABLE.validate(empty).empty


def test_an_open_table_keeps_columns_of_the_user():
    table = Table("open", TABLE.columns, open=True)
    assert table.validate(pd.DataFrame([ROW | {"mine": 3}]))["mine"].tolist() == [3]


def test_the_published_schema_agrees_with_the_checks():
    schema = TABLE.json_schema()
    jsonschema.validate(ROW, schema)
    jsonschema.validate(ROW | {"share": None}, schema)
    for change in ({"kind": "c"}, {"share": 1.5}, {"n": -1}, {"id": None}, {"other": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(ROW | change, schema)
