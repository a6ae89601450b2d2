"""CT scanners and their protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gclnm.phantom.scanners.equipment import Equipment

__all__ = ["CtScanner"]


@dataclass(frozen=True)
class CtScanner:
    """A CT protocol: matrix, slices, kernel, and the noise and sharpness that come of them.

    ``noise_hu`` is the standard deviation of the noise, ``grain_mm`` its correlation length,
    ``blur_mm`` the standard deviation of the point spread function.
    """

    equipment: Equipment
    matrix: int
    fov_mm: float
    thickness_mm: float
    spacing_mm: float
    slices: int
    kernel: str
    kvp: float
    noise_hu: float
    grain_mm: float
    blur_mm: float
    stored: Literal["signed", "unsigned"]
