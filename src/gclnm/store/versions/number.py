"""One feature of one row: its value, what it means, and which diagnostics bear on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import InputError
from gclnm.store.features import chosen_features
from gclnm.store.layout import array, read_text
from gclnm.store.versions.words import number

if TYPE_CHECKING:
    import zarr

__all__ = ["Number", "meaning", "number_of"]

SPACING = ("spacing_x_mm", "spacing_y_mm", "spacing_z_mm")
OF_SHAPE = ("voxels_native", "slices_native", "voxels_resampled", "shape_voxels_lost", *SPACING)
OF_INTENSITY = ("voxels_analysed", "fraction_outside_range")
RANGE = ("intensity_minimum", "intensity_mean", "intensity_maximum")
# Of quantities on the image as scanned; the last ones are of the tissues that ratios refer to.
OF_NATIVE = (
    *("voxels_native", "slices_native", *SPACING),
    *(f"{tissue}_{what}" for tissue in ("liver", "blood", "aorta") for what in ("mean", "sd", "voxels")),
)
# First-order features that are computed on grey levels.
BINNED = ("Entropy", "Uniformity")


@dataclass(frozen=True)
class Number:
    """What one value of a row is.

    Attributes
    ----------
    feature, image_type, family
        The column's name and its parts.
    value, unit
        The value, exact; NaN where there is none.
    missing
        Why there is no value; empty where there is one or nothing was recorded.
    meaning, source
        What it measures in one line, and the paper that defines it.
    lower, upper
        What mathematics guarantees; infinite where it guarantees nothing.
    ibsi_code
        Code of the IBSI; empty where it has no such feature or defines it otherwise.
    diagnostics
        Names of the diagnostics that bear on it.
    """

    feature: str
    image_type: str
    family: str
    value: float
    unit: str
    missing: str
    meaning: str
    source: str
    lower: float
    upper: float
    ibsi_code: str
    diagnostics: tuple[str, ...]

    def lines(self) -> list[tuple[str, str]]:
        """The same as pairs of what and how."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        absent = f"none: {self.missing}" if self.missing else "none"
        found = [
            ("feature", f"{self.feature} (image {self.image_type}, family {self.family})"),
            ("value", absent if math.isnan(self.value) else f"{self.value!r}{unit}"),
            ("meaning", self.meaning),
            ("bounds", _bounds(self.lower, self.upper)),
            ("IBSI code", self.ibsi_code or "none"),
            ("source", self.source),
        ]
        return [(name, words) for name, words in found if words]


def _bounds(lower: float, upper: float) -> str:
    low, high = math.isfinite(lower), math.isfinite(upper)
    if low and high:
        return f"{number(lower)} to {number(upper)}"
    return f"{number(lower)} or more" if low else f"{number(upper)} or less" if high else "none"


def number_of(
    group: zarr.Group, position: int, feature: str, notes: Any, known: Mapping[str, float]
) -> Number:
    """One feature of the row at a position; ``notes`` (reason: columns, families or
    images) are the row's, ``known`` its diagnostics."""
    names = list(read_text(group, "feature"))
    columns = chosen_features(names, feature)
    if len(columns) != 1:
        raise InputError(
            "feature= fits several features",
            where=repr(feature),
            fix=f"Name one: {', '.join(names[i] for i in columns[:3])} ...",
        )
    at = int(columns[0])
    name = str(names[at])
    image, family = (str(read_text(group, key)[at]) for key in ("image_type", "family"))
    what, source = meaning(name)
    reasons = notes if isinstance(notes, Mapping) else {}
    missing = [note for note, about in reasons.items() if {name, image, family} & set(about)]
    value = float(np.asarray(array(group, "value")[position, at]))
    return Number(
        feature=name,
        image_type=image,
        family=family,
        value=value,
        unit=str(read_text(group, "unit")[at]),
        missing="; ".join(missing) if math.isnan(value) else "",
        meaning=what,
        source=source,
        lower=float(np.asarray(array(group, "lower")[at])),
        upper=float(np.asarray(array(group, "upper")[at])),
        ibsi_code=str(read_text(group, "ibsi_code")[at]),
        diagnostics=tuple(key for key in _bearing(name, image, family) if key in known),
    )


def meaning(column: str) -> tuple[str, str]:
    """Formula and source of a column; empty for one that this version does not know."""
    from gclnm import vocabulary

    try:
        found = vocabulary.feature(column)
    except InputError:
        return "", ""
    return found.formula, found.source


def _bearing(column: str, image: str, family: str) -> tuple[str, ...]:
    if family.startswith("shape"):
        return OF_SHAPE
    if image == "native":
        return OF_NATIVE
    # Range and grey levels are counted on the image before filters.
    intensities = RANGE if image == "original" else ()
    binned = family != "firstorder" or column.endswith(BINNED)
    levels = ("grey_levels",) if binned and image == "original" else ()
    return (*OF_INTENSITY, *intensities, *levels)
