"""Whether one set is whole: its arrays, keys and revisions, values and bounds, and who wrote each row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from gclnm._version import __version__
from gclnm.counts import count
from gclnm.errors import GclnmError
from gclnm.schemas.features import STATUS, out_of_bounds
from gclnm.store.chains import astray
from gclnm.store.features import read_selections
from gclnm.store.layout import DIAGNOSTIC, FEATURE_TEXTS, ROW_ARRAYS, TEXT
from gclnm.store.links import named_sample
from gclnm.store.versions.findings import OTHER_TOOL, REPORT, RESTORE, Findings

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Records", "check_set", "check_shapes"]

ATTRS = ("recipe", "recipe_id", "recipe_name", "engine", "versions", "generation")
# Added by later versions: older sets do not have them.
LATER = ("content_sha256", "origin")
SHA256 = r"[0-9a-f]{64}"
COMMIT = r"[0-9A-Z]{20}"
CHUNKS_AT_ONCE = 32
EMPTY = "empty ok rows"
KEYS_SHOWN = 3


@dataclass(frozen=True)
class Records:
    """What the history says of rows: who wrote which, and from which commits merged rows came."""

    spans: Mapping[str, list[tuple[int, int, str]]]
    origins: frozenset[str]

    @classmethod
    def of(cls, commits: Mapping[str, Mapping[str, Any]]) -> Records:
        """From the records of commits, by id."""
        spans: dict[str, list[tuple[int, int, str]]] = {}
        origins: set[str] = set()
        for commit, record in commits.items():
            if record.get("stop", 0) > record.get("start", 0):
                span = (int(record["start"]), int(record["stop"]), commit)
                spans.setdefault(str(record.get("generation")), []).append(span)
            origins.update(dict(record.get("origin") or {}).get("commits", {}))
        return cls({key: sorted(value) for key, value in spans.items()}, frozenset(origins))


def check_set(name: str, group: zarr.Group, records: Records, found: Findings, *, values: bool) -> None:
    """Everything about one set."""
    where = f"set {name!r}"
    found.count("sets")
    attrs = dict(group.attrs)
    for key in ATTRS:
        if key not in attrs:
            found.add("attribute", f"the attribute {key!r} is missing", where, OTHER_TOOL)
    stored = dict(group.arrays())
    rows = check_shapes(name, group, found)
    if rows is None:
        return
    found.count("rows", rows)
    features = stored["feature"].shape[0]
    found.count("features", features)
    labels = {
        key: column
        for key in (*FEATURE_TEXTS, "lower", "upper", DIAGNOSTIC)
        if (column := _column(where, key, stored[key], found)) is not None
    }
    _check_recipe(where, attrs, labels, found)
    _check_selections(where, group, labels, found)
    _check_lineage(where, str(attrs.get("generation")), rows, records, found)
    columns = {
        key: column
        for key, item in stored.items()
        if item.ndim == 1 and key != "history" and _dims(item) == ("sample",)
        if (column := _column(where, key, item, found)) is not None
    }
    _check_keys(where, columns, found)
    _check_links(where, columns, found)
    _check_texts(where, columns, records, found)
    if values:
        _check_values(where, stored, labels, columns, found)
        _check_histories(where, stored["history"], found)


def check_shapes(name: str, group: zarr.Group, found: Findings, prefix: str = "") -> int | None:
    """Arrays, dimensions, lengths and types; the number of rows, None where the set cannot be understood."""
    where = f"{prefix}set {name!r}"
    stored = dict(group.arrays())
    before = len(found.problems)
    expected: dict[str, tuple[Any, tuple[str, ...]]] = {
        **{key: (dtype, ("sample",)) for key, (dtype, _, _) in ROW_ARRAYS.items() if key not in LATER},
        **dict.fromkeys(FEATURE_TEXTS, (TEXT, ("feature",))),
        "lower": (np.float64, ("feature",)),
        "upper": (np.float64, ("feature",)),
        DIAGNOSTIC: (TEXT, (DIAGNOSTIC,)),
        "value": (np.float64, ("sample", "feature")),
        "diagnostic": (np.float64, ("sample", DIAGNOSTIC)),
    }
    for key, (dtype, dims) in expected.items():
        place = f"{where}, {key}"
        if key not in stored:
            found.add("missing-array", "the array is missing", place, RESTORE)
        elif _dims(stored[key]) != dims or stored[key].ndim != len(dims):
            found.add("shape", f"its dimensions are not {', '.join(dims)}", place, OTHER_TOOL)
        elif stored[key].dtype != np.dtype(dtype):
            found.add("type", f"it is {stored[key].dtype}, not {np.dtype(dtype)}", place, OTHER_TOOL)
    if len(found.problems) > before:
        return None
    sizes = {dim: stored[key].shape[0] for dim, key in _KEYS.items()}
    for key, item in stored.items():
        dims = _dims(item)
        if any(dim in sizes and length != sizes[dim] for dim, length in zip(dims, item.shape, strict=False)):
            size = " x ".join(map(str, item.shape))
            wanted = " x ".join(str(sizes.get(dim, "?")) for dim in dims)
            found.add("shape", f"it is {size} where the set is {wanted}", f"{where}, {key}", OTHER_TOOL)
    return None if len(found.problems) > before else sizes["sample"]


_KEYS = {"sample": "sample_id", "feature": "feature", DIAGNOSTIC: DIAGNOSTIC}


def _dims(item: zarr.Array[Any]) -> tuple[str, ...]:
    return tuple(str(name) for name in getattr(item.metadata, "dimension_names", None) or ())


def _check_recipe(
    where: str, attrs: Mapping[str, Any], labels: Mapping[str, NDArray[Any]], found: Findings
) -> None:
    """The stored recipe is JSON and, where this version wrote it, gives the stored id and columns."""
    from gclnm.recipe.recipe import Recipe

    if "recipe" not in attrs or "recipe_id" not in attrs:
        return
    place = f"{where}, recipe"
    try:
        settings = json.loads(str(attrs["recipe"]))
    except ValueError:
        found.add("recipe", "the stored recipe is not JSON", place, RESTORE)
        return
    # Another version may know other settings, or give other numbers for the same ones.
    if dict(attrs.get("versions") or {}).get("gclnm") != __version__:
        return
    try:
        recipe = Recipe(**settings)
    except (GclnmError, TypeError):
        found.add("recipe", "the stored recipe is not a recipe", place, RESTORE)
        return
    if recipe.id != attrs["recipe_id"]:
        found.add("recipe", "recipe_id is not that of the stored recipe", place, OTHER_TOOL)
    if "feature" in labels and tuple(labels["feature"]) != recipe.features:
        found.add("recipe", "the features are not those of the stored recipe", place, OTHER_TOOL)


def _check_selections(
    where: str, group: zarr.Group, labels: Mapping[str, NDArray[Any]], found: Findings
) -> None:
    """Selections name features that the set has."""
    with found.reading("the selections", f"{where}, selections"):
        for name, chosen in read_selections(group).items():
            found.count("selections")
            if "feature" in labels and not set(chosen) <= set(labels["feature"]):
                say = "the selection names features that the set does not have"
                found.add("selection", say, f"{where}, selection {name!r}", OTHER_TOOL)


def _check_lineage(where: str, generation: str, rows: int, records: Records, found: Findings) -> None:
    """Every row is the work of exactly one commit."""
    at = 0
    for start, stop, commit in records.spans.get(generation, []):
        if start > at:
            found.add("lineage", f"no commit says that it wrote rows {at} to {start - 1}", where, OTHER_TOOL)
        if start < at:
            say = f"commit {commit} and one before say that they wrote rows {start} to {min(at, stop) - 1}"
            found.add("lineage", say, where, OTHER_TOOL)
        at = max(at, stop)
    if at < rows:
        found.add("lineage", f"no commit says that it wrote rows {at} to {rows - 1}", where, OTHER_TOOL)
    elif at > rows:
        say = f"commits say that they wrote {count(at, 'row')}, the set has {rows}"
        found.add("lineage", say, where, RESTORE)


def _blocks(size: int, step: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + step, size)) for start in range(0, size, step))


def _column(where: str, name: str, item: zarr.Array[Any], found: Findings) -> NDArray[Any] | None:
    """A row array whole, or None with the chunks named that cannot be read."""
    chunk, rows = item.chunks[0], item.shape[0]
    try:
        parts = [np.asarray(item[a:b]) for a, b in _blocks(rows, CHUNKS_AT_ONCE * chunk)]
    except Exception:
        for start, stop in _blocks(rows, chunk):
            with found.reading("the array", f"{where}, {name}, rows {start} to {stop - 1}"):
                item[start:stop]
        return None
    values = np.concatenate(parts) if parts else np.zeros(0, dtype=item.dtype)
    return values.astype(object) if item.dtype == TEXT else values


def _check_keys(where: str, columns: Mapping[str, NDArray[Any]], found: Findings) -> None:
    """One current revision a key, the last one; revisions count from 1."""
    import pandas as pd

    if not {"sample_id", "revision", "current"} <= columns.keys():
        return
    keys = columns["sample_id"]
    place = f"{where}, rows of"
    _report(keys == "", keys, "key", "rows have no sample_id", where, found)
    codes = pd.Series(pd.factorize(keys)[0])
    number = codes.groupby(codes).cumcount().to_numpy() + 1
    wrong = columns["revision"] != number
    _report(wrong, keys, "revision", "revisions do not count 1, 2, 3 ...", place, found)
    last = ~codes.duplicated(keep="last").to_numpy()
    several = codes[columns["current"].astype(bool)].duplicated(keep=False)
    doubled = np.zeros(len(keys), dtype=bool)
    doubled[several.index[several]] = True
    _report(doubled, keys, "double", "more than one revision is current", place, found)
    lost = (columns["current"] != last) & ~doubled
    _report(lost, keys, "current", "the last revision is not the current one", place, found)


def _check_links(where: str, columns: Mapping[str, NDArray[Any]], found: Findings) -> None:
    """Every linked sample counts as one that has a row."""
    if not {"sample_id", "current", "status", "reason"} <= columns.keys():
        return
    current = columns["current"].astype(bool)
    keys = columns["sample_id"]
    linked = np.flatnonzero(current & (columns["status"] == "linked"))
    links = {str(keys[i]): named_sample(str(columns["reason"][i])) for i in linked}
    lost = astray(links, set(keys[current])) if links else {}
    wrong = np.zeros(len(keys), dtype=bool)
    wrong[[i for i in linked if str(keys[i]) in lost]] = True
    say = "they are linked in a ring, or to a sample that is not there"
    _report(wrong, keys, "link", say, f"{where}, rows of", found)


def _check_texts(where: str, columns: Mapping[str, NDArray[Any]], records: Records, found: Findings) -> None:
    """Status and reason agree; digests and origins look like ones."""
    keys = columns.get("sample_id")
    if keys is None:
        return
    place = f"{where}, rows of"
    status, reason, inputs = (columns.get(key) for key in ("status", "reason", "inputs_sha256"))
    if status is not None:
        _report(~np.isin(status, STATUS), keys, "status", "the status is none that there is", place, found)
    if status is not None and reason is not None:
        wrong = (status == "ok") != (reason == "")
        _report(wrong, keys, "reason", "a row that is ok has a reason, or another has none", place, found)
    if status is not None and inputs is not None:
        wrong = (status == "ok") & (inputs == "")
        _report(wrong, keys, "digest", "a computed row has no digest of its inputs", place, found)
    for name in ("inputs_sha256", "content_sha256"):
        if name in columns:
            wrong = ~_matches(columns[name], SHA256)
            _report(wrong, keys, "digest", f"{name} is not a SHA-256 digest", place, found)
    if "origin" in columns:
        origin = columns["origin"]
        wrong = ~_matches(origin, COMMIT)
        _report(wrong, keys, "origin", "origin is not the id of a commit", place, found)
        unknown = ~wrong & (origin != "") & ~np.isin(origin, list(records.origins))
        _report(unknown, keys, "origin", "no merge in the history tells of their origin", place, found)


def _matches(values: NDArray[Any], pattern: str) -> NDArray[np.bool_]:
    """Where text is empty or wholly of a form; the few different values are looked at once."""
    import pandas as pd

    codes, distinct = pd.factorize(values)
    good = pd.Series(distinct, dtype=object).astype(str).str.fullmatch(f"(?:{pattern})?").to_numpy(dtype=bool)
    return np.asarray(good[codes], dtype=bool) if len(distinct) else np.zeros(0, dtype=bool)


def _report(
    wrong: NDArray[np.bool_], keys: NDArray[Any], code: str, what: str, where: str, found: Findings
) -> None:
    """One problem for all rows that have it; the first few are named."""
    positions = np.flatnonzero(wrong)
    if len(positions):
        named = ", ".join(dict.fromkeys(repr(str(keys[i])) for i in positions[:KEYS_SHOWN]))
        more = f" and {len(positions) - KEYS_SHOWN} more" if len(positions) > KEYS_SHOWN else ""
        found.add(code, f"{what} ({count(len(positions), 'row')})", f"{where} {named}{more}", OTHER_TOOL)


def _check_values(
    where: str,
    stored: Mapping[str, zarr.Array[Any]],
    labels: Mapping[str, NDArray[Any]],
    columns: Mapping[str, NDArray[Any]],
    found: Findings,
) -> None:
    """Values chunk by chunk: readable, inside their bounds, and none in rows that were not computed."""
    lower, upper, names = (labels.get(name) for name in ("lower", "upper", "feature"))
    wrong: dict[int, int] = {}
    status, keys = columns.get("status"), columns.get("sample_id")
    rows_stored, features = stored["value"].shape
    filled, looked_at = np.zeros(rows_stored, dtype=bool), np.zeros(rows_stored, dtype=np.int64)
    for rows, cells, values in _chunks(where, "value", stored["value"], found):
        if lower is not None and upper is not None:
            outside = out_of_bounds(values, lower[cells], upper[cells]).sum(axis=0)
            for index in np.flatnonzero(outside):
                column = cells.start + int(index)
                wrong[column] = wrong.get(column, 0) + int(outside[index])
        filled[rows] |= np.isfinite(values).any(axis=1)
        looked_at[rows] += values.shape[1]
    for column, n in sorted(wrong.items()):
        name = str(names[column]) if names is not None else f"number {column}"
        said = f"{count(n, 'value is', 'values are')} outside the feature's bounds"
        found.add("bounds", said, f"{where}, {name}", REPORT)
    if status is not None and keys is not None:
        _report((status != "ok") & filled, keys, "values", "they have values, but are not ok", where, found)
    # No problem: of one voxel or a flat region a recipe may ask only for what mathematics does not define.
    if status is not None and (empty := int(((status == "ok") & ~filled & (looked_at == features)).sum())):
        found.count(EMPTY, empty)
    for _ in _chunks(where, "diagnostic", stored["diagnostic"], found):
        pass


def _chunks(
    where: str, name: str, item: zarr.Array[Any], found: Findings
) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
    """Every chunk of a table once, with its rows and columns; one that cannot be read is a problem."""
    high, wide = item.chunks
    for top, bottom in _blocks(item.shape[0], high):
        for left, right in _blocks(item.shape[1], wide):
            columns = f", columns {left} to {right - 1}" if wide < item.shape[1] else ""
            values: Any = None
            with found.reading("the array", f"{where}, {name}, rows {top} to {bottom - 1}{columns}"):
                values = np.asarray(item[top:bottom, left:right])
            if values is not None:
                yield slice(top, bottom), slice(left, right), values


def _check_histories(where: str, item: zarr.Array[Any], found: Findings) -> None:
    """Every history is JSON."""
    for start, stop in _blocks(item.shape[0], item.chunks[0]):
        place = f"{where}, history, rows {start} to {stop - 1}"
        texts: Any = ()
        with found.reading("the array", place):
            texts = item[start:stop]
        bad = sum(not _is_json(str(text)) for text in texts)
        if bad:
            found.add("history", f"{count(bad, 'history is', 'histories are')} not JSON", place, REPORT)


def _is_json(text: str) -> bool:
    try:
        json.loads(text or "{}")
    except ValueError:
        return False
    return True
