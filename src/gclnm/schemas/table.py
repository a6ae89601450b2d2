"""Tables with a contract: columns described once, checked by pandera, published as JSON Schema."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from gclnm.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Table"]

Kind = Literal["str", "float", "int", "bool"]
JSON_TYPES = {"str": "string", "float": "number", "int": "integer", "bool": "boolean"}


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, type, meaning and the values it may take.

    Parameters
    ----------
    name
        Name of the column; units stand in it (``spacing_x_mm``).
    dtype
        ``"str"``, ``"float"``, ``"int"`` or ``"bool"``.
    description
        What the values mean, one sentence.
    required
        Whether the table must have the column.
    nullable
        Whether values may be missing. Text is never missing unless this is said: unknown is ``""``.
    unique
        Whether every value may occur once only.
    isin
        The values allowed; empty for any.
    ge, le
        Lowest and highest value allowed.
    """

    name: str
    dtype: Kind
    description: str
    required: bool = True
    nullable: bool = False
    unique: bool = False
    isin: tuple[str | float | int, ...] = ()
    ge: float | None = None
    le: float | None = None

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of one value."""
        kind = JSON_TYPES[self.dtype]
        schema: dict[str, Any] = {
            "description": self.description,
            "type": [kind, "null"] if self.nullable else kind,
        }
        if self.isin:
            schema["enum"] = [*self.isin, None] if self.nullable else list(self.isin)
        if self.ge is not None:
            schema["minimum"] = self.ge
        if self.le is not None:
            schema["maximum"] = self.le
        return schema


@dataclass(frozen=True)
class Table:
    """A named set of columns: the one source of checks, empty tables and published schema.

    Parameters
    ----------
    name
        Name of the table.
    columns
        Its columns, in order.
    description
        What one row is.
    open
        Whether columns of other names are allowed (they stay, unchecked, at the end).

    Examples
    --------
    >>> import pandas as pd
    >>> table = Table("slices", (Column("id", "str", "Key.", unique=True), Column("z_mm", "float", "Place.")))
    >>> table.validate(pd.DataFrame({"z_mm": [1, 2], "id": ["a", "b"]})).dtypes["z_mm"]
    dtype('float64')
    >>> table.validate(pd.DataFrame({"z_mm": [1.0, None], "id": ["a", "b"]}))
    Traceback (most recent call last):
        ...
    gclnm.errors.InputError: row 1: column 'z_mm' of table 'slices' has a missing value...
    """

    name: str
    columns: tuple[Column, ...]
    description: str = ""
    open: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def empty(self) -> pd.DataFrame:
        """A table without rows, with the right columns and dtypes."""
        import pandas as pd

        return self._conformed(pd.DataFrame({name: [] for name in self.names}))

    def validate(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with its columns in order and in the right dtypes.

        Raises
        ------
        InputError
            When a column is missing or unknown, or a value is of another type, missing, repeated or
            out of bounds; the sentence names the first such column and row.
        """
        import pandera.errors as errors

        self._check_columns(table)
        conformed = self._conformed(table)
        try:
            self._schema.validate(conformed, lazy=True)
        except errors.SchemaErrors as found:
            raise self._explained(found.failure_cases) from None
        return conformed

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of one row."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.description,
            "type": "object",
            "properties": {column.name: column.json_schema() for column in self.columns},
            "required": [column.name for column in self.columns if column.required],
            "additionalProperties": self.open,
        }

    @cached_property
    def _schema(self) -> Any:
        import pandera.pandas as pa

        columns = {column.name: _pandera_column(column) for column in self.columns}
        return pa.DataFrameSchema(columns, strict=not self.open, name=self.name)

    def _check_columns(self, table: pd.DataFrame) -> None:
        missing = [c.name for c in self.columns if c.required and c.name not in table.columns]
        if missing:
            raise InputError(
                f"table {self.name!r} lacks column {', '.join(missing)}", code="schema", fix="Add the column."
            )
        unknown = [str(name) for name in table.columns if name not in self.names]
        if unknown and not self.open:
            raise InputError(
                f"table {self.name!r} has a column that its schema does not know",
                where=", ".join(unknown),
                code="schema",
                fix="Drop the column or correct its name.",
            )

    def _conformed(self, table: pd.DataFrame) -> pd.DataFrame:
        known = [column for column in self.columns if column.name in table.columns]
        extra = [name for name in table.columns if name not in self.names]
        result = table[[column.name for column in known] + extra].reset_index(drop=True)
        for column in known:
            try:
                result[column.name] = _conform(result[column.name], column)
            except (TypeError, ValueError, OverflowError):
                raise InputError(
                    f"column {column.name!r} of table {self.name!r} holds a value that is not {column.dtype}",
                    code="schema",
                    fix="Correct the value.",
                ) from None
        return result

    def _explained(self, failures: pd.DataFrame) -> InputError:
        first = failures.iloc[0]
        broken = {"not_nullable": "a missing value", "field_uniqueness": "a value twice"}.get(
            str(first["check"]), f"a value that fails {first['check']}"
        )
        index: Hashable = first["index"]
        return InputError(
            f"column {first['column']!r} of table {self.name!r} has {broken}",
            where=f"row {index}",
            code="schema",
            fix="Correct the value.",
        )


def _conform(series: pd.Series[Any], column: Column) -> pd.Series[Any]:
    """The series in the dtype of its column; refuses what only a guess could convert."""
    if column.dtype == "str":
        present = series.dropna()
        if not all(isinstance(value, str) for value in present):
            raise TypeError(column.name)
        # Through object, so that every release of pandas ends in the text type it would choose itself.
        values = [value if isinstance(value, str) else None for value in series]
        return type(series)(values, index=series.index, dtype=None if present.size else "str")
    if column.dtype == "bool":
        if not all(value in (True, False) for value in series):
            raise TypeError(column.name)
        return series.astype("bool")
    if column.dtype == "int":
        return series.astype("Int64" if column.nullable else "int64")
    return series.astype("float64")


def _pandera_column(column: Column) -> Any:
    import pandera.pandas as pa

    # Types were settled by _conform: pandera's own text type depends on what else is installed.
    checks = []
    if column.isin:
        checks.append(pa.Check.isin(list(column.isin)))
    if column.ge is not None:
        checks.append(pa.Check.ge(column.ge))
    if column.le is not None:
        checks.append(pa.Check.le(column.le))
    return pa.Column(
        None,
        checks,
        nullable=column.nullable,
        unique=column.unique,
        required=column.required,
        name=column.name,
    )
