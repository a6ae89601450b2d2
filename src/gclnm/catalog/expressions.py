"""Conditions that users write on the table of samples: which rows they mean."""

from __future__ import annotations

import difflib
import io
import tokenize
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandas as pd

from gclnm.catalog.cells import text
from gclnm.catalog.pairing.build import usual_modality
from gclnm.errors import InputError
from gclnm.images.dicom.frames import field_class

__all__ = ["rows_where", "texts_quoted", "unknown_column", "values_there", "with_values"]

COMPARISONS = frozenset(("==", "!=", "in"))
VALUES_SHOWN = 6


def rows_where(table: pd.DataFrame, expression: str, *, level: int = 0) -> list[int]:
    """Positions of the rows for which an expression of ``DataFrame.query`` is true.

    Numbers compared with a column of text are taken as text, so that ``patient_id == 12`` finds
    patient ``"12"``, and modalities as DICOM writes them: ``modality == 'PET'`` finds ``PT``. The
    expression runs in pandas' own language (engine ``python``), with ``@name`` for a variable of the
    caller's, ``level`` frames further up: it is as safe as code that the user types, so never take
    one from a stranger; names with two underscores are refused.

    Raises
    ------
    InputError
        When a column is unknown (with the nearest name) or the expression cannot be understood.

    Examples
    --------
    >>> table = pd.DataFrame({"patient_id": ["7", "12"], "modality": ["CT", "MR"]})
    >>> rows_where(table, "patient_id == 12 and modality == 'MR'")
    [1]
    """
    if not isinstance(expression, str) or not expression.strip() or "__" in expression:
        raise _not_understood(str(expression), "no condition")
    rows = table.reset_index(drop=True)
    try:
        chosen = rows.query(texts_quoted(rows, expression), engine="python", level=level + 1)
    except pd.errors.UndefinedVariableError as error:
        name = str(error).split("'")[1] if "'" in str(error) else expression
        raise unknown_column(name, rows.columns, where=expression) from None
    except Exception as error:  # pandas raises whatever its parser, or the values, happen to raise
        raise _not_understood(expression, type(error).__name__) from None
    return [int(position) for position in chosen.index]


def with_values(expression: str, coordinates: Mapping[str, str | float]) -> str:
    """An expression with the further condition that columns have these values.

    Examples
    --------
    >>> with_values("b_value > 100 or phase == 'native'", {"modality": "MR", "field_strength_t": 2.89})
    "(b_value > 100 or phase == 'native') and modality == 'MR' and field_strength_t == 3.0"
    """
    parts = [f"({expression})"] if expression else []
    for name, value in coordinates.items():
        as_class = name == "field_strength_t" and isinstance(value, int | float)
        parts.append(f"{name} == {field_class(float(value)) if as_class else value!r}")
    return " and ".join(parts) if coordinates else expression


def unknown_column(name: str, columns: Collection[str], *, where: str = "") -> InputError:
    """The error for a column that is not there, with the nearest one that is."""
    known = [str(column) for column in columns]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    fix = f"Nearest: {', '.join(near)}." if near else f"Columns: {', '.join(known)}."
    return InputError(
        "the table of samples has no such column",
        where=f"{name!r}{f' in {where!r}' if where else ''}",
        fix=fix,
        code="unknown-column",
    )


def _not_understood(expression: str, problem: str) -> InputError:
    return InputError(
        f"the condition cannot be understood ({problem})",
        where=repr(expression),
        fix="Write it as for DataFrame.query, for example \"modality == 'CT' and slice_thickness_mm <= 3\".",
        code="bad-condition",
    )


def values_there(table: pd.DataFrame, expression: str) -> str:
    """What the columns that a condition names hold: what to say when it is true of no row.

    Examples
    --------
    >>> values_there(pd.DataFrame({"modality": ["CT", "MR", "CT"]}), "modality == 'PT'")
    'modality: CT 2, MR 1'
    """
    named = [token.string for token in _tokens(expression) if token.type == tokenize.NAME]
    columns = [name for name in dict.fromkeys(named) if name in table.columns]
    return "; ".join(f"{name}: {_values(table[name])}" for name in columns)


def _values(column: pd.Series[Any]) -> str:
    if pd.api.types.is_numeric_dtype(column):
        known = column.dropna()
        missing = len(column) - len(known)
        extent = f"{known.min():g} to {known.max():g}" if len(known) else ""
        return ", ".join(part for part in (extent, f"{missing} empty" if missing else "") if part)
    counts = Counter(text(value) or "(empty)" for value in column).most_common()
    shown = ", ".join(f"{value} {n}" for value, n in counts[:VALUES_SHOWN])
    return shown + (f" and {len(counts) - VALUES_SHOWN} more" if len(counts) > VALUES_SHOWN else "")


def texts_quoted(table: pd.DataFrame, expression: str) -> str:
    """The expression with values as the table writes them.

    Numbers are in quotes where they are compared with a column of text, and modalities are those of
    DICOM.
    """
    texts = {str(name) for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])}
    for column, token in reversed([v for v in _compared(_tokens(expression), texts) if v[1].start[0] == 1]):
        value = f"'{token.string}'" if token.type == tokenize.NUMBER else token.string
        if column == "modality" and value[0] in "'\"":
            value = value[0] + usual_modality(value[1:-1]) + value[0]
        expression = f"{expression[: token.start[1]]}{value}{expression[token.end[1] :]}"
    return expression


def _tokens(expression: str) -> list[tokenize.TokenInfo]:
    try:
        return list(tokenize.generate_tokens(io.StringIO(expression).readline))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return []


def _compared(
    tokens: list[tokenize.TokenInfo], texts: Collection[str]
) -> Iterator[tuple[str, tokenize.TokenInfo]]:
    """Each literal that a column of text is compared with, after the column's name."""
    for place, token in enumerate(tokens):
        if token.type != tokenize.NAME or token.string not in texts:
            continue
        rest = tokens[place + 1 :]
        if rest and rest[0].string == "not":
            rest = rest[1:]
        if not rest or rest[0].string not in COMPARISONS:
            continue
        for following in rest[1:]:
            if following.type in (tokenize.NUMBER, tokenize.STRING):
                yield token.string, following
            elif following.string not in ("[", "(", ","):
                break
