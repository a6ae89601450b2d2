"""One future row: which files hold the image and the ROI, and the coordinates the row will carry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from gclnm.images.volume import Mask, Volume

__all__ = ["Case", "Coordinate", "MaskRef", "Sample", "VolumeRef"]

Coordinate = str | float | int | None


@dataclass(frozen=True)
class VolumeRef:
    """Where the voxels of one image volume are.

    Parameters
    ----------
    volume_id
        SeriesInstanceUID and split key, or a digest for files that have no identity of their own.
    kind
        ``"dicom"``, or ``"image"`` for NIfTI, NRRD and MetaImage.
    files
        Paths. A classic DICOM volume has one file a slice, sorted along the slice normal.
    frames
        For one multi-frame file: its frame numbers (from 0), sorted along the slice normal.
    modality
        DICOM modality (``"CT"``, ``"MR"``, ``"PT"``); for other files as the user said.
    energy_kev, b_value
        Where a derivation needs them: the energy level (keV) and the b-value (s/mm2), as the catalog or
        the user says. They become the facts ``energy_kev`` and ``b_value_s_mm2`` of the volume.
    """

    volume_id: str
    kind: Literal["dicom", "image"]
    files: tuple[str, ...]
    frames: tuple[int, ...] = ()
    modality: str = ""
    energy_kev: float | None = None
    b_value: float | None = None


@dataclass(frozen=True)
class MaskRef:
    """Where one ROI is: a structure, a segment or a label, and how to read it.

    Parameters
    ----------
    kind
        ``"rtstruct"``, ``"seg"`` or ``"labelmap"`` (NIfTI, NRRD, MetaImage).
    file
        Path.
    label
        ROI number, segment number or label value.
    layer
        Component of a multi-component label map (``.seg.nrrd`` with overlapping segments).
    component
        From 1: this connected part of the label only (``split="components"``), largest first.
    rule
        How contours become voxels: the pixel-centre rule or every touched pixel.
    """

    kind: Literal["rtstruct", "seg", "labelmap"]
    file: str
    label: int
    layer: int = 0
    component: int | None = None
    rule: Literal["centre", "touch"] = "centre"


@dataclass(frozen=True)
class Sample:
    """One future row of a feature set: small, without pixels, safe to send to a worker.

    Parameters
    ----------
    images
        Volumes by role; ``"image"`` is the one that features are computed on.
    masks
        ROIs by role; ``"roi"`` is the one that features are computed in.
    coords
        Coordinates of the row (``patient_id``, ``roi``, ``roi_instance``, ``rater``,
        ``modality`` ...): strings and numbers, never paths, names or free text of the header.
    derivation, perturbation
        Empty, or what is made of the images (``"vmi 70 keV"``) or done to them (``"rotate 3"``).
    overrides
        Facts that the user supplies in place of the header's (``{"weight_kg": 70.0}``). No part of the
        key: a corrected weight replaces the row.
    """

    images: Mapping[str, VolumeRef]
    masks: Mapping[str, MaskRef]
    coords: Mapping[str, Coordinate] = field(default_factory=dict)
    derivation: str = ""
    perturbation: str = ""
    overrides: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("images", "masks", "coords", "overrides"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[Any, ...]:
        named = (dict(self.images), dict(self.masks), dict(self.coords))
        return (Sample, (*named, self.derivation, self.perturbation, dict(self.overrides)))

    @cached_property
    def sample_id(self) -> str:
        """The row's key: a digest of who, which volumes, which ROI, who drew it, what was done.

        Coordinates that a person or a rule assigned (phase, time point), pixels and segmentation
        UIDs are left out: a corrected phase or a re-exported contour replaces the row.
        """
        identity = {
            "patient_id": self.coords.get("patient_id"),
            "volumes": {role: ref.volume_id for role, ref in sorted(self.images.items())},
            "roi": self.coords.get("roi"),
            "roi_instance": self.coords.get("roi_instance"),
            "rater": self.coords.get("rater"),
            "derivation": self.derivation,
            "perturbation": self.perturbation,
        }
        text = json.dumps(identity, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Case:
    """What an engine gets: volumes and masks by role, each on its native grid.

    Parameters
    ----------
    volumes, masks
        By role.
    unplaced
        Roles whose mask cannot be brought to the image, and why.
    """

    volumes: Mapping[str, Volume]
    masks: Mapping[str, Mask]
    unplaced: Mapping[str, str] = field(default_factory=dict)

    @property
    def image(self) -> Volume:
        """The volume that features are computed on."""
        return self.volumes["image"]

    @property
    def roi(self) -> Mask:
        """The region that features are computed in."""
        return self.masks["roi"]
