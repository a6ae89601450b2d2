"""The one table of features (``features.csv``) and what is read off it: names, units, bounds."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gclnm.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

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

FAMILIES = ("shape", "shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
TEXTURE = ("glcm", "glrlm", "glszm", "gldm", "ngtdm")
# Quantities on the image as scanned: their columns have "native" in the place of the image type.
NATIVE = ("pet", "spectral", "adc")

_SOURCE = "van Griethuysen et al. 2017, doi:10.1158/0008-5472.CAN-17-0339, class {family}"
_IBSI_SOURCE = "Zwanenburg et al. 2020, doi:10.1148/radiol.2020191145, {code}"
# Of the native quantities, by what their names begin with; the first that fits counts.
_NATIVE_SOURCES = {
    "pet_SUV": "Boellaard et al. 2015 (EANM guideline 2.0), doi:10.1007/s00259-014-2961-x",
    "pet_MTVPERCIST": "Wahl et al. 2009 (PERCIST 1.0), doi:10.2967/jnumed.108.057307",
    "pet_TLGPERCIST": "Wahl et al. 2009 (PERCIST 1.0), doi:10.2967/jnumed.108.057307",
    "pet_": "thresholds compared in doi:10.3390/cancers12030601, table 2",
    "spectral_": "Meng et al. 2017, doi:10.1097/MD.0000000000005878",
    "adc_": "round ROIs of 20 to 214 mm^2 compared by Ma et al. 2017, doi:10.1186/s40644-017-0116-6",
}
# These images hold no negative voxel, so neither can a mean, a median or a percentile be negative.
_NON_NEGATIVE_IMAGES = ("square", "exponential", "gradient", "lbp-2D")


@dataclass(frozen=True)
class Feature:
    """One feature, whatever image it is computed on.

    Parameters
    ----------
    name
        Family and feature as in a column name, without the image (``"glcm_JointEntropy"``).
    family
        One of `FAMILIES` or `NATIVE`.
    ibsi_code, ibsi_tag
        Code and reference-value tag of the IBSI; empty where it has no such feature or defines it
        otherwise. Tags of texture name the aggregation of an unweighted 3-D recipe.
    unit
        ``"1"``, ``"mm"`` ...; ``"I"`` stands for the unit of the image.
    lower, upper
        What mathematics guarantees, on any image; infinite where it guarantees nothing.
    lower_open, upper_open
        Whether the bound itself is excluded.
    default
        Whether ``all`` of a family includes it. The rest repeat another feature.
    location
        Whether it is a typical value of the image (mean, percentile ...), and so never negative
        where no voxel is.
    formula
        What it is, in one line.
    """

    name: str
    family: str
    ibsi_code: str
    ibsi_tag: str
    unit: str
    lower: float
    upper: float
    lower_open: bool
    upper_open: bool
    default: bool
    location: bool
    formula: str

    @property
    def source(self) -> str:
        """The paper that defines it."""
        if self.ibsi_code:
            return _IBSI_SOURCE.format(code=self.ibsi_code)
        for start, paper in _NATIVE_SOURCES.items():
            if self.name.startswith(start):
                return paper
        return _SOURCE.format(family=self.family)


class Column(NamedTuple):
    """The three parts of a column name."""

    image_type: str
    family: str
    feature: str


@cache
def _features() -> dict[str, Feature]:
    text = files("gclnm.vocabulary").joinpath("features.csv").read_text(encoding="utf-8")
    return {row.name: row for row in map(_from_row, csv.DictReader(text.splitlines()))}


def _from_row(row: dict[str, str]) -> Feature:
    return Feature(
        name=f"{row['family']}_{row['feature']}",
        family=row["family"],
        ibsi_code=row["ibsi_code"],
        ibsi_tag=row["ibsi_tag"],
        unit=row["unit"],
        lower=float(row["lower"] or -math.inf),
        upper=float(row["upper"] or math.inf),
        lower_open=row["lower_open"] == "yes",
        upper_open=row["upper_open"] == "yes",
        default=row["default"] == "yes",
        location=row["location"] == "yes",
        formula=row["formula"],
    )


def table() -> pd.DataFrame:
    """All features, one a row, indexed by name.

    Examples
    --------
    >>> table().loc["shape_MeshVolume", ["ibsi_code", "unit"]].tolist()
    ['RNU0', 'mm^3']
    """
    import pandas as pd

    rows = [{**asdict(row), "source": row.source} for row in _features().values()]
    return pd.DataFrame(rows).set_index("name")


def names(family: str, *, every: bool = False) -> tuple[str, ...]:
    """Features of one family, without the family's name, in the order of the columns.

    Parameters
    ----------
    family
        One of `FAMILIES` or `NATIVE`.
    every
        Also those that ``all`` leaves out because they repeat another feature.

    Examples
    --------
    >>> names("ngtdm")
    ('Coarseness', 'Contrast', 'Busyness', 'Complexity', 'Strength')
    """
    rows = (row for row in _features().values() if row.family == family and (every or row.default))
    return tuple(row.name.removeprefix(f"{family}_") for row in rows)


def feature(name: str) -> Feature:
    """The feature of that name, with or without the image in front.

    Raises
    ------
    InputError
        When there is none; the nearest names are given.

    Examples
    --------
    >>> feature("original_glcm_JointEntropy").ibsi_code
    'TU9B'
    """
    found = _features().get(name) or _features().get("_".join(name.split("_")[1:]))
    if found is None:
        near = get_close_matches(name, _features(), n=3)
        raise InputError(
            f"there is no feature {name!r}",
            fix=f"Did you mean {', '.join(near)}?" if near else "See gclnm.vocabulary.table().",
            code="unknown-feature",
        )
    return found


def split(column: str) -> Column:
    """Image type, family and feature of a column name.

    Raises
    ------
    InputError
        When the name does not have three parts or its feature is unknown.

    Examples
    --------
    >>> split("log-sigma-1-0-mm-3D_glcm_JointEntropy")
    Column(image_type='log-sigma-1-0-mm-3D', family='glcm', feature='JointEntropy')
    """
    parts = column.split("_")
    if len(parts) != 3:
        raise InputError(f"{column!r} is not <image>_<family>_<feature>", code="unknown-feature")
    feature("_".join(parts[1:]))
    return Column(*parts)


def bounds(columns: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest possible value of each column, (n,) and (n,); infinite where there is none.

    Examples
    --------
    >>> lower, upper = bounds(["original_glcm_Correlation", "gradient_firstorder_Mean"])
    >>> lower.tolist(), upper.tolist()
    ([-1.0, 0.0], [1.0, inf])
    """
    pairs = [_bounds_of(*column.split("_", 1)) for column in columns]
    array = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return array[:, 0].copy(), array[:, 1].copy()


@cache
def _bounds_of(image_type: str, name: str) -> tuple[float, float]:
    row = feature(name)
    never_negative = row.location and image_type in _NON_NEGATIVE_IMAGES
    return (0.0 if never_negative else row.lower), row.upper


def unit(column: str, quantity: str) -> str:
    """Unit of a column's values on an image whose voxels are in ``quantity``.

    Examples
    --------
    >>> unit("original_firstorder_Variance", "HU"), unit("original_shape_MeshVolume", "HU")
    ('HU^2', 'mm^3')
    """
    image_type, _, _ = split(column)
    intensity = "1" if image_type.startswith("lbp") else quantity
    text = feature(column).unit
    if not text.startswith("I"):
        return text
    return "1" if intensity == "1" and text in ("I", "I^2") else text.replace("I", intensity, 1)
