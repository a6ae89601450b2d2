"""From stored values to measured ones: slope, intercept and the quantity that a frame says it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from gclnm.errors import QuantityError
from gclnm.images.dicom.elements import Groups, as_number, number, private, text
from gclnm.images.dicom.frames import kind_of, mapped_unit
from gclnm.images.dicom.objects import modality_of
from gclnm.images.volume import UNKNOWN

__all__ = ["Scale", "frame_scale"]

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
# A product or quotient of atoms that medical images are measured in, each with a prefix and a power.
_ATOM = (
    r"(?:10\*?[-+]?\d+|\d*(?:[unmckM]?(?:m|g|s|l|L|mol|Bq|Hz|Pa|T)|min|h|%|deg|Cel|\[ppm\])|\d+)"
    r"(?:\*?[-+]?\d)?"
)
_IS_UCUM = re.compile(rf"{_ATOM}(?:[./]{_ATOM})*", re.ASCII)
_PT_UNITS = {"BQML": "Bq/mL", "GML": "g/mL", "CM2ML": "cm2/mL", "CNTS": "counts", "CPS": "counts/s"}

# The other defined terms of PS3.3 C.8.9.1.1.3; another word may be somebody's own.
_OTHER_PT_UNITS = frozenset(
    {"NONE", "CM2", "PCNT", "MGMINML", "UMOLMINML", "MLMING", "MLG", "1CM", "UMOLML", "PROPCNTS", "PROPCPS"}
    | {"MLMINML", "MLML", "STDDEV"}
)

# A unit at the end of a map's name: "Iodine no Water[mg/ml*]".
_UNIT_IN_NAME = re.compile(r"\[(?P<unit>[^\]*]+)\*?\]\s*$")


@dataclass(frozen=True)
class Scale:
    """How one frame's stored values become ``quantity``: ``slope * stored + intercept``.

    Signal in arbitrary units divided by ``signal`` compares between frames and series of one examination
    (Philips); None where the vendor states no such scale.
    """

    slope: float
    intercept: float
    quantity: str
    rule: str
    signal: float | None = None


def frame_scale(groups: Groups, where: str = "") -> Scale:
    """Slope, intercept and quantity of one frame.

    A real-world value map with a unit wins over Rescale Type; per-frame groups win over shared ones, and
    those over the top level (PS3.3 C.7.6.16.2.9, C.7.6.16.2.11, C.11.1).

    Raises
    ------
    QuantityError
        When values go through a look-up table, a slope is zero or no number, or maps contradict each other.
    """
    modality = modality_of(groups.dataset)
    scale = _rescale(groups, modality, where)
    if modality == "PT":
        return scale
    mapped = _real_world_scale(groups, where)
    if mapped is None:
        signal = modality == "MR" and scale.quantity == "arbitrary"
        return replace(scale, signal=_signal_scale(groups, scale.slope)) if signal else scale
    if mapped.quantity == "HU" and modality == "CT" and kind_of(groups, modality).name in _CT_MAPS:
        # A map of water or calcium in HU is no CT image.
        return replace(mapped, quantity="modified HU")
    return mapped


def _signal_scale(groups: Groups, slope: float) -> float | None:
    """Philips: displayed values are those of the receiver times Rescale Slope and its own Scale Slope.

    Source: Chenevert et al., Translational Oncology 7 (2014) 65-71, doi 10.1593/tlo.13811.
    """
    creator = "Philips MR Imaging DD 001"
    for level in groups.levels():
        own = as_number(private(level, 0x2005, creator, 0x0E))
        listed = private(level, 0x2005, "Philips MR Imaging DD 005", 0x0F)
        if own is None and isinstance(listed, Sequence) and listed and isinstance(listed[0], Dataset):
            own = as_number(private(listed[0], 0x2005, creator, 0x0E))
        if own:
            return slope * own
    return None


def _rescale(groups: Groups, modality: str, where: str) -> Scale:
    if groups.item("ModalityLUTSequence") is not None and number(groups.dataset, "RescaleSlope") is None:
        raise QuantityError(
            "stored values go through a Modality LUT, which is not supported",
            where=where,
            code="modality-lut",
        )
    group = groups.item("PixelValueTransformationSequence")
    source = groups.dataset if group is None else group
    slope, intercept = number(source, "RescaleSlope"), number(source, "RescaleIntercept")
    unread = [
        name
        for name, value in (("Rescale Slope", slope), ("Rescale Intercept", intercept))
        if value is None and name.replace(" ", "") in source
    ]
    if unread or slope == 0:
        raise QuantityError(
            f"{unread[0] if unread else 'Rescale Slope'} is zero or no number",
            where=where,
            code="bad-rescale",
        )
    stated = slope is not None or intercept is not None
    rule = f"rescale of the {'slice' if group is None else 'frame'}" if stated else "no rescale in the header"
    power, name = _rescale_type(text(source, "RescaleType"))
    factor = 10.0**power
    quantity = _quantity(groups, modality, name, rescaled=stated)
    return Scale((1.0 if slope is None else slope) * factor, (intercept or 0.0) * factor, quantity, rule)


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


def _quantity(groups: Groups, modality: str, named: str | None, *, rescaled: bool) -> str:
    dataset = groups.dataset
    if modality == "PT":
        units = text(dataset, "Units").upper()
        return _PT_UNITS.get(units, f"units {units}" if units in _OTHER_PT_UNITS else UNKNOWN)
    kind = kind_of(groups, modality)
    if modality == "CT":
        # Without Rescale Slope and Intercept nothing says that stored values are HU.
        plain = named or ("HU" if rescaled else UNKNOWN)
        return plain if kind.name not in _CT_MAPS else _map_quantity(dataset, named)
    if modality == "MR":
        name = {"adc": "ADC"}.get(kind.name, kind.name.replace("-", " "))
        signal = "arbitrary" if kind.name in _MR_SIGNAL else f"{name}, unit unknown"
        return signal if named in (None, UNKNOWN) else str(named)
    return named or UNKNOWN


_CT_MAPS = frozenset({"ct-perfusion", "material"})
_MR_SIGNAL = frozenset({"image", "trace", "subtraction", "reformat", "mip", "localizer"})


def _map_quantity(dataset: Dataset, named: str | None) -> str:
    """What a CT map holds: its Rescale Type, else the unit in its name, else nobody knows."""
    if named not in (None, "HU", UNKNOWN):
        return str(named)
    found = _UNIT_IN_NAME.search(text(dataset, "SeriesDescription"))
    unit = found["unit"].strip().lower() if found else str(named).lower()
    # Virtual non-contrast and calcium-suppressed images: HU after something was taken out.
    return "modified HU" if unit == "hu" else _UCUM.get(unit, UNKNOWN)


def _real_world_scale(groups: Groups, where: str) -> Scale | None:
    """The real-world value map of a frame, if it is linear and has a unit."""
    item, unit = groups.item("RealWorldValueMappingSequence"), mapped_unit(groups)
    if item is None or unit in _NO_UNIT:
        return None
    slope, intercept = number(item, "RealWorldValueSlope"), number(item, "RealWorldValueIntercept")
    if slope is None or intercept is None:
        raise QuantityError(
            "the real-world value map is a look-up table, which is not supported",
            where=where,
            code="modality-lut",
        )
    # Anything but units of UCUM would be somebody's own words.
    known = unit if len(unit) <= 24 and _IS_UCUM.fullmatch(unit) else UNKNOWN
    return Scale(slope, intercept, _UCUM.get(unit, known), "real-world value map of the frame")
