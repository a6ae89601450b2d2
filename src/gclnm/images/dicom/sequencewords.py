"""Words of descriptions that say which MR sequence it is, in English and Chinese and vendors' names."""

from __future__ import annotations

import re

from gclnm.images.dicom.words import plain

__all__ = ["clean", "dynamic_words", "fat_words", "in_phase_words", "post_words", "weighting_words"]

# A word of its own: letters and digits beside it would make it part of another (CT1, T10).
_START = r"(?<![A-Z0-9])"
_END = r"(?![A-Z0-9])"


def _any(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words))


# Angiography, flow, function and spectroscopy: their timing looks like that of others.
_OTHER = _any(
    rf"{_START}(?:TOF|C?E?MRA|ANGIO\w*|PCA|BOLD|FMRI|REST\d*|ASL|PCASL|PASL|CINE|MRS|PRESS){_END}",
    rf"{_START}(?:PERF\w*|SCOUT|LOCALI[SZ]ER|SURVEY|FIELD ?MAP|B0 ?MAP){_END}",
    "灌注|波谱|电影|血管|定位",
)
_ADC = _any(rf"{_START}[DE]?ADC{_END}", "APPARENT DIFFUSION", "表观扩散|表观弥散")
_DWI = _any(rf"{_START}E?DWI", rf"{_START}DTI{_END}", "DIFF(?!ER)", "REVEAL", "TRACEW?", "弥散|扩散")
_FLAIR = _any("FLAIR", "DARK ?FLUID", "水抑制|黑水")
_STIR = _any(rf"{_START}T?STIR{_END}")
_T2_STAR = _any(rf"{_START}T2 ?(?:\*|STAR)", rf"{_START}(?:SWI|SWAN|VEN ?BOLD|HEMO){_END}")
_BSSFP = _any("FIESTA", "TRU ?FI|TRUE ?FISP", "B ?TFE|BFFE|B FFE|BALANCED")
_T1 = _any(
    rf"{_START}T1(?![0-9]| ?(?:MAP|RHO))",
    rf"{_START}E?(?:THRIVE|LAVA|VIBE|QUICK ?3D|FAME|TIGRE|MP ?RAGE|BRAVO|F?SPGR|FLASH|DISCO|TWIST|TRICKS)",
)
_T2 = _any(
    rf"{_START}T2(?![0-9]| ?(?:MAP|PREP|\*|STAR))", rf"{_START}(?:HASTE|SS ?FSE|SSH ?TSE|FASE|MRCP){_END}"
)
_PD = _any(rf"{_START}PD(?:W|WI|FS)?{_END}", "PROTON", "质子")

_DYNAMIC = _any(
    rf"{_START}(?:DCE|DYN(?:AMIC)?S?|TWIST|DISCO|TRICKS|TWIST ?VIBE|4D ?THRIVE)(?![A-Z])", "动态|多期"
)
_FAT = _any(
    rf"(?:{_START}|(?<=T1)|(?<=T2)|(?<=PD))(?:FS|FATSAT|FAT ?SAT|SPAIR|SPIR|SPECIAL|STIR|CHESS){_END}",
    rf"{_START}(?:WATER|WATS|DIXON W|FLEX W|W ?DIXON){_END}",
    "压脂|抑脂|脂肪抑制|水像",
)
_IN_PHASE = _any(rf"{_START}(?:IN ?PHASE|IP|INPH){_END}", "同相位|正相位")
_OPPOSED = _any(rf"{_START}(?:OUT ?(?:OF ?)?PHASE|OPP\w* ?(?:PHASE)?|OP|OOP){_END}", "反相位|去相位")
_POST = _any(
    rf"\+ ?C{_END}",
    rf"{_START}(?:POST|GD|GAD\w*|CE|C\+|ENHANCED|CONTRAST){_END}",
    "增强|动脉期|门脉期|延迟期",
)
_AGENT = r"(?:CON(?:TRAST)?|C|GD|GAD[A-Z]*|KM|CM)"
_PRE = _any(
    rf"{_START}PRE(?: {_AGENT})?{_END}",
    rf"{_START}(?:NATIVE|PLAIN|UNENHANCED|NON ?CONTRAST|NON ?ENHANCED){_END}",
    rf"{_START}(?:W ?O|WITHOUT|NO)(?: I ?V)? {_AGENT}{_END}|{_START}W ?O{_END}",
)
_PRE_CHINESE = re.compile("平扫|增强前")


def clean(words: str) -> str:
    """Text for comparison, as :func:`gclnm.images.dicom.words.plain`; ``+`` and ``*`` mean something in MR.

    Examples
    --------
    >>> clean("t2_tse-fs_tra")
    'T2 TSE FS TRA'
    """
    return plain(words, signs="+*")


def weighting_words(words: str) -> str:
    """The sequence that cleaned words name; empty where they name none, or two that exclude each other.

    Examples
    --------
    >>> weighting_words(clean("Ax T2 FRFSE")), weighting_words(clean("t2_flair")), weighting_words("T1 T2")
    ('T2', 'FLAIR', '')
    >>> weighting_words(clean("轴位T2压脂")), weighting_words(clean("3D TOF MRA"))
    ('T2', 'other')
    """
    if _OTHER.search(words):
        return "other"
    # Names that are more than a weighting come first: T2 FLAIR is FLAIR, T2* no T2; T1 FLAIR is T1.
    inverted = "" if _T1.search(words) else "FLAIR"
    first = (
        ("ADC", _ADC),
        ("DWI", _DWI),
        (inverted, _FLAIR),
        ("STIR", _STIR),
        ("T2*", _T2_STAR),
        ("bSSFP", _BSSFP),
    )
    for name, pattern in first:
        if name and pattern.search(words):
            return name
    found = [name for name, pattern in (("T1", _T1), ("T2", _T2), ("PD", _PD)) if pattern.search(words)]
    return found[0] if len(found) == 1 else ""


def dynamic_words(words: str) -> bool:
    """Whether cleaned words name a dynamic series."""
    return _DYNAMIC.search(words) is not None


def fat_words(words: str) -> bool:
    """Whether cleaned words name a suppression of fat.

    Examples
    --------
    >>> fat_words(clean("t2_tse_fs")), fat_words(clean("T2压脂")), fat_words(clean("FSE"))
    (True, True, False)
    """
    return _FAT.search(words) is not None


def in_phase_words(words: str) -> str:
    """``in-phase``, ``opposed-phase`` or empty; both words together name the pair, not the image."""
    found = [
        name
        for name, pattern in (("in-phase", _IN_PHASE), ("opposed-phase", _OPPOSED))
        if pattern.search(words)
    ]
    return found[0] if len(found) == 1 else ""


def post_words(words: str) -> str:
    """``yes`` after, ``no`` before contrast agent, by cleaned words; empty where they do not say.

    Examples
    --------
    >>> post_words(clean("LAVA+C")), post_words(clean("T1 平扫")), post_words(clean("pre_post"))
    ('yes', 'no', '')
    """
    before = _PRE.search(words) or _PRE_CHINESE.search(words)
    after = _POST.search(_PRE_CHINESE.sub("", _PRE.sub("", words)))
    return "" if bool(before) == bool(after) else "no" if before else "yes"
