"""What a user says of samples that are the same: pairs of sample_id, from a mapping, a table or a file."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

from gclnm.counts import count
from gclnm.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SameAs", "pairs_of"]

SameAs: TypeAlias = "Mapping[str, str] | pd.DataFrame | str | PathLike[str] | None"


def pairs_of(same_as: SameAs, name: str = "") -> dict[str, str]:
    """``same_as`` as a dictionary; a table, or a CSV file, gives its columns sample_id and same_as.

    A table that has a column ``set`` gives the rows of the set of this name alone; without a name all.

    Raises
    ------
    InputError
        When it is neither, or a cell is no ``sample_id``.

    Examples
    --------
    >>> pairs_of({"5f2c": "77ab"})
    {'5f2c': '77ab'}
    """
    import pandas as pd

    from gclnm.catalog.choose import read_table

    if same_as is None:
        return {}
    if isinstance(same_as, Mapping):
        pairs = dict(same_as)
    elif isinstance(same_as, pd.DataFrame | str | PathLike):
        table = read_table(same_as, "same_as")
        if missing := {"sample_id", "same_as"}.difference(table.columns):
            raise InputError(
                f"the table of same_as= has no column {' and '.join(sorted(missing))}",
                fix="Take it from .twins of a run.",
            )
        if name and "set" in table.columns:
            table = table[table["set"] == name]
        pairs = dict(zip(table["sample_id"], table["same_as"], strict=True))
    else:
        raise InputError(
            f"same_as= cannot be a {type(same_as).__name__}",
            fix="Give .twins of a run, a table with the columns sample_id and same_as, or such a mapping.",
        )
    strange = [key for pair in pairs.items() for key in pair if not isinstance(key, str) or not key]
    if strange:
        raise InputError(
            f"{count(len(strange), 'cell of same_as= is', 'cells of same_as= are')} no sample_id",
            where=", ".join(map(repr, strange[:5])),
            fix="Take both columns from .twins of a run, as text.",
        )
    return pairs
