"""From what was learnt of each file to the rows, references and problems of a catalog."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gclnm.catalog.scanning.copies import (
    SortedFrames,
    note_rival_images,
    note_rival_regions,
    sort_frames,
    sort_regions,
)
from gclnm.catalog.scanning.filenames import image_of, modality_of, patient_of, roi_name
from gclnm.catalog.scanning.identifiers import Identifiers
from gclnm.catalog.scanning.identity import copies_among, identified
from gclnm.catalog.scanning.patients import conflicts
from gclnm.catalog.scanning.problems import Problems
from gclnm.catalog.scanning.records import FileRecord
from gclnm.catalog.scanning.rows import dicom_volume_row, file_volume_row, label_row, roi_row
from gclnm.counts import count
from gclnm.images.dicom.assemble import assemble
from gclnm.images.dicom.dynamics import with_time_points
from gclnm.images.dicom.frames import FrameHeader
from gclnm.images.dicom.objects import DICOMDIR
from gclnm.images.dicom.phase import WINDOWS_S, Windows
from gclnm.images.dicom.rois import RoiHeader
from gclnm.images.files.headers import ImageHeader, is_image_name, is_mask_name, path_digest
from gclnm.images.sample import MaskRef, VolumeRef

__all__ = ["Collection"]

Row = dict[str, Any]
KINDS = (
    "image",
    "rtstruct",
    "seg",
    "image file",
    "other DICOM",
    "DICOMDIR",
    "not DICOM",
    "copy",
    "unreadable",
)


class Collection:
    """Rows and references of one scan, filled file by file and then as a whole.

    Parameters
    ----------
    root
        The folder that was scanned.
    identifiers
        What becomes of identifiers.
    """

    def __init__(self, root: Path, identifiers: Identifiers, windows_s: Windows = WINDOWS_S) -> None:
        self.root, self._windows_s = root, windows_s
        self.identifiers = identifiers
        self.key = identifiers.patient
        self.volumes: list[Row] = []
        self.segmentations: list[Row] = []
        self.instances: list[tuple[str, str]] = []
        self.problems = Problems()
        self.counts: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self.volume_refs: dict[str, VolumeRef] = {}
        self.mask_refs: dict[str, MaskRef] = {}
        self.referenced: dict[str, frozenset[str]] = {}
        self.sources: dict[str, tuple[str, ...]] = {}
        self._frames: list[FrameHeader] = []
        self._rois: list[tuple[RoiHeader, ...]] = []
        self._images: list[ImageHeader] = []
        self._lost: list[str] = []
        self._named: set[str] = set()
        self._owners: dict[str, str] = {}
        self._below: dict[str, set[str]] = {}

    def add(self, records: Iterable[FileRecord]) -> None:
        """Sort records by what they are, then make the tables of them."""
        for record in records:
            self._sort(record)
        self._add_volumes()
        self._add_rois()
        self._add_image_files()
        self._note_modalities()
        self._check_patients()

    def _sort(self, record: FileRecord) -> None:
        if record.error is not None:
            self.counts["unreadable"] += 1
            self.problems.add_error(record.error)
            if is_image_name(record.path) and not is_mask_name(record.path):
                self._lost.append(record.path)
        elif record.image is not None:
            self.counts["image file"] += 1
            self._images.append(record.image)
        elif record.dicom is None:
            self.counts["not DICOM"] += 1
        elif record.dicom.kind == "image":
            self.counts["image"] += 1
            self._frames.extend(map(self.identifiers.frame, record.dicom.frames))
        elif record.dicom.kind == "other":
            self.counts["DICOMDIR" if record.dicom.sop_class == DICOMDIR else "other DICOM"] += 1
        else:
            self.counts[record.dicom.kind] += 1
            if record.dicom.rois:
                self._rois.append(tuple(map(self.identifiers.roi, record.dicom.rois)))
            else:
                self.problems.add(
                    "warning",
                    "no-roi",
                    "the structure set or segmentation holds no ROI at all",
                    where=record.path,
                    fix="Export it again, or leave it out.",
                )

    def _add_volumes(self) -> None:
        found = sort_frames(self._frames)
        self._note_image_copies(found)
        self._frames = kept = list(found.kept)
        taken: Counter[str] = Counter()
        for volume in with_time_points(assemble(kept)):
            head = volume.head
            taken[volume.ref.volume_id] += 1
            again = taken[volume.ref.volume_id]
            # The same series under two patient ids: both are kept, and told apart.
            volume_id = volume.ref.volume_id if again == 1 else f"{volume.ref.volume_id}#{again}"
            patient_id = self.key(head.patient_id)
            row = dicom_volume_row(volume, volume_id, patient_id, self._windows_s)
            self.volumes.append(row)
            self.volume_refs[volume_id] = VolumeRef(
                volume_id, "dicom", volume.ref.files, volume.ref.frames, volume.ref.modality
            )
            self.instances.extend((uid, volume_id) for uid in volume.sop_uids)
            self.sources[volume_id] = volume.sources
            self.problems.add_volume(volume, patient_id, row["folder"])
            if again == 2:
                self._note_shared(patient_id, row["folder"])

    def _note_shared(self, patient_id: str, folder: str) -> None:
        self.problems.add(
            "error",
            "shared-series",
            "one series is there under two patient ids",
            patient_id=patient_id,
            where=folder,
            fix="Find out whose it is: one of the two was renamed.",
        )

    def _note_image_copies(self, found: SortedFrames) -> None:
        self._note_copies({frame.file: frame.patient_id for frame in found.copies})
        self._note_copies(
            {frame.file: frame.patient_id for frame in found.recoded},
            ", by their headers: they are encoded otherwise, and their pixels are not compared",
        )
        rivals = {frame.file: frame.patient_id for frame in found.rivals}
        self.counts["copy"] += len(rivals)
        for (folder, patient_id), number in _by_folder(rivals).items():
            note_rival_images(self.problems, number, self.key(patient_id), folder)

    def _note_copies(self, copies: dict[str, str], more: str = "") -> None:
        """One row for each folder that holds objects which were found before."""
        self.counts["copy"] += len(copies)
        for (folder, patient_id), number in _by_folder(copies).items():
            self.problems.add(
                "info",
                "copy",
                ("1 object is a copy of another of the same SOPInstanceUID and counts once" + more)
                if number == 1
                else f"{number} objects are copies of others of the same SOPInstanceUID and count once{more}",
                patient_id=self.key(patient_id),
                where=folder,
            )

    def _add_rois(self) -> None:
        known_series = {row["series_uid"] for row in self.volumes}
        known_sops = {uid for uid, _ in self.instances}
        kept, copies = sort_regions(self._rois)
        for regions in kept:
            for roi in regions.rois:
                self._add_roi(roi, regions.suffix)
            if regions.rivals:
                note_rival_regions(self.problems, regions, self.key(regions.rois[0].patient_id))
            self._check_references(regions.rois, known_series, known_sops)
        self._note_copies({roi.file: roi.patient_id for roi in copies})

    def _add_roi(self, roi: RoiHeader, suffix: str = "") -> None:
        row = roi_row(roi, self.key(roi.patient_id))
        row["segmentation_id"] += suffix
        base, again = row["segmentation_id"], 2
        while row["segmentation_id"] in self.mask_refs:
            row["segmentation_id"], again = f"{base}#{again}", again + 1
        self.segmentations.append(row)
        self.mask_refs[row["segmentation_id"]] = MaskRef(roi.kind, roi.file, roi.number)
        self.referenced[row["segmentation_id"]] = frozenset(roi.referenced)
        if roi.reason:
            self.problems.add(
                "warning",
                "unusable-roi",
                roi.reason,
                patient_id=row["patient_id"],
                where=f"{roi.name or 'ROI'} (number {roi.number}) in {roi.file}",
                fix="Draw it again, or leave it out.",
            )

    def _check_references(
        self, rois: tuple[RoiHeader, ...], known_series: set[str], known_sops: set[str]
    ) -> None:
        first = rois[0]
        series = {uid for roi in rois for uid in roi.referenced_series}
        sops = {uid for roi in rois for uid in roi.referenced}
        if series & known_series or sops & known_sops:
            return
        what = (
            "it references images of a series that is not here"
            if series or sops
            else "it references no image"
        )
        self.problems.add(
            "warning",
            "missing-series" if series or sops else "no-reference",
            f"{'structure set' if first.kind == 'rtstruct' else 'segmentation'}: {what}",
            patient_id=self.key(first.patient_id),
            where=first.file,
            fix="Add the series that it was drawn on, or pair it by a manifest.",
        )

    def _add_image_files(self) -> None:
        by_folder: dict[str, list[ImageHeader]] = defaultdict(list)
        for file in self._lost:
            # A mask still belongs to its image, and is named beside it, when that cannot be read.
            unread = ImageHeader(file, False, (), (), (), (), digest=f"unreadable {path_digest(file)}")
            by_folder[os.path.dirname(file)].append(unread)
        images = [self._identified(image, image) for image in self._images if not image.is_mask]
        digests = {image.file: image.digest for image in images}
        copies = self._copies(images, {image.file: os.path.basename(image.file) for image in images})
        for image in images:
            kept = digests[copies.get(image.file, image.file)]
            by_folder[os.path.dirname(image.file)].append(replace(image, digest=kept))
            if image.file not in copies:
                self._add_image_file(image)
        self._add_label_maps([mask for mask in self._images if mask.is_mask], by_folder)

    def _add_label_maps(self, masks: list[ImageHeader], by_folder: dict[str, list[ImageHeader]]) -> None:
        pairs = [(mask, image_of(mask.file, by_folder[os.path.dirname(mask.file)])) for mask in masks]
        pairs = [(self._identified(mask, image or mask), image) for mask, image in pairs]
        # The same outline under another name is another reader's; on another image it is another ROI.
        roles = {
            mask.file: (os.path.basename(mask.file), image.digest if image else mask.digest)
            for mask, image in pairs
        }
        copies = self._copies([mask for mask, _ in pairs], roles)
        for mask, image in pairs:
            if mask.file not in copies:
                self._add_label_map(mask, image)

    def _identified(self, image: ImageHeader, owner: ImageHeader) -> ImageHeader:
        """An image file under the id that it has in this catalog; its patient is that of ``owner``."""
        patient_id = self._owners[image.file] = self.key(self._patient(owner.file))
        found = identified(image, patient_id, self.root)
        return replace(found, digest=self.identifiers.uid(found.digest))

    def _copies(self, images: list[ImageHeader], roles: Mapping[str, object]) -> dict[str, str]:
        """Files left out, and the file kept for each: equal as a whole, of one patient and one role."""
        copies, shared = copies_among(images, self._owners, roles)
        for files in shared:
            self.problems.add(
                "warning",
                "equal-files",
                f"{len(files)} files of several patients are equal byte for byte; all are kept",
                where=", ".join(files[:4]),
                fix="Find out whose they are: a file may have been copied to the wrong patient.",
            )
        for file in copies:
            self.counts["copy"] += 1
            self.problems.add(
                "info",
                "copy",
                "the file is equal, byte for byte, to one of the same name and patient and counts once",
                patient_id=self._owners[file],
                where=file,
            )
        return copies

    def _note_modalities(self) -> None:
        """Say once that images do not say what they are: without a modality CT is no HU."""
        unknown = [row for row in self.volumes if row["kind"] == "image" and not row["modality"]]
        if unknown:
            self.problems.add(
                "warning",
                "unknown-modality",
                f"{len(unknown)} image file{' does' if len(unknown) == 1 else 's do'} not say the modality by"
                " a word of the name or folder: grey values have no unit",
                where=min(row["folder"] for row in unknown),
                fix='State it: samples.assign(modality="CT"), or column modality of a manifest.',
            )

    def _add_image_file(self, image: ImageHeader) -> None:
        patient_id = self._owners[image.file]
        row = file_volume_row(image, patient_id, modality_of(image.file, self.root))
        self.volumes.append(row)
        self.volume_refs[image.digest] = VolumeRef(
            image.digest, "image", (image.file,), modality=row["modality"]
        )
        if image.reason:
            self._note_file(image, patient_id)

    def _add_label_map(self, mask: ImageHeader, image: ImageHeader | None) -> None:
        patient_id = self._owners[mask.file]
        name = roi_name(mask.file, image)
        if not mask.labels:
            self._note_file(mask, patient_id)
        single = len(mask.labels) == 1
        for label in mask.labels:
            named = label.name or (name if single else f"{name}_{label.value}")
            row = label_row(mask, label, named, patient_id, image.digest if image else "")
            self.segmentations.append(row)
            self.mask_refs[row["segmentation_id"]] = MaskRef("labelmap", mask.file, label.value, label.layer)

    def _note_file(self, image: ImageHeader, patient_id: str) -> None:
        what = image.reason or "the label map is empty"
        self.problems.add(
            "warning",
            "unusable-file",
            what,
            patient_id=patient_id,
            where=image.file,
            fix="Store whole numbers as labels."
            if image.is_mask
            else "Store one volume of grey values a file.",
        )

    def _patient(self, file: str) -> str:
        """Patient of a file without DICOM identity: that of the DICOM beside it, or by folder and name."""
        parts = Path(file).relative_to(self.root).parts if Path(file) != self.root else ()
        place = os.path.join(self.root, parts[0]) if len(parts) > 1 else str(self.root)
        beside = self._patients_below(place)
        if len(beside) == 1:
            return next(iter(beside))
        self._named.add(file)
        return patient_of(file, self.root)

    def _patients_below(self, folder: str) -> set[str]:
        start = folder.rstrip(os.sep) + os.sep
        if folder not in self._below:
            ids = {f.patient_id for f in self._frames if f.file.startswith(start)}
            self._below[folder] = ids - {""}
        return self._below[folder]

    def _check_patients(self) -> None:
        for patient_id, differing in sorted(conflicts(self._frames).items()):
            self.problems.add(
                "error",
                "shared-patient-id",
                f"one patient id is shared by persons of differing {differing}",
                patient_id=self.key(patient_id),
                fix="Correct the ids: two persons would be counted as one.",
            )
        nameless = {f.file for f in self._frames if not f.patient_id}
        nameless |= {rois[0].file for rois in self._rois if not rois[0].patient_id}
        if nameless:
            self.problems.add(
                "error",
                "empty-patient-id",
                f"{len(nameless)} file{' has' if len(nameless) == 1 else 's have'} no patient id",
                where=os.path.dirname(min(nameless)),
                fix="Give the files a patient id: rows of different persons would be taken for one.",
            )

    def note_identities(self) -> None:
        """Say once which ids are kept although nothing says that they are de-identified."""
        open_files = {f.file for f in self._frames if not f.deidentified}
        open_files |= {rois[0].file for rois in self._rois if not rois[0].deidentified}
        if open_files:
            self.problems.add(
                "info",
                "not-deidentified",
                f"{count(len(open_files), 'file does not say that it is', 'files do not say that they are')}"
                " de-identified (0012,0062); patient ids are kept as they are",
                fix="Pass patient_key= (a mapping, a function or a secret) to replace them.",
            )
        if self._named:
            self.problems.add(
                "info",
                "ids-from-names",
                f"patient ids of {count(len(self._named), 'file')} are taken from names of files and folders"
                " and kept as they are",
                fix="Pass patient_key= (a mapping, a function or a secret) to replace them.",
            )


def _by_folder(files: dict[str, str]) -> Counter[tuple[str, str]]:
    """How many files of each patient are in each folder."""
    return Counter((os.path.dirname(file), patient_id) for file, patient_id in files.items())
