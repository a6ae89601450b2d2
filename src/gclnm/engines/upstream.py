"""pyradiomics as it is installed here: which package it is, its silence, its names for our settings."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import packages_distributions, version
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import EngineError
from gclnm.prepare.discretise import grey_levels
from gclnm.prepare.settings import LBP2D, LBP3D, Gradient, LoG, Wavelet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.engines.settings import Features
    from gclnm.prepare.settings import Discretise, Plain

__all__ = [
    "FILTERS",
    "PLANES",
    "OneDiscretisation",
    "filter_settings",
    "provider",
    "quiet",
    "require_filter",
    "settings",
]

# Our names and pyradiomics'; the parameter-file reader goes the other way.
FILTERS = {
    "original": "Original",
    "log": "LoG",
    "wavelet": "Wavelet",
    "square": "Square",
    "squareroot": "SquareRoot",
    "logarithm": "Logarithm",
    "exponential": "Exponential",
    "gradient": "Gradient",
    "lbp2d": "LBP2D",
    "lbp3d": "LBP3D",
}
PLANES = {"axial": 0, "coronal": 1, "sagittal": 2}


@cache
def provider() -> str:
    """Name and version of the one installed package that gives the module ``radiomics``.

    Raises
    ------
    EngineError
        When none or several do: of two, the files of the last installed win, unseen.
    """
    found = sorted(set(packages_distributions().get("radiomics", [])))
    if not found:
        raise EngineError(
            "pyradiomics is not installed", fix="Run `pip install pyradiomics-bhklab`.", code="no-engine"
        )
    if len(found) > 1:
        raise EngineError(
            f"{len(found)} packages give the module radiomics: {', '.join(found)}",
            fix="Uninstall all of them, then install pyradiomics-bhklab.",
            code="two-engines",
        )
    return f"{found[0]} {version(found[0])}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pyradiomics' log, its dependencies' warnings and numpy's out of the user's sight."""
    logger = logging.getLogger("radiomics")
    level = logger.level
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        import radiomics  # noqa: F401 - importing it sets up the logger that is silenced below

        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


class OneDiscretisation:
    """Grey levels of one image, made once: each of the five texture families would make them anew.

    Parameters
    ----------
    grey
        Width or number of bins.
    lowest
        Lower limit of the re-segmentation range, where the image is the one that was re-segmented.
    """

    def __init__(self, grey: Discretise, lowest: float | None) -> None:
        self._grey, self._lowest = grey, lowest
        self._made: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def sharing(self, family: type[Any]) -> type[Any]:
        """The feature class, taking its grey levels from here."""

        def bin_once(calculator: Any, matrix: NDArray[Any]) -> NDArray[np.int64]:
            if self._made is None:
                self._made = self._levels(matrix, calculator.maskArray)
            binned, levels = (part.copy() for part in self._made)
            calculator.coefficients["grayLevels"] = levels
            calculator.coefficients["Ng"] = int(levels.max())
            return binned

        return type(family.__name__, (family,), {"_applyBinning": bin_once, "__module__": family.__module__})

    def _levels(
        self, matrix: NDArray[Any], inside: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        binned = np.zeros(matrix.shape, dtype=np.int64)
        binned[inside] = grey_levels(matrix[inside], self._grey, self._lowest)
        return binned, np.unique(binned[inside])


def settings(features: Features) -> dict[str, Any]:
    """What pyradiomics calls the settings of its features; images and grey levels are made by `prepare`."""
    texture = features.texture
    return {
        "label": 1,
        "distances": list(texture.distances),
        "force2D": texture.plane != "3d",
        "force2Ddimension": PLANES.get(texture.plane, 0),
        "symmetricalGLCM": texture.symmetric_glcm,
        "weightingNorm": texture.weighting,
        "gldm_a": texture.gldm_alpha,
        "voxelArrayShift": features.intensity_shift,
    }


def filter_settings(own: Plain) -> dict[str, Any]:
    """What pyradiomics calls the settings of an image type."""
    match own:
        case LoG():
            return {"sigma": list(own.sigma_mm)}
        case Wavelet():
            return {"wavelet": own.wavelet, "level": own.level, "start_level": own.start_level}
        case Gradient():
            return {"gradientUseSpacing": own.use_spacing}
        case LBP2D():
            return {"lbp2DRadius": own.radius, "lbp2DSamples": own.samples, "lbp2DMethod": own.method}
        case LBP3D():
            return {
                "lbp3DLevels": own.levels,
                "lbp3DIcosphereRadius": own.icosphere_radius,
                "lbp3DIcosphereSubdivision": own.icosphere_subdivision,
            }
    return {}


def require_filter(kind: str) -> None:
    """Raise EngineError when pyradiomics gives no image for this filter here: it only logs that."""
    if kind in ("lbp2d", "lbp3d") and not _gives_an_image(kind):
        raise EngineError(
            f"pyradiomics gives no image for the filter {kind} with the packages installed here",
            fix="Run `pip install 'gclnm[lbp]'`."
            if kind == "lbp2d"
            else "Leave lbp3d out: it needs trimesh and a function that SciPy no longer has.",
            code="filter-unavailable",
        )


@cache
def _gives_an_image(kind: str) -> bool:
    # Asking pyradiomics itself, on a tiny cube, holds for every version of what it depends on.
    with quiet():
        import SimpleITK as sitk
        from radiomics import imageoperations

        ramp = np.arange(6**3, dtype=np.float32).reshape(6, 6, 6)
        mask = np.zeros(ramp.shape, dtype=np.uint32)
        mask[2:4, 2:4, 2:4] = 1
        images = getattr(imageoperations, f"get{FILTERS[kind]}Image")(
            sitk.GetImageFromArray(ramp), sitk.GetImageFromArray(mask)
        )
        try:
            return next(images, None) is not None
        except Exception:
            return False
