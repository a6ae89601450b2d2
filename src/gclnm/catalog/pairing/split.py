"""How many connected parts an ROI has: nodes that share one label."""

from __future__ import annotations

from functools import lru_cache

from gclnm.catalog.pairing.link import Refusal
from gclnm.errors import GclnmError
from gclnm.images.components import component_sizes
from gclnm.images.load import load_mask, load_own_grid, load_volume
from gclnm.images.sample import MaskRef, VolumeRef
from gclnm.images.volume import Mask, Volume

__all__ = ["component_count"]


def component_count(mask: MaskRef, image: VolumeRef) -> int | Refusal:
    """Number of connected parts of an ROI; reads its voxels (for contours, its image too).

    Voxels that share a face, an edge or a corner are connected. Part 1 is the largest.
    """
    try:
        return len(component_sizes(_read(mask, image)))
    except GclnmError as error:
        return Refusal(error.code, error.what, error.fix)


def _read(mask: MaskRef, image: VolumeRef) -> Mask:
    return load_mask(mask, _image(image)) if mask.kind == "rtstruct" else load_own_grid(mask)


@lru_cache(maxsize=1)
def _image(ref: VolumeRef) -> Volume:
    # ROIs of one image follow each other: one volume in memory is enough.
    return load_volume(ref)
