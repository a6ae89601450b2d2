"""A PET volume to SUV: checks of the image, factors, history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gclnm.harmonize.pet.header import EXPORT, Header
from gclnm.harmonize.pet.overrides import OVERRIDES
from gclnm.harmonize.pet.settings import PetSettings
from gclnm.harmonize.pet.supplied import tell_supplied
from gclnm.harmonize.pet.units import of_kind, stored
from gclnm.images.dicom.objects import ENHANCED_PET
from gclnm.images.volume import Step, Volume

__all__ = ["SuvFactor", "factor", "suv"]

_QUANTITIES = ("SUVbw", "SUVlbm", "SUVbsa", "SUVibw")
# The bladder reaches 66 in a reference scan, and no scan stays below 0.1: outside, a dose or a unit is
# likely wrong; but a puncture that leaked can be hotter.
_HIGHEST_SUV = (0.1, 200.0)
# SUV times volume, summed, is body mass times the share of the dose that the image holds: 1 at most, and
# twice that leaves room for calibration. Values in Bq/mL exceed it a thousandfold.
_MOST_OF_DOSE = 2.0
# Where no weight was needed: the heaviest body.
_HEAVIEST_KG = OVERRIDES["weight_kg"].high


@dataclass(frozen=True)
class SuvFactor:
    """What turns voxel values into SUV, and how it was found.

    Parameters
    ----------
    factors
        One number, or one a slice.
    told
        Numbers and words for the history: rules, times, weight, other candidates.
    notes
        What is worth knowing, as sentences; repairs and contradictions are ``told["doubts"]``.
    """

    factors: tuple[float, ...]
    told: dict[str, Any]
    notes: tuple[str, ...]


def factor(facts: Any, settings: PetSettings | None = None) -> SuvFactor:
    """The factor from voxel values to SUV by the facts of a header.

    Raises
    ------
    QuantityError
        Names the DICOM attribute, and what to supply.

    Examples
    --------
    >>> header = {"units": "BQML", "decay_correction": "ADMIN", "corrected_image": "ATTN;DECY"}
    >>> factor(header | {"weight_kg": 70.0, "dose_bq": 350e6}).factors
    (0.0002,)
    """
    chosen = settings or PetSettings()
    header = Header(facts, strict=chosen.strict)
    _check_image(header)
    header.told["units"] = header.text("units")
    found = stored(header)
    factors = of_kind(header, found, chosen.normalizer)
    # SUVlbm is of several formulas: the DICOM term says which.
    if chosen.quantity == "SUVlbm":
        header.told["normalizer"] = chosen.normalizer
    tell_supplied(header)
    if header.doubts:
        header.told["doubts"] = header.doubts
    return SuvFactor(factors, header.told, tuple(header.notes))


def suv(volume: Volume, settings: PetSettings | None = None) -> Volume:
    """SUV of a PET volume: SUVbw, or as settings say SUVlbm, SUVibw (g/mL) or SUVbsa (cm2/mL).

    Units GML, CM2ML, BQML and Philips' CNTS are converted, with Decay Correction START, ADMIN or NONE
    (then by slice). What goes beside the header's own words is told in the history: the rule taken, other
    candidates' answers, every repair; a header with two plausible readings is refused.

    Sources: DICOM PS3.3 C.8.9.1; QIBA, vendor-neutral pseudo-code for SUV calculation; Vacha et al.,
    Comprehensive Manual for SUV Computation and Digital Reference Objects (IBSI).

    Raises
    ------
    QuantityError
        Names the DICOM attribute, and what to supply.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(4.0, 4.0, 3.0))
    >>> facts = {"modality": "PT", "units": "GML", "suv_type": "BW", "corrected_image": "ATTN;DECY"}
    >>> suv(Volume(np.array([[[1.0, 2.0]]]), grid, quantity="g/mL", facts=facts)).quantity
    'SUVbw'
    """
    chosen = settings or PetSettings()
    if any(step.name == "suv" for step in volume.history):
        return _again(volume, chosen)
    found = factor(volume.facts, chosen)
    values = _times(volume.array, found.factors)
    doubts = _doubts_of_values(volume, values, found, chosen)
    distinct = sorted(set(found.factors))
    told = {
        "quantity": chosen.quantity,
        "factor": distinct if len(distinct) > 1 else distinct[0],
        **found.told,
        **({"doubts": doubts} if doubts else {}),
    }
    return volume.with_(Step("suv", told, "; ".join(found.notes)), array=values, quantity=chosen.quantity)


def _again(volume: Volume, settings: PetSettings) -> Volume:
    """A volume that is SUV already stays as it is."""
    if volume.quantity != settings.quantity:
        Header(volume.facts).refuse(
            f"the image was turned into {volume.quantity} before, {settings.quantity} is asked for",
            "Start from the image as it was read.",
        )
    return volume


def _times(array: NDArray[np.float32], factors: tuple[float, ...]) -> NDArray[np.float32]:
    if len(factors) not in (1, array.shape[0]):
        Header({}).refuse("the header's slices are not those of the image", EXPORT)
    values: NDArray[np.float32] = np.empty_like(array)
    for index, plane in enumerate(array):
        # In float64, a slice at a time: memory holds the volume once.
        values[index] = plane.astype(np.float64) * factors[index if len(factors) > 1 else 0]
    return values


def _doubts_of_values(
    volume: Volume, values: NDArray[np.float32], found: SuvFactor, settings: PetSettings
) -> list[str]:
    """The header's doubts and those of the values; more activity than was injected is refused.

    The sum holds for every kind of SUV: lean mass, ideal weight and surface in cm2 are smaller than weight
    in g (ideal weight nearly always), and the room of the bound is wide.
    """
    header = Header(volume.facts, strict=settings.strict, doubts=list(found.told.get("doubts", ())))
    weight_kg = found.told.get("weight_kg", _HEAVIEST_KG)
    litres = float(np.prod(volume.geometry.spacing_mm)) / 1e6
    share = float(values.sum(dtype=np.float64)) * litres / weight_kg
    fix = (
        "Take a series whose Units and dose are right, or supply with Samples.override(table) what is wrong: "
        "units (BQML, with weight_kg and dose_bq) where voxels are in Bq/mL, dose_bq (Bq) where the dose is."
    )
    if share > _MOST_OF_DOSE:
        header.refuse(
            f"the image would hold {share:.3g} times the injected dose or more: its values are no SUV, or "
            "the dose is wrong",
            fix,
        )
    highest = float(values.max())
    low, high = _HIGHEST_SUV
    if not low <= highest <= high:
        header.doubt(f"highest SUV of {highest:.4g}: dose or units may be wrong", fix)
    return header.doubts


def _check_image(header: Header) -> None:
    if header.facts.get("sop_class") in ENHANCED_PET:
        header.refuse(
            "enhanced PET objects are not supported yet", "Export the series as classic PET slices."
        )
    if "REPROJECTION" in header.words("series_type"):
        header.refuse(
            "SeriesType is REPROJECTION: the image is a projection", "Take the series of type IMAGE."
        )
    header.same("rescale_intercept", "corrected_image")
    if header.number("rescale_intercept"):
        header.refuse("RescaleIntercept is not 0, which PET does not allow", EXPORT)
    if header.text("units"):
        _check_attenuation(header)


def _check_attenuation(header: Header) -> None:
    """ATTN in Corrected Image; an empty one, with Attenuation Correction Method filled, is told."""
    listed = header.words("corrected_image")
    if "ATTN" in listed:
        return
    fix = "Take the attenuation-corrected series."
    if header.overridden("units") and not listed:
        header.note("nothing says that the image is attenuation-corrected")
    elif not listed and header.facts.get("attenuation_method_named"):
        header.doubt("CorrectedImage is empty: AttenuationCorrectionMethod names a correction", fix)
    else:
        header.refuse(
            "CorrectedImage (0028,0051) does not list ATTN: the image is not attenuation-corrected", fix
        )
