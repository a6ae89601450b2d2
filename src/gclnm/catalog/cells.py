"""What cells of tables hold: text, several numbers in one text, a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gclnm.errors import GeometryError
from gclnm.images.geometry import Geometry

__all__ = ["geometry_of", "numbers_text", "text"]


def text(value: Any) -> str:
    """A cell as text: blanks off, missing as empty, ``12.0`` as ``12``.

    Examples
    --------
    >>> text(" a "), text(12.0), text(float("nan")), text(None)
    ('a', '12', '', '')
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else str(int(value)) if float(value).is_integer() else str(value)
    return str(value).strip()


def numbers_text(values: Iterable[float]) -> str:
    """Numbers as one text, exact, separated by blanks.

    Examples
    --------
    >>> numbers_text((1.0, 0.5, -3.27))
    '1.0 0.5 -3.27'
    """
    return " ".join(repr(value) for value in values)


_COLUMNS = {
    "size": ("columns", "rows", "n_slices"),
    "spacing": ("spacing_x_mm", "spacing_y_mm", "spacing_z_mm"),
    "origin": ("origin_x_mm", "origin_y_mm", "origin_z_mm"),
}


def geometry_of(row: Mapping[str, Any]) -> Geometry | None:
    """The grid in a row of the volumes or segmentations table; None where there is none."""
    try:
        return Geometry.of(
            size=[int(n) for n in _numbers(row, "size")],
            spacing_mm=_numbers(row, "spacing"),
            origin_mm=_numbers(row, "origin"),
            direction=_numbers(row, "direction"),
        )
    except (ValueError, GeometryError):
        return None


def _numbers(row: Mapping[str, Any], name: str) -> list[float]:
    """Numbers of one property: in columns of their own (volumes) or in one text (segmentations)."""
    columns = _COLUMNS.get(name, ())
    if columns and columns[0] in row:
        values: list[Any] = [row[column] for column in columns]
    else:
        values = text(row.get(name)).replace("\\", " ").replace(",", " ").replace(";", " ").split()
    numbers = [float(value) for value in values]
    if not all(math.isfinite(n) for n in numbers):
        raise ValueError(name)
    return numbers
