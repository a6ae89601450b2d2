"""Settings of harmonisation: how stored quantities become the ones that features are computed on."""

from __future__ import annotations

from gclnm.harmonize.ct.settings import CtSettings
from gclnm.prepare.settings import Settings

__all__ = ["HarmonizeSettings"]


class HarmonizeSettings(Settings):
    """Settings of :func:`gclnm.harmonize.harmonize`, by modality.

    Examples
    --------
    >>> HarmonizeSettings().ct.clamp_hu is None
    True
    """

    ct: CtSettings = CtSettings()
    """CT: Hounsfield units and iodine maps."""
