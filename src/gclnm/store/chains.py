"""The way along links from sample to sample: where it ends, and links that lead nowhere."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

__all__ = ["astray", "chain", "end_of"]


def chain(sample_id: str, link: Callable[[str], str | None]) -> list[str]:
    """A sample and those that its links lead to; of a ring, the one where it closes stands twice.

    Parameters
    ----------
    link
        The sample that one names; nothing for one that is no other.

    Examples
    --------
    >>> links = {"a": "b", "b": "c", "d": "e", "e": "d"}
    >>> chain("a", links.get), chain("d", links.get)
    (['a', 'b', 'c'], ['d', 'e', 'd'])
    """
    path = {sample_id: None}
    at = sample_id
    while further := link(at):
        if further in path:
            return [*path, further]
        path[further] = None
        at = further
    return list(path)


def end_of(sample_id: str, link: Callable[[str], str | None]) -> str:
    """The sample that one is in the end; empty: none, its links make a ring.

    Examples
    --------
    >>> links = {"a": "b", "b": "c", "d": "e", "e": "d"}
    >>> [end_of(sample_id, links.get) for sample_id in "acd"]
    ['c', 'c', '']
    """
    path = chain(sample_id, link)
    return "" if path[-1] in path[:-1] else path[-1]


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
        *path, last = chain(start, links.get)
        if last in path:
            found[start] = path[path.index(last) :]
        elif last not in keys:
            found[start] = path[-1:]
    return found
