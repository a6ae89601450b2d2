"""Spectral CT: the keV of a monoenergetic image, material and unit of a map; never from the tube voltage."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from gclnm.images.dicom.elements import Groups, as_text, as_texts, items, number, read, text
from gclnm.images.dicom.words import VIRTUAL, plain, readings

__all__ = ["KINDS_OF_MAPS", "Spectral", "described", "spectral", "unit_named"]

# Below, iodine's K-edge is near; above, no scanner goes.
KEV = (35.0, 200.0)

# Image Type value 4 of multi-energy objects, PS3.3 C.8.15.3.
_IMAGE_TYPES = {
    "VMI": "vmi",
    "MAT_SPECIFIC": "material_specific",
    "MAT_REMOVED": "material_removed",
    "MAT_MODIFIED": "material_modified",
    "MAT_FRACTIONAL": "material_fractional",
    "MAT_VALUE_BASED": "value_based",
    "EFF_ATOMIC_NUM": "effective_atomic_number",
    "ELECTRON_DENSITY": "electron_density",
    # GE, Gemstone Spectral Imaging
    "GSI MONO": "vmi",
    "GSI MD": "material_specific",
}
KINDS_OF_MAPS = frozenset(_IMAGE_TYPES.values()) - {"vmi"}
_RESCALE_KINDS = {
    "MGML": "material_specific",
    "Z_EFF": "effective_atomic_number",
    "ED": "electron_density",
    "EDW": "electron_density",
    "PCT": "material_fractional",
    "HU_MOD": "material_modified",
}
_RESCALE_UNITS = {"MGML": "mg/mL", "Z_EFF": "1", "ED": "1e23/mL", "EDW": "1", "PCT": "%", "HU_MOD": "HU*"}
# Codes of Quantity Definition Sequence and its kin: SNOMED CT, and the older SRT.
_SUBSTANCES = {
    "11713004": "water",
    "C-10120": "water",
    "44588005": "iodine",
    "C-11400": "iodine",
    "5540006": "calcium",
    "C-13100": "calcium",
}
_MATERIALS = {"effective_atomic_number": "effective_z", "electron_density": "electron_density"}

# Plain words for maps, in the order in which they decide: kind, material, pattern.
_SUPPRESSED = "FREE|REMOV|SUPPR|SUBTRACT"
_BASIS = r"(?:WATER|IODINE|CALCIUM|HAP|FAT|URIC ACID|水|碘|钙|脂)"
_MAPS: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    # ASCII: a Chinese character ends a Latin word.
    (kind, material, re.compile(pattern, re.ASCII))
    for kind, material, pattern in (
        ("material_modified", "calcium_suppressed", r"CALCIUM[ -]*SUPP|钙抑制"),
        ("material_removed", "virtual_non_calcium", r"\bVNCA(?![A-Z])|\bVIRT[A-Z]*[ -]*NON[ -]*CALCIUM"),
        ("material_removed", "virtual_non_contrast", VIRTUAL),
        # Of a pair, GE shows the first.
        ("material_specific", "water", rf"\bWATER *(?:\(|(?:NO )?{_BASIS})|水 *\(? *碘"),
        (
            "material_removed",
            "virtual_non_contrast",
            rf"\bIODINE[ -]*(?:{_SUPPRESSED})"
            r"|\b(?:MINUS|NO|WITHOUT|LESS|W/O) IODINE\b(?! *(?:CONTRAST|AGENT))",
        ),
        (
            "effective_atomic_number",
            "effective_z",
            r"\bZ[ -]?EFF|\bEFF(?:ECTIVE)?[ -]*(?:Z(?![A-Z])|ATOMIC)|有效原子序数|RHOZ[ -]+Z(?![A-Z])",
        ),
        ("electron_density", "electron_density", r"ELECTRON[ -]*DENSITY|电子密度|RHOZ|\bEDW\b"),
        ("value_based", "uric_acid", rf"\bURIC ?ACID(?![A-Z]| *\(| {_BASIS})|尿酸"),
        ("material_specific", "calcium", rf"\bCALCIUM *(?:\(|{_BASIS})"),
        # HAP alone is the hepatic arterial phase.
        ("material_specific", "hydroxyapatite", rf"\bHAP *\(? *{_BASIS}"),
        ("material_specific", "fat", rf"\bFAT *(?:\(|{_BASIS})"),
        ("material_specific", "uric_acid", rf"\bURIC ?ACID *(?:\(|{_BASIS})"),
        ("material_specific", "iodine", r"碘 *(?:图|密度|基|浓度|\(|水)"),
        (
            "material_specific",
            "iodine",
            r"\bIODINE(?:MAP|DENSITY|OVERLAY)?(?![A-Z]|[ (-]*(?:CONTRAST|AGENT|ALLERG|BASED|DOSE))",
        ),
    )
)
# Maps whose unit alone is named.
_KIND_OF_UNIT = {"HU*": "material_modified", "mg/mL": "material_specific"}
_MONO = re.compile(r"\bMONO(?: ?E\b| ?E(?= ?\d)| ?\+| ?ENERGETIC| ?CHROMATIC)|\bVMI(?![A-Z])|单能", re.ASCII)
# A whole number that nothing makes a thickness, a voltage or one of several.
_LEVEL = r"(\d{2,3})(?![\d.]| ?(?:KV|MM|CM|MA|MS|SEC|S\b|%)|[ /~-]+\d{2,3}(?![\d.]))"
_KEVS = (
    re.compile(r"(?<![\d.])(\d{2,3}(?:\.\d+)?)[ -]*KEV(?![A-Z])"),
    re.compile(rf"(?<!\d)(?<!\d[ -])KEV[ =-]*{_LEVEL}", re.ASCII),
    re.compile(rf"\b(?:MONO(?: ?E(?:NERGETIC)?| ?CHROMATIC)?|VMI)(?: ?\+| PLUS)?[ -]*{_LEVEL}", re.ASCII),
)
_RANGE = re.compile(r"(?<![\d.])(\d{2,3})(?: ?[-~/] ?| TO | |KEV ?- ?)\d{2,3}(?:\.\d+)? ?KEV")
_SIGNS = "()+-/~="
_BRACKET = re.compile(r"\[([^\]]+)\]")
_UNITS = {
    "mg/ml": "mg/mL",
    "mg/cc": "mg/mL",
    "mg/cm3": "mg/mL",
    "g/l": "mg/mL",
    "mgml": "mg/mL",
    "ug/ml": "ug/mL",
    "ug/cm3": "ug/mL",
    "ug/cc": "ug/mL",
    "100ug/ml": "100 ug/mL",
    "100ug/cm3": "100 ug/mL",
    "100ug/cc": "100 ug/mL",
    "g/ml": "g/mL",
    "g/cm3": "g/mL",
    "hu": "HU",
    "[hnsf'u]": "HU",
    "%edw": "%EDW",
    "%": "%",
}


@dataclass(frozen=True)
class Spectral:
    """What a CT image shows of the spectrum.

    Parameters
    ----------
    kind
        ``"polychromatic"`` for ordinary CT, ``"vmi"`` for a virtual monoenergetic image, or the kind of map:
        ``material_specific``, ``material_removed``, ``material_modified``, ``material_fractional``,
        ``value_based``, ``effective_atomic_number``, ``electron_density``.
    energy_kev
        Level of a monoenergetic image (or of the one that a map was made from), keV.
    source
        Where level or kind were found: ``standard`` (multi-energy attributes), ``image type``,
        ``rescale type``, ``description``, ``comments``; empty for ordinary CT.
    material
        Of a map: ``iodine``, ``water``, ``virtual_non_contrast``, ``effective_z``, ``electron_density`` ...;
        empty where nothing says it.
    unit
        Of the values: ``HU``, ``HU*`` (modified), ``mg/mL``, ``100 ug/mL``, ``1``, ``%EDW`` ...; empty where
        nothing says it.
    """

    kind: str = "polychromatic"
    energy_kev: float | None = None
    source: str = ""
    material: str = ""
    unit: str = ""


def spectral(groups: Groups) -> Spectral:
    """What one CT frame shows: by the standard's multi-energy attributes, else by the vendors' words.

    The level is Monoenergetic Energy Equivalent (0018,937C), else a number before ``keV`` in Series
    Description or Image Comments. The kind is Image Type value 4, the label of a real-world value map,
    Rescale Type, else words. A tube voltage is no level: 120 kVp is not 120 keV.
    """
    dataset = groups.dataset
    said = [(described(text(dataset, "SeriesDescription")), "description")]
    said += [(described(text(dataset, "ImageComments")), "comments")]
    words, place = next(((s, p) for s, p in said if s.kind != "polychromatic"), (Spectral(), ""))
    kind, source = next(((k, s) for k, s in _kinds(groups) if k), (words.kind, place))
    energy = _standard_kev(groups)
    if energy is not None:
        kind, source = ("vmi" if kind == "polychromatic" else kind), "standard"
    elif words.energy_kev is not None and (kind == "vmi" or kind in KINDS_OF_MAPS):
        energy, source = words.energy_kev, place
    if kind == "polychromatic":
        return Spectral()
    material = (_substance(groups) or words.material or _MATERIALS.get(kind, "")) if kind != "vmi" else ""
    unit = _unit(groups, kind, words.unit)
    return Spectral(kind, energy, source, material, unit)


@lru_cache(maxsize=4096)
def described(words: str) -> Spectral:
    """What a description says, in the words of GE, Siemens, Philips and Canon.

    Examples
    --------
    >>> described("MonoE 40keV[HU]").energy_kev, described("Abdomen 120kV Br38").kind
    (40.0, 'polychromatic')
    >>> described("Iodine Density[mg/ml]")
    Spectral(kind='material_specific', energy_kev=None, source='description', material='iodine', unit='mg/mL')
    """
    found = (_described(reading) for reading in readings(words))
    return next((shown for shown in found if shown.kind != "polychromatic"), Spectral(unit="HU"))


def _described(words: str) -> Spectral:
    said = plain(words, _SIGNS)
    named = next((unit for written in _BRACKET.findall(words) if (unit := unit_named(written))), "")
    kinds = ((kind, material) for kind, material, pattern in _MAPS if pattern.search(said))
    kind, material = next(kinds, (_KIND_OF_UNIT.get(named, ""), ""))
    energies = {float(value) for pattern in _KEVS for value in pattern.findall(said) if _is_level(value)}
    if not kind and (energies or _MONO.search(said)):
        kind = "vmi"
    if not kind:
        return Spectral(unit="HU")
    # Several levels, or a range of them, name none.
    one = len(energies) == 1 and not any(_is_level(value) for value in _RANGE.findall(said))
    unit = named or {"vmi": "HU", "effective_atomic_number": "1"}.get(kind, "")
    return Spectral(kind, energies.pop() if one else None, "description", material, unit)


def _is_level(written: str) -> bool:
    return KEV[0] <= float(written) <= KEV[1]


def unit_named(words: str) -> str:
    """One of our units for a written one; ``HU*`` for modified HU; empty where it is not known.

    Examples
    --------
    >>> unit_named("100 µg/cm³"), unit_named("mg/ml*"), unit_named("HU*"), unit_named("parsec")
    ('100 ug/mL', 'mg/mL', 'HU*', '')
    """
    written = unicodedata.normalize("NFKC", words).replace("\u03bc", "u").replace("^", "").replace(" ", "")
    starred = written.endswith("*")
    unit = _UNITS.get(written.rstrip("*").lower().replace("mcg", "ug"), "")
    return "HU*" if starred and unit == "HU" else unit


def _kinds(groups: Groups) -> list[tuple[str, str]]:
    """Kinds by what is more trustworthy than words, each with its source."""
    frame_type = as_texts(groups.get("CTImageFrameTypeSequence", "FrameType"))
    values = [value.upper() for value in frame_type or as_texts(read(groups.dataset, "ImageType"))]
    listed = [_IMAGE_TYPES[value] for value in values[2:] if value in _IMAGE_TYPES]
    label = text(groups.item("RealWorldValueMappingSequence"), "LUTLabel").upper()
    stated = text(groups.dataset, "MultienergyCTAcquisition").upper() == "YES"
    rescale = _rescale_term(groups)
    return [
        (listed[0] if listed else "", "standard" if stated else "image type"),
        (_IMAGE_TYPES.get(label, ""), "standard"),
        (_RESCALE_KINDS.get(rescale, ""), "rescale type"),
    ]


def _rescale_term(groups: Groups) -> str:
    """Rescale Type without its power of ten."""
    value = as_text(groups.get("PixelValueTransformationSequence", "RescaleType")).upper()
    return re.sub(r"^10\^-?\d+\s+", "", value)


def _standard_kev(groups: Groups) -> float | None:
    for level in groups.levels():
        for item in items(level, "MultienergyCTCharacteristicsSequence"):
            found = number(item, "MonoenergeticEnergyEquivalent")
            if found is not None and KEV[0] <= found <= KEV[1]:
                return found
    return None


def _substance(groups: Groups) -> str:
    """The material that a real-world value map is about."""
    item = groups.item("RealWorldValueMappingSequence")
    for definition in items(item, "QuantityDefinitionSequence"):
        for code in items(definition, "ConceptCodeSequence"):
            found = _SUBSTANCES.get(text(code, "CodeValue"), "")
            if found:
                return found
    return ""


def _unit(groups: Groups, kind: str, worded: str) -> str:
    """Unit of the values: of the real-world value map, of Rescale Type, of the description."""
    item = groups.item("RealWorldValueMappingSequence")
    mapped = [unit_named(text(code, "CodeValue")) for code in items(item, "MeasurementUnitsCodeSequence")]
    term = _rescale_term(groups)
    # Scanners write HU on everything; words of a map that name a unit know better.
    stated = _RESCALE_UNITS.get(term) or unit_named(term)
    if kind in KINDS_OF_MAPS and stated == "HU" and worded:
        stated = worded
    return next((unit for unit in (*mapped, stated, worded) if unit), "")
