"""Which diffusion images are of one acquisition: by the source images that headers name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gclnm.catalog.cells import text

__all__ = ["Family", "families", "is_adc", "repeats", "sources_of"]

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """Volumes that belong together; ``named``: some of them say of which others they were made."""

    volumes: tuple[Record, ...]
    named: bool

    @property
    def ids(self) -> frozenset[str]:
        """Their volume_ids."""
        return frozenset(volume["volume_id"] for volume in self.volumes)


def sources_of(volume: Record) -> tuple[str, ...]:
    """The volumes of the catalog that a volume says it was made of."""
    return tuple(filter(None, text(volume.get("source_volume_id")).split(";")))


def is_adc(volume: Record) -> bool:
    """Whether a volume is an ADC map, by its sequence or image type."""
    return text(volume.get("sequence")) == "ADC" or "ADC" in text(volume.get("image_type")).split("\\")


def repeats(some: Iterable[Record], others: Iterable[Record]) -> bool:
    """Whether both hold an ADC map, or images of one type with the same b-value."""
    return not {_shown(volume) for volume in some}.isdisjoint(map(_shown, others))


def families(volumes: Sequence[Record]) -> list[Family]:
    """Diffusion images parted by acquisition, as far as source references tell.

    Volumes that name others, and those that they name, are one family. A volume without such a link goes with
    its series; a series without any goes with the only family there is, if it repeats none of its images.
    All the rest is one family, which only geometry holds together.

    Examples
    --------
    >>> study = [
    ...     {"volume_id": name, "series_uid": name, "image_type": kind, "source_volume_id": source}
    ...     for name, kind, source in (
    ...         ("dwi1", "DWI", ""), ("adc1", "ADC", "dwi1"), ("dwi2", "DWI", ""), ("adc2", "ADC", "dwi2")
    ...     )
    ... ]
    >>> [sorted(family.ids) for family in families(study)]
    [['adc1', 'dwi1'], ['adc2', 'dwi2']]
    """
    number = _numbered(volumes)
    told: dict[int, list[Record]] = defaultdict(list)
    loose: dict[str, list[Record]] = defaultdict(list)
    for volume in volumes:
        place = number.get(volume["volume_id"])
        if place is None:
            loose[volume["series_uid"]].append(volume)
        else:
            told[place].append(volume)
    joined: dict[int | None, list[Record]] = defaultdict(list)
    for series_uid, members in loose.items():
        joined[_family_of(series_uid, members, told)] += members
    found = [Family((*members, *joined[place]), True) for place, members in told.items()]
    return [*found, Family(tuple(joined[None]), False)] if joined[None] else found


def _family_of(
    series_uid: str, members: Sequence[Record], told: Mapping[int, Sequence[Record]]
) -> int | None:
    """The family of references that a series without any belongs to."""
    mates = [k for k, family in told.items() if any(v["series_uid"] == series_uid for v in family)]
    if len(mates) == 1:
        return mates[0]
    alone = next(iter(told)) if len(told) == 1 else None
    return None if alone is None or repeats(members, told[alone]) else alone


def _numbered(volumes: Iterable[Record]) -> dict[str, int]:
    """A number for each family of references, by the volumes in it, also of those that are only named."""
    number: dict[str, int] = {}
    for k, volume in enumerate(volumes):
        sources = sources_of(volume)
        if not sources:
            continue
        linked = {volume["volume_id"], *sources}
        joined = {number[v] for v in linked if v in number}
        linked |= {v for v, place in number.items() if place in joined}
        number |= dict.fromkeys(linked, k)
    return number


def _shown(volume: Record) -> tuple[str, ...]:
    """What an acquisition has once: its ADC map; the images of one type and b-value."""
    if is_adc(volume):
        return ("ADC",)
    return (text(volume.get("b_value_s_mm2")), text(volume.get("image_type")))
