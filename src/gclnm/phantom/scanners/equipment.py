"""Who made a machine, and which one it is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Equipment"]


@dataclass(frozen=True)
class Equipment:
    """Who made the scanner, and which one it is."""

    manufacturer: str
    model: str
    station: str
    software: str
    serial: str
