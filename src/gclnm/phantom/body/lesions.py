"""Tumours and nodes: their shape, and where in a body they can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gclnm.phantom.body.organs import Build, Fields
from gclnm.phantom.body.shapes import Points, ellipsoid
from gclnm.phantom.body.tissues import Tissue

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["Lesion", "draw_node", "draw_tumour", "lesion_distance"]


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


def lesion_distance(lesion: Lesion, points: Points, fields: Fields) -> NDArray[np.float32]:
    """Distance to a lesion in its surroundings: it does not grow into liver or pancreas."""
    field = lesion.distance(points)
    if lesion.tissue is Tissue.TUMOUR:
        # It grows in the wall, into the lumen and at most 6 mm beyond the serosa.
        field = np.maximum(field, fields["stomach"] - 6)
    for organ in ("liver", "pancreas"):
        field = np.maximum(field, 1 - fields[organ])
    return np.asarray(field, np.float32)


def _clearance(build: Build, lesions: tuple[Lesion, ...], points: Points) -> NDArray[np.float32]:
    """How far points are from the nearest organ, in the fat of the abdomen; negative elsewhere."""
    fields = build.fields(points)
    organs = ("stomach", "liver", "pancreas", "spleen", "colon", "bowel", "gallbladder", "aorta", "portal")
    near = [fields[name] for name in (*organs, "spine", "inside")]
    near += [lesion_distance(lesion, points, fields) for lesion in lesions]
    return np.asarray(np.min(near, axis=0), np.float32)


def _bumps(rng: Generator, radius_mm: float, waves: int) -> NDArray[np.float64]:
    heading = rng.normal(size=(waves, 3))
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    number = rng.uniform(2.2, 4.2, (waves, 1)) / radius_mm
    return np.hstack([heading * number, rng.uniform(0, 2 * np.pi, (waves, 1))])


# The lesser curvature looks to the upper right of the patient, the greater to the lower left.
LESSER = np.array([-0.62, 0.38, 0.68])


def draw_tumour(rng: Generator, build: Build) -> Lesion:
    """A tumour of the gastric wall, in the body or the antrum, towards the lesser curvature."""
    centre, radius = build.stomach.at(rng.uniform(0.42, 0.72))
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


def draw_node(rng: Generator, build: Build, lesions: tuple[Lesion, ...], number: int) -> Lesion:
    """A node in the fat beside the stomach: of many places that are free, the nearest."""
    places, sizes, away = [], [], []
    for _ in range(400):
        centre, radius = build.stomach.at(rng.uniform(0.3, 0.95))
        towards = (LESSER if number % 2 else -LESSER) + rng.normal(scale=0.55, size=3)
        towards /= np.linalg.norm(towards)
        size = rng.uniform(6.0, 9.0)
        away.append(rng.uniform(2, 14))
        places.append(centre + towards * (radius + size + away[-1]))
        sizes.append(size)
    x, y, z = np.asarray(places, dtype=np.float32).T
    spare = _clearance(build, lesions, Points(x, y, z)) - np.asarray(sizes) * 1.25
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
