"""Small volumes with an ROI: anisotropic, oblique, and what pyradiomics itself says about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from gclnm.engines.upstream import FILTERS, filter_settings, quiet, settings
from gclnm.images import Case, Geometry, Mask, Volume
from gclnm.recipe import Recipe

OBLIQUE = ((0.8, -0.6, 0.0), (0.48, 0.64, -0.6), (0.36, 0.48, 0.8))
GRIDS = {
    "anisotropic": Geometry(size=(34, 38, 18), spacing_mm=(0.8, 0.9, 2.5), origin_mm=(10.0, -20.0, 30.0)),
    "oblique": Geometry(size=(34, 38, 18), spacing_mm=(1.1, 1.1, 1.7), direction=OBLIQUE),
}


def ellipsoid(geometry: Geometry, radii: tuple[float, float, float] = (6, 11, 10)) -> Mask:
    centre = [(n - 1) / 2 for n in geometry.shape]
    axes = np.ogrid[tuple(slice(n) for n in geometry.shape)]
    distance = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True))
    return Mask(np.asarray(distance) < 1, geometry)


@pytest.fixture
def make_case() -> Callable[..., Case]:
    """A soft-tissue-like case on one of the grids, always the same."""

    def make(grid: str = "anisotropic", *, array: Any = None, roi: Any = None) -> Case:
        geometry = GRIDS[grid]
        if array is None:
            noise = np.random.default_rng(7).normal(size=geometry.shape)
            array = gaussian_filter(noise, 1.2) * 350 + 40
        mask = ellipsoid(geometry) if roi is None else Mask(roi, geometry)
        return Case({"image": Volume(array, geometry, quantity="HU")}, {"roi": mask})

    return make


@pytest.fixture
def directly() -> Callable[[Case, Recipe], dict[str, float]]:
    """What pyradiomics' own extractor gives for the same float32 image and mask.

    It is asked in the engine's words: that these mean what the recipe says is tested by parameters
    written by hand (`test_every_setting_means_what_it_means_to_pyradiomics`).
    """

    def execute(case: Case, recipe: Recipe) -> dict[str, float]:
        with quiet():
            from radiomics.featureextractor import RadiomicsFeatureExtractor

            asked = settings(recipe.prepare, recipe.compute)
            extractor = RadiomicsFeatureExtractor(**{**asked, "additionalInfo": True})
            enabled = recipe.prepare.filters.enabled
            extractor.enabledImagetypes = {
                FILTERS[kind]: filter_settings(own) for kind, own in enabled.items()
            }
            extractor.enabledFeatures = {f: list(names) for f, names in recipe.compute.chosen.items()}
            found = extractor.execute(case.image.to_sitk(), case.roi.to_sitk())
        return {k: float(np.real(v)) for k, v in found.items() if not k.startswith("diagnostics")}

    return execute
