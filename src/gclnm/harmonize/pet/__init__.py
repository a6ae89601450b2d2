"""PET: voxel values of every vendor's header to SUV, or a refusal that says what to supply."""

from gclnm.harmonize.pet.body import NORMALIZERS, normalizer
from gclnm.harmonize.pet.convert import SuvFactor, factor, suv
from gclnm.harmonize.pet.dose import HALF_LIVES_S
from gclnm.harmonize.pet.overrides import OVERRIDES, Override
from gclnm.harmonize.pet.settings import PetSettings

__all__ = [
    "HALF_LIVES_S",
    "NORMALIZERS",
    "OVERRIDES",
    "Override",
    "PetSettings",
    "SuvFactor",
    "factor",
    "normalizer",
    "suv",
]
