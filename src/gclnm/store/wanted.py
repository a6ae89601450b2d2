"""A condition on coordinates over the rows of several sets, whatever their status."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.store.clinical.tables import existing_table
from gclnm.store.layout import ROW_ARRAYS, Arrays, arrays, coordinates
from gclnm.store.parts import Columns
from gclnm.store.read import Where, matching, names_in, unknown_names
from gclnm.store.sharing.clinical import NUMBERS, ORIGINS, StoredTable

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

__all__ = ["wanted_part", "wanted_rows"]


def wanted_rows(groups: Mapping[str, zarr.Group], where: Where) -> dict[str, NDArray[np.bool_]]:
    """Which rows of each set a condition asks for: one bool a row; every row without a condition.

    A coordinate that only some of the sets have is missing in the others.

    Raises
    ------
    InputError
        When it is no condition, or names what no row of any set has.
    """
    named = names_in(where)
    stored = {name: arrays(group) for name, group in groups.items()}
    known = {
        name: {*coordinates(found), *(key for key in ROW_ARRAYS if key in found)}
        for name, found in stored.items()
    }
    everywhere = set().union(*known.values()) if known else named
    unknown = sorted(named - everywhere)
    if unknown:
        raise unknown_names(unknown, sorted(everywhere), where)
    return {name: _wanted(found, found["sample_id"].shape[0], where) for name, found in stored.items()}


def wanted_part(
    root: zarr.Group, table: StoredTable, where: Where, names: Mapping[str, str], coming: Collection[str]
) -> StoredTable:
    """The rows of a clinical table that are asked for, under the ids that patients have here.

    Parameters
    ----------
    names
        The id here of every patient of the other store.
    coming
        Patients, under the ids here, of whom rows come. They decide where the condition speaks of
        more than the table has.
    """
    frame = table.frame.assign(patient_id=[names[patient] for patient in table.frame["patient_id"]])
    stored = arrays(existing_table(root, table.name))
    if where is None:
        wanted = np.ones(len(frame), dtype=bool)
    elif names_in(where) <= {str(name) for name in frame}:
        wanted = _wanted(stored, len(frame), where)
    else:
        wanted = frame["patient_id"].isin(list(coming)).to_numpy(dtype=bool)
    origins = {names[old]: table.source(old) for old in table.frame["patient_id"][wanted]}
    numbers = {names[old]: table.number(old) for old in table.frame["patient_id"][wanted]}
    about = {**table.about, ORIGINS: origins, NUMBERS: numbers}
    return StoredTable(table.name, frame[wanted], about, table.store_id)


def _wanted(stored: Arrays, rows: int, where: Where) -> NDArray[np.bool_]:
    everything = np.arange(rows)
    wanted = np.ones(len(everything), dtype=bool)
    if where is not None:
        wanted[:] = False
        wanted[matching(_Columns(stored), everything, where)] = True
    return wanted


class _Columns(Columns):
    """Columns of a set; one that it does not have is missing in every row."""

    def at(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        return super().at(name, rows) if name in self._stored else np.full(len(rows), np.nan)
