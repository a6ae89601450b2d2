"""Which volumes one ROI belongs to: by reference, acquisition, geometry or frame of reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gclnm.catalog.cells import geometry_of, text
from gclnm.catalog.pairing.sources import families, is_adc, repeats, sources_of
from gclnm.catalog.scanning.sources import MISSING_SOURCE
from gclnm.counts import count
from gclnm.images.geometry import Geometry

if TYPE_CHECKING:
    from gclnm.catalog.catalog import Catalog

__all__ = ["Linker", "Links", "On", "Refusal", "is_diffusion", "same_acquisition"]

On = Literal["reference", "acquisition", "diffusion", "geometry", "frame"]
Record = Mapping[str, Any]

SAME_TIME_S = 1.0
# A mask may be cropped: its voxels must then coincide with the image's, to this part of a voxel.
SAME_VOXEL = 0.01


@dataclass(frozen=True)
class Refusal:
    """Why something is in no sample: a stable code, a sentence, what to do about it."""

    code: str
    reason: str
    fix: str = ""
    severity: Literal["refused", "info"] = "refused"


@dataclass(frozen=True)
class Links:
    """The volumes of one ROI, by which rule each was found, and what the user should know of it."""

    by: Mapping[str, str]
    note: Refusal | None = None


def same_acquisition(a: Record, b: Record) -> bool:
    """Whether two volumes were reconstructed from one acquisition.

    Same study, frame of reference and modality; acquisition times within one second and acquisition
    numbers equal, where both volumes state them, and at least one of the two stated; no other phase
    and no other temporal position. Without evidence the answer is no: arterial and portal venous
    images also share study and frame.
    """
    if a["volume_id"] == b["volume_id"]:
        return True
    if any(not a[key] or a[key] != b[key] for key in ("study_uid", "frame_uid", "modality")):
        return False
    if a["phase"] != b["phase"] and "unknown" not in (a["phase"], b["phase"]):
        return False
    if _stated(a, b, "temporal_position") is False:
        return False
    times = _same_time(a["acquisition_time"], b["acquisition_time"])
    numbers = _stated(a, b, "acquisition_number")
    return False not in (times, numbers) and True in (times, numbers)


def is_diffusion(volume: Record) -> bool:
    """Whether a volume is diffusion-weighted or an ADC map, by its sequence, b-value or image type."""
    if volume["modality"] != "MR":
        return False
    weighted = text(volume.get("b_value_s_mm2")) != ""
    return weighted or text(volume.get("sequence")) == "DWI" or is_adc(volume)


def _stated(a: Record, b: Record, key: str) -> bool | None:
    """Whether two values are equal; None when one is not stated."""
    values = [text(record.get(key)) for record in (a, b)]
    return None if "" in values else values[0] == values[1]


def _same_time(a: Any, b: Any) -> bool | None:
    (day_a, seconds_a), (day_b, seconds_b) = _moment(a), _moment(b)
    if seconds_a is None or seconds_b is None:
        return None
    if day_a and day_b and day_a != day_b:
        return False
    return abs(seconds_a - seconds_b) < SAME_TIME_S


def _moment(time: Any) -> tuple[str, float | None]:
    """Date and seconds since midnight of ``[YYYYMMDD]HHMMSS.FFFFFF``; what is not stated is empty."""
    whole, _, fraction = text(time).partition(".")
    day, clock = (whole[:8], whole[8:]) if len(whole) >= 8 else ("", whole)
    if not clock.isdecimal() or len(clock) not in (2, 4, 6):
        return day, None
    clock = clock.ljust(6, "0")
    seconds = int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:])
    return day, seconds + (float(f"0.{fraction}") if fraction.isdecimal() else 0.0)


class Linker:
    """Finds the volumes of ROIs in one catalog."""

    def __init__(self, catalog: Catalog, segmentations: Sequence[Record]) -> None:
        records = catalog.volumes.drop_duplicates("volume_id").to_dict("records")
        self.volumes: dict[str, Record] = {r["volume_id"]: {str(k): v for k, v in r.items()} for r in records}
        self._referenced = {
            s["segmentation_id"]: catalog.referenced(s["segmentation_id"])
            for s in segmentations
            if s["kind"] != "labelmap"
        }
        self._instances = catalog.instances
        self._grids: dict[str, Geometry | None] = {}

    @cached_property
    def _by_patient(self) -> dict[str, list[Record]]:
        groups: dict[str, list[Record]] = defaultdict(list)
        for volume in self.volumes.values():
            groups[volume["patient_id"]].append(volume)
        return groups

    @cached_property
    def _by_series(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = defaultdict(list)
        for volume_id, volume in self.volumes.items():
            groups[volume["series_uid"]].append(volume_id)
        return groups

    @cached_property
    def _by_sop(self) -> dict[str, list[str]]:
        wanted = set().union(*self._referenced.values())
        table = self._instances[self._instances["sop_uid"].isin(wanted)]
        groups: dict[str, list[str]] = defaultdict(list)
        for sop_uid, volume_id in zip(table["sop_uid"], table["volume_id"], strict=True):
            if volume_id in self.volumes and volume_id not in groups[sop_uid]:
                groups[sop_uid].append(volume_id)
        return groups

    def link(self, roi: Record, on: On, modalities: frozenset[str]) -> Links | Refusal:
        """The volumes of one ROI (a row of ``catalog.segmentations``), or why there is none.

        ``modalities`` narrows the volumes; empty for all.
        """
        if on == "frame":
            return self._frame(roi, modalities)
        anchors = self._geometry(roi, modalities) if on == "geometry" else self._anchors(roi, modalities)
        if isinstance(anchors, Refusal):
            return anchors
        if on == "acquisition":
            return self._acquisition(anchors, modalities)
        if on == "diffusion":
            return self._diffusion(anchors, modalities)
        if len(anchors.by) > 1:
            return self._ambiguous(anchors)
        return self._wanted(anchors, modalities)

    def _anchors(self, roi: Record, modalities: frozenset[str]) -> Links | Refusal:
        """What the ROI says itself that it was drawn on; several volumes when it does not decide."""
        found = self._named_image(roi, modalities) if roi["kind"] == "labelmap" else self._referenced_by(roi)
        if isinstance(found, Refusal):
            return found
        other = {self.volumes[v]["patient_id"] for v in found.by} - {roi["patient_id"]}
        if other and roi["patient_id"]:
            return Refusal(
                "other-patient",
                "the image it refers to carries another patient id",
                "One of the two was renamed: correct the ids, or give scan() a patient_key that joins them.",
            )
        return found

    def _named_image(self, roi: Record, modalities: frozenset[str]) -> Links | Refusal:
        named = text(roi["referenced_volume_id"])
        if named in self.volumes:
            return Links({named: "file-name"})
        if named:
            return Refusal(
                "missing-image",
                "the image that its file name refers to is not in the catalog",
                "See catalog.problems: it is missing or cannot be read.",
            )
        return self._geometry(roi, modalities)

    def _referenced_by(self, roi: Record) -> Links | Refusal:
        sop_uids = self._referenced[roi["segmentation_id"]]
        counts: dict[str, int] = defaultdict(int)
        for sop_uid in sop_uids:
            for volume_id in self._by_sop.get(sop_uid, ()):
                counts[volume_id] += 1
        if counts:
            complete = [v for v, n in counts.items() if n == len(sop_uids)]
            return Links(dict.fromkeys(complete or counts, "reference"))
        series_uids = [uid for uid in text(roi["referenced_series_uid"]).split(";") if uid]
        in_series = [volume_id for uid in series_uids for volume_id in self._by_series.get(uid, ())]
        # Software that writes a series anew keeps the series' UID and gives its slices new ones.
        same_frame = [v for v in in_series if self._may_share_frame(roi, v)]
        if same_frame:
            return Links(dict.fromkeys(same_frame, "reference"))
        return self._nothing_referenced(bool(series_uids or sop_uids), bool(in_series))

    def _may_share_frame(self, roi: Record, volume_id: str) -> bool:
        frames = {text(roi["frame_uid"]), text(self.volumes[volume_id]["frame_uid"])} - {""}
        return len(frames) < 2

    @staticmethod
    def _nothing_referenced(images_named: bool, series_there: bool) -> Refusal:
        if series_there:
            return Refusal(
                "other-frame",
                "the series it was drawn on is there with other slices, in another frame of reference",
                "The images were moved or resampled since: export them as they were outlined.",
            )
        if images_named:
            return Refusal(
                "missing-series",
                "the images it was drawn on are not in the catalog",
                "Add their series to the folder; or ask for on='frame' to use it on other images.",
            )
        return Refusal(
            "no-reference", "it refers to no image at all", "Pair it by a manifest, or ask for on='frame'."
        )

    def _ambiguous(self, links: Links) -> Refusal:
        splits = "; ".join(sorted(text(self.volumes[v].get("split")) or "whole" for v in links.by))
        if (
            len({self.volumes[v]["series_uid"] for v in links.by}) == 1
            and "geometry" not in links.by.values()
        ):
            return Refusal(
                "several-volumes",
                f"the slices it was drawn on are in {len(links.by)} volumes of one series ({splits})",
                "Ask for on='acquisition' to use it on each, or name the volume in a manifest.",
            )
        return Refusal(
            "several-volumes",
            f"{len(links.by)} volumes fit it equally well",
            "Narrow by modality=, ask for on='acquisition', or name the volume in a manifest.",
        )

    def _wanted(self, links: Links, modalities: frozenset[str]) -> Links | Refusal:
        by = {v: how for v, how in links.by.items() if self._is_wanted(v, modalities)}
        if by:
            return Links(by, links.note)
        found = sorted({self.volumes[v]["modality"] for v in links.by})
        if "" in found:
            return Refusal(
                "unknown-modality",
                "its image does not say its modality",
                "Pair without modality= and state it: .assign(modality='CT'), or in a manifest.",
            )
        return Refusal("other-modality", f"it belongs to {' and '.join(found)} images", severity="info")

    def _is_wanted(self, volume_id: str, modalities: frozenset[str]) -> bool:
        return not modalities or self.volumes[volume_id]["modality"] in modalities

    def _acquisition(self, anchors: Links, modalities: frozenset[str]) -> Links | Refusal:
        first, *others = (self.volumes[v] for v in anchors.by)
        if any(not same_acquisition(first, other) for other in others):
            return self._ambiguous(anchors)
        by = {
            volume["volume_id"]: anchors.by.get(volume["volume_id"], "acquisition")
            for volume in self._by_patient[first["patient_id"]]
            if same_acquisition(first, volume)
        }
        # A volume that cannot be used is no loss where others of the acquisition can.
        usable = {v: how for v, how in by.items() if self.volumes[v]["usable"]}
        return self._wanted(Links(usable or by), modalities)

    def _diffusion(self, anchors: Links, modalities: frozenset[str]) -> Links | Refusal:
        """Every b-value and ADC map of the acquisition it was drawn on: by references, else by grid."""
        drawn_on = [self.volumes[v] for v in anchors.by if is_diffusion(self.volumes[v])]
        if not drawn_on:
            return Refusal(
                "no-diffusion",
                "the image it was drawn on is neither diffusion-weighted nor an ADC map",
                "Pair it by on='reference', or on='frame' to use it on diffusion images.",
            )
        if len({volume["series_uid"] for volume in drawn_on}) > 1:
            return self._ambiguous(anchors)
        first = drawn_on[0]
        of_study = [
            volume
            for volume in self._by_patient[first["patient_id"]]
            if volume["study_uid"] == first["study_uid"] and is_diffusion(volume)
        ]
        near = self._near(first, of_study, anchors)
        found = families(near)
        own = [family for family in found if not family.ids.isdisjoint(anchors.by)]
        if len(own) > 1:
            return self._ambiguous(anchors)
        kept = [v for v in own[0].volumes if v["usable"] or v["volume_id"] in anchors.by]
        by = {v["volume_id"]: anchors.by.get(v["volume_id"], "diffusion") for v in kept}
        others = len(found) > 1 and not own[0].named
        return self._wanted(Links(by, _OTHER_SOURCES if others else _without_sources(kept)), modalities)

    def _near(self, first: Record, of_study: Sequence[Record], anchors: Links) -> list[Record]:
        """What it was drawn on, all on that grid, and ADC maps on another that name an image on this one."""
        near = [v for v in of_study if v["volume_id"] in anchors.by or self._same_grid(first, v)]
        ids, frame = {v["volume_id"] for v in near}, text(first["frame_uid"])
        framed = [v for v in of_study if frame and text(v["frame_uid"]) == frame and is_adc(v)]
        return near + [v for v in framed if v["volume_id"] not in ids and not ids.isdisjoint(sources_of(v))]

    def _same_grid(self, a: Record, b: Record) -> bool:
        """Whether two volumes have the same voxels in the same frame, where both name one."""
        frames = {text(volume["frame_uid"]) for volume in (a, b)} - {""}
        grids = self._grid(a["volume_id"]), self._grid(b["volume_id"])
        if len(frames) > 1 or grids[0] is None or grids[1] is None:
            return False
        return grids[0].agrees(grids[1])

    def _frame(self, roi: Record, modalities: frozenset[str]) -> Links | Refusal:
        frame_uid = text(roi["frame_uid"])
        if not frame_uid:
            return Refusal(
                "no-frame", "it states no frame of reference", "Pair it by on='geometry' or a manifest."
            )
        by = {
            volume["volume_id"]: "frame"
            for volume in self._by_patient[roi["patient_id"]]
            if volume["frame_uid"] == frame_uid and volume["usable"]
        }
        if not by:
            return Refusal("missing-series", "no usable image of this patient has its frame of reference")
        return self._wanted(Links(by), modalities)

    def _geometry(self, roi: Record, modalities: frozenset[str]) -> Links | Refusal:
        grid = geometry_of(roi)
        if grid is None:
            return Refusal(
                "no-grid",
                "it has no grid of voxels to compare",
                "Contours pair by on='reference' or 'frame'.",
            )
        candidates = [
            volume["volume_id"]
            for volume in self._by_patient[roi["patient_id"]]
            if self._is_wanted(volume["volume_id"], modalities) and volume["usable"]
        ]
        grids = [(v, g) for v in candidates if (g := self._grid(v)) is not None]
        fits = [v for v, g in grids if g.agrees(grid)] or [v for v, g in grids if _contains(g, grid)]
        if fits:
            return Links(dict.fromkeys(fits, "geometry"))
        return Refusal(
            "no-image-of-this-grid",
            f"of {count(len(candidates), 'image')} of this patient none has its grid",
            "Pair it by a manifest: a mask on another grid is resampled onto the image.",
        )

    def _grid(self, volume_id: str) -> Geometry | None:
        if volume_id not in self._grids:
            self._grids[volume_id] = geometry_of(self.volumes[volume_id])
        return self._grids[volume_id]


_OTHER_SOURCES = Refusal(
    "other-sources",
    "maps on its grid name other images as their sources, and it is not among them",
    "Outline the images that the map was made of, or name the map in a manifest.",
    severity="info",
)
_NO_SOURCES = Refusal(
    "missing-source",
    "several images of one kind have its grid, and the sources that they name are not in the catalog",
    "Add the series that they were made of, or choose: samples.query(series_uid=...).",
    severity="info",
)


def _without_sources(volumes: Sequence[Record]) -> Refusal | None:
    """What to say of images that geometry alone brought together, where their sources are missing."""
    lost = [v for v in volumes if MISSING_SOURCE in text(v.get("flags")).split(";")]
    twice = any(repeats([v], [w for w in volumes if w["series_uid"] != v["series_uid"]]) for v in lost)
    return _NO_SOURCES if twice else None


def _contains(image: Geometry, mask: Geometry) -> bool:
    """Whether the mask's voxels are voxels of the image (a cropped label map)."""
    start = image.to_index([mask.origin_mm])[0]
    rounded = np.rint(start)
    if np.any(np.abs(start - rounded) > SAME_VOXEL) or np.any(rounded < 0):
        return False
    if np.any(rounded + mask.size > np.asarray(image.size)):
        return False
    x, y, z = (int(n) for n in rounded)
    return image.crop((x, y, z), mask.size).agrees(mask)
