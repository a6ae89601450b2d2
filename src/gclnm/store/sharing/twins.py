"""Rows of another store that have the content of a row of ours: they come held back, as in a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gclnm.store.chains import end_of
from gclnm.store.layout import arrays
from gclnm.store.links import MADE, VOLUME, are_twins, coords_at, named_sample, refusal

if TYPE_CHECKING:
    import pandas as pd
    import zarr

    from gclnm.store.sharing.matching import Decision

__all__ = ["TWINS", "as_held", "held_back", "with_distinct"]

TWINS = ("set", "sample_id", "patient_id", "same_as", "same_as_patient")


class _Old(NamedTuple):
    status: str
    reason: str
    content: str
    position: int
    revision: int


def _current(own: pd.DataFrame) -> dict[str, _Old]:
    rows = own[own["current"]]
    columns = [rows[name].tolist() for name in ("status", "reason", "content_sha256")]
    cells = zip(*columns, rows.index.tolist(), rows["revision"].tolist(), strict=True)
    return {key: _Old(*cell) for key, cell in zip(rows["sample_id"], cells, strict=True)}


def with_distinct(
    decision: Decision, own: pd.DataFrame | None, wanted: pd.DataFrame, distinct: Collection[str]
) -> Decision:
    """The decision, with rows that are held back here and that the user calls truly different by now."""
    if not distinct or own is None:
        return decision
    here, chosen = _current(own), set(decision.positions)
    rows = wanted[wanted["sample_id"].isin(list(distinct)) & (wanted["status"] == "ok")]
    more = [
        (position, here[key])
        for position, key in zip(rows.index.tolist(), rows["sample_id"], strict=True)
        if position not in chosen and key in here
        if here[key].status == "failed" and named_sample(here[key].reason)
    ]
    return replace(
        decision,
        positions=(*decision.positions, *(position for position, _ in more)),
        revisions=(*decision.revisions, *(old.revision + 1 for _, old in more)),
        replaced=(*decision.replaced, *(old.position for _, old in more)),
        there=decision.there - len(more),
    )


def as_held(
    own: pd.DataFrame | None,
    group: zarr.Group,
    coming: pd.DataFrame,
    source: zarr.Group,
    distinct: Collection[str],
) -> pd.DataFrame:
    """The rows that come; those that would double a sample of ours are failed ones that name it.

    Rows of one store are left as they are: there they were told apart.

    Parameters
    ----------
    own, coming
        Rows of `row_frame`, all of ours and those to be written; their index is the position.
    distinct
        Samples that the user calls truly different.
    """
    if own is None or not len(own):
        return coming
    pairs = _pairs(own, coming[~coming["sample_id"].isin(list(distinct))])
    if not len(pairs):
        return coming
    names = (*VOLUME, *MADE)
    mine = coords_at(arrays(source), pairs["position"].tolist(), names)
    others = coords_at(arrays(group), pairs["position_old"].tolist(), names)
    reasons: dict[str, str] = {}
    for row, new, old in zip(pairs.to_dict("records"), mine, others, strict=True):
        if are_twins({**new, "patient_id": row["patient_id"]}, old):
            reasons.setdefault(row["sample_id"], refusal(row["end"], bool(row["now"])).reason)
    held = coming["sample_id"].isin(list(reasons))
    return coming.assign(
        status=coming["status"].where(~held, "failed"),
        reason=coming["reason"].where(~held, coming["sample_id"].map(reasons)),
    )


def _pairs(own: pd.DataFrame, coming: pd.DataFrame) -> pd.DataFrame:
    """Computed rows that come beside each sample of ours that has, or had, their content."""
    here = _current(own)
    new = coming[(coming["status"] == "ok") & (coming["content_sha256"] != "")]
    had = own[own["status"].isin(["ok", "linked"]) & own["content_sha256"].isin(new["content_sha256"])]
    had = had.drop_duplicates(["sample_id", "content_sha256"], keep="last")
    ends = [_end(key, here) for key in had["sample_id"]]
    had = had.assign(
        end=ends,
        now=[
            end in here and here[end].content == c for end, c in zip(ends, had["content_sha256"], strict=True)
        ],
        # The volume of a sample is the one its current row names.
        position=[here[key].position for key in had["sample_id"]],
    )
    names = ["content_sha256", "sample_id", "patient_id", "source", "position"]
    sides = new.assign(position=new.index)[names], had[[*names, "end", "now"]]
    pairs = sides[0].merge(sides[1], on="content_sha256", suffixes=("", "_old"))
    itself = set(pairs.loc[pairs["sample_id"] == pairs["sample_id_old"], "sample_id"])
    keep = (
        ~pairs["sample_id"].isin(list(itself)) & (pairs["end"] != "") & (pairs["end"] != pairs["sample_id"])
    )
    pairs = pairs[keep & (pairs["source"] != pairs["source_old"])]
    return pairs.sort_values("now", ascending=False, kind="stable")


def _end(sample_id: str, here: Mapping[str, _Old]) -> str:
    """The computed row that a sample counts as; empty: there is none."""

    def link(key: str) -> str:
        return named_sample(here[key].reason) if key in here and here[key].status == "linked" else ""

    end = end_of(sample_id, link)
    return end if end in here and here[end].status == "ok" else ""


def held_back(own: pd.DataFrame | None, wanted: pd.DataFrame, coming: pd.DataFrame) -> pd.DataFrame:
    """Rows of the other store that are held back here, now or since an earlier merge: `TWINS`."""
    import pandas as pd

    written = coming[["sample_id", "patient_id", "status", "reason"]]
    names: dict[str, str] = {}
    if own is not None and len(own):
        rows = own[own["current"]]
        names = dict(zip(rows["sample_id"], rows["patient_id"], strict=True))
        mine = rows["sample_id"].isin(wanted["sample_id"]) & ~rows["sample_id"].isin(coming["sample_id"])
        written = pd.concat([rows.loc[mine, list(written.columns)], written])
    names |= dict(zip(coming["sample_id"], coming["patient_id"], strict=True))
    same_as = [named_sample(reason) for reason in written["reason"]]
    found = written.assign(set="", same_as=same_as, same_as_patient=[names.get(key, "") for key in same_as])
    found = found[(found["status"] == "failed") & (found["same_as"] != "")]
    return found[list(TWINS)].reset_index(drop=True)
