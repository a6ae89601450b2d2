"""Images, masks and their geometry: reading them, and the small descriptions that stand for them."""

from gclnm.images.geometry import Geometry
from gclnm.images.sample import Case, MaskRef, Sample, VolumeRef
from gclnm.images.volume import Mask, Step, Volume

__all__ = ["Case", "Geometry", "Mask", "MaskRef", "Sample", "Step", "Volume", "VolumeRef"]
