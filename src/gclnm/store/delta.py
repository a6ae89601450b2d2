"""Features that compare: the change between phases, levels or time points, and the slope along energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gclnm.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["delta", "slope"]

Kind = Literal["absolute", "relative"]


def delta(data: xr.Dataset, dim: str, a: Any, b: Any, kind: Kind = "absolute") -> xr.Dataset:
    """How features change from ``a`` to ``b``: delta radiomics between phases, levels or time points.

    Parameters
    ----------
    data
        A cube, as ``FeatureStore.read(name, dims=(...))`` gives it.
    dim
        The dimension along which they are compared: ``"phase"``, ``"energy_kev"``, ``"timepoint"`` ...
    a, b
        Two of its values.
    kind
        ``"absolute"``: ``b - a``, in the feature's unit. ``"relative"``: ``(b - a) / |a|``, the relative net
        change of delta radiomics (Fave 2017, doi:10.1038/s41598-017-00665-z), with a rise positive for
        negative values too; NaN where a is 0.

    Returns
    -------
    Dataset
        ``value`` on the other dimensions. NaN where either side is missing.

    Raises
    ------
    InputError
        When ``dim`` is no dimension, or has no such value.

    Examples
    --------
    >>> import xarray as xr
    >>> axes = {"phase": ["arterial", "native"], "feature": ["original_firstorder_Mean"]}
    >>> cube = xr.Dataset({"value": (("phase", "feature"), [[90.0], [40.0]])}, coords=axes)
    >>> delta(cube, "phase", "native", "arterial")["value"].item()
    50.0
    >>> delta(cube, "phase", "native", "arterial", kind="relative")["value"].item()
    1.25
    """
    _require_dimension(data, dim)
    if kind not in ("absolute", "relative"):
        raise InputError(f"kind is 'absolute' or 'relative', not {kind!r}", where="delta(kind=)")
    first, second = (_at(data, dim, value) for value in (a, b))
    change = second - first
    if kind == "relative":
        change = change / abs(first).where(first != 0)
    return change.to_dataset(name="value").assign_attrs({**data.attrs, "delta": f"{dim}: {kind}, {a} to {b}"})


def slope(
    data: xr.Dataset, dim: str = "energy_kev", between: tuple[float, float] | None = None
) -> xr.Dataset:
    """Slope of features along a dimension of numbers, by least squares: per keV, per s/mm2 ...

    Parameters
    ----------
    data
        A cube, as ``FeatureStore.read(name, dims=(...))`` gives it.
    dim
        The dimension, of two or more numbers.
    between
        Only what lies between these two, both included: ``(40, 70)`` for the usual part of the spectral
        curve. Its slope in print, (HU40 - HU70) / 30, is minus this one where only these two levels are in
        the cube; with the levels between the line is fitted to all of them.

    Returns
    -------
    Dataset
        ``value`` on the other dimensions, in the feature's unit per unit of ``dim``. NaN where a level is
        missing: the slope of other levels is another quantity.

    Raises
    ------
    InputError
        When ``dim`` is no dimension of numbers, or fewer than two are left.

    Examples
    --------
    >>> import xarray as xr
    >>> axes = {"energy_kev": [40.0, 70.0], "feature": ["original_firstorder_Mean"]}
    >>> cube = xr.Dataset({"value": (("energy_kev", "feature"), [[180.0], [90.0]])}, coords=axes)
    >>> slope(cube)["value"].item()
    -3.0
    """
    import xarray as xr

    _require_dimension(data, dim)
    places = data[dim].values
    if places.dtype.kind not in "fiu":
        raise InputError(f"a slope needs numbers along {dim}", fix="delta() compares two of them.")
    low, high = between or (-np.inf, np.inf)
    used = np.flatnonzero((places >= low) & (places <= high))
    if used.size < 2:
        raise InputError(
            f"{used.size} levels of {dim} give no slope", where=f"between={between}", fix="Take two or more."
        )
    x = places[used].astype(np.float64) - places[used].mean()
    weights = xr.DataArray(x / (x @ x), dims=dim)
    values = _bare(data).isel({dim: used}).drop_vars(dim)
    rise = (values * weights).sum(dim, skipna=False)
    told = f"{dim}: {places[used].min():g} to {places[used].max():g}, {used.size} levels"
    return rise.to_dataset(name="value").assign_attrs({**data.attrs, "slope": told})


def _require_dimension(data: xr.Dataset, dim: str) -> None:
    if dim in data["value"].dims and dim in data.coords:
        return
    raise InputError(
        f"{dim!r} is no dimension of the data",
        where=f"dimensions are {', '.join(map(str, data['value'].dims))}",
        fix=f'Read a cube: store.read(name, dims=("patient_id", "roi", "{dim}")).',
        code="no-dimension",
    )


def _at(data: xr.Dataset, dim: str, value: Any) -> xr.DataArray:
    there = data[dim].values.tolist()
    if value not in there:
        raise InputError(
            f"{dim} has no value {value!r}", where=f"there are {', '.join(map(str, there))}", code="no-value"
        )
    return _bare(data).isel({dim: there.index(value)}).drop_vars(dim)


def _bare(data: xr.Dataset) -> xr.DataArray:
    """The values with the coordinates of their dimensions and features: those of single rows do not fit."""
    values = data["value"]
    keep = {*values.dims, *(name for name, item in values.coords.items() if item.dims == ("feature",))}
    return values.drop_vars([name for name in values.coords if name not in keep])
