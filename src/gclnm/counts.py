"""Numbers of things in words."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["count", "few"]

FEW = 5


def count(n: int, one: str, several: str = "") -> str:
    """A number of things; of one thing in the singular.

    Examples
    --------
    >>> count(1, "row"), count(12, "row"), count(2, "row has", "rows have")
    ('1 row', '12 rows', '2 rows have')
    """
    return f"{n} {one if n == 1 else several or one + 's'}"


def few(ids: Collection[str]) -> str:
    """The first of many ids.

    Examples
    --------
    >>> few(("A", "B")), few("ABCDEFG")
    ('A, B', 'A, B, C, D, E and 2 more')
    """
    more = f" and {len(ids) - FEW} more" if len(ids) > FEW else ""
    return ", ".join(list(ids)[:FEW]) + more
