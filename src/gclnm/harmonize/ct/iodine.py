"""Maps of iodine and water: to mg/mL from what scanners write, with a guard against the wrong unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from gclnm.errors import GeometryError, QuantityError
from gclnm.harmonize.ct.settings import CtSettings
from gclnm.images.air import AIR_HU
from gclnm.images.volume import Mask, Step, Volume
from gclnm.prepare.grid import onto

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UNITS_MG_ML", "check_iodine", "iodine", "water"]

# mg/mL that one unit stands for; 1 mg/mL = 1 mg/cm3 = 1000 ug/cm3.
UNITS_MG_ML: Mapping[str, float] = {"mg/mL": 1.0, "ug/mL": 1e-3, "100 ug/mL": 0.1, "g/mL": 1000.0}
# Noise of a map: what is above takes up iodine.
_UPTAKE_MG_ML = 0.5
# Of what takes up iodine in a whole image, the percentile that blood and kidneys reach.
_HIGH = 95
_FIX = (
    "Supply `unit` for these images, samples.override(...): mg/mL, 100 ug/mL (GE's usual one for iodine),"
    " ug/mL or g/mL."
)


def iodine(volume: Volume, settings: CtSettings | None = None) -> Volume:
    """An iodine map in mg/mL.

    The unit is the one supplied for the images, else that of the real-world value map, of Rescale Type
    (``10^-2 MGML`` included) or of the description; without any the map is refused. A map in HU is
    converted only where ``settings.iodine_hu_per_mg_ml`` says how. Negative values are noise of the
    decomposition and are kept: clipping would bias means.

    Parameters
    ----------
    volume
        Iodine concentrations, (z, y, x), in the unit that its facts say.
    settings
        Choices for CT; the defaults when left out.

    Raises
    ------
    QuantityError
        Code ``no-unit``: the unit is not known; ``unit-suspect``: concentrations that no tissue has;
        ``not-iodine``: the map shows another material.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> facts = {"material": "iodine", "unit": "100 ug/mL"}
    >>> read = Volume(np.array([[[24.2, -3.0]]]), grid, "unspecified", facts)
    >>> [round(float(value), 2) for value in iodine(read).array.ravel()]
    [2.42, -0.3]
    """
    settings = settings or CtSettings()
    if volume.facts.get("material", "iodine") != "iodine":
        _refuse("the map shows another material than iodine", "Take the iodine map.", "not-iodine")
    made = _in_mg_ml(volume, "iodine", settings)
    taken = made.array[made.array > _UPTAKE_MG_ML]
    # Not the maximum: bone, and urine after minutes, hold more than any blood.
    highest = float(np.percentile(taken, _HIGH)) if taken.size else 0.0
    if highest > settings.most_aorta_mg_ml:
        _suspect("the image", highest, settings.most_aorta_mg_ml)
    return made


def water(volume: Volume) -> Volume:
    """A map of water in mg/mL, from the unit that its facts say.

    Raises
    ------
    QuantityError
        Code ``no-unit``: the unit is not known.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> read = Volume(np.array([[[1.0, 1.05]]]), grid, "unspecified", {"material": "water", "unit": "g/mL"})
    >>> [round(float(value)) for value in water(read).array.ravel()]
    [1000, 1050]
    """
    return _in_mg_ml(volume, "water", CtSettings())


def _in_mg_ml(volume: Volume, material: str, settings: CtSettings) -> Volume:
    supplied = sorted({"material", "unit"}.intersection(str(volume.facts.get("overridden", "")).split(";")))
    unit, factor = _factor(volume, material, settings, "unit" in supplied)
    told: dict[str, Any] = {"unit": unit, "factor": factor}
    if supplied:
        told["overridden"] = supplied[0] if len(supplied) == 1 else supplied
    values, filled = _without_fill(volume, unit)
    if filled:
        told["filled_voxels_set_to_0"] = filled
    # In double precision: a power of ten is no float32.
    if factor != 1.0:
        values = (values.astype(np.float64) * factor).astype(np.float32)
    facts = {**volume.facts, "unit": "mg/mL"}
    return volume.with_(Step(material, told), array=values, quantity="mg/mL", facts=facts)


def _without_fill(volume: Volume, unit: str) -> tuple[NDArray[np.float32], int]:
    """Values of a map that was read as HU: what was set to -1024 there is no concentration."""
    fills = [step.name for step in volume.history if step.settings.get("set_to") == AIR_HU]
    if volume.quantity != "HU" or not fills:
        return volume.array, 0
    if unit == "ug/mL" and "clamp" in fills:
        _refuse(
            "the map was read as HU, and values below -1024 ug/mL were cut off",
            "Store the map in mg/mL, or as DICOM whose header says what it shows.",
            "cut-off",
        )
    filled = volume.array == AIR_HU
    return np.where(filled, np.float32(0.0), volume.array), int(np.count_nonzero(filled))


def check_iodine(volume: Volume, masks: Mapping[str, Mask], settings: CtSettings | None = None) -> None:
    """Refuse an iodine map whose ROIs hold more iodine than tissue or blood can.

    Published tables mistake units too: 24.2 "mg/mL" of a gastric cancer (Medicine 96:e5878, 2017; doi
    10.1097/MD.0000000000005878) are 2.42 mg/mL, written by the scanner in 100 ug/cm3.

    Parameters
    ----------
    volume
        Iodine, mg/mL.
    masks
        ROIs by role; ``aorta`` and ``blood`` are blood, all others tissue.
    settings
        The limits; the defaults when left out.

    Raises
    ------
    QuantityError
        Code ``unit-suspect``.
    GeometryError
        When the ROI that is measured, ``roi``, has no place on the map. Others without one are left out.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> lesion = Mask(np.ones((1, 1, 2)), grid)
    >>> check_iodine(Volume(np.full((1, 1, 2), 24.2), grid, "mg/mL"), {"roi": lesion})
    Traceback (most recent call last):
    gclnm.errors.QuantityError: iodine of 24.2 mg/mL in tissue is more than 15: the unit is in doubt. ...
    """
    settings = settings or CtSettings()
    for role, mask in masks.items():
        blood = role in ("aorta", "blood")
        most = settings.most_aorta_mg_ml if blood else settings.most_iodine_mg_ml
        try:
            inside = volume.array[onto(mask, volume).array]
        except GeometryError:
            if role == "roi":
                raise
            continue  # What refers to this tissue is NaN, with the reason.
        if inside.size and float(np.median(inside)) > most:
            _suspect("blood" if blood else "tissue", float(np.median(inside)), most)


def _factor(volume: Volume, material: str, settings: CtSettings, supplied: bool) -> tuple[str, float]:
    """The unit that values are in, and mg/mL for each."""
    unit = str(volume.facts.get("unit") or "")
    if volume.quantity == "mg/mL" and not supplied:
        return "mg/mL", 1.0
    if unit in UNITS_MG_ML:
        return unit, UNITS_MG_ML[unit]
    if supplied:
        _refuse(f"the unit that is supplied is none of a map of {material}", _FIX, "no-unit")
    if unit.startswith("HU") or volume.quantity in ("HU", "modified HU"):
        if material != "iodine" or settings.iodine_hu_per_mg_ml is None:
            by_factor = " Or set harmonize.ct.iodine_hu_per_mg_ml by the scanner's manual."
            _refuse(
                f"the {material} map is said to be in HU, which is no concentration",
                _FIX + (by_factor if material == "iodine" else ""),
                "no-unit",
            )
        return "HU", 1.0 / settings.iodine_hu_per_mg_ml
    _refuse(f"the unit of the {material} map is not in its header", _FIX, "no-unit")


def _suspect(what: str, found: float, most: float) -> NoReturn:
    said = f"iodine of {found:.3g} mg/mL in {what} is more than {most:g}: the unit is in doubt"
    _refuse(said, _FIX, "unit-suspect")


def _refuse(what: str, fix: str, code: str) -> NoReturn:
    raise QuantityError(what, fix=fix, code=code)
