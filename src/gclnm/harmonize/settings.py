"""Settings of harmonisation: how stored quantities become the ones that features are computed on."""

from __future__ import annotations

from gclnm.harmonize.ct.settings import CtSettings
from gclnm.harmonize.mr.settings import MrSettings
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

    ct: CtSettings = CtSettings()
    """CT: Hounsfield units and iodine maps."""
    pet: PetSettings = PetSettings()
    """PET: the kind of SUV, and how strict headers are read."""
    mr: MrSettings = MrSettings()
    """MR signal: bias correction, normalization."""
