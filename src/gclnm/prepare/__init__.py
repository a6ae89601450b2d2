"""From a harmonised volume and a mask on its own grid to what features are computed on."""

from gclnm.prepare.crop import crop
from gclnm.prepare.discretise import discretise
from gclnm.prepare.grid import onto
from gclnm.prepare.normalize import normalize
from gclnm.prepare.resample import resample
from gclnm.prepare.resegment import resegment
from gclnm.prepare.settings import Discretise, Normalize, Prepare, Resample, Resegment

__all__ = [
    "Discretise",
    "Normalize",
    "Prepare",
    "Resample",
    "Resegment",
    "crop",
    "discretise",
    "normalize",
    "onto",
    "resample",
    "resegment",
]
