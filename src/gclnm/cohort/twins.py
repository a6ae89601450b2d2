"""Samples that are the same under other identifiers: what the user says about them, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gclnm.errors import InputError
from gclnm.store.chains import chain
from gclnm.store.links import check_links
from gclnm.store.same_as import SameAs, pairs_of

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.images.sample import Sample
    from gclnm.store.store import FeatureStore

__all__ = ["Settled", "settle", "twins_of"]

COLUMNS = ("sample_id", "same_as", "patient_id", "same_patient_id", "roi", "set")


def _known_links(store: FeatureStore) -> dict[str, str]:
    """Every link that a set of the store holds."""
    found: dict[str, str] = {}
    for name in store.sets()["set"]:
        keys = store.keys(name)
        linked = keys[keys["status"] == "linked"]
        found |= dict(zip(linked["sample_id"], linked["same_as"], strict=True))
    return found


@dataclass(frozen=True)
class Settled:
    """What is known of the samples of a run before it starts.

    Parameters
    ----------
    links
        Links that the set does not hold yet, from a sample to the one that it is.
    distinct
        Samples that the user calls truly different.
    """

    links: Mapping[str, str]
    distinct: frozenset[str]


def settle(
    samples: Sequence[Sample], store: FeatureStore, name: str, same_as: SameAs, *, fresh: bool
) -> Settled:
    """What the user says about the samples, and what other sets know of them; nothing is written.

    Links that other sets hold, or the set that this one replaces, hold for samples that this set has no
    row of yet. Sets may contradict each other, and the user may contradict them: links of theirs that
    would close a ring are dropped.

    Parameters
    ----------
    same_as
        What the user says: a sample to the one that it is, or to itself when it is a different one.
    fresh
        Whether the set will be empty when the links are written.

    Raises
    ------
    InputError
        When ``same_as`` says nothing about these samples, or, for a fresh set, names samples nobody
        knows or links some in a ring; a set that is there looks at its rows when it links.
    """
    asked = pairs_of(same_as)
    earlier = _known_links(store)
    if not asked and not earlier:
        return Settled({}, frozenset())
    mine = {sample.sample_id: sample.coords for sample in samples}
    meant = {key: other for key, other in asked.items() if key in mine}
    if asked and not meant:
        raise InputError(
            "same_as= names none of these samples",
            where=f"{len(asked)} given",
            fix="Its column sample_id holds the new samples, same_as those that the store knows.",
            code="no-match",
        )
    said = {key: other for key, other in meant.items() if key != other}
    keys = store.keys(name)
    held = keys.iloc[:0] if fresh else keys
    there = dict(zip(held["sample_id"], held["same_as"].where(held["status"] == "linked", ""), strict=True))
    inherited = {
        key: other
        for key, other in earlier.items()
        if key in mine and key not in asked and key not in there and (other in there or other in mine)
    }
    everything = there | inherited | said
    links = {key: other for key, other in inherited.items() if not _returns(key, everything)} | said
    if fresh:
        check_links(links, mine)
    return Settled(links, frozenset(meant).difference(said))


def _returns(sample_id: str, links: Mapping[str, str]) -> bool:
    """Whether a chain of links leads back to where it began."""
    return sample_id in chain(sample_id, links.get)[1:]


def twins_of(samples: Sequence[Sample], store: FeatureStore, name: str) -> pd.DataFrame:
    """Samples that are held back, and whom they would double; in the order of the samples."""
    import pandas as pd

    keys = store.keys(name)
    held = keys[(keys["status"] == "failed") & (keys["same_as"] != "")]
    other = dict(zip(held["sample_id"], held["same_as"], strict=True))
    mine = [sample for sample in samples if sample.sample_id in other]
    patients: dict[str, str] = {}
    if mine:
        wanted = sorted({other[sample.sample_id] for sample in mine})
        rows = store.read(name, where={"sample_id": wanted})
        if "patient_id" in rows.coords:
            patients = dict(zip(rows["sample_id"].values, rows["patient_id"].values, strict=True))
    records = [
        (
            sample.sample_id,
            other[sample.sample_id],
            str(sample.coords.get("patient_id") or ""),
            patients.get(other[sample.sample_id], ""),
            str(sample.coords.get("roi") or ""),
            name,
        )
        for sample in mine
    ]
    return pd.DataFrame(records, columns=list(COLUMNS))
