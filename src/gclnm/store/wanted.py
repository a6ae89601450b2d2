"""A condition on coordinates over the rows of several sets, whatever their status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import InputError
from gclnm.store.layout import ROW_ARRAYS, Arrays, arrays, coordinates
from gclnm.store.parts import Columns
from gclnm.store.read import Where, _matching, _names

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

__all__ = ["wanted_rows"]


def wanted_rows(groups: Mapping[str, zarr.Group], where: Where) -> dict[str, NDArray[np.bool_]]:
    """Which rows of each set a condition asks for: one bool a row; every row without a condition.

    A coordinate that only some of the sets have is missing in the others.

    Raises
    ------
    InputError
        When it is no condition, or names what no row of any set has.
    """
    named = _names(where)
    stored = {name: arrays(group) for name, group in groups.items()}
    known = {
        name: {*coordinates(found), *(key for key in ROW_ARRAYS if key in found)}
        for name, found in stored.items()
    }
    everywhere = set().union(*known.values()) if known else named
    unknown = sorted(named - everywhere)
    if unknown:
        raise InputError(
            f"where= names what no row has: {', '.join(unknown)}",
            fix=f"Rows have {', '.join(sorted(everywhere))}.",
        )
    return {name: _wanted(stored[name], where) for name in groups}


def _wanted(stored: Arrays, where: Where) -> NDArray[np.bool_]:
    everything = np.arange(stored["sample_id"].shape[0])
    wanted = np.ones(len(everything), dtype=bool)
    if where is not None:
        wanted[:] = False
        wanted[_matching(_Columns(stored), everything, where)] = True
    return wanted


class _Columns(Columns):
    """Columns of a set; one that it does not have is missing in every row."""

    def at(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        return super().at(name, rows) if name in self._stored else np.full(len(rows), np.nan)
