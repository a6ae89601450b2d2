"""Small volumes with an ROI: anisotropic, oblique, and what pyradiomics itself says about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from gclnm.engines.upstream import FILTERS, filter_settings, quiet, settings
from gclnm.images import Case, Geometry, Mask, Volume
from gclnm.prepare.resample import INTERPOLATORS
from gclnm.prepare.settings import Discretise, Plain, Prepare
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


def _grey(grey: Discretise | None) -> dict[str, Any]:
    if grey is None:
        return {}
    if grey.bin_count is not None:
        return {"binCount": grey.bin_count}
    return {"binCount": None, "binWidth": grey.bin_width}


def _images(prepare: Prepare) -> dict[str, Any]:
    """What pyradiomics' extractor calls the steps that `gclnm.prepare` does."""
    normalize, resample, resegment = prepare.normalize, prepare.resample, prepare.resegment
    found: dict[str, Any] = {
        "normalize": normalize is not None,
        "resampledPixelSpacing": list(resample.spacing_mm) if resample else None,
        "preCrop": prepare.crop is not None,
        "resegmentRange": None,
        **_grey(prepare.discretise),
    }
    if normalize:
        found |= {"normalizeScale": normalize.scale, "removeOutliers": normalize.clip_sd}
    if resample:
        found |= {"interpolator": INTERPOLATORS[resample.interpolator]}
    if around := resample or prepare.crop:
        found |= {"padDistance": around.pad_voxels}
    if resegment and resegment.range:
        found |= {
            "resegmentRange": [limit for limit in resegment.range if limit is not None],
            "resegmentMode": resegment.mode,
            "resegmentShape": resegment.shape,
        }
    return found


@pytest.fixture
def in_their_words() -> Callable[[Recipe], tuple[dict[str, Any], dict[str, dict[str, Any]]]]:
    """Settings and image types that a user of pyradiomics writes for a recipe."""

    def translate(recipe: Recipe) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        def own(filtered: Plain) -> dict[str, Any]:
            return {**filter_settings(filtered), **_grey(filtered.discretise)}

        enabled = recipe.prepare.filters.enabled
        general = {**settings(recipe.compute), **_images(recipe.prepare), "minimumROIDimensions": 1}
        return general, {FILTERS[kind]: own(filtered) for kind, filtered in enabled.items()}

    return translate


@pytest.fixture
def directly(in_their_words) -> Callable[[Case, Recipe], dict[str, float]]:
    """What pyradiomics' own extractor gives for the same float32 image and mask.

    It is asked in the words of the fixture above: that these mean what the recipe says is tested by
    parameters written by hand (`test_every_setting_means_what_it_means_to_pyradiomics`).
    """

    def execute(case: Case, recipe: Recipe) -> dict[str, float]:
        with quiet():
            from radiomics.featureextractor import RadiomicsFeatureExtractor

            asked, images = in_their_words(recipe)
            extractor = RadiomicsFeatureExtractor(**{**asked, "additionalInfo": True})
            extractor.enabledImagetypes = images
            extractor.enabledFeatures = {f: list(names) for f, names in recipe.compute.chosen.items()}
            found = extractor.execute(case.image.to_sitk(), case.roi.to_sitk())
        return {k: float(np.real(v)) for k, v in found.items() if not k.startswith("diagnostics")}

    return execute
