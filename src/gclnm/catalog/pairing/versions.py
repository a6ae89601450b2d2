"""Who drew an ROI, which version of it counts, and which of several ROIs of one image it is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gclnm.catalog.cells import safe
from gclnm.catalog.pairing.link import Record, Refusal
from gclnm.catalog.pairing.names import compiled, natural, normalise, number_keys, text_key
from gclnm.catalog.scanning.identifiers import Identifiers
from gclnm.errors import InputError

__all__ = ["Candidate", "Prefer", "Rater", "Raters", "Resolved", "resolve"]

Rule = Mapping[str, str] | Callable[[Mapping[str, Any]], str | None]
Rater = Rule | str
Prefer = Literal["approved", "newest"]

CONFLICT = Refusal(
    "several-structure-sets",
    "",
    "Say who drew which (rater=), which counts (prefer='approved' or 'newest'), or, where they are"
    " different ROIs, tell them apart by a group in the pattern: (?P<instance>...) or (?P<roi>...).",
)
NO_RATER = Refusal(
    "no-rater",
    "rater= names no reader for it, and one for the same ROI in another structure set of the image",
    "Name its reader too (rater=), or narrow roi= to the ROIs that have one.",
)


@dataclass(frozen=True)
class Candidate:
    """One ROI on one volume: a sample to be, when no other claims its place."""

    roi: Record
    volume_id: str
    paired_by: str
    label: str
    instance: str = ""
    has_instance: bool = False
    rater: str = ""

    @property
    def set_id(self) -> str:
        """The structure set, segmentation object or file that holds the ROI."""
        # Not the SOP instance UID: different objects may share it, where one was edited and saved.
        return str(self.roi["file"] or self.roi["sop_uid"])


class Raters:
    """The ``rater=`` argument: who drew an ROI.

    Parameters
    ----------
    rater
        A mapping from what identifies an ROI or its structure set (segmentation_id, SOP or series
        UID, file path or file name, ROI name; the first that is there) to a reader; a function of
        the ROI's row in ``catalog.segmentations``; or a regular expression with a group ``rater``
        (or one group), searched in the ROI's name and then in its file path. An ROI that it gives
        nothing has no reader given: the reader is empty.
    identifiers
        Of the catalog: under a secret, UIDs of a mapping are keyed before they are compared.

    Examples
    --------
    >>> row = {"name": "GTV_AB", "file": "p1/reader2/RS.dcm"}
    >>> Raters(r"_(ab|cd)$").of(row), Raters(r"reader(\\d)").of(row), Raters(None).of(row)
    ('ab', '2', '')
    """

    def __init__(self, rater: Rater | None, identifiers: Identifiers | None = None) -> None:
        self._rater: Rule | re.Pattern[str] | None
        self._rater = _compiled(rater) if isinstance(rater, str) else rater
        if isinstance(rater, Mapping) and identifiers is not None and identifiers.secret:
            # The user may know UIDs as they stand in the files.
            self._rater = {identifiers.uid(str(uid)): reader for uid, reader in rater.items()} | dict(rater)
        if (
            not isinstance(rater, str)
            and rater is not None
            and not isinstance(rater, Mapping)
            and not callable(rater)
        ):
            raise InputError(
                "rater must be a mapping, a function or a regular expression with a group",
                where=f"rater={type(rater).__name__}",
                fix=r"For example rater=r'reader(\d)' or rater={'RS_ab.dcm': 'ab'}.",
            )

    @property
    def given(self) -> bool:
        """Whether the user said anything about readers."""
        return self._rater is not None

    def of(self, roi: Record) -> str:
        """The reader of one ROI; empty when none is given."""
        if self._rater is None:
            return ""
        if isinstance(self._rater, re.Pattern):
            return self._searched(self._rater, roi)
        if isinstance(self._rater, Mapping):
            return self._cleaned(self._looked_up(self._rater, roi))
        return self._cleaned(self._rater(roi))

    @staticmethod
    def _cleaned(found: object) -> str:
        # A blank cell of a table is a missing number.
        return "" if found is None or found != found else normalise(str(found))

    @staticmethod
    def _searched(pattern: re.Pattern[str], roi: Record) -> str:
        group = "rater" if "rater" in pattern.groupindex else 1
        for text in (roi["name"], str(roi["file"]).replace("\\", "/")):
            found = pattern.search(normalise(text))
            if found and found[group]:
                # Readers, like names of ROIs, are written in either case.
                return safe(normalise(found[group]).casefold())
        return ""

    @staticmethod
    def _looked_up(mapping: Mapping[str, str], roi: Record) -> str | None:
        path = str(roi["file"]).replace("\\", "/")
        keys = [roi["segmentation_id"], roi["sop_uid"], roi["series_uid"], roi["file"], path]
        keys += [path.rsplit("/", 1)[-1], roi["name"]]
        return next((mapping[key] for key in keys if key and key in mapping), None)


def _compiled(text: str) -> re.Pattern[str]:
    pattern, problem = compiled(text)
    if pattern is None:
        raise InputError(
            f"rater is no regular expression ({problem})", where=f"rater={text!r}", code="bad-regex"
        )
    if "rater" not in pattern.groupindex and pattern.groups != 1:
        raise InputError(
            "rater needs a group that holds the reader",
            where=f"rater={text!r}",
            fix=r"For example rater=r'reader(\d)'.",
            code="bad-regex",
        )
    return pattern


@dataclass(frozen=True)
class Resolved:
    """Candidates that became samples, those that did not and why, and what the user should know."""

    kept: tuple[Candidate, ...]
    refused: tuple[tuple[Candidate, Refusal], ...]
    notes: tuple[str, ...] = ()


def resolve(
    candidates: Sequence[Candidate], prefer: Prefer | None, identifiers: Identifiers | None = None
) -> Resolved:
    """Decide between versions of an ROI and number ROIs of one kind on one volume.

    What tells ROIs of one label apart is the pattern's group ``instance``, or else the one number
    in which their names differ (over the patient, or over the volume); two structure sets that hold
    the same one, for the same volume and reader, are versions of each other. Where names say
    nothing, all structure sets are taken for versions, and ROIs of one structure set are told apart
    by their ROI number, two of the same name too. Position in a list never counts. Under a secret a
    number out of a name is keyed, unless a group of the pattern asks for it.
    """
    kept: list[Candidate] = []
    refused: list[tuple[Candidate, Refusal]] = []
    numbered = 0
    word = identifiers.word if identifiers is not None else str
    for of_patient in _grouped(candidates, lambda c: (c.roi["patient_id"], c.label)):
        wide = _keys(of_patient)
        for of_volume in _grouped(of_patient, lambda c: (c.volume_id,)):
            keys = wide if None not in wide.values() else _keys(of_volume)
            unread = _unread(of_volume, keys)
            refused += [(c, NO_RATER) for c in unread]
            read = [c for c in of_volume if c not in unread]
            for of_rater in _grouped(read, lambda c: (c.rater,)):
                for cluster in _clusters(of_rater, keys):
                    winners, losers = _decide(cluster, prefer)
                    named, clashing = _numbered(winners, keys, word)
                    kept += named
                    refused += losers + clashing
                    numbered += len(named) if len(named) > 1 and keys[_id(named[0])] is None else 0
    return Resolved(tuple(kept), tuple(refused), _notes(numbered))


def _grouped(
    candidates: Iterable[Candidate], place: Callable[[Candidate], tuple[str, ...]]
) -> list[list[Candidate]]:
    groups: dict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[place(candidate)].append(candidate)
    return list(groups.values())


def _id(candidate: Candidate) -> str:
    return str(candidate.roi["segmentation_id"])


def _notes(numbered: int) -> tuple[str, ...]:
    if not numbered:
        return ()
    return (
        f"{numbered} ROIs share a structure set with others that the pattern fits: roi_instance is their ROI"
        " number. Groups in the pattern, (?P<roi>...) or (?P<instance>...), say better what each is.",
    )


def _keys(group: Sequence[Candidate]) -> dict[str, str | None]:
    """By segmentation_id: which of several ROIs it is, or None when nothing in the name says so."""
    if all(c.has_instance for c in group):
        return {_id(c): c.instance for c in group}
    numbers = number_keys(c.roi["name"] for c in group)
    unknown: dict[str, str | None] = {_id(c): None for c in group}
    if numbers is None:
        return unknown
    keys = {_id(c): numbers[text_key(c.roi["name"])] for c in group}
    places = {(c.set_id, keys[_id(c)]): _id(c) for c in group}
    # Two of one name in one structure set: the name does not tell them apart.
    return dict(keys) if len(places) == len(keys) else unknown


def _unread(group: Sequence[Candidate], keys: Mapping[str, str | None]) -> list[Candidate]:
    """Those without a reader for whose ROI another structure set of the image has one."""
    read = defaultdict(set)
    for candidate in group:
        if candidate.rater:
            read[keys[_id(candidate)]].add(candidate.set_id)
    return [c for c in group if not c.rater and read.get(keys[_id(c)], set()) - {c.set_id}]


def _clusters(group: Sequence[Candidate], keys: Mapping[str, str | None]) -> list[list[Candidate]]:
    """Structure sets that are versions of each other: those that share an ROI, directly or in a chain."""
    clusters: list[tuple[set[str | None], set[str], list[Candidate]]] = []
    for candidate in group:
        key = keys[_id(candidate)]
        merged: tuple[set[str | None], set[str], list[Candidate]] = ({key}, {candidate.set_id}, [candidate])
        rest = []
        for cluster in clusters:
            if cluster[0] & merged[0] or cluster[1] & merged[1]:
                merged = (cluster[0] | merged[0], cluster[1] | merged[1], cluster[2] + merged[2])
            else:
                rest.append(cluster)
        clusters = [*rest, merged]
    return [members for _, _, members in clusters]


def _decide(
    cluster: Sequence[Candidate], prefer: Prefer | None
) -> tuple[list[Candidate], list[tuple[Candidate, Refusal]]]:
    """The candidates of the one structure set that counts, and the others with the reason."""
    sets = sorted({c.set_id for c in cluster})
    if len(sets) == 1:
        return list(cluster), []
    winner, why = _winner(cluster, prefer)
    if winner is None:
        names = " and ".join(f"{c.roi['name']!r} in {_place(c)}" for c in cluster[:3])
        reason = f"{len(sets)} structure sets hold it for the same image: {names}{why}"
        return [], [(c, replace(CONFLICT, reason=reason)) for c in cluster]
    loser = Refusal("superseded", f"another structure set is {prefer}", severity="info")
    return (
        [c for c in cluster if c.set_id == winner],
        [(c, loser) for c in cluster if c.set_id != winner],
    )


def _place(candidate: Candidate) -> str:
    created = str(candidate.roi["created"] or "")
    approval = str(candidate.roi["approval"] or "").lower()
    details = ", ".join(part for part in (created, approval) if part)
    return f"{candidate.roi['file']}{f' ({details})' if details else ''}"


def _winner(cluster: Sequence[Candidate], prefer: Prefer | None) -> tuple[str | None, str]:
    if prefer == "approved":
        approved = {c.set_id for c in cluster if str(c.roi["approval"]).upper() == "APPROVED"}
        if len(approved) == 1:
            return approved.pop(), ""
        return None, f"; {len(approved) or 'none'} of them approved"
    if prefer == "newest":
        created = {c.set_id: str(c.roi["created"]) for c in cluster}
        newest = [s for s, when in created.items() if when == max(created.values())]
        # A time without its date says nothing.
        dated = all(len(when.partition(".")[0]) in (8, 14) for when in created.values())
        if len(newest) == 1 and dated:
            return newest[0], ""
        return None, "; which is the newest cannot be told"
    return None, ""


def _numbered(
    winners: Sequence[Candidate], keys: Mapping[str, str | None], word: Callable[[str], str]
) -> tuple[list[Candidate], list[tuple[Candidate, Refusal]]]:
    """Candidates with their instance, and those that would still share one."""
    labelled: dict[str, list[Candidate]] = defaultdict(list)
    alone = len(winners) == 1
    for candidate in winners:
        key = keys[_id(candidate)]
        own_number = "" if alone else str(candidate.roi["number"])
        instance = own_number if key is None else key if candidate.has_instance else word(key)
        labelled[instance].append(replace(candidate, instance=instance))
    kept = [members[0] for members in labelled.values() if len(members) == 1]
    clash = Refusal(
        "same-instance",
        "several ROIs of one structure set are the same instance by the pattern or by their number",
        "Write the pattern so that its groups tell them apart.",
    )
    refused = [(c, clash) for members in labelled.values() if len(members) > 1 for c in members]
    return sorted(kept, key=lambda c: natural(c.instance)), refused
