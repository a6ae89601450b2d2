"""From paired rows of the catalog to samples: references for the worker, coordinates for the row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from gclnm.catalog.cells import MOST_CHARACTERS, safe_name, text
from gclnm.catalog.pairing.link import Record, Refusal
from gclnm.catalog.pairing.names import natural
from gclnm.errors import InputError
from gclnm.images.sample import Coordinate, MaskRef, Sample, VolumeRef
from gclnm.schemas.samples import SAMPLES, UNPAIRED

if TYPE_CHECKING:
    from gclnm.recipe.expand import NotMade

__all__ = [
    "NUMBERS",
    "TEXTS",
    "Place",
    "Rule",
    "coordinate",
    "make_sample",
    "not_made_row",
    "recoordinated",
    "sample_order",
    "unpaired_row",
    "unpaired_table",
    "usual_modality",
]

Rule = Literal["centre", "touch"]

TEXTS = frozenset(column.name for column in SAMPLES.columns if column.dtype == "str")
NUMBERS = frozenset(column.name for column in SAMPLES.columns if column.dtype == "float")
NOT_COORDINATES = frozenset(("sample_id", "volume_id", "roi_name", "segmentation_id"))

FROM_VOLUME = (
    "patient_id",
    "modality",
    "study_uid",
    "series_uid",
    "phase",
    "phase_source",
    "energy_source",
    "material",
    "sequence",
    "fat_suppressed",
    "post_contrast",
    "centre",
    "scanner",
    "manufacturer",
    "model",
    "kernel",
    "split",
)
NUMBERS_FROM_VOLUME = {
    "energy_kev": "energy_kev",
    "b_value": "b_value_s_mm2",
    "temporal_position": "temporal_position",
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


def coordinate(name: str, value: Any) -> Coordinate:
    """A value as a coordinate may have it: text, a number, or nothing.

    Raises
    ------
    InputError
        When the name is taken or no identifier, or the value is neither.
    """
    if name in NOT_COORDINATES or not name.isidentifier():
        raise InputError("this name is not free for a coordinate", where=repr(name), fix="Take another.")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "" if name in TEXTS else None
    if name in TEXTS:
        return _short(name, str(value))
    if name in NUMBERS:
        return _number(name, value)
    if isinstance(value, str):
        return _short(name, value)
    if isinstance(value, (bool, int, float)):
        return int(value) if isinstance(value, bool) else value
    raise InputError(
        f"a coordinate is text or a number, not a {type(value).__name__}", where=repr(name), fix="Convert it."
    )


def _short(name: str, words: str) -> str:
    """Text as a coordinate may have it: without characters that cannot be shown."""
    if len(words) > MOST_CHARACTERS:
        raise InputError(
            f"a coordinate is a short text, of {MOST_CHARACTERS} characters at most",
            where=f"{name}={words[:40]!r}...",
            fix="Shorten it.",
        )
    return safe_name(words)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(
            "this coordinate is a number", where=f"{name}={value!r}", fix="Correct it."
        ) from None


def usual_modality(word: str) -> str:
    """A modality as DICOM writes it: ``PET`` is ``PT``, ``MRI`` is ``MR``."""
    word = word.strip().upper()
    return {"PET": "PT", "MRI": "MR"}.get(word, word)


def recoordinated(sample: Sample, changes: Mapping[str, Any]) -> Sample:
    """The sample with other coordinates; a stated modality also tells how to read an image file.

    Raises
    ------
    InputError
        When a value is no coordinate, or a DICOM image is said to be of another modality.
    """
    changed = {name: coordinate(name, value) for name, value in changes.items()}
    for name, source in (("phase", "phase_source"), ("energy_kev", "energy_source")):
        if name in changed and changed[name] != sample.coords.get(name):
            changed.setdefault(source, "user")
    images = dict(sample.images)
    image = images.get("image")
    if "modality" in changed and image is not None:
        changed["modality"] = usual_modality(str(changed["modality"]))
        if image.kind == "dicom" and image.modality != changed["modality"]:
            raise InputError(
                "the modality of a DICOM image is what its header says",
                where=f"modality={changed['modality']!r} for a {image.modality} image",
                fix="Only images of other files are told it.",
            )
        images["image"] = replace(image, modality=str(changed["modality"]))
    return replace(sample, images=images, coords={**sample.coords, **changed})


def make_sample(
    image: VolumeRef, volume: Record, masks: Mapping[str, MaskRef], place: Place, rule: Rule
) -> Sample:
    """One sample: ``volume`` is the row of ``catalog.volumes``, ``rule`` says how contours become voxels."""
    ruled = {
        role: replace(mask, rule=rule) if mask.kind == "rtstruct" else mask for role, mask in masks.items()
    }
    coords: dict[str, Coordinate] = {name: text(volume.get(name)) for name in FROM_VOLUME}
    for name, column in NUMBERS_FROM_VOLUME.items():
        number = text(volume.get(column))
        coords[name] = float(number) if number else None
    coords |= {"roi": place.roi, "roi_instance": place.roi_instance, "rater": place.rater, "timepoint": ""}
    coords |= {"paired_by": place.paired_by, **place.more}
    return Sample(images={"image": image}, masks=ruled, coords=coords)


def sample_order(sample: Sample) -> tuple[Any, ...]:
    """A sort key that does not depend on the order of files."""
    keys = ("patient_id", "modality", "study_uid", "series_uid", "split", "roi", "roi_instance", "rater")
    return tuple(natural(str(sample.coords[key])) for key in keys)


def unpaired_row(kind: str, patient_id: str, name: str, refusal: Refusal, key: str) -> dict[str, str]:
    """One row of ``Samples.unpaired``."""
    return {
        "severity": refusal.severity,
        "kind": kind,
        "patient_id": patient_id,
        "name": name,
        "code": refusal.code,
        "reason": refusal.reason,
        "fix": refusal.fix,
        "id": key,
    }


def not_made_row(refused: NotMade) -> dict[str, str]:
    """One row of ``Samples.unpaired``: a row of a recipe that cannot be made."""
    coords = refused.sample.coords
    why = Refusal(refused.code, refused.reason, refused.fix, refused.severity)
    return unpaired_row(
        "row",
        str(coords.get("patient_id") or ""),
        str(coords.get("roi") or ""),
        why,
        refused.sample.sample_id,
    )


def unpaired_table(rows: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """The rows as a table: refusals first."""
    ordered = sorted(rows, key=lambda row: (row["severity"] != "refused", natural(row["patient_id"])))
    return UNPAIRED.validate(pd.DataFrame(ordered, columns=list(UNPAIRED.names)))
