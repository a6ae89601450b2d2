"""Samples that are the same under two identifiers: held back when they come, linked when the user says so.

A re-anonymised export changes every identifier and no voxel. Its row would stand beside the first
export's as if it were another patient, so that it is written as a failed row that names the other
sample. `link` turns such a row into one with status "linked": no values, and from then on the
sample counts as the one it names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gclnm.counts import count
from gclnm.errors import InputError
from gclnm.schemas.features import as_text
from gclnm.store.chains import end_of

if TYPE_CHECKING:
    import zarr

    from gclnm.images.sample import Coordinate
    from gclnm.pipeline import Row
    from gclnm.store.keys import Held, Key, KeyIndex
    from gclnm.store.layout import Arrays
    from gclnm.store.repository import Note, Repository

__all__ = [
    "HELD_BACK",
    "Screened",
    "Taken",
    "are_twins",
    "check_links",
    "counted_as",
    "link",
    "named_sample",
    "refusal",
    "screened",
]

SAME_CONTENT = "same-content"
SAME_AS = "same-as"
# What tells one volume from another in a store, which holds no volume_id.
VOLUME = ("patient_id", "series_uid", "split")
# Rows that differ in these are different on purpose, on whatever volume they were computed.
MADE = ("derivation", "perturbation")
# Of several rows with one content, the one that agrees in these is named first.
LIKE = ("roi", "roi_instance", "rater")
HELD_BACK = (
    "Pass same_as=run.twins to link it to that sample, or {sample_id: sample_id}, to itself, where the two"
    " are truly different."
)


@dataclass(frozen=True)
class Taken:
    """What a store made of the rows that it was offered.

    Parameters
    ----------
    commit
        The commit; None when nothing was written.
    written
        Samples among them whose rows were written; the others it held already.
    refused
        Rows that it holds back, as the failed rows that they became.
    replaced
        How many rows took the place of an earlier one.
    """

    commit: str | None
    written: frozenset[str]
    refused: tuple[Row, ...] = ()
    replaced: int = 0


@dataclass(frozen=True)
class Screened:
    """Rows of a batch that may be written, with their places in it."""

    rows: tuple[Row, ...]
    places: tuple[int, ...]
    refused: tuple[Row, ...]


def named_sample(reason: str) -> str:
    """The sample that the reason of a linked or held-back row names; empty: none.

    Examples
    --------
    >>> named_sample("same-as: 5f2c"), named_sample("unreadable: a slice is missing")
    ('5f2c', '')
    """
    if not reason.startswith((SAME_AS, SAME_CONTENT)):
        return ""
    return reason.rpartition(" ")[2]


def refusal(other: str, now: bool = True) -> InputError:
    """Why a row is held back whose content another sample has, now or in an earlier revision."""
    whose = "sample" if now else "an earlier revision of sample"
    return InputError(
        f"its voxels, grid and mask are those of {whose} {other}", code=SAME_CONTENT, fix=HELD_BACK
    )


def _refused(row: Row, other: str, now: bool) -> Row:
    """The failed row in place of one whose content another sample has."""
    error = refusal(other, now)
    return replace(_empty(row), status="failed", reason=error.reason, fix=error.fix)


def _empty(row: Row) -> Row:
    return replace(row, values=np.full(len(row.values), np.nan))


def counted_as(sample_id: str, keys: Mapping[str, Key]) -> str:
    """The sample of a set that one counts as, itself without a link; empty: none that the set holds."""
    end = end_of(sample_id, _links(keys))
    return end if end in keys else ""


def _links(keys: Mapping[str, Key]) -> Callable[[str], str | None]:
    """The sample that each linked one of a set names."""
    return lambda key: keys[key].same_as if key in keys and keys[key].status == "linked" else None


def screened(
    stored: Arrays,
    keys: Held,
    rows: Sequence[Row],
    distinct: Collection[str] = (),
) -> Screened:
    """Rows as they may be written: held back where another sample has their content.

    Two rows on one volume (two readers, two names of one ROI) are no twins, whatever their contours.
    What a sample had in an earlier revision counts, and so does what a linked one has: a second export
    may have been made before the correction.
    A linked sample's row is left out where nothing has changed since; otherwise it becomes the next
    revision of the row that the sample counts as, beside the link with what it was read from. Such a
    correction stays: the files of the sample itself, as they were before it, do not undo it.

    Parameters
    ----------
    distinct
        Samples that the user calls truly different; they leave their links.
    """
    offered = {row.sample_id: row for row in rows}
    twins = _Twins(stored, keys, offered)
    kept: list[tuple[int, Row]] = []
    spoken = set(offered)
    refused = []
    for place, row in enumerate(rows):
        old = keys.get(row.sample_id)
        free = row.status == "linked" or row.sample_id in distinct
        if (
            not free
            and old is not None
            and old.status == "linked"
            and (end := counted_as(row.sample_id, keys))
        ):
            # One revision a batch: of several samples that count as one row the first speaks for it.
            kept += [(place, made) for made in _as_counted(row, old, end, stored, keys, end in spoken)]
            spoken |= {made.sample_id for _, made in kept[-2:]}
            continue
        if not free and keys.is_outdated(row.sample_id, row.inputs_sha256):
            continue
        other = "" if free or row.status != "ok" or _has_it(row, old) else twins.of(row)
        if other:
            row = _refused(row, other, twins.now(row, other))
            refused.append(row)
        twins.add(row)
        kept.append((place, row))
    return Screened(tuple(row for _, row in kept), tuple(place for place, _ in kept), tuple(refused))


def written(offered: Sequence[Row], places: Sequence[int], rows: Sequence[Row]) -> frozenset[str]:
    """Samples among the offered ones that got a row, their own or the one that they count as."""
    return frozenset(
        offered[place].sample_id
        for place, row in zip(places, rows, strict=True)
        if row.status != "linked" or offered[place].status == "linked"
    )


def _as_counted(
    row: Row, old: Key, end: str, stored: Arrays, keys: Mapping[str, Key], spoken: bool
) -> list[Row]:
    """What a row of a linked sample means for the row that it counts as."""
    if not row.inputs_sha256 or row.inputs_sha256 == old.inputs_sha256:
        return []
    link = replace(_empty(row), status="linked", reason=old.reason, fix="")
    # A link that was never read is confirmed by equal content; what differs then is in the headers alone.
    if spoken or (not old.inputs_sha256 and _has_it(row, keys[end])):
        return [link]
    (coords,) = coords_at(stored, [keys[end].position])
    return [replace(row, sample_id=end, coords=coords), link]


def _has_it(row: Row, key: Key | None) -> bool:
    """Whether a current revision was computed from the content of a row."""
    return key is not None and key.status == "ok" and key.content_sha256 == row.content_sha256


class _Twins:
    """Other samples with the content of a row: those of the set, and those of the batch before it."""

    def __init__(self, stored: Arrays, keys: Held, offered: Mapping[str, Row]) -> None:
        self._keys, self._offered = keys, offered
        there = list(dict.fromkeys(other for row in offered.values() for other in self._there(row)))
        found = coords_at(stored, [keys[other].position for other in there], (*VOLUME, *MADE, *LIKE))
        self._coords: dict[str, Mapping[str, Coordinate]] = dict(zip(there, found, strict=True))
        self._batch: dict[str, list[str]] = {}

    def add(self, row: Row) -> None:
        """Note a row that will be in the set when the next one is looked at."""
        if row.status == "ok" and row.content_sha256:
            self._batch.setdefault(row.content_sha256, []).append(row.sample_id)
            self._coords[row.sample_id] = row.coords

    def of(self, row: Row) -> str:
        """The sample that the row would double; empty: none."""
        others = [*self._there(row), *self._batch.get(row.content_sha256, ())]
        twins = [other for other in others if are_twins(row.coords, self._coords[other])]
        like = _texts(row.coords, LIKE)
        twin = min(twins, key=lambda other: _texts(self._coords[other], LIKE) != like, default="")
        return twin if twin in self._batch.get(row.content_sha256, ()) else counted_as(twin, self._keys)

    def now(self, row: Row, other: str) -> bool:
        """Whether the sample has the content still when this batch is written."""
        coming = self._offered.get(other)
        if coming is not None and coming.status == "ok":
            return coming.content_sha256 == row.content_sha256
        return _has_it(row, self._keys.get(other))

    def _there(self, row: Row) -> list[str]:
        """Samples that have or had the content, and count as a computed row that is not this one's."""
        if row.status != "ok" or not row.content_sha256:
            return []
        having = self._keys.with_content(row.content_sha256)
        # A sample that goes back to what it once had was looked at when it first came with it.
        if row.sample_id in having:
            return []
        ends = {other: counted_as(other, self._keys) for other in having}
        counted = {end for end in ends.values() if end and self._keys[end].status == "ok"}
        return [other for other in having if ends[other] in counted - {row.sample_id}]


def are_twins(mine: Mapping[str, Coordinate], other: Mapping[str, Coordinate]) -> bool:
    """Whether rows of one content lie on different volumes, and were made of them in the same way."""
    return _texts(mine, VOLUME) != _texts(other, VOLUME) and _texts(mine, MADE) == _texts(other, MADE)


def _texts(coords: Mapping[str, Coordinate], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(as_text(name, [coords.get(name)])[0] for name in names)


def coords_at(
    stored: Arrays, positions: Sequence[int], names: Sequence[str] | None = None
) -> list[dict[str, Coordinate]]:
    """Coordinates of some rows, all or those named; missing ones are left out."""
    from gclnm.store.layout import coordinates

    rows: list[dict[str, Coordinate]] = [{} for _ in positions]
    if not positions:
        return rows
    for name in coordinates(stored):
        if names is not None and name not in names:
            continue
        values = np.asarray(stored[name].get_orthogonal_selection((np.array(positions),)))
        for row, value in zip(rows, values.tolist(), strict=True):
            if value == value and value != "":
                row[name] = value
    return rows


def _check(
    ends: Mapping[str, str], keys: Mapping[str, Key], coords: Mapping[str, Mapping[str, Coordinate]]
) -> None:
    rings = [sample_id for sample_id, end in ends.items() if not end]
    here = {*keys, *coords}
    unknown = sorted({key for pair in ends.items() for key in pair if key and key not in here})
    ring, take = "Link each to the one whose row counts.", "Take sample_id and same_as from .twins of a run."
    for wrong, one, several, fix in (
        (rings, "is linked in a ring", "are linked to each other in a ring", ring),
        (unknown, "is not known to the set", "are not known to the set", take),
    ):
        if wrong:
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            raise InputError(
                f"{count(len(wrong), 'sample')} of same_as {one if len(wrong) == 1 else several}",
                where=", ".join(map(repr, wrong[:5])) + more,
                fix=fix,
                code="bad-link",
            )


def check_links(same_as: Mapping[str, str], coords: Mapping[str, Mapping[str, Coordinate]]) -> None:
    """Refuse links that a set without rows would refuse.

    Raises
    ------
    InputError
        When a link leads to itself, or to or from a sample that has no coordinates here.
    """
    _check({sample_id: end_of(sample_id, same_as.get) for sample_id in same_as}, {}, coords)


def link(
    repository: Repository,
    index: KeyIndex,
    name: str,
    same_as: Mapping[str, str],
    coords: Mapping[str, Mapping[str, Coordinate]],
) -> str | None:
    """Write a row for every link that the set does not know yet, in one commit."""
    from gclnm.store.layout import arrays
    from gclnm.store.read import existing_set
    from gclnm.store.write import choose, note_of, write_rows

    def change(root: zarr.Group) -> Note | None:
        group = existing_set(root, name, repository.url)
        stored, keys = arrays(group), index.look(group)
        start, width = stored["value"].shape
        rows = _link_rows(stored, keys, same_as, coords, width)
        if not rows:
            return None
        choice = choose(stored, keys, rows)
        write_rows(group, stored, rows, np.full((len(rows), width), np.nan), choice)
        return note_of(name, group, "link", linked=len(rows), start=start)

    return repository.commit(change)


def _link_rows(
    stored: Arrays,
    keys: Mapping[str, Key],
    same_as: Mapping[str, str],
    coords: Mapping[str, Mapping[str, Coordinate]],
    width: int,
) -> list[Row]:
    """A row for every link that the set does not know yet; chains lead to their end.

    Raises
    ------
    InputError
        When a link leads to itself, or to or from a sample that is not known.
    """
    from gclnm.pipeline import Row

    before = _links(keys)
    ends = {a: end_of(a, lambda key: same_as.get(key) or before(key)) for a in same_as}
    _check(ends, keys, coords)
    news = {a: b for a, b in ends.items() if a not in keys or keys[a].reason != f"{SAME_AS}: {b}"}
    known = [sample_id for sample_id in news if sample_id in keys]
    places = [keys[sample_id].position for sample_id in known]
    here = {**coords, **dict(zip(known, coords_at(stored, places), strict=True))}
    return [
        Row(
            sample_id=sample_id,
            coords=dict(here[sample_id]),
            status="linked",
            reason=f"{SAME_AS}: {other}",
            values=np.full(width, np.nan),
            diagnostics=np.empty(0),
            inputs_sha256=keys[sample_id].inputs_sha256 if sample_id in keys else "",
            content_sha256=keys[sample_id].content_sha256 if sample_id in keys else "",
        )
        for sample_id, other in news.items()
    ]
