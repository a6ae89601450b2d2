"""Which MR sequence a frame is: image type, diffusion, the numbers of the pulse sequence, then words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from gclnm.images.dicom.bvalues import BValue, same_b
from gclnm.images.dicom.elements import Groups, as_number, as_text, number, seconds_of_day, text, words
from gclnm.images.dicom.sequencewords import (
    clean,
    dynamic_words,
    fat_words,
    in_phase_words,
    post_words,
    weighting_words,
)

__all__ = ["SEQUENCES", "MrSequence", "mr_sequence"]

UNKNOWN = "unknown"
SEQUENCES = (
    "T1",
    "T1-FS",
    "T2",
    "T2-FS",
    "PD",
    "PD-FS",
    "FLAIR",
    "STIR",
    "T2*",
    "bSSFP",
    "in-phase",
    "opposed-phase",
    "fat",
    "DWI",
    "ADC",
    "DCE",
    "subtraction",
    UNKNOWN,
)


@dataclass(frozen=True)
class MrSequence:
    """What an MR frame is.

    Parameters
    ----------
    name
        One of :data:`SEQUENCES`. ``-FS``: with suppression of fat.
    source
        What said so: ``image type``, ``b-value``, ``acquisition contrast``, ``timing`` (echo and
        repetition time), ``inversion`` (inversion time), ``words``; two joined by ``+`` agree. Where
        they contradict each other the name is ``unknown`` and the source says what each found.
    fat_suppressed
        ``yes`` where the header or its words say so, else ``no``.
    post_contrast
        ``yes``, ``no``, or ``unknown``: an agent ``NONE`` or an empty one proves nothing.
    """

    name: str = UNKNOWN
    source: str = ""
    fat_suppressed: str = "no"
    post_contrast: str = UNKNOWN


@dataclass(frozen=True)
class _Pulses:
    """The numbers of a pulse sequence: ms, degrees; None where the header has none."""

    family: str
    steady: bool
    three_d: bool
    te: float | None
    tr: float | None
    ti: float | None


# Frames that are signal of the body; of others only these have a name.
_SIGNAL = frozenset({"image", "trace", "reformat"})
_MAPS = {"adc": "ADC", "subtraction": "subtraction"}
_CONTRASTS = {
    "T1": "T1",
    "T2": "T2",
    "T2_STAR": "T2*",
    "PROTON_DENSITY": "PD",
    "FLUID_ATTENUATED": "FLAIR",
    "STIR": "STIR",
    "DIFFUSION": "DWI",
}
_DIXON = (
    ("in-phase", frozenset({"IN_PHASE", "IP", "INPHASE"})),
    ("opposed-phase", frozenset({"OPP_PHASE", "OUT_PHASE", "OP", "OPP", "OPPOSED_PHASE"})),
    ("fat", frozenset({"FAT", "F"})),
)
_WATER = frozenset({"WATER", "W"})
_NO_AGENT = frozenset({"", "NONE", "NO", "N", "NIL", "0"})
_EPI = re.compile(r"(?i)ep2d|epi|^\*?ep_|epse|epfid|epsed")
_GRADIENT = re.compile(r"(?i)gre|ffe|tfe|fl[23]d|flash|spgr|vibe|tfl|fame|lava|thrive|gr3d|gr2d")
_SPIN = re.compile(r"(?i)tse|fse|haste|fase|se2d|se3d|spc|space|^\*?se\d|propeller|blade")
_SINGLE_SHOT = re.compile(r"(?i)haste|ssfse|fase|^\*?h\dd|ssh")
# What one finding may be called when the other is less precise.
_NARROWER = {
    frozenset({"T2", "STIR"}): "STIR",
    frozenset({"T2", "FLAIR"}): "FLAIR",
    frozenset({"T2", "T2*"}): "T2*",
    frozenset({"T1", "bSSFP"}): "bSSFP",
    frozenset({"PD", "STIR"}): "STIR",
}


def mr_sequence(groups: Groups, kind: str, weighting: BValue | None = None) -> MrSequence:
    """The sequence of one frame.

    Decided in this order: maps by their image type (an ADC map may carry a b-value); diffusion by a
    b-value above 5 s/mm2, image type, or an echo-planar readout with words; Acquisition Contrast of
    enhanced objects, or else the times of the pulse sequence; words confirm, or decide where nothing
    else does. Time points of a dynamic series are not seen in one frame: see
    :func:`gclnm.images.dicom.dynamics.with_time_points`.

    Parameters
    ----------
    groups
        Where the frame's attributes stand.
    kind
        What its values are, a name of :data:`gclnm.images.dicom.frametypes.KINDS`.
    weighting
        Its b-value, if it has one.

    References
    ----------
    DICOM PS3.3 C.8.3.1 (MR Image), C.8.13 (Enhanced MR). The bounds of echo, repetition and inversion
    times are those in use for 1.5 T and 3 T: spin echo T2 from TE 60 and TR 1500 ms, T1 to TE 30 and
    TR 900 ms, gradient echo T1 to TE 10 and TR 15 (3D) or 400 ms (2D).

    Examples
    --------
    >>> header = Dataset()
    >>> header.ScanningSequence, header.EchoTime, header.RepetitionTime = "SE", 85, 4000
    >>> header.ScanOptions, header.SeriesDescription = ["FS"], "Ax T2"
    >>> mr_sequence(Groups(header), "image")
    MrSequence(name='T2-FS', source='timing+words', fat_suppressed='yes', post_contrast='unknown')
    """
    dataset = groups.dataset
    said = [clean(text(dataset, name)) for name in ("SeriesDescription", "ProtocolName")]
    types = frozenset(word.upper() for word in _frame_type(groups)[2:])
    found = MrSequence(
        fat_suppressed="yes" if _fat_suppressed(groups, types, said[0]) else "no",
        post_contrast=_post_contrast(dataset, said[0]),
    )
    if kind not in _SIGNAL:
        return replace(found, name=_MAPS.get(kind, UNKNOWN), source="image type")
    # Protocol names are those of whole examinations: they count where the description says nothing.
    named = weighting_words(said[0]) or weighting_words(said[1])
    pulses = _pulses(groups)
    diffusion = _diffusion(groups, kind, types, weighting, pulses, named)
    if diffusion:
        return replace(found, name="DWI", source=diffusion)
    if named == "ADC" and "ORIGINAL" in _frame_type(groups)[:1]:
        return replace(found, source="contradiction: image type original, words ADC")
    name, source = _agreed(*_numbers(groups, pulses), named)
    name = _dixon(name, types, said[0], pulses)
    if name == "T1" and dynamic_words(said[0]):
        return replace(found, name="DCE", source="words")
    if name in ("T1", "T2", "PD") and found.fat_suppressed == "yes":
        name += "-FS"
    return replace(found, name=name, source=source)


def _frame_type(groups: Groups) -> tuple[str, ...]:
    own = groups.get("MRImageFrameTypeSequence", "FrameType")
    return tuple(as_text(own).split("\\")) if own else words(groups.dataset, "ImageType")


def _diffusion(
    groups: Groups, kind: str, types: frozenset[str], b: BValue | None, pulses: _Pulses, named: str
) -> str:
    """What says that the frame is diffusion-weighted; empty where nothing does."""
    if b is not None and b.source != "text" and not same_b(b.nominal, 0.0):
        return "b-value"
    if kind == "trace" or "DIFFUSION" in types or _contrast(groups) == "DWI":
        return "image type"
    written = b.nominal if b is not None and b.source == "text" else None
    if pulses.family == "EP":
        said = named == "DWI" or (written is not None and named != "ADC")
    else:
        # Other readouts are rarely diffusion-weighted: a number counts where words name nothing else.
        said = (written or 0.0) >= 50 and named in ("", "DWI")
    return "words" if said else ""


def _contrast(groups: Groups) -> str:
    stated = as_text(groups.get("MRImageFrameTypeSequence", "AcquisitionContrast"))
    return _CONTRASTS.get(stated.upper(), "")


def _pulses(groups: Groups) -> _Pulses:
    dataset = groups.dataset
    timing = "MRTimingAndRelatedParametersSequence"
    te = as_number(groups.get("MREchoSequence", "EffectiveEchoTime"))
    ti = as_number(groups.get("MRModifierSequence", "InversionTimes"))
    variant = frozenset(words(dataset, "SequenceVariant"))
    stated = text(dataset, "SteadyStatePulseSequence").upper()
    return _Pulses(
        family=_family(dataset),
        # Spoiled gradient echoes are in a steady state too.
        steady=("SS" in variant and "SP" not in variant) or stated in ("FREE_PRECESSION", "TRANSVERSE"),
        three_d=text(dataset, "MRAcquisitionType").upper() == "3D",
        te=number(dataset, "EchoTime") if te is None else te,
        tr=as_number(groups.get(timing, "RepetitionTime")),
        ti=(number(dataset, "InversionTime") if ti is None else ti) or None,
    )


def _family(dataset: Dataset) -> str:
    """``EP``, ``SE``, ``GR`` or empty: of what echoes the signal is made."""
    scanning = frozenset(words(dataset, "ScanningSequence"))
    name = f"{text(dataset, 'SequenceName')} {text(dataset, 'PulseSequenceName')}"
    if "EP" in scanning or text(dataset, "EchoPlanarPulseSequence").upper() == "YES" or _EPI.search(name):
        return "EP"
    stated = text(dataset, "EchoPulseSequence").upper()
    spin, gradient = "SE" in scanning or stated == "SPIN", "GR" in scanning or stated == "GRADIENT"
    if spin != gradient:
        return "SE" if spin else "GR"
    # GE's "RM" (research mode) says nothing: its name, or the short echo of a small flip angle, does.
    if _SPIN.search(name) or _GRADIENT.search(name):
        return "SE" if _SPIN.search(name) else "GR"
    te, flip = number(dataset, "EchoTime"), number(dataset, "FlipAngle")
    return "GR" if "RM" in scanning and te is not None and te <= 10 and flip and flip <= 40 else ""


def _numbers(groups: Groups, pulses: _Pulses) -> tuple[str, str]:
    """The sequence by what the header states in codes and numbers, and which of them it was."""
    stated = _contrast(groups)
    if stated:
        return stated, "acquisition contrast"
    name = _inverted(pulses)
    if name:
        return name, "inversion"
    if pulses.te is None or pulses.tr is None:
        return "", ""
    name = _spin_echo(groups.dataset, pulses) if pulses.family == "SE" else _gradient_echo(pulses)
    return name, "timing" if name else ""


def _inverted(pulses: _Pulses) -> str:
    if pulses.ti is None or pulses.te is None:
        return ""
    if pulses.family == "GR":
        # Vendors state TR as the distance of inversions or of echoes: TE alone tells.
        return "T1" if pulses.te < 10 and pulses.ti >= 400 else ""
    if pulses.family == "SE" and 1700 <= pulses.ti <= 2900:
        return "FLAIR"
    if pulses.family == "SE" and 80 <= pulses.ti <= 280:
        return "STIR"
    # T1 FLAIR: its TR of 2 s would make it PD.
    return "T1" if pulses.family == "SE" and 500 <= pulses.ti <= 1300 and pulses.te <= 40 else ""


def _spin_echo(dataset: Dataset, pulses: _Pulses) -> str:
    te, tr = pulses.te or 0.0, pulses.tr or 0.0
    name = f"{text(dataset, 'SequenceName')} {text(dataset, 'PulseSequenceName')}"
    # One shot has no repetition: what is stated is the distance of slices.
    if te >= 60 and (tr >= 1500 or _SINGLE_SHOT.search(name)):
        return "T2"
    if te <= 30 and tr <= 900:
        return "T1"
    return "PD" if te <= 40 and tr >= 1500 else ""


def _gradient_echo(pulses: _Pulses) -> str:
    te, tr = pulses.te or 0.0, pulses.tr or 0.0
    if pulses.family != "GR":
        return ""
    if pulses.steady and tr and 0.35 <= te / tr <= 0.65:
        return "bSSFP"
    if te > 10:
        return "T2*"
    return "T1" if tr <= (15 if pulses.three_d else 400) else ""


def _agreed(found: str, source: str, named: str) -> tuple[str, str]:
    """One name of what numbers and words say; unknown, with both, where they exclude each other."""
    if not found or not named:
        known = found or ("" if named == "other" else named)
        return (known, source if found else "words") if known else (UNKNOWN, "")
    if found == named:
        return found, f"{source}+words"
    both = _NARROWER.get(frozenset({found, named}))
    if both:
        return both, f"{source}+words"
    return UNKNOWN, f"contradiction: {source} {found}, words {named}"


def _dixon(name: str, types: frozenset[str], said: str, pulses: _Pulses) -> str:
    """Chemical-shift images of a gradient echo; spin echoes of both phases are T2 or T1 all the same."""
    if pulses.family != "GR" or name not in ("T1", UNKNOWN):
        return name
    typed = next((called for called, known in _DIXON if known & types), "")
    return typed or in_phase_words(said) or name


def _fat_suppressed(groups: Groups, types: frozenset[str], said: str) -> bool:
    dataset = groups.dataset
    suppressed, excited = (
        as_text(groups.get("MRModifierSequence", f"SpectrallySelected{what}")).upper()
        for what in ("Suppression", "Excitation")
    )
    # Exactly FS: FSA_GEMS is no suppression of fat.
    stated = "FS" in words(dataset, "ScanOptions") or "FAT" in suppressed or excited == "WATER"
    return stated or bool(types & _WATER) or fat_words(said)


def _post_contrast(dataset: Dataset, said: str) -> str:
    agent = clean(text(dataset, "ContrastBolusAgent"))
    named = post_words(said)
    injected = seconds_of_day(text(dataset, "ContrastBolusStartTime"))
    acquired = seconds_of_day(text(dataset, "AcquisitionTime"))
    if agent in _NO_AGENT and "ContrastBolusAgentSequence" not in dataset:
        return named or UNKNOWN
    before = injected is not None and acquired is not None and acquired < injected
    by_header = "no" if before else "yes"
    return by_header if named in ("", by_header) else UNKNOWN
