"""One entry for all modalities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gclnm.errors import QuantityError
from gclnm.harmonize import ct, mr, pet
from gclnm.harmonize.mr.normalize import reference_role
from gclnm.harmonize.mr.signal import require_signal
from gclnm.harmonize.settings import HarmonizeSettings
from gclnm.harmonize.stated import as_stated
from gclnm.images.volume import UNKNOWN, Mask, Step, Volume
from gclnm.prepare.known import known_voxels

__all__ = ["awaits_masks", "before_masks", "check_regions", "harmonize", "with_masks"]


def harmonize(
    volume: Volume, settings: HarmonizeSettings | None = None, masks: Mapping[str, Mask] | None = None
) -> Volume:
    """Bring a volume to the quantity that its modality is measured in.

    CT must be in HU; iodine maps become mg/mL; PET becomes SUVbw, or the SUV that the settings name; ADC
    maps are in 1e-6 mm2/s; MR signal is bias-corrected and normalized where the settings ask for it; other
    maps keep what they are.

    Parameters
    ----------
    volume
        As loaded: ``facts["modality"]`` decides.
    settings
        Choices; the defaults when left out.
    masks
        By role, on any grid: MR normalization leaves ``roi`` out of the body, and takes a reference
        tissue or the brain by the role that its settings name.

    Returns
    -------
    Volume
        ``quantity`` is ``"HU"`` or ``"mg/mL"`` (CT), ``"SUVbw"`` and its kin (PET) or ``"normalized"`` (MR
        that was normalized); the history tells what was done.

    Raises
    ------
    QuantityError
        Voxels are not numbers or all equal; CT that is not HU; PET whose SUV would need a guess; an ADC map
        whose unit nothing tells; MR that the settings do not apply to.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> signal = Volume(np.array([[[1.0, 2.0]]]), grid, facts={"modality": "MR"})
    >>> harmonize(signal).quantity
    'arbitrary'
    """
    settings = settings or HarmonizeSettings()
    return with_masks(before_masks(volume, settings), settings, masks or {})


def before_masks(volume: Volume, settings: HarmonizeSettings) -> Volume:
    """The part of :func:`harmonize` that is the same for all ROIs of an image: all but MR normalization."""
    _check_values(volume)
    modality = volume.facts.get("modality")
    if modality == "CT":
        return _ct(volume, settings)
    if modality == "PT":
        return pet.suv(volume, settings.pet)
    return _mr(volume, settings) if modality == "MR" else volume


def _mr(volume: Volume, settings: HarmonizeSettings) -> Volume:
    volume = as_stated(volume)
    # What does not apply is told before anything is asked of a map's unit.
    if awaits_masks(volume, settings):
        require_signal(volume, "normalize")
    if settings.mr.n4 is not None and not _done(volume, "n4", "normalize"):
        return mr.n4(volume, settings.mr.n4)
    return mr.standard_units(volume)


def awaits_masks(volume: Volume, settings: HarmonizeSettings) -> bool:
    """Whether :func:`with_masks` has anything to do."""
    asked = volume.facts.get("modality") == "MR" and settings.mr.normalize is not None
    return asked and not _done(volume, "normalize")


def with_masks(volume: Volume, settings: HarmonizeSettings, masks: Mapping[str, Mask]) -> Volume:
    """The part of :func:`harmonize` that depends on the ROI: MR normalization."""
    method = settings.mr.normalize
    if method is None or not awaits_masks(volume, settings):
        return volume
    reference = masks.get(reference_role(method))
    return mr.normalize(volume, method, roi=masks.get("roi"), reference=reference)


def _done(volume: Volume, *steps: str) -> bool:
    """Whether a user has taken one of these steps before."""
    return any(step.name in steps for step in volume.history)


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


def _of_water(volume: Volume) -> Volume:
    """A concentration that no recipe for iodine takes for one of iodine."""
    return volume.with_(Step("water"), quantity="mg/mL of water")


def _ct(volume: Volume, settings: HarmonizeSettings) -> Volume:
    material = volume.facts.get("material")
    if material == "iodine":
        return ct.iodine(volume, settings.ct)
    supplied = {"material", "unit"}.intersection(str(volume.facts.get("overridden", "")).split(";"))
    if material == "water" and supplied:
        return _of_water(ct.water(volume))
    if "unit" in supplied and volume.facts.get("unit"):
        raise QuantityError(
            "a unit is supplied for a CT image that is no map of iodine or water",
            fix="Supply its `material` too, samples.override(...), or leave its unit out.",
            code="no-material",
        )
    if material and volume.quantity not in ("HU", UNKNOWN):
        # Water, effective Z, electron density ...: in its own unit; the recipe says whether it measures that.
        if volume.quantity == "mg/mL" and material == "water":
            return _of_water(volume)
        return volume
    return ct.hounsfield(volume, settings.ct)


def _check_values(volume: Volume) -> None:
    known = known_voxels(volume)
    values = volume.array if known is None else volume.array[known.array]
    if not values.size:
        raise QuantityError("no voxel of the image has a value", code="no-values")
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise QuantityError(
            f"{bad} voxels of the image are not numbers (NaN or infinite)",
            fix="Export the image again, or fill them before.",
            code="not-finite",
        )
    if known is None and values.min() == values.max():
        raise QuantityError("all voxels of the image have the same value", code="constant-image")
