"""What a cell of a manifest means: a volume or a mask of the catalog, or a file beside it."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gclnm.catalog import cells
from gclnm.catalog.pairing.link import Record, Refusal
from gclnm.catalog.scanning.identifiers import Identifiers
from gclnm.errors import GclnmError
from gclnm.images.files.headers import is_image_name, path_digest, read_image_header, read_labels
from gclnm.images.sample import MaskRef, VolumeRef

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.catalog.catalog import Catalog

__all__ = ["FoundImage", "FoundMask", "Places"]


@dataclass(frozen=True)
class FoundImage:
    """An image that a row names: where it is, and its row of the volumes table."""

    ref: VolumeRef
    volume: Record = field(default_factory=dict)


@dataclass(frozen=True)
class FoundMask:
    """One ROI of the mask that a row names, or why that ROI cannot be used."""

    ref: MaskRef
    name: str = ""
    patient_id: str = ""
    segmentation_id: str = ""
    reason: str = ""


class Places:
    """Finds images and masks by identifier or path, first in the catalog, then on disk.

    Parameters
    ----------
    catalog
        What was scanned; None when there is only the table.
    base
        Folder at which relative paths start.
    """

    def __init__(self, catalog: Catalog | None, base: Path) -> None:
        self._base = base
        self._identifiers = catalog.identifiers if catalog is not None else Identifiers()
        self._known = _Known(catalog) if catalog is not None else None
        self._scanned: dict[str, _Known] = {}

    def image(self, text: str, modality: str) -> FoundImage | Refusal:
        """The one image volume of a cell: volume_id, SeriesInstanceUID, file or folder.

        ``modality`` is what the user says of a file that does not say it itself.
        """
        if not text:
            return Refusal("no-image", "the row names no image", "Fill column image.")
        path = self._path(text)
        for known in self._sources(path):
            ids = known.volumes_of(text) or known.volumes_at(path)
            if ids:
                found = known.one_image(ids)
                if isinstance(found, FoundImage) and known is not self._known:
                    found = _outside(found, self._identifiers)
                return found if isinstance(found, Refusal) else _of_modality(found, modality)
        if os.path.isfile(path) and is_image_name(path):
            return self._unlisted_image(path, modality)
        return Refusal(
            "missing-image",
            "the image that the row names is not there",
            "Give a volume_id, a SeriesInstanceUID, or a path that is absolute or starts at the manifest.",
        )

    def masks(self, text: str) -> list[FoundMask] | Refusal:
        """The ROIs of a cell: segmentation_id, SOP instance UID or file."""
        if not text:
            return Refusal("no-mask", "the row names no mask", "Fill column mask.")
        path = self._path(text)
        for known in self._sources(path):
            ids = known.rois_of(text) or known.rois_at(path)
            if ids:
                return [known.mask(segmentation_id) for segmentation_id in ids]
        if os.path.isfile(path) and is_image_name(path):
            return self._unlisted_mask(path)
        return Refusal(
            "missing-mask",
            "the mask that the row names is not there",
            "Give a path that is absolute or starts at the manifest, or a SOP instance UID.",
        )

    def _path(self, text: str) -> str:
        return os.path.abspath(self._base / Path(text).expanduser())

    def _sources(self, path: str) -> list[_Known]:
        """The catalog, then what is at a path of its own."""
        known = [self._known] if self._known is not None else []
        if any(source.volumes_at(path) or source.rois_at(path) for source in known):
            return known
        if os.path.exists(path):
            known.append(self._scan(path))
        return known

    def _scan(self, path: str) -> _Known:
        if path not in self._scanned:
            from gclnm.catalog.scan import scan_as

            self._scanned[path] = _Known(scan_as(path, self._identifiers, notices=False, progress=False))
        return self._scanned[path]

    def _unlisted_image(self, path: str, modality: str) -> FoundImage | Refusal:
        """A file that scan took for a label map by its name, and the user says is an image."""
        try:
            header = read_image_header(path)
        except GclnmError as error:
            return Refusal(error.code, error.what, error.fix)
        digest = self._identifiers.uid(header.digest)
        return FoundImage(VolumeRef(digest, "image", (path,), modality=modality))

    @staticmethod
    def _unlisted_mask(path: str) -> list[FoundMask] | Refusal:
        """A file that scan took for an image by its name, and the user says is a label map."""
        try:
            labels = read_labels(path)
        except GclnmError as error:
            return Refusal(error.code, error.what, error.fix)
        return [
            FoundMask(MaskRef("labelmap", path, found.value, found.layer), found.name, reason=found.reason)
            for found in labels
        ]


class _Known:
    """Look-ups in one catalog, by identifier and by path."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._volumes: dict[str, Record] = _by_key(catalog.volumes, "volume_id")
        self._rois: dict[str, Record] = _by_key(catalog.segmentations, "segmentation_id")

    @cached_property
    def _volume_ids(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = defaultdict(list)
        for volume_id, volume in self._volumes.items():
            for key in {volume_id, cells.text(volume["series_uid"])} - {""}:
                ids[key].append(volume_id)
        return ids

    @cached_property
    def _volume_places(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = defaultdict(list)
        for volume_id in self._volumes:
            files = self._catalog.volume_ref(volume_id).files
            # A series is named by its folder or any of its files.
            folders = {os.path.dirname(file) for file in files}
            places = {_place(path) for path in (*files, *folders)}
            for place in places:
                ids[place].append(volume_id)
        return ids

    @cached_property
    def _roi_ids(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = defaultdict(list)
        for segmentation_id, roi in self._rois.items():
            for key in {segmentation_id, cells.text(roi["sop_uid"])} - {""}:
                ids[key].append(segmentation_id)
        return ids

    @cached_property
    def _roi_places(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = defaultdict(list)
        for segmentation_id in self._rois:
            ids[_place(self._catalog.mask_ref(segmentation_id).file)].append(segmentation_id)
        return ids

    def volumes_of(self, text: str) -> list[str]:
        return self._volume_ids.get(text) or self._volume_ids.get(self._keyed(text), [])

    def _keyed(self, text: str) -> str:
        """An identifier of the files as the catalog has it; a split or number follows a slash."""
        uid, slash, rest = text.partition("/")
        return self._catalog.identifiers.uid(uid) + slash + rest

    def volumes_at(self, path: str) -> list[str]:
        return self._volume_places.get(_place(path), [])

    def rois_of(self, text: str) -> list[str]:
        return self._roi_ids.get(text) or self._roi_ids.get(self._keyed(text), [])

    def rois_at(self, path: str) -> list[str]:
        return self._roi_places.get(_place(path), [])

    def one_image(self, ids: list[str]) -> FoundImage | Refusal:
        usable = [v for v in ids if self._volumes[v]["usable"]]
        if len(usable) > 1:
            shown = ", ".join(usable[:4])
            return Refusal(
                "several-volumes",
                f"it names {len(usable)} image volumes",
                f"Name one by its volume_id: {shown}.",
            )
        if not usable:
            reasons = sorted({cells.text(self._volumes[v]["reason"]) for v in ids})
            return Refusal("unusable-image", f"its image cannot be used: {'; '.join(reasons)}")
        return FoundImage(self._catalog.volume_ref(usable[0]), self._volumes[usable[0]])

    def mask(self, segmentation_id: str) -> FoundMask:
        roi = self._rois[segmentation_id]
        reason = "" if roi["usable"] else cells.text(roi["reason"]) or "it cannot be used"
        ref = self._catalog.mask_ref(segmentation_id)
        return FoundMask(ref, str(roi["name"]), str(roi["patient_id"]), segmentation_id, reason)


def _by_key(table: pd.DataFrame, key: str) -> dict[str, Record]:
    records = table.to_dict("records")
    return {str(row[key]): {str(name): value for name, value in row.items()} for row in records}


def _place(path: str) -> str:
    """A path as it is compared: links resolved, in the case that the system distinguishes."""
    folder, name = os.path.split(path)
    return os.path.normcase(os.path.join(_real(folder), name))


@lru_cache(maxsize=4096)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _outside(found: FoundImage, identifiers: Identifiers) -> FoundImage:
    """A NIfTI, NRRD or MetaImage file outside the catalog: its absolute path is its identity.

    A folder that a row names is scanned by itself, so paths below it are no identity: many have a ``ct.nii``.
    """
    if found.ref.kind != "image":
        return found
    digest = identifiers.uid(path_digest(os.path.abspath(found.ref.files[0])))
    volume = {**found.volume, "volume_id": digest, "series_uid": digest}
    return FoundImage(replace(found.ref, volume_id=digest), volume)


def _of_modality(found: FoundImage, modality: str) -> FoundImage | Refusal:
    if not modality or modality == found.ref.modality:
        return found
    if found.ref.kind == "image":
        return replace(found, ref=replace(found.ref, modality=modality))
    return Refusal(
        "other-modality",
        f"its image is {found.ref.modality}, not {modality} as the row says",
        "Correct column image or modality.",
    )
