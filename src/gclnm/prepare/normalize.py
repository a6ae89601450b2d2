"""Scaling a whole image to mean 0 and a given standard deviation, as pyradiomics does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.images.volume import Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.volume import Volume
    from gclnm.prepare.settings import Normalize

__all__ = ["normalize", "normalized"]


def normalize(volume: Volume, settings: Normalize) -> Volume:
    """The image with mean 0 and a standard deviation of ``scale``, over all its voxels.

    The air around the patient counts: for MR signal see `gclnm.harmonize`.

    Parameters
    ----------
    volume
        Any image, (z, y, x).
    settings
        Scale, and the distance from the mean at which values are cut off.

    Examples
    --------
    >>> from gclnm.images import Geometry, Volume
    >>> from gclnm.prepare.settings import Normalize
    >>> ramp = np.arange(27.0).reshape(3, 3, 3)
    >>> scaled = normalize(Volume(ramp, Geometry((3, 3, 3), (1.0, 1.0, 1.0))), Normalize(scale=100))
    >>> round(float(scaled.array.std(ddof=1)))
    100
    """
    told = {"scale": settings.scale, "clip_sd": settings.clip_sd}
    step = Step("normalize", {key: value for key, value in told.items() if value is not None})
    return volume.with_(step, array=normalized(volume.array, settings), quantity="arbitrary")


def normalized(array: NDArray[np.floating], settings: Normalize) -> NDArray[np.float64]:
    """Scaled voxels, in double precision, of an array (z, y, x); statistics are ITK's."""
    import SimpleITK as sitk

    scaled = sitk.GetArrayFromImage(sitk.Normalize(sitk.GetImageFromArray(array)))
    if settings.clip_sd is not None:
        scaled = np.clip(scaled, -settings.clip_sd, settings.clip_sd)
    return np.asarray(scaled * settings.scale, dtype=np.float64)
