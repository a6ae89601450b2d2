"""Every feature that gclnm can compute: its name, meaning, unit, bounds and IBSI code."""

from gclnm.vocabulary.features import (
    FAMILIES,
    NATIVE,
    TEXTURE,
    Column,
    Feature,
    bounds,
    feature,
    names,
    split,
    table,
    unit,
)

__all__ = [
    "FAMILIES",
    "NATIVE",
    "TEXTURE",
    "Column",
    "Feature",
    "bounds",
    "feature",
    "names",
    "split",
    "table",
    "unit",
]
