"""How much one file may ask for: what is beyond is refused with a name, before memory is taken.

A few bytes can stand for very many: compressed zeros, sizes that a header invents, planes a kilometre apart.
The limits lie well above what scanners make.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from gclnm.errors import ReadError

__all__ = [
    "MOST_FRAMES",
    "MOST_INFLATED",
    "MOST_PIXELS",
    "MOST_POINTS",
    "MOST_RATIO",
    "MOST_VOXELS",
    "check_voxels",
    "too_large",
]

MOST_VOXELS = 1 << 30
"""Voxels of one volume or mask: 1024 slices of 1024 x 1024."""
MOST_PIXELS = 1 << 26
"""Pixels of one frame: 8192 x 8192."""
MOST_FRAMES = 1 << 18
"""Frames of one object: 256 segments on 1024 slices."""
MOST_INFLATED = 1 << 30
"""Bytes of a deflated DICOM object once it is inflated."""
MOST_POINTS = 4_000_000
"""Points of one ROI: 800 slices of 5000."""
MOST_RATIO = 1100
"""Bytes that one byte of deflate or gzip can stand for, at the very most."""


def too_large(what: str, where: str = "") -> ReadError:
    """The error for what goes beyond a limit."""
    return ReadError(what, where=where, fix="Export it again, or leave it out.", code="too-large")


def check_voxels(size: Iterable[int], where: str = "") -> None:
    """Refuse a grid of more than 2^30 voxels.

    Raises
    ------
    ReadError
        Code ``too-large``.

    Examples
    --------
    >>> check_voxels((512, 512, 2000))
    """
    if prod(int(n) for n in size) > MOST_VOXELS:
        raise too_large(f"the header asks for more than {MOST_VOXELS} voxels", where)
