"""ROI names: how a name or a pattern of the user's is compared with what stands in files."""

from __future__ import annotations

import difflib
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gclnm.catalog.cells import safe, visible
from gclnm.errors import InputError

__all__ = [
    "RoiPattern",
    "clean_label",
    "compiled",
    "natural",
    "normalise",
    "number_keys",
    "patterns",
    "refuse_without_match",
    "text_key",
]

GROUPS = ("roi", "instance")
METACHARACTERS = re.compile(r"[\\^$.|?*+()\[\]{}]")
# A longer number in a name may be a record number: it must not become a coordinate.
MAX_DIGITS = 3


def normalise(name: str) -> str:
    """A name in Unicode form NFKC, without control characters and surrounding blanks.

    Examples
    --------
    >>> normalise(" ＧＴＶ　１ ")
    'GTV 1'
    """
    text = unicodedata.normalize("NFKC", name)
    return " ".join(visible(text).split())


def text_key(name: str) -> str:
    """What two names are compared by: normalised, without regard to case."""
    return normalise(name).casefold()


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts ``LN2`` before ``LN10``."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in parts)


def compiled(text: str) -> tuple[re.Pattern[str] | None, str]:
    """A regular expression that ignores case, or why the text is none."""
    with warnings.catch_warnings():
        # Python warns of sets and flags that may mean something else one day.
        warnings.simplefilter("ignore")
        try:
            return re.compile(text, re.IGNORECASE), ""
        except (re.error, OverflowError, RecursionError) as error:
            return None, str(error)


@dataclass(frozen=True)
class RoiPattern:
    """A name or regular expression of the user's, compared in full and without regard to case.

    A name that equals the text, letter for letter, always matches, so that ``"GTV (boost)"`` needs
    no escaping.

    Examples
    --------
    >>> RoiPattern("roi", "gtv_.*").matches("GTV_Mass")
    True
    >>> RoiPattern("roi", "GTV").matches("GTV_Mass")
    False
    >>> RoiPattern("roi", r"(?P<roi>GTV|LN)_?(?P<instance>\\d+)").labels("LN_12")
    ('ln', '12')
    >>> RoiPattern("roi", "GTV.*|Tumou?r", "gtv").labels("Tumor")
    ('gtv', '')
    """

    role: str
    text: str
    label: str = ""
    error: str = field(init=False, repr=False, compare=False, default="")
    _regex: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not normalise(self.text):
            raise InputError(
                "an ROI is chosen by its name or a regular expression, as text",
                where=f"roi[{self.role!r}]",
                fix='For example roi="GTV.*".',
            )
        object.__setattr__(self, "text", normalise(self.text))
        # A name such as "GTV (old" is no regular expression and still a name.
        regex, error = compiled(self.text)
        object.__setattr__(self, "_regex", regex)
        object.__setattr__(self, "error", error)
        object.__setattr__(self, "label", clean_label(self.label) if self.label else "")
        if self.label and regex is not None and "roi" in regex.groupindex:
            raise InputError(
                "both label and a group (?P<roi>...) of the pattern say what the ROI is called",
                where=f"label={self.label!r}",
                fix="Leave one of them out.",
            )

    def unnamed_among(self, names: Iterable[str]) -> bool:
        """Whether a pattern, not a name, a label or a group, becomes the label of ROIs of these names."""
        if self.label or not METACHARACTERS.search(self.text):
            return False
        if self._regex is not None and "roi" in self._regex.groupindex:
            return False
        return any(text_key(name) != text_key(self.text) for name in names)

    @property
    def has_instance(self) -> bool:
        """Whether the pattern says itself which of several ROIs one is."""
        return self._regex is not None and "instance" in self._regex.groupindex

    def matches(self, name: str) -> bool:
        """Whether the whole name is the text, or fits the pattern."""
        name = normalise(name)
        if name.casefold() == self.text.casefold():
            return True
        return self._regex is not None and self._regex.fullmatch(name) is not None

    def labels(self, name: str) -> tuple[str, str]:
        """Coordinates ``roi`` and ``roi_instance`` that the pattern's groups give a name.

        Without a group ``roi`` it is the label that the user gave, or else the text as the user wrote
        it: never what stands in the file. Groups are in lower case, since hospitals differ
        in it.
        """
        found = self._regex.fullmatch(normalise(name)) if self._regex is not None else None
        groups = found.groupdict() if found else {}
        roi, instance = (safe(normalise(groups.get(key) or "").casefold()) for key in GROUPS)
        return roi or self.label or self.text, instance


def clean_label(label: object) -> str:
    """What the user calls an ROI, normalised.

    Raises
    ------
    InputError
        When it is no text, or empty.
    """
    if not isinstance(label, str) or not normalise(label):
        raise InputError("label is a short text", where=f"label={label!r}", fix='For example label="gtv".')
    return normalise(label)


def patterns(roi: str | Mapping[str, str], label: str = "") -> tuple[RoiPattern, ...]:
    """The patterns of an ``roi=`` argument, the one that features are computed in first."""
    if isinstance(roi, str):
        return (RoiPattern("roi", roi, label),)
    if not isinstance(roi, Mapping):
        raise InputError(
            "roi must be a name, a regular expression, or a mapping of role to one",
            where=f"roi={type(roi).__name__}",
            fix='For example roi="GTV.*" or roi={"roi": "GTV.*", "aorta": "Aorta"}.',
        )
    if "roi" not in roi:
        raise InputError(
            "the mapping has no role 'roi', the one that features are computed in",
            where=f"roi has the roles {', '.join(map(repr, roi)) or 'none'}",
            fix='For example roi={"roi": "GTV.*", "aorta": "Aorta"}. For several kinds of ROI use a group,'
            ' roi="(?P<roi>GTV|LN).*", or add the results: pair(...) + pair(...).',
        )
    others = [role for role in roi if role != "roi"]
    for role in others:
        if not isinstance(role, str) or not role.isidentifier():
            raise InputError("a role is a short word", where=f"roi[{role!r}]", fix="For example 'aorta'.")
    return (RoiPattern("roi", roi["roi"], label), *(RoiPattern(role, roi[role]) for role in others))


def refuse_without_match(pattern: RoiPattern, names: Iterable[str]) -> None:
    """Raise when no name matches, showing the nearest names, or that the pattern is none."""
    known = sorted({normalise(name) for name in names if normalise(name)}, key=natural)
    if any(pattern.matches(name) for name in known):
        return
    if pattern.error:
        raise InputError(
            f"no ROI has this name, and it is no regular expression ({pattern.error})",
            where=f"roi={pattern.text!r}",
            fix=_nearest(pattern.text, known),
            code="bad-regex",
        )
    raise InputError(
        "no ROI has this name or fits this pattern, which must match the whole name",
        where=f"roi={pattern.text!r}",
        fix=_nearest(pattern.text, known),
        code="no-such-roi",
    )


def _nearest(text: str, known: Sequence[str]) -> str:
    if not known:
        return "There is no named ROI at all: see catalog.segmentations and catalog.problems."
    bare = METACHARACTERS.sub("", text).casefold()
    folded = {name.casefold(): name for name in known}
    near = [name for key, name in folded.items() if bare and bare in key]
    near += [folded[key] for key in difflib.get_close_matches(bare, folded, n=6, cutoff=0.5)]
    shown = list(dict.fromkeys(near))[:6]
    if shown:
        return f"Nearest names: {', '.join(map(repr, shown))}. pair(catalog) shows all {len(known)}."
    return f"Names found: {', '.join(map(repr, known[:6]))}{' ...' if len(known) > 6 else ''}."


def number_keys(names: Iterable[str]) -> dict[str, str] | None:
    """The number that tells the names of one kind of ROI apart, if one does.

    ``LN1`` and ``LN 2`` differ in one number of at most three digits and in nothing else but
    blanks, dashes, dots and underscores; ``GTV_Mass`` and ``GTV_Edema`` do not. Keys of the result
    are those of ``text_key``; all values are empty when the names are all the same.

    Examples
    --------
    >>> number_keys(["LN1", "ln_02"])
    {'ln1': '1', 'ln_02': '2'}
    >>> number_keys(["GTV_Mass", "GTV_Edema"]) is None
    True
    """
    keys = list(dict.fromkeys(text_key(name) for name in names))
    shapes = {re.sub(r"[\s_\-.]+", "", re.sub(r"\d+", "#", key)) for key in keys}
    if len(shapes) != 1:
        return None
    columns = list(zip(*(re.findall(r"\d+", key) for key in keys), strict=True))
    varying = [column for column in columns if len({int(n) for n in column}) > 1]
    if not varying:
        return dict.fromkeys(keys, "")
    if len(varying) > 1 or any(len(n) > MAX_DIGITS for n in varying[0]):
        return None
    return {key: str(int(n)) for key, n in zip(keys, varying[0], strict=True)}
