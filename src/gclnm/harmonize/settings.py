"""Settings of harmonisation: how stored quantities become the ones that features are computed on."""

from __future__ import annotations

from gclnm.harmonize.mr.settings import MrSettings
from gclnm.prepare.settings import Settings

__all__ = ["HarmonizeSettings"]


class HarmonizeSettings(Settings):
    """Settings of :func:`gclnm.harmonize.harmonize`, by modality.

    Examples
    --------
    >>> HarmonizeSettings().mr.normalize is None
    True
    """

    mr: MrSettings = MrSettings()
    """MR signal: bias correction, normalization."""
