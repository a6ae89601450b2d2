"""What a scan found outlined: one row for each ROI, segment or label."""

from __future__ import annotations

from gclnm.schemas.table import Column, Table

__all__ = ["SEGMENTATIONS"]

SEGMENTATIONS = Table(
    "segmentations",
    (
        Column(
            "segmentation_id", "str", "Key: SOPInstanceUID and number, or a digest for files.", unique=True
        ),
        Column("kind", "str", "How it is stored.", isin=("rtstruct", "seg", "labelmap")),
        Column("patient_id", "str", "Patient, as patient_key made it."),
        Column("study_uid", "str", "StudyInstanceUID."),
        Column("series_uid", "str", "SeriesInstanceUID of the object that holds it."),
        Column("sop_uid", "str", "SOPInstanceUID of the object that holds it."),
        Column("frame_uid", "str", "FrameOfReferenceUID."),
        Column("number", "int", "ROI number, segment number or label value."),
        Column("name", "str", "ROI name or segment label; for label maps from the file's header or name."),
        Column("referenced_series_uid", "str", "Series it was drawn on; several are joined by semicolons."),
        Column("referenced_volume_id", "str", "Volume that a label map's file name points to; or empty."),
        Column("n_contours", "int", "Closed contours, frames of the segment, or 0 for label maps.", ge=0),
        Column("approval", "str", "Approval status."),
        Column("created", "str", "When it was made: [YYYYMMDD]HHMMSS.FFFFFF, or empty."),
        Column("size", "str", "Voxels along x, y, z of a segment or label map."),
        Column("spacing", "str", "Distance of voxel centres along x, y, z, mm."),
        Column("origin", "str", "Centre of the first voxel (LPS), mm."),
        Column("direction", "str", "Nine numbers: rows of the matrix whose columns are the x, y, z axes."),
        Column("usable", "bool", "Whether it can be read."),
        Column("reason", "str", "Why it cannot; empty where it can."),
        Column("file", "str", "Path; kept in memory only."),
    ),
    description="One region of interest: an ROI of an RTSTRUCT, a segment of a SEG, a label of a label map.",
)
