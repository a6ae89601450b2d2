"""Harmonisation: each modality's stored quantity to the one that features are computed on, or a refusal."""

from gclnm.harmonize import ct, mr, pet, spectral
from gclnm.harmonize.derive import derive
from gclnm.harmonize.dispatch import check_regions, harmonize
from gclnm.harmonize.overrides import OVERRIDES
from gclnm.harmonize.settings import HarmonizeSettings

__all__ = [
    "OVERRIDES",
    "HarmonizeSettings",
    "check_regions",
    "ct",
    "derive",
    "harmonize",
    "mr",
    "pet",
    "spectral",
]
