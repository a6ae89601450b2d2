"""Reading a set: which rows, which features, and the lazy dataset they make."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.catalog.expressions import texts_quoted
from gclnm.errors import InputError, StoreError
from gclnm.store.features import Select, chosen_features, read_selections
from gclnm.store.layout import (
    DIAGNOSTIC,
    FEATURE_TEXTS,
    ROW_ARRAYS,
    TEXT,
    arrays,
    coordinates,
    read_text,
    set_group,
    set_names,
)
from gclnm.store.parts import Columns

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    import zarr
    from numpy.typing import NDArray

    from gclnm.store.repository import Repository

__all__ = ["Select", "Where", "dataset", "matching", "names_in"]

Where = str | Mapping[str, Any] | None
# Text of a row that is long and read one at a time (explain).
LONG = ("history",)
# What rows are sorted by when they are read.
ORDER = ("patient_id", "modality", "roi", "roi_instance", "rater", "phase", "energy_kev", "sample_id")
# Shown with every row; the other row arrays only where `where` names them.
ALWAYS = ("revision",)
# Rows that are read unless `where` names these.
USUAL = {"current": True, "status": "ok", "perturbation": ""}
SIGNS: dict[type[ast.cmpop], str] = {ast.Eq: "==", ast.NotEq: "!="}


def existing_set(root: zarr.Group, name: str, url: str) -> zarr.Group:
    """The group of a set, or an error that says which sets there are."""
    group = set_group(root, name)
    if group is None:
        names = set_names(root)
        known = f"It has {', '.join(names)}." if names else "It has no set yet: gclnm.extract makes one."
        raise StoreError(f"the store has no feature set {name!r}", where=url, fix=known, code="unknown-set")
    return group


def dataset(repository: Repository, snapshot: str, name: str, select: Select, where: Where) -> xr.Dataset:
    """Rows of a set as a dataset; what did not have to be looked at stays in the store until it is used."""
    import xarray as xr

    from gclnm.store.lazy import lazily

    opened = repository.kept(snapshot, name, lambda: _Opened(repository, snapshot, name))
    group, stored = opened.group, opened.stored
    rows, known, names = chosen_rows(opened, where)
    selections = {} if select is None else read_selections(group)
    columns = chosen_features(list(read_text(group, "feature")), select, selections)
    place = {
        "sample": _as_slice(rows, stored["value"].shape[0]),
        "feature": _as_slice(columns, stored["value"].shape[1]),
        DIAGNOSTIC: slice(None),
    }

    def part(label: str, *dims: str) -> xr.Variable:
        return lazily(stored[label], dims).isel({dim: place[dim] for dim in dims})

    def held(values: NDArray[Any]) -> xr.Variable:
        # fastpath: xarray would look at every text once more to guess what it is.
        return xr.Variable(("sample",), values, fastpath=True)

    made = xr.Dataset(
        {"value": part("value", "sample", "feature"), "diagnostic": part("diagnostic", "sample", DIAGNOSTIC)},
        {key: held(known[key]) if key in known else part(key, "sample") for key in names}
        | {key: part(key, "feature") for key in FEATURE_TEXTS}
        | {DIAGNOSTIC: part(DIAGNOSTIC, DIAGNOSTIC)},
        _attributes(group, name, snapshot),
    )
    return made.set_xindex("sample_id")


class _Opened:
    """A set of one commit, which never changes: opened once, and its keys kept once they were searched."""

    def __init__(self, repository: Repository, snapshot: str, name: str) -> None:
        self.root = repository.root(snapshot)
        self.group = existing_set(self.root, name, repository.url)
        self.stored = arrays(self.group)

    @cached_property
    def _keys(self) -> NDArray[Any]:
        return np.asarray(self.stored["sample_id"][:])

    def candidates(self, where: Where) -> NDArray[np.int64]:
        """Rows among which a condition is looked for: those of one key where it names one."""
        key = where.get("sample_id") if isinstance(where, Mapping) else None
        if isinstance(key, str):
            return np.flatnonzero(self._keys == np.array(key, dtype=TEXT))
        return np.arange(self.stored["sample_id"].shape[0])


def _attributes(group: zarr.Group, name: str, snapshot: str) -> dict[str, str]:
    attrs = dict(group.attrs)
    kept = {key: str(attrs[key]) for key in ("recipe_name", "recipe_id", "engine", "recipe")}
    return {"set": name, "commit": snapshot, **kept}


def _as_slice(indices: NDArray[np.int64], size: int) -> slice | NDArray[np.int64]:
    """A run of neighbours as a slice, which is read without picking single rows."""
    n = len(indices)
    if n == size and n and np.array_equal(indices, np.arange(size)):
        return slice(None)
    if n and indices[-1] - indices[0] == n - 1 and np.all(np.diff(indices) == 1):
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices


def chosen_rows(
    opened: _Opened, where: Where
) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]], list[str]]:
    """Positions of the rows that are asked for, what was read of them, and the names of all they have.

    Rows are current, ok and unperturbed unless ``where`` names ``current``, ``status`` or
    ``perturbation`` itself; sorted by patient, modality, ROI, instance, rater and key. An error about an
    unknown name says which clinical table has it.
    """
    named, stored = names_in(where), opened.stored
    always = ("sample_id", *coordinates(stored), *ALWAYS)
    # Who asks for failed rows wants to know why they failed.
    asked = named | {"reason"} if "status" in named else named
    names = [*always, *(key for key in ROW_ARRAYS if key in asked and key not in (*always, *LONG))]
    names = [key for key in names if key in stored]
    unknown = named.difference(names)
    if unknown:
        known = [key for key in dict.fromkeys([*always, *ROW_ARRAYS]) if key not in LONG]
        raise unknown_names(unknown, known, where, _clinical_columns(opened.root))
    columns = Columns(stored)
    rows = opened.candidates(where)
    # The condition first: what it leaves decides how much of the other arrays is read.
    if where is not None:
        rows = matching(columns, rows, where)
    for key, wanted in USUAL.items():
        if key not in named and key in stored:
            rows = rows[columns.at(key, rows) == wanted]
    rows = _ordered(columns, rows, [key for key in ORDER if key in names])
    return rows, {key: columns.at(key, rows) for key in names if columns.holds(key)}, names


def unknown_names(
    unknown: Collection[str], known: Collection[str], where: Where, clinical: Mapping[str, str] | None = None
) -> InputError:
    """A condition names what no row has: a clinical column, text without quotes, or a slip of the pen.

    ``clinical`` gives the table of every column that a clinical table of the store has.
    """
    fixes = [
        f"{name} is in the clinical table {clinical[name]!r}: pass tables={clinical[name]!r}."
        for name in sorted(unknown)
        if clinical and name in clinical
    ]
    fixes += [
        f"Text needs quotes: {column} {sign} '{text}'."
        for column, sign, text in _unquoted(where)
        if column in known and text in unknown and not (clinical and text in clinical)
    ]
    return InputError(
        f"where= names what no row has: {', '.join(sorted(unknown))}",
        fix=" ".join(fixes) or f"Rows have {', '.join(known)}.",
    )


def _clinical_columns(root: zarr.Group) -> dict[str, str]:
    """The table of every column that a clinical table of the store has."""
    from gclnm.store.clinical.tables import read_about, table_names

    return {
        str(column["name"]): table
        for table in table_names(root)
        for column in read_about(root, table)["columns"]
    }


def _unquoted(where: Where) -> list[tuple[str, str, str]]:
    """Names that a condition compares with names: ``patient_id == STS_001``."""
    if not isinstance(where, str):
        return []
    return [
        (node.left.id, SIGNS[type(node.ops[0])], node.comparators[0].id)
        for node in ast.walk(ast.parse(where.strip(), mode="eval"))
        if isinstance(node, ast.Compare)
        and type(node.ops[0]) in SIGNS
        and isinstance(node.left, ast.Name)
        and isinstance(node.comparators[0], ast.Name)
    ]


def _ordered(columns: Columns, rows: NDArray[np.int64], keys: list[str]) -> NDArray[np.int64]:
    """Rows in reading order, whatever order workers finished in: a seeded split finds the same rows."""
    import pandas as pd

    rank = np.zeros(len(rows), dtype=np.int64)
    for key in keys:
        # Each key decides only among rows that are equal so far; most sets need the first three.
        tied = np.flatnonzero((np.bincount(rank) > 1)[rank])
        if not tied.size:
            break
        codes, values = pd.factorize(columns.at(key, rows[tied]), sort=True)
        finer = rank * (len(values) + 1)
        # Missing numbers come last, as pandas sorts them.
        finer[tied] += np.where(codes < 0, len(values), codes)
        rank = np.unique(finer, return_inverse=True)[1]
    return rows[np.argsort(rank, kind="stable")]


def names_in(where: Where) -> set[str]:
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


def matching(columns: Columns, rows: NDArray[np.int64], where: str | Mapping[str, Any]) -> NDArray[np.int64]:
    """Those of the rows that a condition or mapping means."""
    import pandas as pd

    if isinstance(where, Mapping):
        # One key leaves one row, of which everything else is then read.
        for name in sorted(where, key=lambda name: name != "sample_id"):
            rows = rows[_equals(pd.Series(columns.at(str(name), rows)), where[name])]
        return rows
    frame = pd.DataFrame(
        {name: columns.at(name, rows) for name in sorted(names_in(where))}, index=range(len(rows))
    )
    try:
        found = np.asarray(frame.eval(texts_quoted(frame, where.strip()), engine="python"))
    except Exception:
        # pandas raises a dozen kinds of its own for a condition it cannot apply.
        raise _bad_where(where) from None
    if found.dtype != np.bool_ or found.shape != (len(frame),):
        raise _bad_where(where)
    return rows[np.flatnonzero(found)]


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
