"""Settings of harmonisation: how stored quantities become the ones that features are computed on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["HarmonizeSettings"]


class HarmonizeSettings(BaseModel):
    """Settings of :func:`gclnm.harmonize.harmonize`; there is nothing to choose yet.

    Examples
    --------
    >>> HarmonizeSettings()
    HarmonizeSettings()
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
