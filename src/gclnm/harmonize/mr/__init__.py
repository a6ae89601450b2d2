"""MR: bias correction and normalization of signal."""

from gclnm.harmonize.mr.bias import n4
from gclnm.harmonize.mr.body import body_mask
from gclnm.harmonize.mr.normalize import normalize
from gclnm.harmonize.mr.settings import (
    N4,
    MrSettings,
    Nyul,
    Percentile,
    ReferenceTissue,
    StandardScale,
    WhiteStripe,
    ZScore,
)

__all__ = [
    "N4",
    "MrSettings",
    "Nyul",
    "Percentile",
    "ReferenceTissue",
    "StandardScale",
    "WhiteStripe",
    "ZScore",
    "body_mask",
    "n4",
    "normalize",
]
