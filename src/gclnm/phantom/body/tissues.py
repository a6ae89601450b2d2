"""The tissues of the phantom and what each modality measures in them."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["TISSUE_VALUES", "Tissue"]


class Tissue(IntEnum):
    """What a point is made of."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    CORTICAL_BONE = 4
    MARROW = 5
    DISC = 6
    CSF = 7
    LUNG = 8
    LIVER = 9
    SPLEEN = 10
    KIDNEY = 11
    PANCREAS = 12
    BILE = 13
    AORTA = 14
    VEIN = 15
    STOMACH_WALL = 16
    STOMACH_FLUID = 17
    GAS = 18
    BOWEL = 19
    TUMOUR = 20
    NODE = 21


# HU in the portal venous phase at 120 kVp; T2-weighted signal without fat suppression relative to
# cerebrospinal fluid; FDG uptake as SUVbw one hour after injection.
TISSUE_VALUES: dict[Tissue, tuple[float, float, float]] = {
    Tissue.AIR: (-1000, 0.0, 0.0),
    Tissue.SKIN: (10, 0.25, 0.5),
    Tissue.FAT: (-102, 0.72, 0.3),
    Tissue.MUSCLE: (60, 0.17, 0.7),
    Tissue.CORTICAL_BONE: (520, 0.05, 0.5),
    Tissue.MARROW: (210, 0.45, 1.3),
    Tissue.DISC: (85, 0.35, 0.6),
    Tissue.CSF: (18, 1.0, 0.3),
    Tissue.LUNG: (-830, 0.03, 0.5),
    Tissue.LIVER: (106, 0.28, 2.3),
    Tissue.SPLEEN: (118, 0.52, 1.9),
    Tissue.KIDNEY: (178, 0.60, 4.2),
    Tissue.PANCREAS: (92, 0.33, 1.7),
    Tissue.BILE: (8, 0.97, 0.8),
    Tissue.AORTA: (155, 0.06, 1.8),
    Tissue.VEIN: (166, 0.09, 1.7),
    Tissue.STOMACH_WALL: (80, 0.38, 2.2),
    Tissue.STOMACH_FLUID: (8, 0.95, 0.6),
    Tissue.GAS: (-960, 0.01, 0.2),
    Tissue.BOWEL: (42, 0.55, 1.2),
    Tissue.TUMOUR: (90, 0.50, 8.0),
    Tissue.NODE: (82, 0.48, 4.5),
}
