"""One upper abdomen, drawn from a seed: which tissue is where, and where tumour and nodes are.

The anatomy is a function of points in millimetres, not an array, so that every scanner of the
cohort sees the same body on its own grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import GeometryError
from gclnm.phantom.body.lesions import Lesion, draw_node, draw_tumour, lesion_distance
from gclnm.phantom.body.organs import Build
from gclnm.phantom.body.paint import paint
from gclnm.phantom.body.shapes import Tube, Warp, points_of_slice

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from gclnm.images import Geometry
    from gclnm.phantom.body.shapes import Points

__all__ = ["Anatomy", "draw_anatomy"]

Shift = tuple[float, float, float]
FAR_MM = 30.0


@dataclass(frozen=True)
class Anatomy:
    """The body of one patient.

    Parameters
    ----------
    build
        Size and shape of trunk and organs.
    warp
        The bend of space that makes this body differ from another.
    lesions
        Tumour first, then nodes.
    """

    build: Build
    warp: Warp
    lesions: tuple[Lesion, ...] = ()

    def paint(self, geometry: Geometry, shift_mm: Shift = (0, 0, 0)) -> NDArray[np.uint8]:
        """Tissue of every voxel centre of a grid, (z, y, x).

        ``shift_mm`` is where the body's origin lies in the scanner's frame of reference.
        """
        labels = np.empty(geometry.shape, dtype=np.uint8)
        for index in range(geometry.shape[0]):
            points = self._points(geometry, shift_mm, index)
            fields = self.build.fields(points)
            labels[index] = paint(self.build, points, fields)
            for lesion in self.lesions:
                labels[index][lesion_distance(lesion, points, fields) < 0] = lesion.tissue
        return labels

    def lesion_field(self, name: str, geometry: Geometry, shift_mm: Shift = (0, 0, 0)) -> NDArray[np.float32]:
        """Signed distance (z, y, x) to a lesion, negative inside: its contour is the zero line.

        Far away the distance is not computed: it is 30 mm there.

        Raises
        ------
        GeometryError
            When the body has no lesion of that name.
        """
        lesion = next((one for one in self.lesions if one.name == name), None)
        if lesion is None:
            raise GeometryError("the body has no such lesion", where=name)
        field = np.full(geometry.shape, FAR_MM, dtype=np.float32)
        reach = 1.6 * max(lesion.radii_mm) + 8
        for index in range(geometry.shape[0]):
            points = self._points(geometry, shift_mm, index)
            near = np.ones(points.x.shape, dtype=bool)
            for values, centre in zip((points.x, points.y, points.z), lesion.centre_mm, strict=True):
                near &= np.abs(values - centre) < reach
            if near.any():
                close = points.where(near)
                field[index][near] = lesion_distance(lesion, close, self.build.fields(close))
        return field

    def _points(self, geometry: Geometry, shift_mm: Shift, index: int) -> Points:
        affine = geometry.affine.copy()
        affine[:3, 3] -= shift_mm
        return self.warp(points_of_slice(affine, geometry.shape[1:], index))


def draw_anatomy(rng: Generator, *, nodes: int) -> Anatomy:
    """A body with one gastric tumour ("GTV") and ``nodes`` perigastric nodes ("LN_1" ...).

    Examples
    --------
    >>> import numpy as np
    >>> body = draw_anatomy(np.random.default_rng(1), nodes=2)
    >>> [lesion.name for lesion in body.lesions]
    ['GTV', 'LN_1', 'LN_2']
    """
    size = rng.uniform(0.93, 1.06)
    swell = rng.uniform(0.9, 1.1)
    knots = np.array([(68, 18, 62), (64, -14, 34), (50, -40, 4), (10, -56, -22), (-26, -44, -20)])
    knots = knots + rng.uniform(-5, 5, knots.shape)
    build = Build(
        half_x_mm=float(172 * size),
        half_y_mm=float(118 * size * rng.uniform(0.96, 1.04)),
        fat_mm=float(rng.uniform(11, 22)),
        wall_mm=float(rng.uniform(10, 13)),
        stomach=Tube.through(
            [(float(x), float(y), float(z)) for x, y, z in knots],
            [34 * swell, 31 * swell, 27 * swell, 20 * swell, 13],
            12,
        ),
        stomach_wall_mm=float(rng.uniform(4, 5.5)),
        fluid_level_mm=float(rng.uniform(-62, -54)),
        scale=float(size),
    )
    body = Anatomy(build, Warp.draw(rng, 3.5), (draw_tumour(rng, build),))
    for number in range(1, nodes + 1):
        body = replace(body, lesions=(*body.lesions, draw_node(rng, build, body.lesions, number)))
    return body
