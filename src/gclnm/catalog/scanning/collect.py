"""From what was learnt of each file to the rows, references and problems of a catalog."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gclnm.catalog.scanning.filenames import image_of, modality_of, patient_of, roi_name
from gclnm.catalog.scanning.patients import conflicts
from gclnm.catalog.scanning.problems import Problems
from gclnm.catalog.scanning.records import FileRecord
from gclnm.catalog.scanning.rows import dicom_volume_row, file_volume_row, label_row, roi_row
from gclnm.images.dicom.assemble import assemble, distinct
from gclnm.images.dicom.frames import FrameHeader
from gclnm.images.dicom.objects import DICOMDIR
from gclnm.images.dicom.rois import RoiHeader
from gclnm.images.files.headers import ImageHeader, is_image_name, is_mask_name
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
    key
        From a header's PatientID to the id of the tables.
    """

    def __init__(self, root: Path, key: Callable[[str], str]) -> None:
        self.root = root
        self.key = key
        self.volumes: list[Row] = []
        self.segmentations: list[Row] = []
        self.instances: list[tuple[str, str]] = []
        self.problems = Problems()
        self.counts: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self.volume_refs: dict[str, VolumeRef] = {}
        self.mask_refs: dict[str, MaskRef] = {}
        self.referenced: dict[str, frozenset[str]] = {}
        self._frames: list[FrameHeader] = []
        self._rois: list[tuple[RoiHeader, ...]] = []
        self._images: list[ImageHeader] = []
        self._lost: list[str] = []
        self._below: dict[str, set[str]] = {}

    def add(self, records: Iterable[FileRecord]) -> None:
        """Sort records by what they are, then make the tables of them."""
        for record in records:
            self._sort(record)
        self._add_volumes()
        self._add_rois()
        self._add_image_files()
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
            self._frames.extend(record.dicom.frames)
        elif record.dicom.kind == "other":
            self.counts["DICOMDIR" if record.dicom.sop_class == DICOMDIR else "other DICOM"] += 1
        else:
            self.counts[record.dicom.kind] += 1
            if record.dicom.rois:
                self._rois.append(record.dicom.rois)
            else:
                self.problems.add(
                    "warning",
                    "no-roi",
                    "the structure set or segmentation holds no ROI at all",
                    where=record.path,
                    fix="Export it again, or leave it out.",
                )

    def _add_volumes(self) -> None:
        kept, copies = distinct(self._frames)
        self._note_copies({frame.file: frame.patient_id for frame in copies})
        self._frames = kept
        taken: Counter[str] = Counter()
        for volume in assemble(kept):
            head = volume.head
            taken[volume.ref.volume_id] += 1
            again = taken[volume.ref.volume_id]
            # The same series under two patient ids: both are kept, and told apart.
            volume_id = volume.ref.volume_id if again == 1 else f"{volume.ref.volume_id}#{again}"
            patient_id = self.key(head.patient_id)
            row = dicom_volume_row(volume, volume_id, patient_id)
            self.volumes.append(row)
            self.volume_refs[volume_id] = VolumeRef(
                volume_id, "dicom", volume.ref.files, volume.ref.frames, volume.ref.modality
            )
            self.instances.extend((uid, volume_id) for uid in volume.sop_uids)
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

    def _note_copies(self, copies: dict[str, str]) -> None:
        """One row for each folder that holds objects which were found before."""
        self.counts["copy"] += len(copies)
        folders: dict[tuple[str, str], int] = defaultdict(int)
        for file, patient_id in copies.items():
            folders[os.path.dirname(file), patient_id] += 1
        for (folder, patient_id), number in folders.items():
            self.problems.add(
                "info",
                "copy",
                "1 object is a copy of another of the same SOPInstanceUID and counts once"
                if number == 1
                else f"{number} objects are copies of others of the same SOPInstanceUID and count once",
                patient_id=self.key(patient_id),
                where=folder,
            )

    def _add_rois(self) -> None:
        known_series = {row["series_uid"] for row in self.volumes}
        known_sops = {uid for uid, _ in self.instances}
        seen: set[tuple[str, str]] = set()
        copies: dict[str, str] = {}
        for rois in self._rois:
            first = rois[0]
            identity = (first.patient_id, first.sop_uid or first.file)
            if identity in seen:
                copies[first.file] = first.patient_id
                continue
            seen.add(identity)
            for roi in rois:
                self._add_roi(roi)
            self._check_references(rois, known_series, known_sops)
        self._note_copies(copies)

    def _add_roi(self, roi: RoiHeader) -> None:
        row = roi_row(roi, self.key(roi.patient_id))
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
            unread = ImageHeader(file, False, (), (), (), (), digest=f"unreadable {os.path.basename(file)}")
            by_folder[os.path.dirname(file)].append(unread)
        for image in self._images:
            if not image.is_mask:
                by_folder[os.path.dirname(image.file)].append(image)
                self._add_image_file(image)
        for mask in self._images:
            if mask.is_mask:
                self._add_label_map(mask, by_folder[os.path.dirname(mask.file)])

    def _add_image_file(self, image: ImageHeader) -> None:
        patient_id = self.key(self._patient(image.file))
        if image.digest in self.volume_refs:
            self._note_copies({image.file: self._patient(image.file)})
            return
        row = file_volume_row(image, patient_id, modality_of(image.file, self.root))
        self.volumes.append(row)
        self.volume_refs[image.digest] = VolumeRef(
            image.digest, "image", (image.file,), modality=row["modality"]
        )
        if image.reason:
            self._note_file(image, patient_id)

    def _add_label_map(self, mask: ImageHeader, images: list[ImageHeader]) -> None:
        image = image_of(mask.file, images)
        patient_id = self.key(self._patient(image.file if image else mask.file))
        name = roi_name(mask.file, image)
        if not mask.labels:
            self._note_file(mask, patient_id)
        single = len(mask.labels) == 1
        for label in mask.labels:
            named = label.name or (name if single else f"{name}_{label.value}")
            row = label_row(mask, label, named, patient_id, image.digest if image else "")
            if row["segmentation_id"] in self.mask_refs:
                self._note_copies({mask.file: self._patient(mask.file)})
                return
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
        return next(iter(beside)) if len(beside) == 1 else patient_of(file, self.root)

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
        """Say once that ids of headers are kept although the headers do not call themselves de-identified."""
        open_files = {f.file for f in self._frames if not f.deidentified}
        open_files |= {rois[0].file for rois in self._rois if not rois[0].deidentified}
        if open_files:
            self.problems.add(
                "info",
                "not-deidentified",
                f"{len(open_files)} files do not say that they are de-identified (0012,0062); "
                "their patient ids are kept as they are",
                fix="Pass patient_key= (a mapping, a function or a secret) to replace them.",
            )
