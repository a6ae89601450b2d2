"""MR scanners and their protocols."""

from __future__ import annotations

from dataclasses import dataclass, field

from gclnm.phantom.scanners.equipment import Equipment

__all__ = ["MrScanner"]


@dataclass(frozen=True)
class MrScanner:
    """A T2-weighted 2-D turbo spin echo protocol with thick slices.

    ``scale`` is the arbitrary factor of the receiver chain, ``noise`` the standard deviation of each
    Gaussian channel in units of the brightest tissue, ``tilt_deg`` the slices' tilt about x.
    """

    equipment: Equipment
    matrix: int
    fov_mm: float
    thickness_mm: float
    spacing_mm: float
    slices: int
    te_ms: float
    tr_ms: float
    flip_deg: float
    echo_train: int
    field_t: float
    scale: float
    noise: float
    blur_mm: float
    tilt_deg: float
    sequence_name: str
    variant: tuple[str, ...] = ("SK",)
    options: tuple[str, ...] = field(default=())
