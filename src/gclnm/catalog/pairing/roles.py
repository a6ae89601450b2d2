"""Other ROIs of an image beside the one that features are computed in: aorta, liver ..."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gclnm.catalog.pairing.link import Record, Refusal
from gclnm.catalog.pairing.versions import Candidate

if TYPE_CHECKING:
    from gclnm.catalog.catalog import Catalog
    from gclnm.images.sample import MaskRef

__all__ = ["attach_roles"]

Refused = list[tuple[Record, Refusal]]


def attach_roles(
    catalog: Catalog, samples: Sequence[Candidate], others: Mapping[str, Sequence[Candidate]]
) -> tuple[list[dict[str, MaskRef]], Refused]:
    """For each sample the masks of its other roles, and what could not be attached.

    An ROI of the sample's own structure set comes first, then one by the same reader, then any on
    the same volume. Where several remain none is taken: the sample is made without the role, and
    they are listed. So is an ROI that no sample takes.
    """
    masks: list[dict[str, MaskRef]] = [{} for _ in samples]
    refused: Refused = []
    for role, candidates in others.items():
        by_volume: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            by_volume[candidate.volume_id].append(candidate)
        taken: set[str] = set()
        unclear: set[str] = set()
        for place, sample in enumerate(samples):
            nearest = _nearest(sample, by_volume.get(sample.volume_id, ()))
            keys = {c.roi["segmentation_id"] for c in nearest}
            if len(nearest) == 1:
                masks[place][role] = catalog.mask_ref(nearest[0].roi["segmentation_id"])
                taken |= keys
            elif nearest:
                unclear |= keys
            else:
                refused.append((sample.roi, _missing(role)))
        refused += _left(role, candidates, taken, unclear)
    return masks, refused


def _nearest(sample: Candidate, candidates: Sequence[Candidate]) -> list[Candidate]:
    same_set = [c for c in candidates if c.set_id == sample.set_id]
    same_reader = [c for c in candidates if c.rater == sample.rater]
    return same_set or same_reader or list(candidates)


def _missing(role: str) -> Refusal:
    return Refusal(
        "no-role",
        f"its image has no ROI of role {role!r}; the sample is there without it",
        "Widen the pattern of the role if its name differs here.",
        severity="info",
    )


def _left(role: str, candidates: Sequence[Candidate], taken: set[str], unclear: set[str]) -> Refused:
    several = Refusal(
        "several-of-role",
        f"several ROIs of one image fit role {role!r}: none of them is attached",
        "Narrow the pattern of the role to one of them.",
    )
    unused = Refusal("role-unused", f"no sample takes it as its {role!r}", severity="info")
    left: dict[str, tuple[Record, Refusal]] = {}
    for candidate in candidates:
        key = candidate.roi["segmentation_id"]
        if key not in taken:
            left[key] = (candidate.roi, several if key in unclear else unused)
    return list(left.values())
