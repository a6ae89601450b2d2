"""From stored values to measured ones: slope, intercept and the quantity that a frame says it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import QuantityError
from gclnm.images.dicom.files import first_item, group_item, number, private, text, words
from gclnm.images.dicom.frametypes import FrameKind, frame_kind

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["UNKNOWN", "Scale", "frame_scale"]

UNKNOWN = "unspecified"

# Rescale Type (0028,1054), PS3.3 C.11.1.1.2: code -> our name of the quantity.
_RESCALE_TYPES = {
    "HU": "HU",
    "MGML": "mg/mL",
    "Z_EFF": "effective Z",
    "ED": "1e23 electrons/mL",
    "EDW": "electron density relative to water",
    "HU_MOD": "modified HU",
    "PCT": "%",
    "OD": "optical density",
    "US": UNKNOWN,
    "HZ": "Hz",
    "MS": "ms",
}
# UCUM codes of real-world value maps -> our name.
_UCUM = {
    "[hnsf'U]": "HU",
    "mg/ml": "mg/mL",
    "mg/mL": "mg/mL",
    "mg/cm3": "mg/mL",
    "um2/s": "1e-6 mm2/s",
    "10-6.mm2/s": "1e-6 mm2/s",
    "10*-6.mm2/s": "1e-6 mm2/s",
    "10-3.mm2/s": "1e-3 mm2/s",
    "10*-3.mm2/s": "1e-3 mm2/s",
    "Bq/ml": "Bq/mL",
    "g/ml": "g/mL",
    "g/ml{SUVbw}": "SUVbw",
    "{SUVbw}g/ml": "SUVbw",
}
_NO_UNIT = frozenset({"", "1", "{counts}", "[arb'U]", "no units"})
_PT_UNITS = {"BQML": "Bq/mL", "GML": "g/mL", "CM2ML": "cm2/mL", "CNTS": "counts", "CPS": "counts/s"}

# A unit at the end of a map's name: "Iodine no Water[mg/ml*]".
_UNIT_IN_NAME = re.compile(r"\[(?P<unit>[^\]*]+)\*?\]\s*$")


@dataclass(frozen=True)
class Scale:
    """How one frame's stored values become ``quantity``: ``slope * stored + intercept``."""

    slope: float
    intercept: float
    quantity: str
    rule: str


def frame_scale(dataset: Dataset, frame: int = 0, where: str = "") -> Scale:
    """Slope, intercept and quantity of one frame.

    A real-world value map with a unit wins over Rescale Type; per-frame groups win over shared ones, and
    those over the top level (PS3.3 C.7.6.16.2.9, C.7.6.16.2.11, C.11.1).

    Raises
    ------
    QuantityError
        When values go through a look-up table, a slope is zero or no number, or maps contradict each other.
    """
    modality = text(dataset, "Modality").upper()
    scale = _rescale(dataset, frame, modality, where)
    if modality == "PT":
        return scale
    mapped = _real_world_scale(dataset, frame, where)
    return scale if mapped is None else mapped


def _rescale(dataset: Dataset, frame: int, modality: str, where: str) -> Scale:
    if first_item(dataset, "ModalityLUTSequence") is not None and number(dataset, "RescaleSlope") is None:
        raise QuantityError(
            "stored values go through a Modality LUT, which is not supported",
            where=where,
            code="modality-lut",
        )
    group = group_item(dataset, frame, "PixelValueTransformationSequence")
    source = group if group is not None else dataset
    slope, intercept = number(source, "RescaleSlope"), number(source, "RescaleIntercept")
    if slope is None and intercept is None:
        slope, rule = 1.0, "no rescale in the header"
    else:
        rule = "rescale of the frame" if group is not None else "rescale of the slice"
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        raise QuantityError("Rescale Slope is zero or no number", where=where, code="bad-rescale")
    power, name = _rescale_type(text(source, "RescaleType"))
    quantity = _quantity(dataset, frame, modality, name, rescaled=rule != "no rescale in the header")
    return Scale(slope * 10.0**power, intercept * 10.0**power, quantity, rule)


def _rescale_type(value: str) -> tuple[int, str | None]:
    """Power of ten and quantity of a Rescale Type; ``None`` for an absent one.

    Examples
    --------
    >>> _rescale_type("10^-2 MGML"), _rescale_type("HU"), _rescale_type("")
    ((-2, 'mg/mL'), (0, 'HU'), (0, None))
    """
    if not value:
        return 0, None
    match = re.fullmatch(r"(?:10\^(-?\d+)\s+)?(\S+)", value.strip())
    if match is None or match[2].upper() not in _RESCALE_TYPES:
        return 0, UNKNOWN
    return int(match[1] or 0), _RESCALE_TYPES[match[2].upper()]


def _quantity(dataset: Dataset, frame: int, modality: str, named: str | None, *, rescaled: bool) -> str:
    if modality == "PT":
        units = text(dataset, "Units").upper()
        return _PT_UNITS.get(units, f"units {units}" if units.isalnum() else UNKNOWN)
    kind = _kind(dataset, frame, modality)
    if modality == "CT":
        # Without Rescale Slope and Intercept nothing says that stored values are HU.
        plain = named or ("HU" if rescaled else UNKNOWN)
        return plain if kind.name not in _CT_MAPS else _map_quantity(dataset, named)
    if modality == "MR":
        name = {"adc": "ADC"}.get(kind.name, kind.name.replace("-", " "))
        signal = "arbitrary" if kind.name in _MR_SIGNAL else f"{name}, unit unknown"
        return signal if named in (None, UNKNOWN) else str(named)
    return named or UNKNOWN


_CT_MAPS = frozenset({"ct-perfusion", "material", "unknown-unit"})
_MR_SIGNAL = frozenset({"image", "trace", "subtraction", "reformat", "mip", "localizer"})


def _kind(dataset: Dataset, frame: int, modality: str) -> FrameKind:
    group = group_item(dataset, frame, f"{modality}ImageFrameTypeSequence")
    source = dataset if group is None else group
    return frame_kind(
        modality,
        words(group, "FrameType") or words(dataset, "ImageType"),
        component=text(source, "ComplexImageComponent"),
        ge_raw=_ge_raw_type(dataset),
        rescale_type=text(dataset, "RescaleType"),
        description=text(dataset, "SeriesDescription"),
    )


def _ge_raw_type(dataset: Dataset) -> int | None:
    """GE: whether an image is magnitude (0), phase, real or imaginary."""
    value = private(dataset, 0x0043, "GEMS_PARM_01", 0x2F)
    return int(value) if value.isdecimal() else None


def _map_quantity(dataset: Dataset, named: str | None) -> str:
    """What a CT map holds: its Rescale Type, else the unit in its name, else nobody knows."""
    if named not in (None, "HU", UNKNOWN):
        return str(named)
    found = _UNIT_IN_NAME.search(text(dataset, "SeriesDescription"))
    unit = found["unit"].strip().lower() if found else str(named).lower()
    # Virtual non-contrast and calcium-suppressed images: HU after something was taken out.
    return "modified HU" if unit == "hu" else _UCUM.get(unit, UNKNOWN)


def _real_world_scale(dataset: Dataset, frame: int, where: str) -> Scale | None:
    """The real-world value map of a frame, if it is linear and has a unit."""
    item = group_item(dataset, frame, "RealWorldValueMappingSequence")
    unit = text(first_item(item, "MeasurementUnitsCodeSequence"), "CodeValue")
    if item is None or unit in _NO_UNIT:
        return None
    slope, intercept = number(item, "RealWorldValueSlope"), number(item, "RealWorldValueIntercept")
    if slope is None or intercept is None:
        raise QuantityError(
            "the real-world value map is a look-up table, which is not supported",
            where=where,
            code="modality-lut",
        )
    # A unit is a short code of UCUM; free text would be somebody's own words.
    safe = unit if re.fullmatch(r"[\w\[\]{}'/.*%^+-]{1,24}", unit) else UNKNOWN
    return Scale(slope, intercept, _UCUM.get(unit, safe), "real-world value map of the frame")
