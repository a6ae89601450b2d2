"""Which rows of another store are new here, which replace ours, and which cannot be joined."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from gclnm.counts import count
from gclnm.errors import GclnmError, InputError, StoreError
from gclnm.store.chains import astray
from gclnm.store.links import named_sample

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.store.lineage import Lineage

__all__ = [
    "Decision",
    "Patients",
    "Prefer",
    "decide",
    "problems_of",
    "rename",
    "renamed",
    "shown",
]

Patients = Literal["same"] | Mapping[str, str] | Callable[[str], str] | None
Prefer = Literal["own", "other"] | None
SHOWN = 5
COMES = ("new", "newer")


@dataclass(frozen=True)
class Decision:
    """What becomes of the rows that another store offers to a set; positions are those of its set.

    Attributes
    ----------
    positions, revisions
        Rows to write, and the revision each becomes.
    replaced
        Positions of our rows that they replace.
    there
        How many are here already.
    kept
        How many differ from a row of ours that was preferred.
    differing
        sample_ids of rows that differ from ours while nothing says which is right.
    astray
        sample_ids of links that would lead to no row, as prefer stands.
    """

    positions: tuple[int, ...]
    revisions: tuple[int, ...]
    replaced: tuple[int, ...]
    there: int
    kept: int
    differing: tuple[str, ...]
    astray: tuple[str, ...]


def shown(ids: list[str]) -> str:
    """The first few of many ids."""
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(repr(item) for item in ids[:SHOWN]) + more


def renamed(patients: Patients, known: set[str]) -> dict[str, str]:
    """The id here of every patient of the other store.

    Raises
    ------
    InputError
        When ``patients`` is of another kind, names patients that the other store does not have,
        does not give text, or gives two patients one id.
    """
    if patients is None or patients == "same":
        return {patient: patient for patient in known}
    if isinstance(patients, Mapping):
        unknown = sorted(str(patient) for patient in patients if patient not in known)
        if unknown:
            raise InputError(
                f"patients= names {count(len(unknown), 'patient')} that the other store does not have",
                where=f"patients {shown(unknown)}",
                fix="Correct them, or leave them out.",
                code="unknown-patient",
            )
        given = {patient: patients.get(patient, patient) for patient in known}
    elif callable(patients):
        given = {patient: patients(patient) for patient in known}
    else:
        raise InputError(
            'patients= must be "same", a mapping or a function',
            fix="Pass one of them, or nothing where no id is in both stores.",
        )
    return _checked(given)


def _checked(given: dict[str, str]) -> dict[str, str]:
    wrong = sorted(old for old, new in given.items() if not isinstance(new, str) or not new)
    if wrong:
        raise InputError(
            f"patients= gives {count(len(wrong), 'patient')} no id, or one that is not text",
            where=f"patients {shown(wrong)}",
            fix="Give every patient an id that is a text.",
        )
    owners: dict[str, list[str]] = {}
    for old, new in given.items():
        owners.setdefault(new, []).append(old)
    doubled = sorted(old for group in owners.values() if len(group) > 1 for old in group)
    if doubled:
        raise InputError(
            f"patients= would make {len(doubled)} patients of the other store share an id",
            where=f"patients {shown(doubled)}",
            fix="Give every patient an id of their own.",
            code="patient-collision",
        )
    return given


def rename(rows: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Rows under the ids that their patients have here; the sample_id of a renamed row follows.

    So does the sample that the reason of a linked row names.
    """
    patients = [names.get(old, old) for old in rows["patient_id"]]
    keys = {
        key: key if new == old else _new_key(new, key)
        for key, old, new in zip(rows["sample_id"], rows["patient_id"], patients, strict=True)
    }
    reasons = [_renamed_reason(reason, keys) for reason in rows["reason"]]
    new = rows["sample_id"].map(keys)
    there = {"key_there": rows["sample_id"], "patient_there": rows["patient_id"]}
    return rows.assign(patient_id=patients, sample_id=new, reason=reasons, **there)


def _renamed_reason(reason: str, keys: Mapping[str, str]) -> str:
    other = named_sample(reason)
    return reason.removesuffix(other) + keys.get(other, other) if other else reason


def _new_key(patient: str, sample_id: str) -> str:
    return hashlib.sha256(f"{patient}\n{sample_id}".encode()).hexdigest()[:24]


def colliding(own: pd.DataFrame, theirs: pd.DataFrame) -> list[str]:
    """Patients of both sides of whom no row comes from one store: nothing says that they are the same."""
    mine, others = _sources(own), _sources(theirs)
    return sorted(p for p in mine.keys() & others.keys() if p and not mine[p] & others[p])


def _sources(rows: pd.DataFrame) -> dict[str, set[str]]:
    pairs = rows[["patient_id", "source"]].drop_duplicates()
    found: dict[str, set[str]] = {}
    for patient, source in zip(pairs["patient_id"], pairs["source"], strict=True):
        found.setdefault(patient, set()).add(source)
    return found


class Person(NamedTuple):
    """A patient of the other store whose rows are here: the id here, as now told, and as it is there."""

    here: str
    now: str
    there: str


def known_before(own: pd.DataFrame, theirs: pd.DataFrame) -> list[Person]:
    """Patients whose rows are here already; those with another id now would be there twice.

    A row is known by the commit that wrote it and by its inputs, whatever its patient is called.
    ``theirs`` holds all revisions: the one that came may have been replaced since.
    """
    keys = ["commit", "inputs_sha256"]
    came = own[own["commit"].isin(theirs["commit"].unique())]
    read = theirs[theirs["inputs_sha256"] != ""]
    names = ["patient_id", "patient_id_now", "patient_there"]
    both = came[[*keys, "patient_id"]].merge(
        read[[*keys, "patient_id", "patient_there"]].drop_duplicates(), on=keys, suffixes=("", "_now")
    )
    # Of several patients with equal inputs the one of the same id is meant.
    both["other"] = both["patient_id"] != both["patient_id_now"]
    both = both.sort_values("other", kind="stable").drop_duplicates([*keys, "patient_id"])
    found = {Person(*map(str, cells)) for cells in both[names].drop_duplicates().itertuples(index=False)}
    return sorted(found | _unread_before(own, theirs))


def _unread_before(own: pd.DataFrame, theirs: pd.DataFrame) -> set[Person]:
    """The same for rows without inputs: they are known by the key that their patient's id gave them."""
    if theirs.empty:
        return set()
    own, theirs = (rows[rows["inputs_sha256"] == ""] for rows in (own, theirs))
    now: dict[tuple[str, str], str] = {}
    keys: dict[str, dict[str, tuple[str, str]]] = {}
    columns = ("commit", "sample_id", "key_there", "patient_id", "patient_there")
    for commit, key, before, *names in zip(*(theirs[name] for name in columns), strict=True):
        now[commit, key] = names[1]
        keys.setdefault(commit, {})[before] = (names[0], names[1])
    found: dict[str, Person] = {}
    for commit, key, patient in zip(own["commit"], own["sample_id"], own["patient_id"], strict=True):
        if (same := now.get((commit, key))) is not None:
            found.setdefault(patient, Person(patient, patient, same))
        elif patient not in found or found[patient].now == patient:
            known = keys.get(commit, {}).items()
            pairs = (pair for there, pair in known if key in (there, _new_key(patient, there)))
            if (other := next(pairs, None)) is not None:
                found[patient] = Person(patient, *other)
    return set(found.values())


def decide(
    own: pd.DataFrame, theirs: pd.DataFrame, prefer: Prefer, ours: Lineage, others: Lineage
) -> Decision:
    """What becomes of each current row of the other store.

    Parameters
    ----------
    own, theirs
        Rows of `row_frame`, theirs under the ids they have here; the current ones are looked at.
    prefer
        Which side is right where rows of two origins differ.
    ours, others
        The lineage of both stores, for the order of revisions of one origin.
    """
    here = {row.sample_id: row for row in _records(own)}
    offered = {row.sample_id: row for row in _records(theirs)}
    known = set(zip(own["sample_id"], own["commit"], strict=True))
    verdicts = {}
    for key, row in offered.items():
        verdict = _verdict(here, row, known, ours, others) if key in here else "new"
        if verdict == "differs" and prefer is not None:
            verdict = "newer" if prefer == "other" else "kept"
        verdicts[key] = verdict
    _untie(here, offered, verdicts, prefer)
    coming = [(offered[key], here.get(key)) for key, verdict in verdicts.items() if verdict in COMES]
    said = list(verdicts.values())
    return Decision(
        positions=tuple(row.position for row, _ in coming),
        revisions=tuple(1 if old is None else old.revision + 1 for _, old in coming),
        replaced=tuple(old.position for _, old in coming if old is not None),
        there=said.count("there"),
        kept=said.count("kept"),
        differing=tuple(key for key, verdict in verdicts.items() if verdict == "differs"),
        astray=tuple(key for key, verdict in verdicts.items() if verdict == "astray"),
    )


def _untie(
    here: Mapping[str, _Record], offered: Mapping[str, _Record], verdicts: dict[str, str], prefer: Prefer
) -> None:
    """Let the preferred side win where links of both sides make a ring; what stays one is "astray"."""
    before = _astray(here)
    while True:
        coming = {key: offered[key] for key, verdict in verdicts.items() if verdict in COMES}
        joined = {**here, **coming}
        lost = {key: wrong for key, wrong in _astray(joined).items() if key in coming or key not in before}
        at_fault = {key for wrong in lost.values() for key in wrong}
        told: dict[str, str] = {}
        if prefer == "own":
            told = {key: "kept" for key in at_fault if key in coming and key in here}
        elif prefer == "other":
            others = [key for key in at_fault if verdicts.get(key) == "there"]
            told = {key: "newer" for key in others if offered[key].commit != here[key].commit}
        if not told:
            verdicts.update(dict.fromkeys(lost.keys() & coming.keys(), "astray"))
            return
        verdicts.update(told)


def _astray(rows: Mapping[str, _Record]) -> dict[str, list[str]]:
    return astray(
        {key: named_sample(row.reason) for key, row in rows.items() if row.status == "linked"}, rows
    )


class _Record(NamedTuple):
    position: int
    sample_id: str
    commit: str
    source: str
    status: str
    reason: str
    inputs: str
    content: str
    revision: int


def _records(rows: pd.DataFrame) -> list[_Record]:
    current = rows[rows["current"]]
    names = (
        *("sample_id", "commit", "source", "status", "reason"),
        *("inputs_sha256", "content_sha256", "revision"),
    )
    columns = [current.index.tolist(), *(current[name].tolist() for name in names)]
    return [_Record(*cells) for cells in zip(*columns, strict=True)]


def _verdict(
    here: Mapping[str, _Record],
    new: _Record,
    known: Collection[tuple[str, str]],
    ours: Lineage,
    others: Lineage,
) -> str:
    """ "there", "newer" or "differs": how their row stands to ours of the same key."""
    old = here[new.sample_id]
    if new.commit == old.commit:
        return "there"
    order = _order(old.commit, new.commit, new.source, ours, others) if new.source == old.source else 0
    if order:
        return "newer" if order > 0 else "there"
    if new.inputs == old.inputs and new.status == old.status:
        return "there"
    if old.status == "linked":
        was_here = (new.sample_id, new.commit) in known
        return "there" if new.status != "ok" or was_here or _is_linked_row(old, new, here) else "differs"
    # As in an append: what was computed replaces a failure, never the other way round.
    if old.status == "failed" and new.status != "failed":
        return "newer"
    if new.status != "ok" and (old.status != "ok" or new.inputs in ("", old.inputs)):
        return "there"
    return "differs"


def _is_linked_row(link: _Record, new: _Record, here: Mapping[str, _Record]) -> bool:
    """Whether nothing has changed in a row since its sample was linked: it counts as the one it names.

    A link that was never read is confirmed by equal content, as in an append.
    """
    if link.inputs:
        return new.inputs == link.inputs
    end = here.get(named_sample(link.reason))
    return end is not None and end.status == "ok" and end.content == new.content


def _order(own_commit: str, commit: str, source: str, ours: Lineage, others: Lineage) -> int:
    """1 when theirs is the later of two commits of one store, -1 when ours is; 0: not one history.

    A store that was copied and then written on both sides has two histories under one id.
    """
    for lineage, away in ((ours, commit), (others, own_commit)):
        if lineage.store_id == source and away not in lineage.origins:
            return 0
    mine, other = ours.origins[own_commit].number, others.origins[commit].number
    return (other > mine) - (other < mine)


def _names_given(known: Sequence[Person]) -> str:
    """The patients= that gives patients the ids that they have here."""
    others = [f"{p.there!r}: {p.here!r}" for p in known if p.there != p.here]
    if not others:
        return "none"
    more = ", ..." if len(others) > SHOWN else ""
    return f"patients={{{', '.join(others[:SHOWN])}{more}}}"


def problems_of(
    own: pd.DataFrame,
    theirs: pd.DataFrame,
    own_patients: pd.DataFrame,
    their_patients: pd.DataFrame,
    told: bool,
) -> list[GclnmError]:
    """Why the patients of two stores cannot be joined; empty when they can.

    Parameters
    ----------
    own, theirs
        Rows of all sets, theirs under the ids they have here.
    own_patients, their_patients
        Every patient of rows and tables that are to be joined, with the store they came from:
        columns patient_id, source.
    told
        Whether the user said that equal ids are the same persons.
    """
    found: list[GclnmError] = []
    known = known_before(own[own["current"]], theirs)
    again = [person for person in known if person.here != person.now]
    here = sorted({person.here for person in again})
    if again:
        are = count(len(here), "patient of the other store is", "patients of the other store are")
        ids = "another id" if len(here) == 1 else "other ids"
        found.append(
            StoreError(
                f"{are} here already under {ids}",
                where=f"patients {shown(here)}",
                fix=f"Give the same patients= as when they were merged: {_names_given(known)}.",
                code="renamed-before",
            )
        )
    both = [] if told else colliding(own_patients, their_patients)
    both = [patient for patient in both if not any(patient in person[:2] for person in again)]
    if both:
        are = count(len(both), "patient id is", "patient ids are")
        found.append(
            StoreError(
                f"{are} in both stores, and nothing says whether persons are, too",
                where=f"patients {shown(both)}",
                fix='Pass patients="same" where they are, or a mapping or function from theirs to new ids.',
                code="patient-collision",
            )
        )
    return found
