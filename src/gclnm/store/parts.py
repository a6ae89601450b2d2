"""Parts of stored arrays: as few chunks as the rows lie in, text as plain str objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.store.layout import TEXT

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

__all__ = ["Columns", "part"]


def part(stored: zarr.Array[Any], key: tuple[Any, ...]) -> NDArray[Any]:
    """Part of an array by a slice, whole number or positions along each dimension.

    Text comes as str objects: what pandas, xarray and scikit-learn understand.
    """
    return plain(_read(stored, key))


def _read(stored: zarr.Array[Any], key: tuple[Any, ...]) -> NDArray[Any]:
    # One text alone comes as str, which NumPy would turn into its fixed-length type.
    return np.asarray(stored.get_orthogonal_selection(key), dtype=stored.dtype)


def plain(values: NDArray[Any]) -> NDArray[Any]:
    """Text as str objects, the rest as it is.

    Examples
    --------
    >>> plain(np.array(["CT", "PT"], dtype=TEXT)).dtype
    dtype('O')
    """
    if values.dtype != TEXT:
        return values
    flat = values.reshape(-1)
    # Most text columns hold one value, often the empty one: one object then stands for all.
    if flat.size > 1 and bool(np.all(flat == flat[0])):
        return np.full(values.shape, str(flat[0]), dtype=object)
    return values.astype(object)


class Columns:
    """Arrays of one value a row, read where they are asked for and, once whole, kept."""

    def __init__(self, stored: Mapping[str, zarr.Array[Any]]) -> None:
        self._stored = stored
        self._whole: dict[str, NDArray[Any]] = {}

    def at(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Values of an array at rows."""
        array = self._stored[name]
        if name not in self._whole:
            length, chunk = array.shape[0], array.chunks[0]
            touched = len(np.unique(rows // chunk)) if rows.size < length else -(-length // chunk)
            if 2 * touched < -(-length // chunk):
                return plain(_read(array, (rows,)))
            self._whole[name] = plain(np.asarray(array[:]))
        return self._whole[name][rows]

    def holds(self, name: str) -> bool:
        """Whether an array was read whole."""
        return name in self._whole
