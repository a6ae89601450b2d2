"""From paired rows of the catalog to samples: references for the worker, coordinates for the row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from gclnm.images.sample import Coordinate, MaskRef, Sample

if TYPE_CHECKING:
    from gclnm.catalog.catalog import Catalog

__all__ = ["Place", "Rule", "coords_of", "make_sample", "plain_number", "plain_text"]

Record = Mapping[str, Any]
Rule = Literal["centre", "touch"]

TEXTS = (
    "patient_id",
    "modality",
    "study_uid",
    "series_uid",
    "phase",
    "energy_source",
    "sequence",
    "centre",
    "scanner",
    "manufacturer",
    "model",
    "kernel",
    "split",
)
NUMBERS = {
    "energy_kev": "energy_kev",
    "b_value": "b_value_s_mm2",
    "slice_thickness_mm": "slice_thickness_mm",
    "field_strength_t": "field_strength_t",
}


@dataclass(frozen=True)
class Place:
    """What a sample is called: the coordinates that its image does not decide."""

    roi: str
    roi_instance: str = ""
    rater: str = ""
    paired_by: str = "reference"
    more: Mapping[str, Coordinate] = field(default_factory=dict)


def plain_text(value: Any) -> str:
    """A cell of the catalog as text; missing is empty."""
    missing = value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "<NA>"
    return "" if missing else str(value)


def plain_number(value: Any) -> float | None:
    """A cell of the catalog as a number; missing is None."""
    text = plain_text(value)
    return float(text) if text else None


def coords_of(volume: Record, place: Place) -> dict[str, Coordinate]:
    """The coordinates of a sample: those of its volume (a row of ``catalog.volumes``) and its place."""
    coords: dict[str, Coordinate] = {name: plain_text(volume.get(name)) for name in TEXTS}
    coords |= {name: plain_number(volume.get(column)) for name, column in NUMBERS.items()}
    coords |= {"roi": place.roi, "roi_instance": place.roi_instance, "rater": place.rater, "timepoint": ""}
    return {**coords, "paired_by": place.paired_by, **place.more}


def make_sample(
    catalog: Catalog, volume: Record, masks: Mapping[str, MaskRef], place: Place, rule: Rule
) -> Sample:
    """One sample; ``rule`` says how contours become voxels."""
    ruled = {
        role: replace(mask, rule=rule) if mask.kind == "rtstruct" else mask for role, mask in masks.items()
    }
    return Sample(
        images={"image": catalog.volume_ref(volume["volume_id"])},
        masks=ruled,
        coords=coords_of(volume, place),
    )
