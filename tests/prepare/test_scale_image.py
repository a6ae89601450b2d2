"""Scaling the whole image."""

from __future__ import annotations

import numpy as np

from gclnm.engines.upstream import quiet
from gclnm.images import Geometry, Volume
from gclnm.images.volume import from_sitk
from gclnm.prepare import Normalize, normalize
from gclnm.prepare.normalize import normalized

GRID = Geometry((9, 8, 7), (1.0, 1.0, 2.0))
IMAGE = Volume(np.random.default_rng(3).gamma(2.0, 300.0, size=GRID.shape), GRID)


def test_mean_and_standard_deviation_are_those_asked_for() -> None:
    scaled = normalize(IMAGE, Normalize(scale=250))
    assert abs(scaled.array.mean(dtype=float)) < 1e-3
    np.testing.assert_allclose(scaled.array.std(dtype=float, ddof=1), 250, rtol=1e-6)
    assert scaled.quantity == "arbitrary"


def test_outliers_are_cut_before_scaling() -> None:
    scaled = normalize(IMAGE, Normalize(scale=100, clip_sd=1.5))
    assert scaled.array.max() == 150
    assert scaled.history[-1].to_dict()["settings"] == {"scale": 100.0, "clip_sd": 1.5}


def test_voxels_are_pyradiomics_bit_for_bit() -> None:
    for settings in (Normalize(scale=100), Normalize(scale=33.3, clip_sd=1.5)):
        with quiet():
            from radiomics.imageoperations import normalizeImage

            words = {"normalizeScale": settings.scale, "removeOutliers": settings.clip_sd}
            theirs, _ = from_sitk(normalizeImage(IMAGE.to_sitk(), **words))
        np.testing.assert_array_equal(normalized(IMAGE.array, settings), theirs)
