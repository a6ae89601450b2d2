"""What lies where in a store: groups, arrays, their types and chunks."""

from __future__ import annotations

import json
import platform
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from gclnm._version import __version__
from gclnm.errors import InputError, StoreError
from gclnm.schemas.features import COORDINATES

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from gclnm.recipe.recipe import Recipe

__all__ = [
    "FORMAT",
    "FORMAT_KEY",
    "SetSpec",
    "array",
    "arrays",
    "complete",
    "coordinates",
    "create_set",
    "set_group",
    "versions",
]

Arrays = dict[str, zarr.Array[Any]]

FORMAT = 1
FORMAT_KEY = "gclnm_format"
SETS = "sets"
SET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

TEXT = np.dtypes.StringDType()
# An append writes the last chunk of every array again and a row is read from one chunk: 512 rows of all
# features. What has one value a row is read whole, where short chunks cost: 4,096 texts, 16,384 numbers.
ROWS_PER_CHUNK = 512
TEXTS_PER_CHUNK = 4096
NUMBERS_PER_CHUNK = 16384

# One value a row that is not a coordinate.
ROW_ARRAYS: dict[str, tuple[DTypeLike, int, Any]] = {
    "sample_id": (TEXT, TEXTS_PER_CHUNK, ""),
    "revision": (np.int32, NUMBERS_PER_CHUNK, 0),
    "current": (np.bool_, NUMBERS_PER_CHUNK, False),
    "inputs_sha256": (TEXT, TEXTS_PER_CHUNK, ""),
    "content_sha256": (TEXT, TEXTS_PER_CHUNK, ""),
    "origin": (TEXT, TEXTS_PER_CHUNK, ""),
    "status": (TEXT, TEXTS_PER_CHUNK, ""),
    "reason": (TEXT, TEXTS_PER_CHUNK, ""),
    "history": (TEXT, ROWS_PER_CHUNK, ""),
    "seconds": (np.float64, NUMBERS_PER_CHUNK, float("nan")),
}
FEATURE_TEXTS = ("feature", "image_type", "family", "ibsi_code", "unit")
# A dimension cannot carry the name of an array that has two dimensions, so it is not "diagnostic".
DIAGNOSTIC = "diagnostic_name"


@dataclass(frozen=True, eq=False)
class SetSpec:
    """What the recipe says about a set: its identity and its features, ready to be compared and written."""

    recipe_id: str
    recipe_json: str
    recipe_name: str
    engine: str
    features: dict[str, NDArray[Any]]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    diagnostics: tuple[str, ...]

    @classmethod
    def of(cls, recipe: Recipe) -> SetSpec:
        """The parts of a recipe that a set keeps."""
        table = recipe.feature_table()
        texts = {name: np.array(list(table[name]), dtype=object) for name in FEATURE_TEXTS}
        bounds = [table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in ("lower", "upper")]
        return cls(
            recipe_id=recipe.id,
            recipe_json=recipe.to_json(),
            recipe_name=recipe.name,
            engine=str(recipe.engine),
            features=texts,
            lower=bounds[0],
            upper=bounds[1],
            diagnostics=tuple(recipe.diagnostics),
        )

    @property
    def names(self) -> list[str]:
        """Names of the features, in the order of the columns."""
        return [str(name) for name in self.features["feature"]]


@cache
def versions() -> dict[str, str]:
    """Versions of everything that makes or keeps numbers, and the kind of machine."""
    names = ("numpy", "scipy", "SimpleITK", "PyWavelets", "pydicom", "highdicom", "zarr", "icechunk")
    found = {"gclnm": __version__, "python": platform.python_version()}
    found |= {"machine": f"{platform.system()} {platform.machine()}"}
    for name in (*names, *metadata.packages_distributions().get("radiomics", [])):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def check_name(name: str) -> str:
    """The name of a set, where it can be one."""
    if not isinstance(name, str) or not SET_NAME.fullmatch(name):
        raise InputError(
            "a feature set cannot have this name",
            where=repr(name),
            fix="Use letters, digits, '-', '_' and '.', 64 at most, starting with a letter or digit.",
        )
    return name


def array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """An array of a set; a store in which it is missing is damaged."""
    found = group.get(name)
    if not isinstance(found, zarr.Array):
        raise StoreError("an array of the set is missing", where=f"{group.path}/{name}", code="damaged")
    return found


def text(values: Sequence[str] | NDArray[Any]) -> NDArray[Any]:
    """Strings as zarr takes them."""
    return np.array(list(values), dtype=TEXT)


def read_text(group: zarr.Group, name: str) -> NDArray[Any]:
    """Strings of an array as plain str objects: what pandas, xarray and scikit-learn understand."""
    return np.asarray(array(group, name)[:]).astype(object)


def set_names(root: zarr.Group) -> list[str]:
    """Names of the feature sets, sorted."""
    sets = root.get(SETS)
    return sorted(sets.group_keys()) if isinstance(sets, zarr.Group) else []


def set_group(root: zarr.Group, name: str) -> zarr.Group | None:
    """The group of a set; None where it does not exist."""
    found = root.get(f"{SETS}/{check_name(name)}")
    return found if isinstance(found, zarr.Group) else None


def arrays(group: zarr.Group) -> Arrays:
    """All arrays of a set by name, looked up at once: forty single look-ups take longer than a commit."""
    return dict(group.arrays())


def coordinates(stored: Arrays) -> list[str]:
    """Names of the coordinates that a set has: the schema's in its order, then others by name."""
    found = {
        name
        for name, item in stored.items()
        if name not in ROW_ARRAYS and item.metadata.to_dict().get("dimension_names") == ("sample",)
    }
    known = [column.name for column in COORDINATES if column.name in found]
    return known + sorted(found.difference(known))


def create_set(root: zarr.Group, name: str, spec: SetSpec) -> zarr.Group:
    """An empty set with all its arrays, in place of the one that may be there."""
    group = root.create_group(f"{SETS}/{check_name(name)}", overwrite=True)
    group.attrs.update(
        {
            "recipe": spec.recipe_json,
            "recipe_id": spec.recipe_id,
            "recipe_name": spec.recipe_name,
            "engine": spec.engine,
            "versions": versions(),
            # Tells one life of a set from the next of the same name: row numbers start again.
            "generation": uuid.uuid4().hex,
        }
    )
    n, m = len(spec.names), len(spec.diagnostics)
    for label, values in spec.features.items():
        _fixed(group, label, text(values), "feature")
    _fixed(group, "lower", spec.lower, "feature")
    _fixed(group, "upper", spec.upper, "feature")
    _fixed(group, DIAGNOSTIC, text(spec.diagnostics), DIAGNOSTIC)
    _growing(group, "value", (n,), ("sample", "feature"), np.float64, ROWS_PER_CHUNK, np.nan)
    _growing(group, "diagnostic", (m,), ("sample", DIAGNOSTIC), np.float64, ROWS_PER_CHUNK, np.nan)
    for label, (dtype, chunk, fill) in ROW_ARRAYS.items():
        _growing(group, label, (), ("sample",), dtype, chunk, fill)
    return group


def complete(group: zarr.Group, stored: Arrays) -> Arrays:
    """The arrays of a set and, made now, those that a set of an earlier version does not have."""
    rows = stored["sample_id"].shape[0]
    for label, (dtype, chunk, fill) in ROW_ARRAYS.items():
        if label not in stored:
            stored[label] = _growing(group, label, (), ("sample",), dtype, chunk, fill)
            stored[label].resize((rows,))
    return stored


def add_coordinate(group: zarr.Group, name: str, kind: str, rows: int) -> zarr.Array[Any]:
    """A new coordinate; rows written before it was known have no value in it."""
    dtype: DTypeLike = TEXT if kind == "str" else np.float64
    fill = "" if kind == "str" else np.nan
    chunk = TEXTS_PER_CHUNK if kind == "str" else NUMBERS_PER_CHUNK
    made = _growing(group, name, (), ("sample",), dtype, chunk, fill)
    made.resize((rows,))
    return made


def _fixed(group: zarr.Group, name: str, values: NDArray[Any], dim: str) -> None:
    size = max(1, len(values))
    made = group.create_array(
        name, shape=values.shape, chunks=(size,), dtype=values.dtype, dimension_names=(dim,)
    )
    if len(values):
        made[:] = values


def _growing(
    group: zarr.Group,
    name: str,
    width: tuple[int, ...],
    dims: tuple[str, ...],
    dtype: DTypeLike,
    chunk: int,
    fill: Any,
) -> zarr.Array[Any]:
    return group.create_array(
        name,
        shape=(0, *width),
        chunks=(chunk, *(max(1, n) for n in width)),
        dtype=dtype,
        fill_value=fill,
        dimension_names=dims,
    )


def check_spec(group: zarr.Group, name: str, spec: SetSpec) -> None:
    """Refuse rows of another recipe, and say which settings differ."""
    attrs = dict(group.attrs)
    if attrs["recipe_id"] != spec.recipe_id:
        raise StoreError(
            "the feature set holds rows of another recipe",
            where=f"set {name!r}",
            fix=f"{differences(str(attrs['recipe']), spec)} Use another name= for the new recipe, or"
            " replace=True for a new version of the set; the old one stays readable by tag, commit or date.",
            code="other-recipe",
        )
    if list(read_text(group, "feature")) != spec.names:
        raise StoreError(
            "the feature set has other columns than this version of gclnm makes of its recipe",
            where=f"set {name!r}",
            fix="Use another name=, or replace=True to start a new version of the set.",
            code="other-features",
        )


def differences(stored: str, spec: SetSpec, most: int = 8) -> str:
    """Which keys of two recipes differ, in one sentence."""
    old, new = _flat(json.loads(stored)), _flat(json.loads(spec.recipe_json))
    keys = sorted({*old, *new} - {"name", "description"})
    changed = [key for key in keys if old.get(key) != new.get(key)]
    if not changed:
        return "The settings are equal; the engine or its numbers_version differ."
    shown = [f"{key}: {_show(old, key)} -> {_show(new, key)}" for key in changed[:most]]
    more = f" and {len(changed) - most} more" if len(changed) > most else ""
    return f"Stored -> given: {'; '.join(shown)}{more}."


def _show(flat: dict[str, Any], key: str) -> str:
    return json.dumps(flat[key], ensure_ascii=False) if key in flat else "absent"


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        parts = (_flat(item, f"{path}.{key}" if path else str(key)) for key, item in value.items())
        return {key: item for part in parts for key, item in part.items()}
    return {path: value}
