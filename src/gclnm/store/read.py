"""Reading a set: which rows, which features, and the lazy dataset they make."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.catalog.expressions import texts_quoted
from gclnm.errors import InputError, StoreError
from gclnm.store.layout import (
    DIAGNOSTIC,
    FEATURE_TEXTS,
    ROW_ARRAYS,
    SETS,
    TEXT,
    array,
    arrays,
    coordinates,
    read_text,
    set_group,
    set_names,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    import zarr
    from numpy.typing import NDArray

    from gclnm.store.repository import Repository

__all__ = ["Select", "Where", "dataset"]

Select = str | Sequence[str] | None
Where = str | Mapping[str, Any] | None
# Text of a row that is long and read one at a time (explain).
LONG = ("history",)
# What rows are sorted by when they are read.
ORDER = ("patient_id", "modality", "roi", "roi_instance", "rater", "phase", "energy_kev", "sample_id")
# Shown with every row; the other row arrays only where `where` names them.
ALWAYS = ("revision",)


def existing_set(root: zarr.Group, name: str, url: str) -> zarr.Group:
    """The group of a set, or an error that says which sets there are."""
    group = set_group(root, name)
    if group is None:
        names = set_names(root)
        known = f"It has {', '.join(names)}." if names else "It has no set yet: gclnm.extract makes one."
        raise StoreError(f"the store has no feature set {name!r}", where=url, fix=known, code="unknown-set")
    return group


def dataset(repository: Repository, snapshot: str, name: str, select: Select, where: Where) -> xr.Dataset:
    """Rows of a set as a dataset whose values stay in the store until they are used."""
    import xarray as xr

    store = repository.store(snapshot)
    group = existing_set(repository.root(snapshot), name, repository.url)
    rows, frame = chosen_rows(group, where)
    columns = chosen_features(list(read_text(group, "feature")), select)
    keep = ("value", "diagnostic")
    lazy: xr.Dataset = xr.open_zarr(
        store,
        group=f"{SETS}/{name}",
        chunks=None,
        consolidated=False,
        zarr_format=3,
        decode_cf=False,
        drop_variables=[key for key in group.array_keys() if key not in keep],
    )
    lazy = lazy.isel(
        sample=_as_slice(rows, array(group, "value").shape[0]),
        feature=_as_slice(columns, array(group, "value").shape[1]),
    )
    labels = {label: ("feature", read_text(group, label)[columns]) for label in FEATURE_TEXTS}
    made: xr.Dataset = lazy.assign_coords(
        {key: ("sample", _plain(frame[key])) for key in frame}
        | labels
        | {DIAGNOSTIC: (DIAGNOSTIC, read_text(group, DIAGNOSTIC))}
    )
    made = made.set_xindex("sample_id")[list(keep)]
    made.attrs = _attributes(group, name, snapshot)
    return made


def _attributes(group: zarr.Group, name: str, snapshot: str) -> dict[str, str]:
    attrs = dict(group.attrs)
    kept = {key: str(attrs[key]) for key in ("recipe_name", "recipe_id", "engine", "recipe")}
    return {"set": name, "commit": snapshot, **kept}


def _plain(values: Any) -> NDArray[Any]:
    """Text as str objects, numbers as they are."""
    data = np.asarray(values)
    return data if data.dtype.kind in "fib" else data.astype(object)


def _as_slice(indices: NDArray[np.int64], size: int) -> slice | NDArray[np.int64]:
    """A run of neighbours as a slice, which is read without picking single rows."""
    n = len(indices)
    if n == size and n and np.array_equal(indices, np.arange(size)):
        return slice(None)
    if n and indices[-1] - indices[0] == n - 1 and np.all(np.diff(indices) == 1):
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices


def chosen_rows(group: zarr.Group, where: Where) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Positions of the rows that are asked for, and their coordinates.

    Rows are current, ok and unperturbed unless ``where`` names ``current``, ``status`` or
    ``perturbation`` itself; sorted by patient, modality, ROI, instance, rater and key.
    """
    import pandas as pd

    named = _names(where)
    stored = arrays(group)
    always = ("sample_id", *coordinates(stored), *ALWAYS)
    # Who asks for failed rows wants to know why they failed.
    asked = named | {"reason"} if "status" in named else named
    extra = [key for key in ROW_ARRAYS if key in asked and key not in (*always, *LONG)]
    frame = {key: _column(stored[key]) for key in (*always, *extra) if key in stored}
    unknown = named.difference(frame)
    if unknown:
        known = [key for key in dict.fromkeys([*always, *ROW_ARRAYS]) if key not in LONG]
        raise InputError(
            f"where= names what no row has: {', '.join(sorted(unknown))}",
            fix=f"Rows have {', '.join(known)}.",
        )
    keep = np.ones(len(frame["sample_id"]), dtype=bool)
    if "current" not in named:
        keep &= np.asarray(stored["current"][:], dtype=bool)
    if "status" not in named:
        keep &= np.asarray(stored["status"][:] == np.array("ok", dtype=TEXT))
    if "perturbation" not in named and "perturbation" in frame:
        keep &= frame["perturbation"] == ""
    rows = np.flatnonzero(keep)
    if where is not None:
        rows = rows[_matches(pd.DataFrame({key: frame[key][rows] for key in frame}), where)]
    rows = rows[_order(pd.DataFrame({key: frame[key][rows] for key in ORDER if key in frame}))]
    return rows, {key: values[rows] for key, values in frame.items()}


def _order(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Positions in reading order, whatever order workers finished in: a seeded split finds the same rows."""
    sorted_ = frame.sort_values(list(frame.columns), kind="stable", ignore_index=False)
    return sorted_.index.to_numpy(dtype=np.int64)


def _column(stored: zarr.Array[Any]) -> NDArray[Any]:
    values = np.asarray(stored[:])
    return values.astype(object) if stored.dtype == TEXT else values


def _names(where: Where) -> set[str]:
    """Names that a condition speaks of."""
    if where is None:
        return set()
    if isinstance(where, Mapping):
        return {str(key) for key in where}
    try:
        tree = ast.parse(where.strip(), mode="eval")
    except (SyntaxError, ValueError, AttributeError):
        raise _bad_where(where) from None
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _matches(frame: pd.DataFrame, where: str | Mapping[str, Any]) -> NDArray[np.bool_]:
    if isinstance(where, Mapping):
        keep = np.ones(len(frame), dtype=bool)
        for name, wanted in where.items():
            keep &= _equals(frame[name], wanted)
        return keep
    try:
        found = np.asarray(frame.eval(texts_quoted(frame, where.strip()), engine="python"))
    except Exception:
        # pandas raises a dozen kinds of its own for a condition it cannot apply.
        raise _bad_where(where) from None
    if found.dtype != np.bool_ or found.shape != (len(frame),):
        raise _bad_where(where)
    return found


def _equals(column: pd.Series[Any], wanted: Any) -> NDArray[np.bool_]:
    """Rows whose value is the wanted one, or one of several; None means missing."""
    several = not isinstance(wanted, str) and isinstance(wanted, (Collection, np.ndarray))
    values = list(wanted) if several else [wanted]
    if column.dtype.kind not in "biuf":
        # Patient 12 is patient "12", here as in Samples.query.
        values = [str(value) if isinstance(value, int | np.integer) else value for value in values]
    missing = (column.isna() | (column == "")).to_numpy(dtype=bool)
    found = column.isin([value for value in values if value is not None]).to_numpy(dtype=bool)
    return found | missing if None in values else found


def _bad_where(where: object) -> InputError:
    return InputError(
        "where= is not a condition on coordinates",
        where=repr(where),
        fix="""Write it like "modality == 'CT' and energy_kev in [40, 70]", or as a mapping.""",
    )


def chosen_features(names: list[str], select: Select) -> NDArray[np.int64]:
    """Positions of features by name or pattern (``original_glcm_*``), in the order asked for."""
    if select is None:
        return np.arange(len(names))
    wanted = [select] if isinstance(select, str) else list(select)
    place = {name: index for index, name in enumerate(names)}
    found: dict[int, None] = {}
    for item in wanted:
        hits = (
            [place[item]] if item in place else [i for i, name in enumerate(names) if fnmatchcase(name, item)]
        )
        if not hits:
            near = difflib.get_close_matches(item, names, n=3, cutoff=0.5) or names[:3]
            raise StoreError(
                "the set has no such feature",
                where=repr(item),
                fix=f"Near it: {', '.join(near)}. Patterns have * in them.",
                code="unknown-feature",
            )
        found.update(dict.fromkeys(hits))
    return np.array(list(found), dtype=np.int64)


def to_table(data: xr.Dataset, diagnostics: bool = False) -> pd.DataFrame:
    """A dataset of one row a sample as a wide table: coordinates, diagnostics if asked for, features."""
    import pandas as pd

    left = {name: data[name].values for name in row_coordinates(data)}
    measured = pd.DataFrame(
        data["diagnostic"].values if diagnostics else None,
        columns=[f"diagnostic_{name}" for name in data[DIAGNOSTIC].values] if diagnostics else None,
        index=range(data.sizes["sample"]),
    )
    right = pd.DataFrame(data["value"].values, columns=[str(name) for name in data["feature"].values])
    table = pd.concat([pd.DataFrame(left), measured, right], axis=1)
    table.attrs.update(data.attrs)
    return table


def row_coordinates(data: xr.Dataset) -> list[str]:
    """Names of the coordinates of the rows, the key first."""
    names = [str(name) for name, item in data.coords.items() if item.dims == ("sample",)]
    return ["sample_id", *(name for name in names if name != "sample_id")]
