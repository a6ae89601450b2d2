"""Conditions that users write on the table of samples: which rows they mean."""

from __future__ import annotations

import difflib
import io
import tokenize
from collections.abc import Collection, Iterator

import pandas as pd

from gclnm.errors import InputError

__all__ = ["rows_where", "texts_quoted", "unknown_column"]

COMPARISONS = frozenset(("==", "!=", "in"))


def rows_where(table: pd.DataFrame, expression: str, *, level: int = 0) -> list[int]:
    """Positions of the rows for which an expression of ``DataFrame.query`` is true.

    Numbers compared with a column of text are taken as text, so that ``patient_id == 12`` finds
    patient ``"12"``. The expression runs in pandas' own language (engine ``python``), with ``@name``
    for a variable of the caller's, ``level`` frames further up: it is as safe as code that the user
    types, so never take one from a stranger; names with two underscores are refused.

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


def texts_quoted(table: pd.DataFrame, expression: str) -> str:
    """The expression with numbers in quotes where they are compared with a column of text."""
    texts = {str(name) for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])}
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(expression).readline))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return expression
    places = [token for token in _compared_numbers(tokens, texts) if token.start[0] == 1]
    for token in reversed(places):
        expression = f"{expression[: token.start[1]]}'{token.string}'{expression[token.end[1] :]}"
    return expression


def _compared_numbers(
    tokens: list[tokenize.TokenInfo], texts: Collection[str]
) -> Iterator[tokenize.TokenInfo]:
    for place, token in enumerate(tokens):
        if token.type != tokenize.NAME or token.string not in texts:
            continue
        rest = tokens[place + 1 :]
        if rest and rest[0].string == "not":
            rest = rest[1:]
        if not rest or rest[0].string not in COMPARISONS:
            continue
        for following in rest[1:]:
            if following.type == tokenize.NUMBER:
                yield following
            elif following.string not in ("[", "(", ","):
                break
