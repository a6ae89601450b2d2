"""Facts that a user's table supplies in place of what headers say: read, matched, checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import pandas as pd

from gclnm.catalog.choose import KEYS, joined, read_table
from gclnm.errors import InputError
from gclnm.harmonize.overrides import OVERRIDES, stated

__all__ = ["supplied"]

MOST_SHOWN = 5


def supplied(
    samples: pd.DataFrame, table: pd.DataFrame | str | os.PathLike[str], on: Sequence[str] | None = None
) -> tuple[list[dict[str, float | str]], tuple[str, ...]]:
    """For each sample the facts that a table supplies, and sentences on what did not match.

    Raises
    ------
    InputError
        See :meth:`gclnm.Samples.override`.
    """
    rows = read_table(table, "table")
    keys = list(on) if on else [name for name in KEYS if name in rows.columns]
    facts = [name for name in rows.columns if name not in keys]
    _refuse_unknown(facts)
    _refuse_bad(rows, keys, facts)
    found, _ = joined(samples, rows, on)
    read = [{name: stated(name, str(text)) for name, text in change.items() if text} for change in found]
    return read, _about_nobody(samples, rows, keys)


def _refuse_unknown(facts: Sequence[str]) -> None:
    unknown = [name for name in facts if name not in OVERRIDES]
    if not unknown:
        return
    near = get_close_matches(unknown[0], OVERRIDES, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise InputError(
        f"the table has {len(unknown)} columns that are no fact to override",
        where=", ".join(map(repr, unknown[:MOST_SHOWN])),
        fix=f"{hint}Facts are {', '.join(OVERRIDES)}; the others say whom a row is about.",
        code="unknown-override",
    )


def _refuse_bad(rows: pd.DataFrame, keys: Sequence[str], facts: Sequence[str]) -> None:
    """All wrong values at once: each with whom it is about."""
    wrong: list[str] = []
    for row in rows.to_dict("records"):
        for name in facts:
            try:
                _ = stated(name, str(row[name])) if row[name] else None
            except ValueError as error:
                whom = ", ".join(str(row[key]) for key in keys if key in row)
                wrong.append(f"{whom}: {name} {error}, not {row[name]!r}")
    if wrong:
        more = f"; and {len(wrong) - MOST_SHOWN} more" if len(wrong) > MOST_SHOWN else ""
        raise InputError(
            f"{len(wrong)} values of the table cannot be used",
            where="; ".join(wrong[:MOST_SHOWN]) + more,
            fix="Correct the table; the unit stands in the name of the column.",
            code="bad-override",
        )


def _about_nobody(samples: pd.DataFrame, rows: pd.DataFrame, keys: Sequence[str]) -> tuple[str, ...]:
    """Rows that fit no sample, by name: a slip of the pen would otherwise leave a header's value."""
    from gclnm.catalog.cells import text

    there = {tuple(map(text, key)) for key in samples[list(keys)].itertuples(index=False, name=None)}
    keyed: list[Any] = [tuple(row) for row in rows[list(keys)].itertuples(index=False, name=None)]
    lost = [", ".join(key) for key in keyed if key not in there]
    if not lost:
        return ()
    more = f" and {len(lost) - MOST_SHOWN} more" if len(lost) > MOST_SHOWN else ""
    by = ", ".join(keys)
    names = "; ".join(lost[:MOST_SHOWN])
    return (f"{len(lost)} rows of the overrides are about no sample, by {by}: {names}{more}.",)
