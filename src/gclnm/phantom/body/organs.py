"""Where the organs are: signed distances of every organ of one body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gclnm.phantom.body.shapes import Points, Tube, ellipsoid, radial_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Build", "Fields"]

Fields = dict[str, "NDArray[np.float32]"]
SPINE_Y_MM = 38.0

COLON = Tube.through(
    [(-105, -22, -60), (-70, -58, -50), (0, -78, -58), (70, -66, -46), (108, -12, -40)],
    [19, 18, 16, 17, 19],
    8,
)
PANCREAS = Tube.through([(-30, -6, -34), (0, -16, -18), (38, 6, -4), (80, 34, 12)], [13, 9, 9, 8], 6)
PORTAL = Tube.through([(2, -4, -40), (-12, -2, -12), (-38, -8, 14)], [7, 7, 6], 4)
# Duodenum and loops of jejunum, which fill the lower slices.
BOWEL = (
    Tube.through([(-46, -34, -26), (-54, -8, -44), (-50, 4, -74)], [11, 12, 12], 5),
    Tube.through(
        [(28, -8, -58), (52, -30, -64), (84, -14, -58), (86, 14, -66), (58, 8, -78)], [12, 13, 12, 13, 12], 8
    ),
    Tube.through([(-24, -38, -78), (2, -24, -66), (24, -44, -72), (52, -50, -78)], [12, 11, 13, 12], 6),
)


@dataclass(frozen=True)
class Build:
    """Size and shape of one body.

    Parameters
    ----------
    half_x_mm, half_y_mm
        Half width and half depth of the trunk.
    fat_mm, wall_mm
        Thickness of subcutaneous fat and of the muscles of the abdominal wall.
    stomach
        Axis and radius of the stomach, from fundus to pylorus.
    stomach_wall_mm
        Thickness of its wall.
    fluid_level_mm
        Above this y (to the front) the stomach holds gas.
    scale
        Size of the organs relative to the average.
    """

    half_x_mm: float
    half_y_mm: float
    fat_mm: float
    wall_mm: float
    stomach: Tube
    stomach_wall_mm: float
    fluid_level_mm: float
    scale: float

    def fields(self, p: Points) -> Fields:
        """Signed distances (depths for the layers of the trunk) that tissues are made of."""
        s = self.scale
        depth = radial_depth(p, self.half_x_mm, self.half_y_mm, 2.35)
        # More fat at the flanks than at the linea alba.
        fat = self.fat_mm * (0.75 + 0.5 * np.minimum(np.abs(p.x) / self.half_x_mm, 1))
        inside = depth - fat - self.wall_mm
        # The costophrenic recess: lung between chest wall and diaphragm, in the upper slices.
        recess = np.maximum((p.z - 14) * 0.28 + 0.16 * p.y - 4, 0)
        below = inside - recess
        stomach = self.stomach.distance(p)
        omentum = ellipsoid(p, (12 * s, -28, 8), (30 * s, 30, 42), 35)
        right_lobe = ellipsoid(p, (-78 * s, -4, 22), (86 * s, 92, 88), 8)
        left_lobe = ellipsoid(p, (2, -62 * s, 42), (72 * s, 36, 44), -8)
        hilum = ellipsoid(p, (-22, 22, -22), (52, 40, 44))
        liver = np.minimum(right_lobe, left_lobe)
        for keep_out in (omentum, hilum, stomach - 3):
            liver = np.maximum(liver, -keep_out)
        liver = np.maximum(liver, 2 - below)
        colon = COLON.distance(p) + 1.5 * np.sin(p.x * 0.28)
        colon = np.maximum(np.maximum(colon, 4 - inside), 5 - stomach)
        return {
            "depth": depth,
            "fat": fat.astype(np.float32),
            "inside": inside.astype(np.float32),
            "stomach": stomach,
            "recess": recess.astype(np.float32),
            "liver": liver.astype(np.float32),
            "colon": colon.astype(np.float32),
            "bowel": np.maximum(
                np.min([loop.distance(p) for loop in BOWEL], axis=0),
                np.maximum(5 - inside, np.maximum(6 - stomach, 2 - colon)),
            ),
            "pancreas": np.maximum(PANCREAS.distance(p), 4 - stomach),
            "spleen": np.maximum(
                np.maximum(
                    ellipsoid(p, (106 * s, 38, 30), (34, 56, 56), -25),
                    -ellipsoid(p, (64 * s, 10, 28), (42, 60, 70), -25),
                ),
                np.maximum(3 - below, 4 - stomach),
            ),
            "gallbladder": ellipsoid(p, (-52, -46, -32), (13, 20, 22), 25),
            "aorta": ellipsoid(p, (13, 14, 0), (11, 11, 4000)),
            "cava": ellipsoid(p, (-24, 16, 0), (13, 10, 4000)),
            "portal": PORTAL.distance(p),
            "spine": ellipsoid(p, (0, SPINE_Y_MM, 0), (23, 17, 4000)),
        }
