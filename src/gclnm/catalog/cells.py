"""What cells of tables hold: text, several numbers in one text, a grid."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gclnm.errors import GeometryError
from gclnm.images.geometry import Geometry

__all__ = ["MOST_CHARACTERS", "geometry_of", "numbers_text", "safe", "safe_name", "text", "visible"]

MOST_CHARACTERS = 128
# Control and format characters (escape codes, marks that turn the direction of writing), halves of
# surrogate pairs, separators of lines and paragraphs.
UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# A sign before a number is none.
FORMULA = re.compile(r"[=@]|[-+][^\d.]")
NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"


def safe(words: str) -> str:
    """Text of a file as a table, a terminal and a store may hold it: printable, and not too long.

    What cannot be shown becomes the replacement character, and so does a beginning that a spreadsheet
    would take for a formula (``=cmd``); text of more than 128 characters is cut. Changed text ends in
    a digest of the whole, so that what differed still differs.

    Examples
    --------
    >>> safe("GE MEDICAL"), ascii(safe("P1" + chr(27) + "[2J")), len(safe("x" * 10_000))
    ('GE MEDICAL', "'P1\\\\ufffd[2J~e26999bd'", 128)
    """
    formula = FORMULA.match(words) is not None
    plain = (words.isascii() and words.isprintable()) or not any(map(_is_unsafe, words))
    if plain and not formula and len(words) <= MOST_CHARACTERS:
        return words
    shown = "".join(NO_CHARACTER if _is_unsafe(c) else c for c in words[:MOST_CHARACTERS])
    return _marked(NO_CHARACTER + shown[1:] if formula else shown, words)


def safe_name(name: str) -> str:
    """A name that is compared, not an identifier: blanks for what cannot be shown, cut if long.

    Examples
    --------
    >>> safe_name("GTV" + chr(0x200F) + chr(10) + "1"), len(safe_name("x" * 10_000))
    ('GTV 1', 128)
    """
    shown = visible(name)
    shown = shown if shown == name else " ".join(shown.split())
    return shown if len(shown) <= MOST_CHARACTERS else _marked(shown, name)


def visible(words: str) -> str:
    """Words with blanks for what cannot be shown."""
    return "".join(" " if _is_unsafe(c) else c for c in words)


def _marked(shown: str, whole: str) -> str:
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{shown[: MOST_CHARACTERS - len(digest) - 1]}~{digest}"


def _is_unsafe(character: str) -> bool:
    # The last two places of every plane and 32 more are reserved for ever: no character is there.
    place = ord(character)
    nowhere = place & 0xFFFE == 0xFFFE or 0xFDD0 <= place <= 0xFDEF
    return nowhere or unicodedata.category(character) in UNSAFE


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
