"""Interpolating an image and its ROI to another voxel size, per IBSI or per pyradiomics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gclnm.images.volume import Mask, Step, Volume, to_sitk
from gclnm.prepare.align import new_grid
from gclnm.prepare.crop import cut, require_same_grid
from gclnm.prepare.grid import INSIDE
from gclnm.prepare.known import WITHOUT_VALUE, filled, known_voxels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.geometry import Geometry
    from gclnm.prepare.settings import Resample

__all__ = ["INTERPOLATORS", "interpolated", "interpolated_mask", "resample"]

# Our names and SimpleITK's.
INTERPOLATORS = {
    "nearest": "sitkNearestNeighbor",
    "linear": "sitkLinear",
    "bspline": "sitkBSpline",
    "gaussian": "sitkGaussian",
    "label_gaussian": "sitkLabelGaussian",
    "hamming_sinc": "sitkHammingWindowedSinc",
    "cosine_sinc": "sitkCosineWindowedSinc",
    "welch_sinc": "sitkWelchWindowedSinc",
    "lanczos_sinc": "sitkLanczosWindowedSinc",
    "blackman_sinc": "sitkBlackmanWindowedSinc",
}
# Full width at half maximum of a Gaussian, in standard deviations.
_FWHM = np.sqrt(8 * np.log(2))
# Rounding must not decide about voxels that lie half inside.
_HALF = INSIDE - 1e-6

Image = TypeVar("Image", Volume, Mask)


def resample(image: Image, settings: Resample, *, around: Mask | None = None) -> Image:
    """An image or a mask on the grid of another voxel size.

    Interpolation is that of SimpleITK, in double precision: with ``align="corner"`` the result equals
    ``radiomics.imageoperations.resampleImage`` bit for bit, with ``align="centre"`` it meets the IBSI's
    diagnostics of the CT phantom (`tests/prepare/test_ibsi_phantom.py`). Voxels outside the old grid
    are 0, as in pyradiomics; grids aligned by their centres have none. Between the outermost voxel
    centres and the edge linear interpolation keeps the last value, and splines see the image mirrored.
    Voxels without a value (`gclnm.prepare.known`) take the nearest known one before; a new voxel has a
    value where the known ones, interpolated as a mask, reach 0.5.

    Parameters
    ----------
    image
        Image, interpolated by ``settings.interpolator``, or mask, by ``settings.mask``.
    settings
        New spacing and how to interpolate.
    around
        ROI on the same grid; only its surroundings are made, as `gclnm.prepare.align.new_grid` says.

    Returns
    -------
    Volume or Mask
        What was given, with the step in its history.

    Raises
    ------
    GeometryError
        Code ``other-grid``: ``around`` lies on another grid. Code ``empty-mask``: it has no voxel.

    Notes
    -----
    Anti-aliasing filters the image before it is made coarser, with a Gaussian that widens the voxel's
    point spread function to that of the new voxel: variance (new² - old²) / (8 ln 2) along each axis
    (Cardoso 2015, doi:10.1007/978-3-319-24571-3_81). The IBSI asks for such a filter and names none.

    Examples
    --------
    >>> from gclnm.images.geometry import Geometry
    >>> from gclnm.prepare.settings import Resample
    >>> ramp = np.arange(12.0).reshape(1, 1, 12)
    >>> image = Volume(ramp, Geometry(size=(12, 1, 1), spacing_mm=(1.0, 1.0, 1.0)))
    >>> resample(image, Resample(spacing_mm=(4, 0, 0), interpolator="linear")).array.tolist()
    [[[1.5, 5.5, 9.5]]]
    """
    if around is not None:
        require_same_grid(image, around)
    grid = new_grid(image.geometry, settings, around)
    step = Step("resample", _told(image, settings))
    if isinstance(image, Mask):
        array = interpolated_mask(image.array, image.geometry, grid, settings)
        return image.with_(step, array=array, geometry=grid)
    known = known_voxels(image)
    values = interpolated(filled(image.array, known), image.geometry, grid, settings)
    if known is None:
        return image.with_(step, array=values, geometry=grid)
    values = np.where(interpolated_mask(known.array, image.geometry, grid, settings), values, np.nan)
    facts = {**image.facts, WITHOUT_VALUE: int(np.count_nonzero(np.isnan(values)))}
    return image.with_(step, array=values, geometry=grid, facts=facts)


def interpolated(
    array: NDArray[np.floating], old: Geometry, new: Geometry, settings: Resample
) -> NDArray[np.floating]:
    """Voxels (z, y, x) of an image on the grid of `new_grid`, in the precision they are given in."""
    if settings.antialias:
        array = _smoothed(array, old, new)
    same = old.spacing_mm == new.spacing_mm
    found = cut(array, old, new) if same else _sampled(array, old, new, settings.interpolator)
    return np.rint(found) if settings.round else found


def _smoothed(array: NDArray[np.floating], old: Geometry, new: Geometry) -> NDArray[np.floating]:
    """The image smoothed along the axes that become coarser."""
    from scipy import ndimage

    before, after = np.array(old.spacing_mm), np.array(new.spacing_mm)
    sigma_mm = np.sqrt(np.maximum(after**2 - before**2, 0)) / _FWHM
    return np.asarray(ndimage.gaussian_filter(array, (sigma_mm / before)[::-1], mode="nearest"))


def interpolated_mask(
    array: NDArray[np.bool_], old: Geometry, new: Geometry, settings: Resample
) -> NDArray[np.bool_]:
    """Voxels (z, y, x) of a mask on the grid of `new_grid`."""
    import SimpleITK as sitk

    if old.spacing_mm == new.spacing_mm:
        return cut(array, old, new)
    # From whole numbers to doubles: a voxel that lies exactly half inside counts (IBSI E8H9).
    values = _sampled(array.astype(np.uint8), old, new, settings.mask, sitk.sitkFloat64)
    return np.asarray(values >= _HALF)


def _sampled(
    array: NDArray[Any], old: Geometry, new: Geometry, how: str, kind: int | None = None
) -> NDArray[Any]:
    import SimpleITK as sitk

    image = to_sitk(array, old)
    sampler = sitk.ResampleImageFilter()
    sampler.SetOutputSpacing(new.spacing_mm)
    sampler.SetOutputDirection(image.GetDirection())
    sampler.SetSize(new.size)
    sampler.SetOutputOrigin(new.origin_mm)
    sampler.SetOutputPixelType(image.GetPixelID() if kind is None else kind)
    sampler.SetInterpolator(getattr(sitk, INTERPOLATORS[how]))
    return np.asarray(sitk.GetArrayFromImage(sampler.Execute(image)))


def _told(image: Volume | Mask, settings: Resample) -> dict[str, Any]:
    told: dict[str, Any] = {"spacing_mm": list(settings.spacing_mm), "align": settings.align}
    if isinstance(image, Mask):
        inside = ", inside from 0.5" if settings.mask == "linear" else ""
        return {**told, "interpolation": f"{settings.mask}{inside}"}
    told["interpolation"] = settings.interpolator
    return told | {name: True for name in ("antialias", "round") if getattr(settings, name)}
