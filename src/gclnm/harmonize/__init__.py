"""Harmonisation: each modality's stored quantity to the one that features are computed on, or a refusal."""

from gclnm.harmonize import ct, spectral
from gclnm.harmonize.dispatch import check_regions, harmonize
from gclnm.harmonize.settings import HarmonizeSettings

__all__ = ["HarmonizeSettings", "check_regions", "ct", "harmonize", "spectral"]
