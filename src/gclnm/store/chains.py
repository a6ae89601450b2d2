"""Links that lead nowhere: in a ring, or to a sample that is not there."""

from __future__ import annotations

from collections.abc import Container, Mapping

__all__ = ["astray"]


def astray(links: Mapping[str, str], keys: Container[str]) -> dict[str, list[str]]:
    """Linked samples that count as none, each with the links at fault: the ring, or the last link.

    Parameters
    ----------
    links
        The sample that each linked sample names.
    keys
        Every sample that has a row, linked or not.

    Examples
    --------
    >>> astray({"a": "b", "b": "c", "d": "d", "e": "f", "g": "e"}, "abcdeg")
    {'d': ['d'], 'e': ['e'], 'g': ['e']}
    """
    found = {}
    for start in links:
        path: dict[str, int] = {}
        at = start
        while at in links and at not in path:
            path[at] = len(path)
            at = links[at]
        if at in path:
            found[start] = list(path)[path[at] :]
        elif at not in keys:
            found[start] = list(path)[-1:]
    return found
