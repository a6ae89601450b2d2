"""Settings of harmonisation: how stored quantities become the ones that features are computed on."""

from __future__ import annotations

from gclnm.harmonize.pet.settings import PetSettings
from gclnm.prepare.settings import Settings

__all__ = ["HarmonizeSettings"]


class HarmonizeSettings(Settings):
    """Settings of :func:`gclnm.harmonize.harmonize`, by modality.

    Examples
    --------
    >>> HarmonizeSettings().pet.quantity
    'SUVbw'
    """

    pet: PetSettings = PetSettings()
    """PET: the kind of SUV, and how strict headers are read."""
