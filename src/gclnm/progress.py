"""One progress bar for long work, in terminals and notebooks alike."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["track"]

T = TypeVar("T")


def track(items: Iterable[T], *, total: int, label: str, unit: str, show: bool = True) -> Iterator[T]:
    """Yield ``items`` while a bar on stderr counts them; silent when ``show`` is false.

    Examples
    --------
    >>> list(track([1, 2], total=2, label="reading", unit="file", show=False))
    [1, 2]
    """
    with warnings.catch_warnings():
        # Without ipywidgets tqdm falls back to text, which is what we want; it need not say so.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    bar = tqdm(items, total=total, desc=label, unit=unit, disable=not show, file=sys.stderr, mininterval=0.2)
    yield from bar
