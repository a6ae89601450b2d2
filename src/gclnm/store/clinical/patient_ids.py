"""Patient ids of a table and of the images: spelled alike, and matched without guessing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from gclnm.catalog.pairing.names import normalise
from gclnm.catalog.scanning.patients import PatientKey, key_function
from gclnm.counts import count
from gclnm.errors import InputError

__all__ = ["IdMatch", "match_ids", "normalise_id"]

WHOLE = re.compile(r"([0-9]+)\.0+")
# Ids of hospitals have up to 12 digits; DICOM allows 64 characters.
WIDEST = 16


def normalise_id(patient_id: str) -> str:
    """An id as images have it: plain digits and letters, no blanks around, no decimals of a spreadsheet.

    Examples
    --------
    >>> normalise_id(" １２３ "), normalise_id("12.0"), normalise_id("007")
    ('123', '12', '007')
    """
    plain = normalise(patient_id)
    whole = WHOLE.fullmatch(plain)
    return whole.group(1) if whole else plain


def _bare(patient_id: str) -> str:
    """An id without the leading zeros that spreadsheets drop; ids with letters keep theirs."""
    if not (patient_id.isascii() and patient_id.isdecimal()):
        return patient_id
    return patient_id.lstrip("0") or "0"


@dataclass(frozen=True)
class IdMatch:
    """What each id of a table becomes in the store.

    Parameters
    ----------
    stored
        Id of the table, as it was written, to the id that is stored.
    known
        Ids of the table that the images have.
    """

    stored: dict[str, str]
    known: frozenset[str]


def match_ids(ids: Iterable[str], images: Collection[str], patient_key: PatientKey = None) -> IdMatch:
    """Find the patients of a table among those of the images.

    An id matches as it is written, else normalised, else without leading zeros where that is unique on
    both sides. With a key (a secret, a function) zero-padded spellings are tried.

    Parameters
    ----------
    ids
        Ids as the table writes them.
    images
        Ids that the sets of the store have.
    patient_key
        What made the ids of the images: as in `gclnm.scan`.

    Returns
    -------
    IdMatch
        Ids that no image has are normalised and keyed.

    Raises
    ------
    InputError
        When an id fits several patients, several ids fit one, or a mapping lacks an id.

    Examples
    --------
    >>> match_ids(["7", "１２", "99"], ["007", "12"]).stored
    {'7': '007', '１２': '12', '99': '99'}
    """
    wanted = list(dict.fromkeys(ids))
    function = key_function(patient_key)
    if patient_key is None:
        found = _among(wanted, {image: image for image in images})
        stored = {raw: found[raw] if raw in found else normalise_id(raw) for raw in wanted}
        return IdMatch(stored, frozenset(found))
    if isinstance(patient_key, Mapping):
        sources = {str(key): str(value) for key, value in patient_key.items()}
        found = _among(wanted, sources)
        _refuse_missing([raw for raw in wanted if raw not in found])
        return IdMatch(found, frozenset(raw for raw in wanted if found[raw] in images))
    found = _tried(wanted, function, images)
    stored = {raw: found[raw] if raw in found else function(normalise_id(raw)) for raw in wanted}
    return IdMatch(stored, frozenset(found))


def _among(ids: list[str], sources: Mapping[str, str]) -> dict[str, str]:
    """What ids stand for, where the spellings of the other side are known."""
    by_plain, by_bare = defaultdict(list), defaultdict(list)
    for source in sources:
        by_plain[normalise_id(source)].append(source)
        by_bare[_bare(normalise_id(source))].append(source)
    spellings = _spellings(ids)
    found, doubtful = {}, []
    for raw in ids:
        plain = normalise_id(raw)
        # As written, then normalised, then without leading zeros.
        choices = [raw] if raw in sources else by_plain[plain]
        if not choices:
            choices = by_bare[_bare(plain)]
            if choices and len(spellings[_bare(plain)]) > 1:
                doubtful.append(raw)
                continue
        if len(choices) > 1:
            doubtful.append(raw)
        elif choices:
            found[raw] = sources[choices[0]]
    _refuse_doubtful(doubtful)
    return found


def _tried(ids: list[str], function: Callable[[str], str], images: Collection[str]) -> dict[str, str]:
    """What ids stand for, where the other side is keyed: spellings are tried one by one."""
    there = frozenset(images)
    spellings = _spellings(ids)
    found, doubtful = {}, []
    for raw in ids:
        plain = normalise_id(raw)
        exact = next((key for key in map(function, dict.fromkeys((raw, plain))) if key in there), "")
        if exact:
            found[raw] = exact
            continue
        bare = _bare(plain)
        hits = {_quietly(function, padded) for padded in _padded(bare)} & there
        if len(hits) > 1 or (hits and len(spellings[bare]) > 1):
            doubtful.append(raw)
        elif hits:
            found[raw] = hits.pop()
    _refuse_doubtful(doubtful)
    return found


def _spellings(ids: list[str]) -> dict[str, set[str]]:
    """The normalised ids that differ in leading zeros only."""
    groups: dict[str, set[str]] = defaultdict(set)
    for raw in ids:
        groups[_bare(normalise_id(raw))].add(normalise_id(raw))
    return groups


def _padded(bare: str) -> list[str]:
    if not (bare.isascii() and bare.isdecimal()):
        return []
    return list(dict.fromkeys(bare.zfill(width) for width in range(len(bare), WIDEST + 1)))


def _quietly(function: Callable[[str], str], patient_id: str) -> str:
    """A spelling that no table has need not be one that the user's function can take."""
    try:
        return function(patient_id)
    except Exception:
        return ""


def _refuse_doubtful(ids: list[str]) -> None:
    if ids:
        raise InputError(
            f"{len(ids)} patient ids of the table could be more than one patient, or share one",
            where=", ".join(map(repr, ids[:10])),
            fix="They differ in leading zeros or in how digits are written: write them as the images do.",
            code="ambiguous-id",
        )


def _refuse_missing(ids: list[str]) -> None:
    if ids:
        raise InputError(
            f"patient_key lacks {count(len(ids), 'patient')} of the table",
            where=", ".join(map(repr, ids[:10])),
            fix="Add them to the mapping, or leave their rows out of the table.",
            code="patient-key",
        )
