"""What a row was computed from, as digests: of the whole, and of each part, so that a change can be named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gclnm.images.volume import Mask, Volume

__all__ = ["Inputs", "mask_parts", "override_parts", "volume_parts"]

# Parts of the picture itself, without what a header says about patient and scanner.
CONTENT = ("voxels", "grid", "mask")
SHORT = 16


@dataclass(frozen=True)
class Inputs:
    """Digests of the parts of one sample's inputs.

    Parameters
    ----------
    parts
        By name, ``"<part>:<role>"``: ``voxels``, ``grid``, ``facts`` of each volume, ``mask`` of each
        ROI, ``overrides`` where the user supplied facts. Empty: nothing could be read.

    Examples
    --------
    >>> Inputs({}).sha256, len(Inputs({"voxels:image": "ab"}).sha256)
    ('', 64)
    """

    parts: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """Digest of everything."""
        return _digest(dict(self.parts)) if self.parts else ""

    @property
    def content_sha256(self) -> str:
        """Digest of voxels, grids and masks: equal for the same picture under other identifiers."""
        kept = {name: part for name, part in self.parts.items() if name.split(":")[0] in CONTENT}
        return _digest(kept) if kept else ""

    def short(self) -> dict[str, str]:
        """The parts, cut to a length that tells two revisions of a row apart."""
        return {name: part[:SHORT] for name, part in sorted(self.parts.items())}


def volume_parts(volumes: Mapping[str, Volume]) -> dict[str, str]:
    """Digests of volumes by role, as they were read."""
    parts = {}
    for role, volume in volumes.items():
        parts[f"voxels:{role}"] = hashlib.sha256(volume.array.data).hexdigest()
        parts[f"grid:{role}"] = _digest(_grid(volume))
        parts[f"facts:{role}"] = _digest([volume.quantity, dict(volume.facts)])
    return parts


def mask_parts(masks: Mapping[str, Mask]) -> dict[str, str]:
    """Digests of masks by role, on the grids they were read on."""
    parts = {}
    for role, mask in masks.items():
        digest = hashlib.sha256(_digest(_grid(mask)).encode())
        digest.update(np.packbits(mask.array).data)
        parts[f"mask:{role}"] = digest.hexdigest()
    return parts


def override_parts(overrides: Mapping[str, float | str]) -> dict[str, str]:
    """Digest of the facts that a user supplied; none where there are none."""
    return {"overrides:image": _digest(dict(overrides))} if overrides else {}


def _grid(item: Volume | Mask) -> list[object]:
    grid = item.geometry
    return [grid.size, grid.spacing_mm, grid.origin_mm, grid.direction]


def _digest(about: object) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()
