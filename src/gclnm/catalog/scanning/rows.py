"""Rows of the catalog's tables, made of what headers say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from gclnm.catalog.cells import numbers_text, safe, safe_name
from gclnm.catalog.scanning.problems import shown
from gclnm.images.dicom.assemble import Assembled, series_key
from gclnm.images.dicom.frames import FrameHeader
from gclnm.images.dicom.phase import WINDOWS_S, PhaseEvidence, Windows, contrast_phase
from gclnm.images.dicom.rois import RoiHeader
from gclnm.images.files.headers import ImageHeader, Label

__all__ = [
    "dicom_volume_row",
    "file_volume_row",
    "label_row",
    "plane",
    "roi_row",
    "series_rows",
]

Row = dict[str, Any]
NAN = float("nan")
PLANES = ("sagittal", "coronal", "axial")


def plane(direction: Sequence[float]) -> str:
    """Plane of the slices by the matrix of axes (nine numbers, row by row).

    Examples
    --------
    >>> plane((1, 0, 0, 0, 1, 0, 0, 0, 1))
    'axial'
    """
    if len(direction) != 9:
        return "oblique"
    normal = np.abs(np.asarray(direction, dtype=float).reshape(3, 3)[:, 2])
    return PLANES[int(normal.argmax())] if normal.max() > 0.9 else "oblique"


def _grid(size: Sequence[int], spacing: Sequence[float], origin: Sequence[float]) -> Row:
    row: Row = {"columns": size[0], "rows": size[1], "n_slices": size[2]}
    for name, values in (("spacing", spacing), ("origin", origin)):
        for axis, value in zip("xyz", values, strict=True):
            row[f"{name}_{axis}_mm"] = value
    return row


def _number(value: float | None) -> float:
    return NAN if value is None else value


def dicom_volume_row(
    volume: Assembled, volume_id: str, patient_id: str, windows_s: Windows = WINDOWS_S
) -> Row:
    """Row of the volumes table for DICOM."""
    head = volume.head
    return {
        "volume_id": volume_id,
        "patient_id": patient_id,
        "study_uid": head.study_uid,
        "series_uid": series_key(head),
        "frame_uid": head.frame_uid,
        "modality": safe(head.modality),
        "split": volume.split,
        **_grid(volume.size, volume.spacing, volume.origin),
        "direction": numbers_text(volume.direction),
        "orientation": plane(volume.direction),
        **_acquisition(head),
        **_contrast_phase(head, windows_s),
        "acquisition_time": volume.started,
        "flags": ";".join(volume.flags),
        "usable": volume.usable,
        "reason": volume.reason,
        "kind": "dicom",
        "folder": shown(os.path.dirname(volume.ref.files[0])),
    }


def _acquisition(head: FrameHeader) -> Row:
    """What the header says in words and numbers of its own."""
    said: Row = {
        "manufacturer": head.manufacturer,
        "model": head.model,
        "station": head.station,
        "software": head.software,
        "kvp": _number(head.kvp),
        "kernel": head.kernel,
        "slice_thickness_mm": _number(head.slice_thickness),
        "field_strength_t": _number(head.field_strength_t),
        "te_ms": _number(head.te_ms),
        "tr_ms": _number(head.tr_ms),
        "flip_angle_deg": _number(head.flip_angle_deg),
        "b_value_s_mm2": _number(head.b_value),
        "b_value_source": head.b_source,
        "tracer": head.tracer,
        "contrast": head.contrast,
        "units": head.units or head.rescale_type,
        "image_type": "\\".join(head.image_type),
        "series_description": head.series_description,
        "series_number": head.series_number,
        "acquisition_number": head.acquisition_number,
        "temporal_position": head.temporal_position,
        "phase": "unknown",
        "phase_source": "",
        "energy_kev": _number(head.energy_kev),
        "energy_source": head.energy_source if head.energy_kev is not None else "",
        "spectral": head.spectral,
        "material": head.material,
        "unit": head.unit,
        "sequence": head.sequence,
        "sequence_source": head.sequence_source,
        "fat_suppressed": head.fat_suppressed,
        "post_contrast": head.post_contrast,
        "source_volume_id": "",
        "centre": "",
        "scanner": " ".join(word for word in (head.manufacturer, head.model) if word),
        "transfer_syntax": head.transfer_syntax,
    }
    return {key: safe(value) if isinstance(value, str) else value for key, value in said.items()}


def _contrast_phase(head: FrameHeader, windows_s: Windows) -> Row:
    evidence = PhaseEvidence(head.phase_code, head.phase_word, head.bolus_s)
    phase, source = contrast_phase(evidence, windows_s)
    return {"phase": phase, "phase_source": source}


def file_volume_row(image: ImageHeader, patient_id: str, modality: str) -> Row:
    """Row of the volumes table for a NIfTI, NRRD or MetaImage file."""
    size = (*image.size, 1, 1)[:3]
    flags = {"no-geometry"} if len(image.direction) != 9 else set()
    flags |= {"single-slice"} if size[2] == 1 else set()
    return {
        "volume_id": image.digest,
        "patient_id": patient_id,
        "study_uid": "",
        "series_uid": image.digest,
        "frame_uid": "",
        "modality": modality,
        "split": "",
        **_grid(size, (*image.spacing, NAN, NAN)[:3], (*image.origin, NAN, NAN)[:3]),
        "direction": numbers_text(image.direction),
        "orientation": plane(image.direction),
        **_acquisition(FrameHeader()),
        "acquisition_time": "",
        "flags": ";".join(sorted(flags)),
        "usable": not image.reason,
        "reason": image.reason,
        "kind": "image",
        "folder": shown(os.path.dirname(image.file)),
    }


def roi_row(roi: RoiHeader, patient_id: str) -> Row:
    """Row of the segmentations table for an ROI of an RTSTRUCT or a segment of a SEG."""
    return {
        "segmentation_id": f"{roi.sop_uid}/{roi.number}",
        "kind": roi.kind,
        "patient_id": patient_id,
        "study_uid": roi.study_uid,
        "series_uid": roi.series_uid,
        "sop_uid": roi.sop_uid,
        "frame_uid": roi.frame_uid,
        "number": roi.number,
        "name": safe_name(roi.name),
        "referenced_series_uid": ";".join(roi.referenced_series),
        "referenced_volume_id": "",
        "n_contours": roi.n_contours,
        "approval": safe(roi.approval),
        "created": roi.created,
        "size": numbers_text(roi.size),
        "spacing": numbers_text(roi.spacing),
        "origin": numbers_text(roi.origin),
        "direction": numbers_text(roi.direction),
        "usable": not roi.reason,
        "reason": roi.reason,
        "file": shown(roi.file),
    }


def label_row(mask: ImageHeader, label: Label, name: str, patient_id: str, volume_id: str) -> Row:
    """Row of the segmentations table for one label of a label map."""
    reason = mask.reason or label.reason
    return {
        "segmentation_id": f"{mask.digest}/{label.layer}/{label.value}",
        "kind": "labelmap",
        "patient_id": patient_id,
        "study_uid": "",
        "series_uid": "",
        "sop_uid": "",
        "frame_uid": "",
        "number": label.value,
        "name": safe_name(name),
        "referenced_series_uid": "",
        "referenced_volume_id": volume_id,
        "n_contours": 0,
        "approval": "",
        "created": "",
        "size": numbers_text(mask.size),
        "spacing": numbers_text(mask.spacing),
        "origin": numbers_text(mask.origin),
        "direction": numbers_text(mask.direction),
        "usable": not reason,
        "reason": reason,
        "file": shown(mask.file),
    }


def series_rows(volumes: Sequence[Row]) -> list[Row]:
    """Rows of the series table: what the volumes of one patient's series have in common."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in volumes:
        groups.setdefault((row["patient_id"], row["series_uid"]), []).append(row)
    same = ("series_uid", "patient_id", "study_uid", "modality", "series_number", "series_description")
    return [
        {
            **{name: members[0][name] for name in same},
            "n_volumes": len(members),
            "n_usable": sum(row["usable"] for row in members),
            "n_slices": sum(row["n_slices"] for row in members),
            "splits": ";".join(row["split"] for row in members if row["split"]),
            "flags": ";".join(sorted({flag for row in members for flag in row["flags"].split(";") if flag})),
        }
        for members in groups.values()
    ]
