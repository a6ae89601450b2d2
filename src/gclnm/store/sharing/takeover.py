"""Rows of another store written into a set of ours, a batch at a time, as they stand there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.pipeline import Row
from gclnm.schemas.features import check_rows
from gclnm.store.layout import DIAGNOSTIC, FEATURE_TEXTS, SetSpec, array, arrays, coordinates, read_text
from gclnm.store.parts import part
from gclnm.store.write import Choice, write_rows

if TYPE_CHECKING:
    import pandas as pd
    import zarr

    from gclnm.images.sample import Coordinate
    from gclnm.store.sharing.matching import Decision

__all__ = ["spec_of", "write_from"]

# Rows are written a few MB at a time; the chunks of keys end where a batch does.
BATCH = 4096


def write_from(group: zarr.Group, source: zarr.Group, frame: pd.DataFrame, decision: Decision) -> None:
    """Append the rows batch by batch, and retire those of ours that they replace."""
    names, measured = list(read_text(group, "feature")), list(read_text(group, DIAGNOSTIC))
    lower, upper = (np.asarray(array(group, bound)[:]) for bound in ("lower", "upper"))
    replaced = decision.replaced
    for batch in _batches(array(group, "sample_id").shape[0], len(frame)):
        rows = _rows(source, frame.iloc[batch])
        values = check_rows(rows, names, measured, lower, upper)
        choice = Choice(tuple(range(len(rows))), decision.revisions[batch], replaced)
        write_rows(group, arrays(group), rows, values, choice)
        replaced = ()


def _batches(start: int, rows: int) -> Iterator[slice]:
    """Parts of the rows that end where a batch of the set's rows ends."""
    done = 0
    while done < rows:
        stop = min(rows, done + BATCH - (start + done) % BATCH)
        yield slice(done, stop)
        done = stop


def _rows(source: zarr.Group, frame: pd.DataFrame) -> list[Row]:
    """Rows of the other store as they stand there, under the ids and with the origin they have here."""
    positions = frame.index.to_numpy(dtype=np.int64)
    stored = arrays(source)

    def cells(name: str) -> list[Any]:
        if name not in stored:
            return [""] * len(positions)
        return list(part(stored[name], (positions,)).tolist())

    coords = {name: cells(name) for name in coordinates(stored)}
    if "patient_id" in coords:
        coords["patient_id"] = list(frame["patient_id"])
    values, diagnostics = (part(stored[name], (positions, slice(None))) for name in ("value", "diagnostic"))
    contents, histories, seconds = cells("content_sha256"), cells("history"), cells("seconds")
    return [
        Row(
            sample_id=row["sample_id"],
            coords={name: _coordinate(column[at]) for name, column in coords.items()},
            status=row["status"],
            reason=row["reason"],
            # One that is held back here has its numbers there.
            values=values[at] if row["status"] == "ok" else np.full(values.shape[1], np.nan),
            diagnostics=diagnostics[at],
            inputs_sha256=row["inputs_sha256"],
            content_sha256=contents[at],
            history=histories[at],
            seconds=seconds[at],
            origin=row["commit"],
        )
        for at, row in enumerate(frame.to_dict("records"))
    ]


def _coordinate(value: Any) -> Coordinate:
    """A coordinate as a sample has it: missing is None."""
    return None if value == "" or value != value else value


def spec_of(group: zarr.Group) -> SetSpec:
    """Identity and features of a stored set, whatever version of gclnm wrote it."""
    attrs: dict[str, Any] = dict(group.attrs)
    return SetSpec(
        recipe_id=str(attrs["recipe_id"]),
        recipe_json=str(attrs["recipe"]),
        recipe_name=str(attrs["recipe_name"]),
        engine=str(attrs["engine"]),
        features={name: read_text(group, name) for name in FEATURE_TEXTS},
        lower=np.asarray(array(group, "lower")[:]),
        upper=np.asarray(array(group, "upper")[:]),
        diagnostics=tuple(read_text(group, DIAGNOSTIC)),
    )
