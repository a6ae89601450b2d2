"""Contrast phase of CT: by code, by words in English and Chinese, by the time since the bolus."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from gclnm.errors import InputError
from gclnm.images.dicom.elements import Groups, items, seconds_of_day, text
from gclnm.images.dicom.words import VIRTUAL, plain, readings

__all__ = [
    "PHASES",
    "WINDOWS_S",
    "PhaseEvidence",
    "Windows",
    "check_windows",
    "contrast_phase",
    "phase_evidence",
    "phase_in_words",
]

PHASES = ("native", "arterial", "portal_venous", "delayed", "unknown")
# Seconds after the start of the injection, up to but without the second. Late arterial is scanned at 30 to
# 40 s, portal venous at 60 to 90 s, delayed from 2 min on (ACR Manual on Contrast Media; Radiopaedia): the
# borders lie in between. Sites with protocols of their own give their own.
Windows = Mapping[str, tuple[float, float]]
WINDOWS_S: Windows = MappingProxyType(
    {"arterial": (15.0, 50.0), "portal_venous": (50.0, 110.0), "delayed": (110.0, 600.0)}
)
# So close to a border a word of the neighbouring phase is no contradiction.
BORDER_S = 10.0
# A start that long after the image belongs to something else.
MOST_BEFORE_S = 1800.0
DAY_S = 86400.0

# What evidence can say beside a phase: contrast without a phase, or more than one phase.
ENHANCED, SEVERAL = "enhanced", "several"

# Contrast/Bolus Agent Phase (0018,9344), PS3.3 C.7.6.16.2.12.
TERMS = {
    "PRE_CONTRAST": "native",
    "ARTERIAL": "arterial",
    "CAPILLARY": "arterial",
    "PORTAL_VENOUS": "portal_venous",
    "VENOUS": "portal_venous",
    "DELAYED": "delayed",
    "STEADY_STATE": "delayed",
    "POST_CONTRAST": ENHANCED,
    "IMMEDIATE": ENHANCED,
    "DYNAMIC": ENHANCED,
}

_GAP = "[ -]*"
_LATER = rf"(?!{_GAP}(?:OP|THERAP|TREAT|TX|RT|CHEMO|SURG|SMART|MON))"
_AGENT = (
    rf"(?:I ?V{_GAP})?(?:CON(?:TRAST)?|C(?!-[A-Z]| SPINE)|CE|CM|KM|ENH(?:ANCED|ANCEMENT)?|INJ(?:ECTION)?)"
)
_WITH, _WITHOUT = "(?:WITH|W/|W)", "(?:WITHOUT|W/O|WO)"
_AND = "[ /&+-]*(?:AND|OR|THEN)?[ /&+-]*"
# What is said first is taken out before the next is looked for: "non-contrast" holds "contrast".
# AP is no arterial phase here: it is abdomen-pelvis as often; VP is a shunt. What comes "pre" or is "without"
# something else than contrast agent says nothing: "pre TAVI" is enhanced.
_ENGLISH: tuple[tuple[str, str], ...] = (
    ("", rf"(?:WITHOUT|WITH|W/O|WO|W/|W)?{_GAP}ORAL(?:{_GAP}CONTRAST)?"),
    (SEVERAL, rf"(?:{_WITHOUT}{_AND}{_WITH}|{_WITH}{_AND}{_WITHOUT})"),
    (
        "native",
        rf"(?:(?:NON|PRE){_GAP}{_AGENT}|NO[ -]+{_AGENT}|NC|NCCT|NECT|PLAIN|UNENHANCED|NATIVE?"
        rf"|{_WITHOUT}(?:{_GAP}{_AGENT}|(?= *(?:\d|$))))",
    ),
    (
        "arterial",
        rf"(?:(?:LATE|EARLY)?{_GAP}ART(?:ERIAL)?|AP?[ -]+PHASE|HAP|CTA|ANGIO(?:GRAPHY)?"
        rf"|(?:25|30|35){_GAP}S(?:EC)?)",
    ),
    (
        "portal_venous",
        rf"(?:PV|PVP|PORTAL|VEN|VENOUS|VP?[ -]+PHASE|PARENCHYMAL|(?:60|65|70|75){_GAP}S(?:EC)?)",
    ),
    (
        "delayed",
        rf"(?:DELAY|DELAYED|DP|EQUIL|EQUILIBRIUM|EXCRETORY|(?:120|180|300){_GAP}S(?:EC)?|(?:3|5|10){_GAP}MINS?)",
    ),
    (ENHANCED, rf"(?:CE|CECT|ENHANCED|POST{_LATER}|(?:W|WITH)?{_GAP}CONTRAST)"),
)
_BOUND = r"(?<![A-Z0-9.]){}(?![A-Z0-9])"
_SIGNS: tuple[tuple[str, str], ...] = (
    ("native", r"(?<![A-Z0-9])C-(?![A-Z0-9-])|(?<![A-Z0-9])-C(?![A-Z0-9])"),
    (ENHANCED, r"(?<![A-Z0-9])C\+|\+C(?![A-Z0-9])|(?<![A-Z0-9])W/(?!O(?![A-Z0-9]))"),
)
# Names of vessels hold the word too: aorta, pulmonary, coronary, carotid, limb, renal arteries.
_CHINESE: tuple[tuple[str, str], ...] = (
    ("", VIRTUAL),
    (SEVERAL, r"增强前后|(?<![A-Z0-9])C ?(?:\+ ?/? ?-|- ?/? ?\+)|\+ ?/ ?-|±|动[、/和及+ ]?静脉"),
    ("native", r"平扫|增强前|(?:非|未|无)增强"),
    ("arterial", r"(?<![主肺冠状颈脑肢肾髂椎])动脉(?![瘤硬炎粥造])"),
    ("portal_venous", r"门静?脉|静脉期|实质期"),
    ("delayed", r"延迟|延时|平衡期|排泄期"),
    (ENHANCED, r"增强"),
)
_PATTERNS = tuple(
    (phase, re.compile(pattern, re.ASCII))
    for phase, pattern in (
        *_CHINESE,
        *((phase, _BOUND.format(pattern)) for phase, pattern in _ENGLISH),
        *_SIGNS,
    )
)
_LATE = re.compile(_BOUND.format("LATE"))
# With the name of a vessel, angiography is the name of an examination, which may have any phase.
_ANGIOGRAPHY = re.compile(_BOUND.format("(?:CTA|ANGIO(?:GRAPHY)?)"))
_VESSEL = re.compile(
    r"[主肺冠状颈脑肢肾髂椎]动脉|血管|(?<![A-Z])(?:AORT|PULM|CORONAR|CAROTI|CEREBR|RUN ?OFF|TAVI|TAVR|EVAR)"
)


def check_windows(windows_s: Windows) -> Windows:
    """Windows of phases that can be used: known phases, in seconds, none within another.

    Raises
    ------
    InputError
        When they cannot.

    Examples
    --------
    >>> check_windows({"arterial": (30, 60), "portal_venous": (60, 150)})["arterial"]
    (30.0, 60.0)
    """
    ordered = sorted((float(low), float(high), phase) for phase, (low, high) in windows_s.items())
    ends = [edge for low, high, _ in ordered for edge in (low, high)]
    if set(windows_s) - set(PHASES[1:4]) or any(a > b for a, b in pairwise(ends)):
        raise InputError(
            "these are no windows of contrast phases",
            where=f"phase_windows_s={dict(windows_s)!r}",
            fix='Seconds after the injection, like {"arterial": (15, 50), "portal_venous": (50, 110)}.',
        )
    return {phase: (low, high) for low, high, phase in ordered}


@dataclass(frozen=True)
class PhaseEvidence:
    """What one frame's header says of the contrast phase.

    Parameters
    ----------
    code, word
        A phase that a code or that words name; ``"enhanced"``: contrast without a phase; ``"several"``:
        more than one phase; empty: nothing.
    bolus_s
        Seconds from the start of the injection to the acquisition; negative: before it.
    """

    code: str = ""
    word: str = ""
    bolus_s: float | None = None


def phase_evidence(groups: Groups) -> PhaseEvidence:
    """Evidence of one frame's contrast phase.

    Words are those of the series, not of the study, whose description holds for all of its series:
    Series Description, Image Comments, acquisition protocol; then Protocol Name. The first that names a
    phase counts. The agent proves nothing: ``APPLIED`` says not when, ``NONE`` and nothing are defaults.
    """
    dataset = groups.dataset
    said = [text(dataset, name) for name in ("SeriesDescription", "ImageComments")]
    said += [text(dataset, name) for name in ("AcquisitionProtocolDescription", "AcquisitionProtocolName")]
    words = [phase_in_words(words) for words in said if words]
    protocol = phase_in_words(text(dataset, "ProtocolName"))
    # A protocol of several phases is the usual one; that names none of them.
    words += [protocol] if protocol in PHASES else []
    named = [word for word in words if word in (*PHASES, SEVERAL)]
    return PhaseEvidence(_code(groups), (named or [*filter(None, words), ""])[0], _bolus_s(groups))


def contrast_phase(evidence: PhaseEvidence, windows_s: Windows = WINDOWS_S) -> tuple[str, str]:
    """Phase and where it was found; ``unknown`` where evidence is missing or contradicts itself.

    Parameters
    ----------
    evidence
        What the header says.
    windows_s
        By phase, seconds from the start of the injection: from, to.

    Examples
    --------
    >>> contrast_phase(PhaseEvidence(bolus_s=96.0))
    ('portal_venous', 'bolus 96 s')
    >>> contrast_phase(PhaseEvidence(word="arterial", bolus_s=96.0))
    ('unknown', 'conflict: word arterial, bolus 96 s')
    """
    timed, near = _timed(evidence.bolus_s, windows_s)
    clock = "" if evidence.bolus_s is None else f"bolus {evidence.bolus_s:.0f} s"
    found = [(kind, said) for kind, said in (("code", evidence.code), ("word", evidence.word)) if said]
    named = {said for _, said in found} - {ENHANCED}
    told = ", ".join([*(f"{kind} {said}" for kind, said in found), *([clock] if clock else [])])
    if SEVERAL in named or len(named) > 1 or ("native" in named and len({s for _, s in found}) > 1):
        return "unknown", f"conflict: {told}"
    if named:
        (phase,) = named
        if timed and phase != timed and phase not in near:
            return "unknown", f"conflict: {told}"
        kinds = [kind for kind, said in found if said == phase]
        return phase, ", ".join([*kinds, *([clock] if phase == timed or phase in near else [])])
    if found and timed == "native":
        return "unknown", f"conflict: {told}"
    if timed:
        return timed, clock + (", near the border" if near else "")
    return "unknown", told


@lru_cache(maxsize=4096)
def phase_in_words(words: str) -> str:
    """The phase that free text names, ``"enhanced"``, ``"several"`` or nothing.

    Words are made plain first (:func:`gclnm.images.dicom.words.plain`); text that was read in the wrong
    character set is tried in those of Chinese headers.

    Examples
    --------
    >>> phase_in_words("Abd 1.25 PORTAL VENOUS"), phase_in_words("上腹部动脉期"), phase_in_words("C+ 3mm")
    ('portal_venous', 'arterial', 'enhanced')
    >>> phase_in_words("CT AP W/WO CONTRAST"), phase_in_words("PREP ABDOMEN")
    ('several', '')
    """
    return next((found for reading in readings(words) if (found := _named(reading))), "")


def _named(words: str) -> str:
    rest = plain(words, "+-/&±")
    if _VESSEL.search(rest):
        rest = _ANGIOGRAPHY.sub(" ", rest)
    found = set()
    for phase, pattern in _PATTERNS:
        rest, times = pattern.subn(" ", rest)
        if times:
            found.add(phase)
    found.discard("")
    if not found - {ENHANCED} and _LATE.search(rest):
        found.add("delayed")
    phases = found - {ENHANCED}
    if SEVERAL in found or len(phases) > 1 or found == {"native", ENHANCED}:
        return SEVERAL
    return phases.pop() if phases else ENHANCED if found else ""


def _code(groups: Groups) -> str:
    """What the functional group of contrast usage says of its agents."""
    for level in groups.levels():
        usages = items(level, "ContrastBolusUsageSequence")
        if not usages:
            continue
        said = {TERMS.get(text(usage, "ContrastBolusAgentPhase").upper(), "") for usage in usages} - {""}
        phases = said - {ENHANCED}
        if len(phases) > 1:
            return SEVERAL
        if phases or said:
            return phases.pop() if phases else ENHANCED
        given = {text(usage, "ContrastBolusAgentAdministered").upper() for usage in usages}
        return "native" if given == {"NO"} else ""
    return ""


def _bolus_s(groups: Groups) -> float | None:
    """Seconds from the start of the injection to the frame, where the header's times can be believed."""
    dataset = groups.dataset
    start = seconds_of_day(_start(groups))
    moment = text(groups.item("FrameContentSequence"), "FrameAcquisitionDateTime")
    clock = moment[8:] or text(dataset, "AcquisitionTime") or text(dataset, "AcquisitionDateTime")[8:]
    acquired = seconds_of_day(clock)
    # Some scanners fill the start in with the time of the series.
    if start is None or acquired is None or start == seconds_of_day(text(dataset, "SeriesTime")):
        return None
    elapsed = (acquired - start + DAY_S / 2) % DAY_S - DAY_S / 2
    return elapsed if -MOST_BEFORE_S <= elapsed <= DAY_S / 4 else None


def _start(groups: Groups) -> str:
    profiles = [
        profile
        for level in groups.levels()
        for agent in items(level, "ContrastBolusAgentSequence")
        for profile in items(agent, "ContrastAdministrationProfileSequence")
    ]
    starts = [text(groups.dataset, "ContrastBolusStartTime")]
    starts += [text(profile, "ContrastBolusStartTime") for profile in profiles]
    return next((start for start in starts if start), "")


def _timed(bolus_s: float | None, windows_s: Windows) -> tuple[str, set[str]]:
    """The phase at a time, and those whose border is so near that it may be one of them."""
    if bolus_s is None:
        return "", set()
    found = next((phase for phase, (low, high) in windows_s.items() if low <= bolus_s < high), "")
    near = {
        phase
        for phase, (low, high) in windows_s.items()
        if phase != found and low - BORDER_S <= bolus_s < high + BORDER_S
    }
    return ("native", set()) if bolus_s < 0 else (found, near)
