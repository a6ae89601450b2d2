"""One upper abdomen, drawn from a seed: which tissue is where, and where tumour and nodes are.

The anatomy is a function of points in millimetres, not an array, so that every scanner of the
cohort sees the same body on its own grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import GeometryError
from gclnm.phantom.shapes import Points, Tube, Warp, ellipsoid, points_of_slice, radial_depth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from gclnm.images import Geometry

__all__ = ["Anatomy", "Lesion", "Tissue", "draw_anatomy"]

Fields = dict[str, "NDArray[np.float32]"]
SPINE_Y_MM = 38.0
VERTEBRA_MM = 33.0


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


@dataclass(frozen=True)
class Lesion:
    """A tumour or a node: name of its ROI, centre and radii in millimetres, and its surface.

    ``bumps`` (n, 4) are waves over the surface: a direction times wave number, and a phase.
    """

    name: str
    tissue: Tissue
    centre_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    turn_deg: float
    bumps: NDArray[np.float64]
    bump_size: float

    def distance(self, points: Points) -> NDArray[np.float32]:
        """Distance to the bumpy surface."""
        shape = ellipsoid(points, self.centre_mm, self.radii_mm, self.turn_deg)
        waves = np.zeros_like(shape)
        for kx, ky, kz, phase in self.bumps:
            along = (points.x - np.float32(self.centre_mm[0])) * np.float32(kx)
            along += (points.y - np.float32(self.centre_mm[1])) * np.float32(ky)
            along += (points.z - np.float32(self.centre_mm[2])) * np.float32(kz)
            waves += np.sin(along + np.float32(phase))
        swell = np.float32(self.bump_size * min(self.radii_mm) / max(len(self.bumps), 1))
        return (shape + swell * waves).astype(np.float32)


@dataclass(frozen=True)
class Anatomy:
    """The body of one patient.

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
    warp
        The bend that makes this body differ from another.
    scale
        Size of the organs relative to the average.
    lesions
        Tumour first, then nodes.
    """

    half_x_mm: float
    half_y_mm: float
    fat_mm: float
    wall_mm: float
    stomach: Tube
    stomach_wall_mm: float
    fluid_level_mm: float
    warp: Warp
    scale: float
    lesions: tuple[Lesion, ...] = ()

    def paint(self, geometry: Geometry, shift_mm: tuple[float, float, float] = (0, 0, 0)) -> NDArray[np.uint8]:
        """Tissue of every voxel centre of a grid, (z, y, x).

        ``shift_mm`` is where the body's origin lies in the scanner's frame of reference.
        """
        labels = np.empty(geometry.shape, dtype=np.uint8)
        for index, points in self._slices(geometry, shift_mm):
            labels[index] = self._tissue(points)
        return labels

    def lesion_field(
        self, name: str, geometry: Geometry, shift_mm: tuple[float, float, float] = (0, 0, 0)
    ) -> NDArray[np.float32]:
        """Signed distance (z, y, x) to a lesion, negative inside: its contour is the zero line."""
        lesion = next((one for one in self.lesions if one.name == name), None)
        if lesion is None:
            raise GeometryError("the body has no such lesion", where=name)
        field = np.empty(geometry.shape, dtype=np.float32)
        for index, points in self._slices(geometry, shift_mm):
            field[index] = self._lesion(lesion, points, self._organs(points))
        return field

    def clearance(self, points: Points) -> NDArray[np.float32]:
        """How far points are from the nearest organ, in the fat of the abdomen; negative elsewhere."""
        fields = self._organs(points)
        near = [fields[name] for name in ("stomach", "liver", "pancreas", "spleen", "colon", "bowel")]
        near += [fields["gallbladder"], fields["aorta"], fields["portal"], fields["spine"], fields["inside"]]
        near += [self._lesion(lesion, points, fields) for lesion in self.lesions]
        return np.min(near, axis=0).astype(np.float32)

    def _slices(
        self, geometry: Geometry, shift_mm: tuple[float, float, float]
    ) -> Iterator[tuple[int, Points]]:
        affine = geometry.affine.copy()
        affine[:3, 3] -= shift_mm
        for index in range(geometry.shape[0]):
            yield index, self.warp(points_of_slice(affine, geometry.shape[1:], index))

    def _organs(self, p: Points) -> Fields:
        """Distances that more than one tissue needs."""
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
        colon = Tube.through(
            [(-105, -22, -60), (-70, -58, -50), (0, -78, -58), (70, -66, -46), (108, -12, -40)],
            [19, 18, 16, 17, 19],
            8,
        ).distance(p) + 1.5 * np.sin(p.x * 0.28)
        colon = np.maximum(np.maximum(colon, 4 - inside), 5 - stomach)
        return {
            "depth": depth,
            "fat": fat.astype(np.float32),
            "inside": inside.astype(np.float32),
            "stomach": stomach,
            "recess": recess.astype(np.float32),
            "liver": liver.astype(np.float32),
            "colon": colon.astype(np.float32),
            "bowel": _bowel(p, inside, stomach, colon),
            "pancreas": np.maximum(
                Tube.through(
                    [(-30, -6, -34), (0, -16, -18), (38, 6, -4), (80, 34, 12)], [13, 9, 9, 8], 6
                ).distance(p),
                4 - stomach,
            ),
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
            "portal": Tube.through([(2, -4, -40), (-12, -2, -12), (-38, -8, 14)], [7, 7, 6], 4).distance(p),
            "spine": ellipsoid(p, (0, SPINE_Y_MM, 0), (23, 17, 4000)),
        }

    def _tissue(self, p: Points) -> NDArray[np.uint8]:
        fields = self._organs(p)
        out = np.zeros(p.x.shape, dtype=np.uint8)
        self._trunk(out, p, fields)
        self._spine(out, p, fields)
        self._organs_of_the_back(out, p, fields)
        self._liver(out, p, fields)
        self._gut(out, p, fields)
        for lesion in self.lesions:
            out[self._lesion(lesion, p, fields) < 0] = lesion.tissue
        return out

    def _trunk(self, out: NDArray[np.uint8], p: Points, fields: Fields) -> None:
        depth, fat, inside = fields["depth"], fields["fat"], fields["inside"]
        out[depth > 0] = Tissue.SKIN
        out[depth > 2] = Tissue.FAT
        out[depth > fat] = Tissue.MUSCLE
        # A thin sheet of fat between the layers of the wall, and the peritoneal fat inside.
        out[(np.abs(inside + 0.45 * self.wall_mm) < 0.8) & (np.abs(p.x) > 45)] = Tissue.FAT
        out[inside > 0] = Tissue.FAT
        for side in (-1, 1):
            back = ellipsoid(p, (side * 36, SPINE_Y_MM + 41, 0), (33, 22, 4000), side * 12)
            out[(back < 0) & (depth > fat)] = Tissue.MUSCLE
            out[ellipsoid(p, (side * 37, SPINE_Y_MM + 4, -60), (15, 17, 62)) < 0] = Tissue.MUSCLE
        self._ribs(out, p, inside)
        out[(inside > 0) & (inside < fields["recess"] - 1.5)] = Tissue.LUNG

    def _ribs(self, out: NDArray[np.uint8], p: Points, inside: NDArray[np.float32]) -> None:
        # Angle from the front: ribs run downwards from the spine to the front.
        angle = np.abs(np.arctan2(p.x, -p.y))
        phase = (p.z - 46 * angle) / 29 % 1
        across = np.abs(phase - 0.5) * 29 / 5.5
        through = np.abs(inside + 5) / 4.2
        level = np.hypot(across, through)
        beside = (angle > 0.85) & (angle < 2.75) & (p.z > -75 + 40 * (2.2 - angle))
        out[beside & (level < 1)] = Tissue.CORTICAL_BONE
        out[beside & (level < 0.62)] = Tissue.MARROW

    def _spine(self, out: NDArray[np.uint8], p: Points, fields: Fields) -> None:
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

    def _organs_of_the_back(self, out: NDArray[np.uint8], p: Points, fields: Fields) -> None:
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

    def _liver(self, out: NDArray[np.uint8], p: Points, fields: Fields) -> None:
        liver = fields["liver"] < 0
        out[liver] = Tissue.LIVER
        ligament = ellipsoid(p, (-24, -78, 20), (3.5, 22, 60), 12)
        out[liver & (ligament < 0)] = Tissue.FAT
        veins = [
            Tube.through([(-38, -8, 14), (-66, -14, 20), (-104, 6, 14)], [5.5, 4.5, 2], 5),
            Tube.through([(-66, -14, 20), (-82, -44, 26), (-96, -66, 22)], [4, 3, 1.6], 4),
            Tube.through([(-24, 16, 66), (-62, 14, 56), (-112, 34, 36)], [6, 4, 2], 5),
            Tube.through([(-24, 10, 66), (-50, -32, 52), (-70, -70, 40)], [5.5, 3.6, 1.8], 5),
            Tube.through([(-38, -8, 14), (-20, -48, 30), (24, -66, 40)], [4.5, 3, 1.6], 5),
        ]
        for vein in veins:
            out[liver & (vein.distance(p) < 0)] = Tissue.VEIN
        out[fields["gallbladder"] < 0] = Tissue.BILE

    def _gut(self, out: NDArray[np.uint8], p: Points, fields: Fields) -> None:
        bowel, colon = fields["bowel"], fields["colon"]
        out[bowel < 0] = Tissue.STOMACH_WALL
        out[bowel < -3 - 1.2 * np.sin(p.x * 0.9 + p.y * 0.7)] = Tissue.BOWEL
        out[colon < 0] = Tissue.BOWEL
        out[(colon < -2.5) & (p.y + 6 * np.sin(p.x * 0.05) < -60)] = Tissue.GAS
        stomach = fields["stomach"]
        folds = 1.6 * np.sin(p.x * 0.42 + p.z * 0.16) * np.sin(p.y * 0.31 - p.z * 0.24)
        lumen = stomach + self.stomach_wall_mm + folds
        out[stomach < 0] = Tissue.STOMACH_WALL
        out[lumen < 0] = Tissue.STOMACH_FLUID
        out[(lumen < 0) & (p.y < self.fluid_level_mm)] = Tissue.GAS

    def _lesion(self, lesion: Lesion, p: Points, fields: Fields) -> NDArray[np.float32]:
        field = lesion.distance(p)
        if lesion.tissue is Tissue.TUMOUR:
            # It grows in the wall, into the lumen and at most 6 mm beyond the serosa.
            field = np.maximum(field, fields["stomach"] - 6)
        for organ in ("liver", "pancreas"):
            field = np.maximum(field, 1 - fields[organ])
        return field


def _bowel(
    p: Points, inside: NDArray[np.float32], stomach: NDArray[np.float32], colon: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Duodenum and loops of jejunum, which fill the lower slices."""
    loops = [
        ([(-46, -34, -26), (-54, -8, -44), (-50, 4, -74)], [11, 12, 12], 5),
        ([(28, -8, -58), (52, -30, -64), (84, -14, -58), (86, 14, -66), (58, 8, -78)], [12, 13, 12, 13, 12], 8),
        ([(-24, -38, -78), (2, -24, -66), (24, -44, -72), (52, -50, -78)], [12, 11, 13, 12], 6),
    ]
    nearest = np.min([Tube.through(*loop).distance(p) for loop in loops], axis=0)
    keep_in = np.maximum(5 - inside, np.maximum(6 - stomach, 2 - colon))
    return np.maximum(nearest, keep_in).astype(np.float32)


def draw_anatomy(rng: Generator, *, nodes: int) -> Anatomy:
    """A body with one gastric tumour ("GTV") and ``nodes`` perigastric nodes ("LN_1" ...).

    Examples
    --------
    >>> import numpy as np
    >>> body = draw_anatomy(np.random.default_rng(1), nodes=2)
    >>> [lesion.name for lesion in body.lesions]
    ['GTV', 'LN_1', 'LN_2']
    """
    build = rng.uniform(0.93, 1.06)
    move = rng.uniform(-5, 5, (5, 3))
    knots = np.array([(68, 18, 62), (64, -14, 34), (50, -40, 4), (10, -56, -22), (-26, -44, -20)]) + move
    swell = rng.uniform(0.9, 1.1)
    body = Anatomy(
        half_x_mm=float(172 * build),
        half_y_mm=float(118 * build * rng.uniform(0.96, 1.04)),
        fat_mm=float(rng.uniform(11, 22)),
        wall_mm=float(rng.uniform(10, 13)),
        stomach=Tube.through(
            [(float(x), float(y), float(z)) for x, y, z in knots],
            [34 * swell, 31 * swell, 27 * swell, 20 * swell, 13],
        ),
        stomach_wall_mm=float(rng.uniform(4, 5.5)),
        fluid_level_mm=float(rng.uniform(-62, -54)),
        warp=Warp.draw(rng, 3.5),
        scale=float(build),
    )
    body = _with(body, _draw_tumour(rng, body))
    for number in range(1, nodes + 1):
        body = _with(body, _draw_node(rng, body, number))
    return body


def _with(body: Anatomy, lesion: Lesion) -> Anatomy:
    from dataclasses import replace

    return replace(body, lesions=(*body.lesions, lesion))


def _bumps(rng: Generator, radius_mm: float, waves: int) -> NDArray[np.float64]:
    heading = rng.normal(size=(waves, 3))
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    number = rng.uniform(2.2, 4.2, (waves, 1)) / radius_mm
    return np.hstack([heading * number, rng.uniform(0, 2 * np.pi, (waves, 1))])


# The lesser curvature looks to the upper right of the patient, the greater to the lower left.
LESSER = np.array([-0.62, 0.38, 0.68])


def _draw_tumour(rng: Generator, body: Anatomy) -> Lesion:
    centre, radius = body.stomach.at(rng.uniform(0.42, 0.72))
    towards = LESSER + rng.normal(scale=0.25, size=3)
    towards /= np.linalg.norm(towards)
    x, y, z = centre + towards * (radius - 5)
    size = rng.uniform(15, 22)
    radii = size * rng.uniform(0.9, 1.25, 3)
    return Lesion(
        "GTV",
        Tissue.TUMOUR,
        (float(x), float(y), float(z)),
        (float(radii[0]), float(radii[1]), float(radii[2])),
        float(rng.uniform(-40, 40)),
        _bumps(rng, size, 6),
        0.3,
    )


def _draw_node(rng: Generator, body: Anatomy, number: int) -> Lesion:
    """A node in the fat beside the stomach: of many places that are free, the nearest."""
    places, sizes, away = [], [], []
    for _ in range(400):
        centre, radius = body.stomach.at(rng.uniform(0.3, 0.95))
        towards = (LESSER if number % 2 else -LESSER) + rng.normal(scale=0.55, size=3)
        towards /= np.linalg.norm(towards)
        size = rng.uniform(6.0, 9.0)
        away.append(rng.uniform(2, 14))
        places.append(centre + towards * (radius + size + away[-1]))
        sizes.append(size)
    x, y, z = np.asarray(places, dtype=np.float32).T
    spare = body.clearance(Points(x, y, z)) - np.asarray(sizes) * 1.25
    merit = np.where(spare > 1, -np.asarray(away), spare - 100)
    best = int(np.argmax(np.where(np.abs(z) < 45, merit, -np.inf)))
    size = sizes[best]
    return Lesion(
        f"LN_{number}",
        Tissue.NODE,
        (float(x[best]), float(y[best]), float(z[best])),
        (float(size * rng.uniform(1.1, 1.35)), float(size), float(size * rng.uniform(1.05, 1.3))),
        float(rng.uniform(0, 180)),
        _bumps(rng, size, 3),
        0.12,
    )
