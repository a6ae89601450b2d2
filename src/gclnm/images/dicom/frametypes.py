"""What the values of a frame are: an image of the body, or a map, a projection, a phase, a localizer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gclnm.images.dicom.energy import KINDS_OF_MAPS, described
from gclnm.images.dicom.words import plain

__all__ = ["KINDS", "FrameKind", "frame_kind"]


@dataclass(frozen=True)
class FrameKind:
    """One kind of frame.

    Parameters
    ----------
    name
        ``"image"`` for ordinary signal, HU or activity; else what it is instead.
    flags
        What a catalog row says about it.
    reason
        Why it cannot be used as an image; empty where it can.
    """

    name: str
    flags: tuple[str, ...] = ()
    reason: str = ""


KINDS = {
    kind.name: kind
    for kind in (
        FrameKind("image"),
        FrameKind("trace"),
        FrameKind("adc", ("derived-map",)),
        FrameKind("subtraction", ("derived-map",)),
        FrameKind("reformat", ("projection",)),
        FrameKind("mip", ("projection",), "a projection (MIP) is not a volume of the body"),
        FrameKind("reprojection", ("projection",), "a PET reprojection is not a volume of the body"),
        FrameKind("localizer", ("localizer",), "a localizer is not a diagnostic volume"),
        FrameKind("map", ("derived-map", "not-signal"), "a derived map whose values are not signal"),
        FrameKind("phase", ("not-signal",), "phase values are not signal"),
        FrameKind("real", ("not-signal",), "the real part of complex data is not signal"),
        FrameKind("imaginary", ("not-signal",), "the imaginary part of complex data is not signal"),
        FrameKind("field-map", ("not-signal",), "a field map is not signal"),
        FrameKind("perfusion", ("derived-map", "not-signal"), "perfusion values are not signal"),
        FrameKind("ct-perfusion", ("derived-map", "not-hu"), "a perfusion map is not HU"),
        FrameKind("material", ("derived-map", "not-hu")),
        FrameKind(
            "bolus-tracking", ("localizer",), "images that time the contrast agent are no diagnostic volume"
        ),
    )
}

DERIVED_MAPS = """
FA, COLFA, COLORFA, TENSOR, TENSOR_B0, EADC, EXP, FRACTIONAL_ANISO, RELATIVE_ANISO, RA, VR, VOLUMETRIC_DIFF,
TTP, TMAX, CBF, CBV, MTT, RCBF, RCBV, RMTT, RTTP, RELCBF, RELCBV, RELMTT, T1 MAP, T1_MAP, T2 MAP, T2_MAP,
T2_STAR MAP, T2_STAR_MAP, T2STAR_MAP, T2* MAP, R2 MAP, R2_MAP, R2STAR_MAP, R2_STAR_MAP, FAT FRACTION,
FAT_FRACTION, STIFFNESS, PARAMETRIC
"""
MATERIAL_MAPS = """
MAT_SPECIFIC, MAT_REMOVED, MAT_MODIFIED, MAT_FRACTIONAL, MAT_VALUE_BASED, EFF_ATOMIC_NUM, ELECTRON_DENSITY,
IODINE, MD, GSI MD
"""


def _words(listed: str) -> frozenset[str]:
    return frozenset(word.strip() for word in listed.replace("\n", " ").split(","))


# Order matters: an ADC map may carry a b-value, a phase image the word M.
MR_WORDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("localizer", frozenset({"LOCALIZER", "SURVEY", "SCOUT"})),
    ("adc", frozenset({"ADC", "ADC_UNSPECIFIED", "ADC MAP"})),
    ("trace", frozenset({"TRACEW", "TRACE", "ISOTROPIC"})),
    ("field-map", frozenset({"FIELD_MAP", "FIELD MAP", "B0 MAP", "B0_MAP", "B0", "B1", "B1 MAP"})),
    ("map", _words(DERIVED_MAPS)),
    ("perfusion", frozenset({"PERFUSION", "ASL"})),
    ("mip", frozenset({"MIP", "MINIP", "MIN_IP", "PROJECTION IMAGE", "PROJECTION", "VRT", "VOLREN"})),
    ("subtraction", frozenset({"SUB", "SUBTRACTION", "SUBTRACT"})),
    (
        "phase",
        frozenset({"P", "PHASE", "PHASE MAP", "PHASE_MAP", "P_SE", "P_FFE", "P_IR", "PCA", "VELOCITY"}),
    ),
    ("real", frozenset({"R", "REAL", "R_SE", "R_FFE", "R_IR"})),
    ("imaginary", frozenset({"I", "IMAGINARY", "I_SE", "I_FFE", "I_IR"})),
    ("reformat", frozenset({"MPR", "CPR", "REFORMATTED", "RESAMPLED_MPR"})),
)
CT_WORDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("localizer", frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW"})),
    ("ct-perfusion", frozenset({"PERFUSION", "RCBF", "RCBV", "RMTT", "CBF", "CBV", "MTT", "TTP"})),
    ("material", _words(MATERIAL_MAPS)),
    ("mip", frozenset({"MIP", "MINIP", "AVERAGE_IP", "VRT", "VOLREN", "PROJECTION IMAGE", "DOSE_INFO"})),
    ("subtraction", frozenset({"SUB", "SUBTRACTION"})),
    ("reformat", frozenset({"MPR", "CPR", "REFORMATTED", "CSA MPR"})),
)
PT_WORDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("localizer", frozenset({"LOCALIZER"})),
    ("reprojection", frozenset({"REPROJECTION"})),
    ("mip", frozenset({"MIP", "VRT", "PROJECTION IMAGE"})),
    ("reformat", frozenset({"MPR", "REFORMATTED"})),
)
COMPLEX = {"PHASE": "phase", "REAL": "real", "IMAGINARY": "imaginary"}
GE_RAW = {1: "phase", 2: "real", 3: "imaginary"}
NOT_HU = frozenset({"MGML", "Z_EFF", "ED", "EDW", "PCT", "OD"})
RESCALE = re.compile(r"^(?:10\^(-?\d+)\s+)?(\S+)$")
# In plain words.
ADC_NAME = re.compile(r"(?<![A-Z])[DE]?ADC(?![A-Z])|APPARENT DIFFUSION|表观扩散|表观弥散")
SCOUT_NAME = re.compile(r"\b(?:SCOUT|TOPOGRAM|SURVIEW|LOCALIZER)\b|定位", re.ASCII)
BOLUS_NAME = re.compile(
    r"\b(?:PRE ?)?MONITORING\b|\bSMART ?PREP\b|\bBOLUS ?TRACK|\bTEST ?BOLUS\b|小剂量|监测", re.ASCII
)


def frame_kind(
    modality: str,
    image_type: tuple[str, ...],
    *,
    component: str = "",
    ge_raw: int | None = None,
    rescale_type: str = "",
    unit: str = "",
    description: str = "",
) -> FrameKind:
    """What the values of a frame are, by the header alone.

    Parameters
    ----------
    modality
        ``"CT"``, ``"MR"`` or ``"PT"``.
    image_type
        Image Type (0008,0008) or Frame Type (0008,9007); for PET with the values of Series Type.
    component
        Complex Image Component (0008,9208).
    ge_raw
        GE's raw data type (0043,102F).
    rescale_type, unit
        Rescale Type (0028,1054) and the unit of a real-world value map.
    description
        Series Description; consulted for CT maps, localizers and derived MR only.

    Examples
    --------
    >>> frame_kind("MR", ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")).name
    'adc'
    >>> frame_kind("MR", ("ORIGINAL", "PRIMARY", "T1", "FIELD_MAP"), component="REAL").name
    'field-map'
    >>> frame_kind("CT", ("DERIVED", "PRIMARY", "PERFUSION", "RCBF")).flags
    ('derived-map', 'not-hu')
    """
    words = frozenset(word.upper() for word in image_type[2:])
    if modality == "MR":
        kind = _mr(words, component.upper(), ge_raw, description)
        derived = image_type[:1] == ("DERIVED",)
        # Some vendors name the map in words only.
        return KINDS["adc" if kind == "image" and derived and ADC_NAME.search(plain(description)) else kind]
    if modality == "CT":
        return KINDS[_ct(words, rescale_type, unit, description)]
    return KINDS[_first(PT_WORDS, frozenset(word.upper() for word in image_type)) or "image"]


def _first(table: tuple[tuple[str, frozenset[str]], ...], words: frozenset[str]) -> str:
    return next((name for name, known in table if known & words), "")


def _mr(words: frozenset[str], component: str, ge_raw: int | None, description: str) -> str:
    if SCOUT_NAME.search(plain(description)):
        return "localizer"
    found = _first(MR_WORDS, words)
    if found == "perfusion" and component == "MAGNITUDE":
        found = ""  # signal of a dynamic series that feeds a perfusion map
    return found or COMPLEX.get(component, "") or GE_RAW.get(ge_raw or 0, "") or "image"


def _ct(words: frozenset[str], rescale_type: str, unit: str, description: str) -> str:
    found = _first(CT_WORDS, words)
    if found in ("localizer", "ct-perfusion", "mip"):
        return found
    if SCOUT_NAME.search(plain(description)):
        return "localizer"
    if BOLUS_NAME.search(plain(description)):
        return "bolus-tracking"
    match = RESCALE.match(rescale_type.upper())
    stated = bool(match and match.group(2) in NOT_HU)
    mapped = bool(unit) and not unit.upper().startswith(("HU", "[HNSF'U]"))
    # Virtual non-contrast images may say that they are HU: they are not those of an unenhanced scan.
    if stated or mapped or found == "material" or described(description).kind in KINDS_OF_MAPS:
        return "material"
    return found or "image"
