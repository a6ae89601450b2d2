"""Which tissue each point of a body is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.phantom.body.organs import SPINE_Y_MM, Build, Fields
from gclnm.phantom.body.shapes import Points, Tube, ellipsoid
from gclnm.phantom.body.tissues import Tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["paint"]

VERTEBRA_MM = 33.0
HEPATIC_VESSELS = (
    Tube.through([(-38, -8, 14), (-66, -14, 20), (-104, 6, 14)], [5.5, 4.5, 2], 5),
    Tube.through([(-66, -14, 20), (-82, -44, 26), (-96, -66, 22)], [4, 3, 1.6], 4),
    Tube.through([(-24, 16, 66), (-62, 14, 56), (-112, 34, 36)], [6, 4, 2], 5),
    Tube.through([(-24, 10, 66), (-50, -32, 52), (-70, -70, 40)], [5.5, 3.6, 1.8], 5),
    Tube.through([(-38, -8, 14), (-20, -48, 30), (24, -66, 40)], [4.5, 3, 1.6], 5),
)


def paint(build: Build, p: Points, fields: Fields) -> NDArray[np.uint8]:
    """Tissue of every point of a body without lesions."""
    out = np.zeros(p.x.shape, dtype=np.uint8)
    _trunk(out, build, p, fields)
    _spine(out, p, fields)
    _organs_of_the_back(out, p, fields)
    _liver(out, p, fields)
    _gut(out, build, p, fields)
    return out


def _trunk(out: NDArray[np.uint8], build: Build, p: Points, fields: Fields) -> None:
    depth, fat, inside = fields["depth"], fields["fat"], fields["inside"]
    out[depth > 0] = Tissue.SKIN
    out[depth > 2] = Tissue.FAT
    out[depth > fat] = Tissue.MUSCLE
    # A thin sheet of fat between the layers of the wall, and the peritoneal fat inside.
    out[(np.abs(inside + 0.45 * build.wall_mm) < 0.8) & (np.abs(p.x) > 45)] = Tissue.FAT
    out[inside > 0] = Tissue.FAT
    for side in (-1, 1):
        back = ellipsoid(p, (side * 36, SPINE_Y_MM + 41, 0), (33, 22, 4000), side * 12)
        out[(back < 0) & (depth > fat)] = Tissue.MUSCLE
        out[ellipsoid(p, (side * 37, SPINE_Y_MM + 4, -60), (15, 17, 62)) < 0] = Tissue.MUSCLE
    _ribs(out, p, inside)
    out[(inside > 0) & (inside < fields["recess"] - 1.5)] = Tissue.LUNG


def _ribs(out: NDArray[np.uint8], p: Points, inside: NDArray[np.float32]) -> None:
    # Angle from the front: ribs run downwards from the spine to the front.
    angle = np.abs(np.arctan2(p.x, -p.y))
    phase = (p.z - 46 * angle) / 29 % 1
    across = np.abs(phase - 0.5) * 29 / 5.5
    through = np.abs(inside + 5) / 4.2
    level = np.hypot(across, through)
    beside = (angle > 0.85) & (angle < 2.75) & (p.z > -75 + 40 * (2.2 - angle))
    out[beside & (level < 1)] = Tissue.CORTICAL_BONE
    out[beside & (level < 0.62)] = Tissue.MARROW


def _spine(out: NDArray[np.uint8], p: Points, fields: Fields) -> None:
    between = np.abs((p.z / VERTEBRA_MM) % 1 - 0.5) * VERTEBRA_MM
    disc = between < 4
    arch = ellipsoid(p, (0, SPINE_Y_MM + 27, 0), (15, 13, 4000))
    process = ellipsoid(p, (0, SPINE_Y_MM + 48, 0), (4.5, 18, 4000))
    wings = np.minimum(
        ellipsoid(p, (28, SPINE_Y_MM + 23, 0), (22, 5, 4000), 10),
        ellipsoid(p, (-28, SPINE_Y_MM + 23, 0), (22, 5, 4000), -10),
    )
    bone = np.minimum(arch, process)
    bone = np.where(between > 9, np.minimum(bone, wings), bone)
    out[bone < 0] = Tissue.CORTICAL_BONE
    out[bone < -2.2] = Tissue.MARROW
    body = fields["spine"]
    out[body < 0] = np.where(disc, Tissue.DISC, Tissue.CORTICAL_BONE)[body < 0]
    out[(body < -1.6) & ~disc & (between > 5.2)] = Tissue.MARROW
    out[ellipsoid(p, (0, SPINE_Y_MM + 26, 0), (9, 8, 4000)) < 0] = Tissue.CSF


def _organs_of_the_back(out: NDArray[np.uint8], p: Points, fields: Fields) -> None:
    for side, low in ((-1, -62), (1, -48)):
        kidney = ellipsoid(p, (side * 66, SPINE_Y_MM + 8, low), (27, 24, 55), side * 25)
        sinus = ellipsoid(p, (side * 54, SPINE_Y_MM + 4, low), (14, 9, 28), side * 25)
        out[kidney < 0] = Tissue.KIDNEY
        out[(sinus < 0) & (kidney < 1)] = Tissue.FAT
    for side in (-1, 1):
        crus = ellipsoid(p, (side * 17, 22, 40), (5, 16, 70), side * 20)
        out[crus < 0] = Tissue.MUSCLE
    out[fields["aorta"] < 0] = Tissue.AORTA
    out[fields["cava"] < 0] = Tissue.VEIN
    out[fields["spleen"] < 0] = Tissue.SPLEEN
    out[fields["pancreas"] < 0] = Tissue.PANCREAS
    out[fields["portal"] < 0] = Tissue.VEIN


def _liver(out: NDArray[np.uint8], p: Points, fields: Fields) -> None:
    liver = fields["liver"] < 0
    out[liver] = Tissue.LIVER
    ligament = ellipsoid(p, (-24, -78, 20), (3.5, 22, 60), 12)
    out[liver & (ligament < 0)] = Tissue.FAT
    for vein in HEPATIC_VESSELS:
        out[liver & (vein.distance(p) < 0)] = Tissue.VEIN
    out[fields["gallbladder"] < 0] = Tissue.BILE


def _gut(out: NDArray[np.uint8], build: Build, p: Points, fields: Fields) -> None:
    bowel, colon = fields["bowel"], fields["colon"]
    out[bowel < 0] = Tissue.STOMACH_WALL
    out[bowel < -3 - 1.2 * np.sin(p.x * 0.9 + p.y * 0.7)] = Tissue.BOWEL
    out[colon < 0] = Tissue.BOWEL
    out[(colon < -2.5) & (p.y + 6 * np.sin(p.x * 0.05) < -60)] = Tissue.GAS
    stomach = fields["stomach"]
    folds = 1.6 * np.sin(p.x * 0.42 + p.z * 0.16) * np.sin(p.y * 0.31 - p.z * 0.24)
    lumen = stomach + build.stomach_wall_mm + folds
    out[stomach < 0] = Tissue.STOMACH_WALL
    out[lumen < 0] = Tissue.STOMACH_FLUID
    out[(lumen < 0) & (p.y < build.fluid_level_mm)] = Tissue.GAS
