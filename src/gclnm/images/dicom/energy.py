"""Spectral CT: the keV of a monoenergetic image, material and unit of a map; never from the tube voltage."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from gclnm.images.dicom.elements import Groups, as_text, as_texts, items, number, read, text

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

# Words for maps, in the order in which they decide: kind, material, pattern.
_MAPS: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (kind, material, re.compile(pattern, re.IGNORECASE))
    for kind, material, pattern in (
        ("material_modified", "calcium_suppressed", r"calcium\s*supp|钙抑制"),
        (
            "material_removed",
            "virtual_non_contrast",
            r"\bvnc\b|virtual\W*(?:non|un)\W*(?:contrast|enhanced)|虚拟平扫|iodine\W*removed",
        ),
        (
            "effective_atomic_number",
            "effective_z",
            r"\bz.?eff|effective\W*(?:z\b|atomic)|有效原子序数|rhoz\W+z\b",
        ),
        ("electron_density", "electron_density", r"electron\W*density|电子密度|rhoz|%?\bedw\b"),
        ("value_based", "uric_acid", r"\buric\s*acid\b(?!\s*\()|尿酸"),
        ("material_specific", "water", r"\bwater\s*\("),
        ("material_specific", "calcium", r"\bcalcium\s*\("),
        ("material_specific", "hydroxyapatite", r"\bhap\s*\("),
        ("material_specific", "fat", r"\bfat\s*\("),
        ("material_specific", "uric_acid", r"\buric\s*acid\s*\("),
        ("material_specific", "iodine", r"\biodine\s*\(|碘(?:图|密度|基|浓度|\()"),
        ("material_specific", "iodine", r"\biodine\b(?!\W*(?:contrast|agent|allerg|based|dose))"),
        ("material_modified", "", r"\[hu\*\]"),
        ("material_specific", "", r"\[mg/ml\*?\]"),
    )
)
_MONO = re.compile(r"\bmono\s*(?:e\b|e(?=\s*\d)|\+|energetic|chromatic)|\bvmi\b|单能", re.IGNORECASE)
# A number before keV that is not the end of a range ("40-140 keV").
_KEV = re.compile(r"(?<![\d.])(\d{2,3}(?:\.\d+)?)\s*kev(?![a-z])", re.IGNORECASE)
_RANGE = re.compile(r"\d\s*(?:-|–|~|/|to|kev\s*-)\s*\d{2,3}(?:\.\d+)?\s*kev", re.IGNORECASE)
_BRACKET = re.compile(r"\[([^\]]+)\]\s*$")
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
    plain = unicodedata.normalize("NFKC", words)
    kinds = ((kind, material) for kind, material, pattern in _MAPS if pattern.search(plain))
    kind, material = next(kinds, ("", ""))
    energies = {float(value) for value in _KEV.findall(plain)}
    energies = {value for value in energies if KEV[0] <= value <= KEV[1]}
    if not kind and (energies or _MONO.search(plain)):
        kind = "vmi"
    if not kind:
        return Spectral(unit="HU")
    # Several levels, or a range of them, name none.
    one = len(energies) == 1 and not _RANGE.search(plain)
    bracket = _BRACKET.search(plain)
    unit = unit_named(bracket[1]) if bracket else {"vmi": "HU", "effective_atomic_number": "1"}.get(kind, "")
    return Spectral(kind, energies.pop() if one else None, "description", material, unit)


def unit_named(words: str) -> str:
    """One of our units for a written one; ``HU*`` for modified HU; empty where it is not known.

    Examples
    --------
    >>> unit_named("100 µg/cm³"), unit_named("mg/ml*"), unit_named("HU*"), unit_named("parsec")
    ('100 ug/mL', 'mg/mL', 'HU*', '')
    """
    plain = unicodedata.normalize("NFKC", words).replace("\u03bc", "u").replace("^", "").replace(" ", "")
    starred = plain.endswith("*")
    unit = _UNITS.get(plain.rstrip("*").lower().replace("mcg", "ug"), "")
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
