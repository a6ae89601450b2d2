"""Which volumes hold the images that a derived volume was made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["MISSING_SOURCE", "resolve_sources"]

Row = dict[str, Any]
# Flag of a volume that names sources of which none is in the folder.
MISSING_SOURCE = "missing-source"


def resolve_sources(
    volumes: Sequence[Row], sources: Mapping[str, Sequence[str]], instances: Iterable[tuple[str, str]]
) -> None:
    """Fill ``source_volume_id`` of volumes, and flag those whose sources are all missing.

    Parameters
    ----------
    volumes
        Rows of the volumes table.
    sources
        By volume_id, the SOP instances that its header names as its sources.
    instances
        Each SOP instance with a volume that holds it.

    Examples
    --------
    >>> rows = [{"volume_id": name, "patient_id": "p", "flags": ""} for name in ("dwi", "adc", "other")]
    >>> resolve_sources(rows, {"adc": ("1.2",), "other": ("1.9",)}, [("1.2", "dwi"), ("1.3", "adc")])
    >>> rows[1]["source_volume_id"], rows[2]["flags"]
    ('dwi', 'missing-source')
    """
    wanted = {uid for uids in sources.values() for uid in uids}
    holders: dict[str, set[str]] = defaultdict(set)
    for uid, volume_id in instances:
        if uid in wanted:
            holders[uid].add(volume_id)
    patients = {row["volume_id"]: row["patient_id"] for row in volumes}
    for row in volumes:
        own, uids = row["volume_id"], sources.get(row["volume_id"], ())
        named = {volume_id for uid in uids for volume_id in holders.get(uid, ())} - {own}
        # One series under two patient ids: each map belongs to its own patient's images.
        found = sorted(v for v in named if patients[v] == row["patient_id"])
        row["source_volume_id"] = ";".join(found)
        if uids and not found:
            row["flags"] = ";".join(sorted({*filter(None, row["flags"].split(";")), MISSING_SOURCE}))
