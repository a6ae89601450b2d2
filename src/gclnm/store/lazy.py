"""Arrays of the store as xarray holds them: nothing is read before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from xarray import Variable
from xarray.backends import BackendArray
from xarray.core import indexing

from gclnm.store.layout import TEXT
from gclnm.store.parts import part

if TYPE_CHECKING:
    import zarr

__all__ = ["lazily"]


class _Stored(BackendArray):
    """One array of one commit; text is shown as objects, which `part` makes of it."""

    __slots__ = ("_array", "dtype", "shape")

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = np.dtype(object) if array.dtype == TEXT else array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, lambda raw: part(self._array, raw)
        )


def lazily(array: zarr.Array[Any], dims: tuple[str, ...]) -> Variable:
    """A variable that reads its part of the array when it is used, and keeps it when that is the whole."""
    # xarray's own wrappers of what it reads lazily are not typed.
    wrap: Any = indexing
    data = wrap.MemoryCachedArray(wrap.CopyOnWriteArray(wrap.LazilyIndexedArray(_Stored(array))))
    made = Variable(dims, data)
    made.encoding["preferred_chunks"] = dict(zip(dims, array.chunks, strict=True))
    return made
