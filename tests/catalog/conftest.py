"""Catalogs made by hand: what pairing sees, without a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pytest

from gclnm.catalog.scanning.identifiers import Identifiers
from gclnm.images import MaskRef, VolumeRef

VOLUME: dict[str, Any] = {
    "patient_id": "p1",
    "study_uid": "study",
    "frame_uid": "frame",
    "modality": "CT",
    "split": "",
    "n_slices": 4,
    "columns": 6,
    "rows": 5,
    "spacing_x_mm": 1.0,
    "spacing_y_mm": 1.0,
    "spacing_z_mm": 3.0,
    "origin_x_mm": 0.0,
    "origin_y_mm": 0.0,
    "origin_z_mm": 0.0,
    "direction": "1 0 0 0 1 0 0 0 1",
    "manufacturer": "Maker",
    "model": "Model",
    "kernel": "B30",
    "slice_thickness_mm": 3.0,
    "field_strength_t": float("nan"),
    "b_value_s_mm2": float("nan"),
    "image_type": "",
    "source_volume_id": "",
    "flags": "",
    "series_description": "series <b>",
    "acquisition_number": "1",
    "acquisition_time": "101010.0",
    "temporal_position": "",
    "phase": "unknown",
    "energy_kev": float("nan"),
    "energy_source": "",
    "sequence": "unknown",
    "centre": "",
    "scanner": "Maker Model",
    "usable": True,
    "reason": "",
    "kind": "dicom",
    "folder": "",
    "file": "",
}

ROI: dict[str, Any] = {
    "kind": "rtstruct",
    "patient_id": "p1",
    "study_uid": "study",
    "series_uid": "rs-series",
    "frame_uid": "frame",
    "number": 1,
    "name": "GTV",
    "referenced_series_uid": "",
    "referenced_volume_id": "",
    "n_contours": 3,
    "approval": "UNAPPROVED",
    "created": "20240101101010",
    "size": "",
    "spacing": "",
    "origin": "",
    "direction": "",
    "usable": True,
    "reason": "",
}


@dataclass
class MadeCatalog:
    """A stand-in for what ``scan`` returns: its tables and the four look-ups that pairing needs."""

    volumes: pd.DataFrame
    segmentations: pd.DataFrame
    instances: pd.DataFrame
    references: dict[str, frozenset[str]] = field(default_factory=dict)
    identifiers: Identifiers = field(default_factory=Identifiers)

    def referenced(self, segmentation_id: str) -> frozenset[str]:
        return self.references.get(segmentation_id, frozenset())

    def volume_ref(self, volume_id: str) -> VolumeRef:
        row = self.volumes.set_index("volume_id").loc[volume_id]
        return VolumeRef(
            volume_id, row["kind"], (row["file"] or f"/data/{volume_id}/0.dcm",), modality=row["modality"]
        )

    def mask_ref(self, segmentation_id: str) -> MaskRef:
        rows = self.segmentations.drop_duplicates("segmentation_id").set_index("segmentation_id")
        row = rows.loc[segmentation_id]
        return MaskRef(row["kind"], row["file"], int(row["number"]))


def slices(volume_id: str, n: int = 4) -> list[str]:
    return [f"{volume_id}.{i}" for i in range(n)]


class Maker:
    """Adds volumes and ROIs one by one; ``catalog()`` gives the tables."""

    def __init__(self) -> None:
        self.volumes: list[dict[str, Any]] = []
        self.rois: list[dict[str, Any]] = []
        self.instances: list[dict[str, str]] = []
        self.references: dict[str, frozenset[str]] = {}

    def volume(self, volume_id: str, sops: Sequence[str] | None = None, **columns: Any) -> str:
        self.volumes.append({**VOLUME, "volume_id": volume_id, "series_uid": volume_id, **columns})
        for sop in slices(volume_id) if sops is None else sops:
            self.instances.append({"sop_uid": sop, "volume_id": volume_id})
        return volume_id

    def roi(self, name: str = "GTV", *, on: str | Sequence[str] = (), rs: str = "rs", **columns: Any) -> str:
        """An ROI of structure set ``rs``, drawn on a volume (by its id) or on given slices."""
        number = columns.get("number", 1 + sum(r["sop_uid"] == rs for r in self.rois))
        row = {**ROI, "name": name, "sop_uid": rs, "file": f"/data/{rs}.dcm", **columns}
        row["number"] = number
        row.setdefault("segmentation_id", f"{rs}/{number}")
        if row["kind"] == "labelmap":
            row["sop_uid"] = ""
        self.rois.append(row)
        sops = slices(on) if isinstance(on, str) else on
        self.references[row["segmentation_id"]] = frozenset(sops)
        return str(row["segmentation_id"])

    def labelmap(self, name: str = "GTV", *, file: str = "m", **columns: Any) -> str:
        grid = {
            "size": "6 5 4",
            "spacing": "1 1 3",
            "origin": "0 0 0",
            "direction": "1 0 0 0 1 0 0 0 1",
            "frame_uid": "",
        }
        return self.roi(name, rs=file, kind="labelmap", **{**grid, **columns})

    def catalog(self) -> MadeCatalog:
        volumes = pd.DataFrame(self.volumes, columns=["volume_id", "series_uid", *VOLUME])
        rois = pd.DataFrame(self.rois, columns=["segmentation_id", "sop_uid", "file", *ROI])
        instances = pd.DataFrame(self.instances, columns=["sop_uid", "volume_id"])
        return MadeCatalog(volumes, rois, instances, self.references)


@pytest.fixture
def make() -> Maker:
    return Maker()


@pytest.fixture
def new_make() -> Callable[[], Maker]:
    return Maker
