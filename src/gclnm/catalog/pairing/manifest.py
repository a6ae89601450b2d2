"""Pairs that a table names: which mask belongs to which image, in the user's own words."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gclnm.catalog.choose import read_table
from gclnm.catalog.pairing.build import (
    Place,
    Rule,
    coordinate,
    make_sample,
    sample_order,
    unpaired_row,
    unpaired_table,
    usual_modality,
)
from gclnm.catalog.pairing.link import Refusal
from gclnm.catalog.pairing.names import RoiPattern, normalise, refuse_without_match, text_key
from gclnm.catalog.pairing.places import FoundImage, FoundMask, Places
from gclnm.catalog.samples import Samples
from gclnm.errors import InputError
from gclnm.images.sample import Sample

if TYPE_CHECKING:
    from gclnm.catalog.catalog import Catalog

__all__ = ["from_table", "pair_manifest"]

# Columns with a meaning of their own; all others become coordinates.
OURS = ("image", "mask", "label", "roi", "roi_instance", "rater", "patient_id", "modality", "timepoint")


def from_table(table: pd.DataFrame | str | os.PathLike[str]) -> Samples:
    """Samples of a table of files; see :meth:`gclnm.Samples.from_table`."""
    return pair_manifest(None, table, roi=None, modalities=frozenset(), rule="centre")


def pair_manifest(
    catalog: Catalog | None,
    table: pd.DataFrame | str | os.PathLike[str],
    *,
    roi: object,
    modalities: frozenset[str],
    rule: Rule,
    label: str = "",
) -> Samples:
    """Samples of the rows of a manifest; a row that gives none is listed with the reason.

    Raises
    ------
    InputError
        When columns ``image`` and ``mask`` are missing, or no row fits ``roi``.
    """
    rows = _rows(table)
    base = Path.cwd() if isinstance(table, pd.DataFrame) else Path(table).absolute().parent
    rows = _chosen(rows, roi)
    if label:
        rows = [_Row(row.number, {**row.cells, "roi": label}) for row in rows]
    if catalog is not None and catalog.identifiers.secret:
        rows = _keyed(rows, catalog)
    places = Places(catalog, base)
    found = [_read(places, row, modalities) for row in rows]
    found = _refuse_rivals(found)
    made = []
    for entry in found:
        if entry.image and entry.mask:
            sample = _sample(entry, entry.image, entry.mask, rule)
            made.append((sample, entry.mask))
    made.sort(key=lambda pair: sample_order(pair[0]))
    unpaired = [_unpaired(e, e.refusal) for e in found if e.refusal]
    return Samples(
        tuple(sample for sample, _ in made),
        unpaired=unpaired_table(unpaired),
        names={sample.sample_id: (mask.name, mask.segmentation_id) for sample, mask in made},
    )


@dataclass(frozen=True)
class _Row:
    """One row of the manifest as text, with the place where the user finds it."""

    number: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def label(self) -> str:
        """Coordinate ``roi``: what the user calls it in the table."""
        return normalise(self["roi"] or self["label"] or "roi")


@dataclass(frozen=True)
class _Entry:
    """A row with what was found for it, or why nothing was."""

    row: _Row
    image: FoundImage | None = None
    mask: FoundMask | None = None
    refusal: Refusal | None = None


def _rows(table: pd.DataFrame | str | os.PathLike[str]) -> list[_Row]:
    cells = read_table(table, "manifest")
    cells.columns = [name.casefold() if name.casefold() in OURS else name for name in cells.columns]
    missing = [name for name in ("image", "mask") if name not in cells.columns]
    if missing:
        raise InputError(
            f"the manifest has no column {' and '.join(missing)}",
            where=f"its columns are {', '.join(cells.columns)}",
            fix="It needs image and mask; label, roi, roi_instance, rater, patient_id, modality and timepoint"
            " where there are any.",
            code="bad-table",
        )
    unique = cells.drop_duplicates()
    # Row 1 of a CSV is its header.
    return [
        _Row(int(position) + 2, {str(k): str(v) for k, v in row.items()})
        for position, row in zip(unique.index, unique.to_dict("records"), strict=True)
    ]


def _keyed(rows: Sequence[_Row], catalog: Catalog) -> list[_Row]:
    """Rows whose patient ids are keyed as the catalog's; its own ids stay."""
    known = {"", *catalog.volumes["patient_id"], *catalog.segmentations["patient_id"]}

    def keyed(patient_id: str) -> str:
        return patient_id if patient_id in known else catalog.identifiers.patient(patient_id)

    return [_Row(row.number, {**row.cells, "patient_id": keyed(row["patient_id"])}) for row in rows]


def _chosen(rows: Sequence[_Row], roi: object) -> list[_Row]:
    if roi is None:
        return list(rows)
    if not isinstance(roi, str):
        raise InputError(
            "with a manifest roi is one name or pattern", where="roi", fix="Name the ROI in column roi."
        )
    pattern = RoiPattern("roi", roi)
    refuse_without_match(pattern, (row.label for row in rows))
    return [row for row in rows if pattern.matches(row.label)]


def _read(places: Places, row: _Row, modalities: frozenset[str]) -> _Entry:
    image = places.image(row["image"], usual_modality(row["modality"]))
    if isinstance(image, Refusal):
        return _Entry(row, refusal=image)
    if modalities and image.ref.modality not in modalities:
        refusal = Refusal(
            "other-modality", f"its image is {image.ref.modality or 'of no modality'}", severity="info"
        )
        return _Entry(row, refusal=refusal)
    masks = places.masks(row["mask"])
    mask = masks if isinstance(masks, Refusal) else _labelled(masks, row["label"])
    if isinstance(mask, Refusal):
        return _Entry(row, refusal=mask)
    return _Entry(row, image, mask)


def _labelled(masks: Sequence[FoundMask], label: str) -> FoundMask | Refusal:
    """The one ROI of a file that a number or name means; without either the only one."""
    there = ", ".join(f"{m.ref.label} ({m.name})" if m.name else str(m.ref.label) for m in masks[:20])
    fitting = list(masks)
    if label:
        fitting = [m for m in masks if str(m.ref.label) == label]
        fitting = fitting or [m for m in masks if text_key(m.name) == text_key(label)]
    if not fitting:
        return Refusal("no-such-label", "its mask has no ROI of this label", f"It has {there or 'none'}.")
    if len(fitting) > 1:
        reason = (
            f"its mask has {len(fitting)} ROIs of this label" if label else f"its mask has {len(masks)} ROIs"
        )
        return Refusal("which-label", reason, f"Name one of them in column label: {there}.")
    if fitting[0].reason:
        return Refusal("unusable-roi", fitting[0].reason, "Draw it again, or drop the row.")
    return fitting[0]


def _sample(entry: _Entry, image: FoundImage, mask: FoundMask, rule: Rule) -> Sample:
    row = entry.row
    patient_id = row["patient_id"] or str(image.volume.get("patient_id") or "") or mask.patient_id
    more = {"patient_id": patient_id, "modality": image.ref.modality, "timepoint": row["timepoint"]}
    others = {name: coordinate(name, value) for name, value in row.cells.items() if name not in OURS}
    place = Place(row.label, row["roi_instance"], row["rater"], "manifest", {**others, **more})
    return make_sample(image.ref, image.volume, {"roi": mask.ref}, place, rule)


def _refuse_rivals(entries: Sequence[_Entry]) -> list[_Entry]:
    """Rows that claim one place with different masks: none of them is taken."""
    claims: dict[tuple[str, ...], list[_Entry]] = defaultdict(list)
    for entry in entries:
        if entry.image:
            row = entry.row
            key = (entry.image.ref.volume_id, row["patient_id"], row.label, row["roi_instance"], row["rater"])
            claims[key].append(entry)
    rivals = {e.row.number: members for members in claims.values() if len(members) > 1 for e in members}
    result = []
    for entry in entries:
        members = rivals.get(entry.row.number)
        if not members:
            result.append(entry)
            continue
        rows = " and ".join(str(e.row.number) for e in members)
        refusal = Refusal(
            "several-masks",
            f"rows {rows} name different masks for the same image, roi, roi_instance and rater",
            "Tell them apart in column roi_instance or rater, or drop all but one.",
        )
        result.append(replace(entry, image=None, mask=None, refusal=refusal))
    return result


def _unpaired(entry: _Entry, refusal: Refusal) -> dict[str, str]:
    row = entry.row
    name = f"{row['mask']} {row['label']}".strip()
    return unpaired_row("manifest", row["patient_id"], name, refusal, f"row {row.number}: {row['image']}")
