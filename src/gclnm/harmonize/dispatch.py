"""One entry for all modalities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gclnm.errors import QuantityError
from gclnm.harmonize import ct, mr, pet
from gclnm.harmonize.settings import HarmonizeSettings
from gclnm.images.volume import UNKNOWN, Mask, Volume

__all__ = ["check_regions", "harmonize"]


def harmonize(volume: Volume, settings: HarmonizeSettings | None = None) -> Volume:
    """Bring a volume to the quantity that its modality is measured in.

    CT must be in HU; iodine maps become mg/mL; PET becomes SUVbw; MR and other maps keep what they are.

    Parameters
    ----------
    volume
        As loaded: ``facts["modality"]`` decides.
    settings
        Choices; the defaults when left out.

    Returns
    -------
    Volume
        ``quantity`` is ``"HU"`` or ``"mg/mL"`` (CT) or ``"SUVbw"`` (PET); the history tells what was done.

    Raises
    ------
    QuantityError
        Voxels are not numbers or all equal; CT that is not HU; PET whose SUV would need a guess.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> signal = Volume(np.array([[[1.0, 2.0]]]), grid, facts={"modality": "MR"})
    >>> harmonize(signal).quantity
    'arbitrary'
    """
    settings = settings or HarmonizeSettings()
    _check_values(volume)
    modality = volume.facts.get("modality")
    if modality == "CT":
        return _ct(volume, settings)
    if modality == "PT":
        return pet.suv(volume)
    if modality == "MR":
        return mr.as_stored(volume)
    return volume


def check_regions(
    volume: Volume, masks: Mapping[str, Mask], settings: HarmonizeSettings | None = None
) -> None:
    """Refuse a harmonised volume whose ROIs hold what its quantity cannot be: a map in the wrong unit.

    Raises
    ------
    QuantityError
        Code ``unit-suspect``.
    """
    if volume.facts.get("material") == "iodine" and volume.quantity == "mg/mL":
        ct.check_iodine(volume, masks, (settings or HarmonizeSettings()).ct)


def _ct(volume: Volume, settings: HarmonizeSettings) -> Volume:
    material = volume.facts.get("material")
    if material == "iodine":
        return ct.iodine(volume, settings.ct)
    if material and volume.quantity not in ("HU", UNKNOWN):
        # Water, effective Z, electron density ...: in its own unit; the recipe says whether it measures that.
        return volume
    return ct.hounsfield(volume, settings.ct)


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
