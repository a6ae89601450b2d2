"""One entry for all modalities."""

from __future__ import annotations

import numpy as np

from gclnm.errors import QuantityError
from gclnm.harmonize import ct, mr, pet
from gclnm.harmonize.settings import HarmonizeSettings
from gclnm.images.volume import Volume

__all__ = ["harmonize"]


def harmonize(volume: Volume, settings: HarmonizeSettings | None = None) -> Volume:
    """Bring a volume to the quantity that its modality is measured in.

    CT must be in HU; PET becomes SUVbw; ADC maps are in 1e-6 mm2/s; MR signal and other maps keep what they
    are.

    Parameters
    ----------
    volume
        As loaded: ``facts["modality"]`` decides.
    settings
        Choices; the defaults when left out.

    Returns
    -------
    Volume
        ``quantity`` is ``"HU"`` (CT) or ``"SUVbw"`` (PET); the history tells what was done.

    Raises
    ------
    QuantityError
        Voxels are not numbers or all equal; CT that is not HU; PET whose SUV would need a guess;
        an ADC map whose unit nothing tells.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> signal = Volume(np.array([[[1.0, 2.0]]]), grid, facts={"modality": "MR"})
    >>> harmonize(signal).quantity
    'arbitrary'
    """
    _check_values(volume)
    modality = volume.facts.get("modality")
    if modality == "CT":
        return ct.check_hu(volume)
    if modality == "PT":
        return pet.suv(volume)
    if modality == "MR":
        return mr.standard_units(volume)
    return volume


def _check_values(volume: Volume) -> None:
    bad = int(volume.array.size - np.isfinite(volume.array).sum())
    if bad:
        raise QuantityError(
            f"{bad} voxels of the image are not numbers (NaN or infinite)",
            fix="Export the image again, or fill them before.",
            code="not-finite",
        )
    if volume.array.min() == volume.array.max():
        raise QuantityError("all voxels of the image have the same value", code="constant-image")
