"""A set as a cube: rows laid out along several coordinates at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import InputError, StoreError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["to_cube"]


def to_cube(data: xr.Dataset, dims: Sequence[str]) -> xr.Dataset:
    """Lay the rows of a dataset out along coordinates; NaN where no row is.

    Parameters
    ----------
    data
        Rows, (sample, feature), as `FeatureStore.read` gives them.
    dims
        Coordinates that become dimensions. Other coordinates stay: alone where they have one value,
        along a dimension where it decides them, else along all.

    Raises
    ------
    StoreError
        When two rows would lie at one place; it names the coordinates that tell them apart.
    """
    import pandas as pd
    import xarray as xr

    coords = {str(name): item.values for name, item in data.coords.items() if item.dims == ("sample",)}
    dims = [dims] if isinstance(dims, str) else list(dims)
    unknown = [name for name in dims if name not in coords]
    if unknown or not dims or len(set(dims)) < len(dims):
        raise InputError(
            f"dims= cannot be {', '.join(unknown or dims) or 'empty'}",
            fix=f"Name each once, out of {', '.join(coords)}.",
        )
    axes = {name: pd.factorize(coords[name], sort=True, use_na_sentinel=False) for name in dims}
    places = tuple(codes for codes, _ in axes.values())
    shape = tuple(len(values) for _, values in axes.values())
    _refuse_duplicates(pd.DataFrame(coords), dims)
    result = xr.Dataset(coords={name: np.asarray(values) for name, (_, values) in axes.items()})
    for name in ("value", "diagnostic"):
        rows = data[name]
        filled = np.full((*shape, rows.shape[1]), np.nan)
        filled[places] = rows.values
        result[name] = ((*dims, str(rows.dims[1])), filled)
    rest = {name: _spread(values, dims, places, shape) for name, values in coords.items() if name not in dims}
    labels = {
        str(name): item.variable for name, item in data.coords.items() if name not in coords and item.dims
    }
    return result.assign_coords(rest | labels).assign_attrs(data.attrs)


def _refuse_duplicates(frame: pd.DataFrame, dims: list[str]) -> None:
    twice = frame[frame.duplicated(dims, keep=False)]
    if twice.empty:
        return
    others = [str(name) for name in frame if name not in (*dims, "sample_id", "revision")]
    counts = twice.groupby(dims, dropna=False)[others].nunique(dropna=False)
    telling = [name for name in others if (counts[name] > 1).any()]
    # A coordinate that separates all of them is the better advice than one that separates some.
    enough = [name for name in telling if not frame.duplicated([*dims, name]).any()]
    first = ", ".join(f"{name}={value!r}" for name, value in twice.iloc[0][dims].items())
    advice = (
        f"Add {' or '.join(enough)} to dims=, or choose with where=."
        if enough
        else (
            f"They differ in {', '.join(telling)}: add those to dims=, or choose with where=."
            if telling
            else "No coordinate tells them apart: choose with where=."
        )
    )
    raise StoreError(
        f"{len(twice)} rows share a place in the cube", where=first, fix=advice, code="duplicate-place"
    )


def _spread(
    values: NDArray[Any], dims: list[str], places: tuple[NDArray[Any], ...], shape: tuple[int, ...]
) -> tuple[tuple[str, ...], Any]:
    """A coordinate on as few dimensions as decide it."""
    if len(values) and _constant(values):
        return ((), np.array(values[0], dtype=values.dtype))
    for dim, codes, size in zip(dims, places, shape, strict=True):
        line = _empty(values, (size,))
        line[codes] = values
        if _equal(line[codes], values):
            return ((dim,), line)
    grid = _empty(values, shape)
    grid[places] = values
    return (tuple(dims), grid)


def _empty(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if values.dtype == object:
        return np.full(shape, "", dtype=object)
    return np.full(shape, np.nan)


def _constant(values: NDArray[Any]) -> bool:
    return _equal(values, np.full(values.shape, values[0], dtype=values.dtype))


def _equal(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return bool(np.all((a == b) | ((a != a) & (b != b))))
