"""What voxel values may be, by the names that recipes know."""

from __future__ import annotations

from typing import Literal, get_args

from gclnm.harmonize.mr.signal import NORMALIZED, SIGNAL
from gclnm.images.volume import UNKNOWN

__all__ = ["OWN_SCALE", "Quantity"]

# What images.values and harmonisation call voxel values; more join when their harmonisers do.
Quantity = Literal[
    "HU",
    "HU/keV",
    "modified HU",
    "SUVbw",
    "SUVlbm",
    "SUVbsa",
    "SUVibw",
    "Bq/mL",
    "g/mL",
    "counts",
    "mg/mL",
    "mg/mL of water",
    "effective Z",
    "1e23 electrons/mL",
    "electron density relative to water",
    "1e-6 mm2/s",
    "1e-3 mm2/s",
    "ms",
    "%",
    "arbitrary",
    "normalized",
    "unspecified",
]


# Maps and SUV mean the same on every scanner; HU may be normalized, as pyradiomics' users do.
OWN_SCALE = frozenset(get_args(Quantity)) - {"HU", "counts", SIGNAL, NORMALIZED, UNKNOWN}
