"""Cutting around an ROI."""

from __future__ import annotations

import numpy as np
import pytest

from gclnm.errors import GeometryError
from gclnm.images import Geometry, Mask, Volume
from gclnm.prepare import crop
from gclnm.prepare.crop import bounding_box

OBLIQUE = ((0.8, -0.6, 0.0), (0.48, 0.64, -0.6), (0.36, 0.48, 0.8))
GRID = Geometry((12, 10, 8), (0.9, 1.1, 2.5), (3.0, -40.0, 8.0), OBLIQUE)


def roi() -> Mask:
    inside = np.zeros(GRID.shape, dtype=bool)
    inside[5, 2:4, 7] = True
    inside[6, 3, 9] = True
    return Mask(inside, GRID)


def test_voxels_keep_their_place() -> None:
    index = np.moveaxis(np.indices(GRID.shape), 0, -1)[..., ::-1].reshape(-1, 3)
    image = Volume(GRID.to_physical(index)[:, 1].reshape(GRID.shape), GRID)
    part = crop(image, roi(), 1)
    assert part.geometry.size == (5, 4, 4)
    index = np.moveaxis(np.indices(part.geometry.shape), 0, -1)[..., ::-1].reshape(-1, 3)
    np.testing.assert_allclose(part.geometry.to_physical(index)[:, 1], part.array.ravel(), atol=1e-5)
    assert part.history[-1].to_dict() == {"step": "crop", "settings": {"pad_voxels": 1}}


def test_no_voxel_outside_the_image_is_made_up() -> None:
    assert crop(roi(), roi(), 100).geometry == GRID
    assert crop(roi(), roi(), 0).n_voxels == roi().n_voxels


def test_the_box_is_that_of_the_outermost_voxels() -> None:
    low, high = bounding_box(roi())
    assert (low.tolist(), high.tolist()) == ([7, 2, 5], [9, 3, 6])


def test_an_roi_elsewhere_or_without_voxels_is_refused() -> None:
    moved = Mask(roi().array, Geometry(GRID.size, GRID.spacing_mm))
    empty = Mask(np.zeros(GRID.shape), GRID)
    for around, code in ((moved, "other-grid"), (empty, "empty-mask")):
        with pytest.raises(GeometryError) as caught:
            crop(roi(), around, 1)
        assert caught.value.code == code
