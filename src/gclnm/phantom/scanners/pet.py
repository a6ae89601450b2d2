"""PET scanners and their protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gclnm.phantom.scanners.equipment import Equipment

__all__ = ["PetScanner"]


@dataclass(frozen=True)
class PetScanner:
    """A whole-body FDG protocol in Bq/mL, decay corrected to the start of the series.

    ``frame_reference`` is what the vendor writes as Frame Reference Time: the start of the frame,
    or the time of its average count rate. ``slope`` says whether each slice has its own scale.
    """

    equipment: Equipment
    matrix: int
    voxel_mm: float
    spacing_mm: float
    slices: int
    bed_s: float
    beds: int
    blur_mm: float
    noise: float
    reconstruction: str
    corrections: tuple[str, ...]
    slope: Literal["slice", "series"]
    frame_reference: Literal["start", "average"]
