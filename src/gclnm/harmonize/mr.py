"""MR: signal is kept as stored."""

from __future__ import annotations

from gclnm.images.volume import Volume

__all__ = ["as_stored"]


def as_stored(volume: Volume) -> Volume:
    """MR signal in the scanner's arbitrary units, or a map in its own unit, unchanged."""
    return volume
