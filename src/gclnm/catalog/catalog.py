"""What a folder holds: tables of volumes, series, segmentations and problems, and how to load each."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from gclnm.catalog.scanning.identifiers import Identifiers
from gclnm.counts import count
from gclnm.errors import InputError
from gclnm.images.sample import MaskRef, VolumeRef

__all__ = ["Catalog"]

SHOWN_PROBLEMS = 10
SEVERITY_COLOURS = {"error": "#b3261e", "warning": "#8a5a00", "info": "#3c5a78"}


@dataclass(frozen=True, repr=False, eq=False)
class Catalog:
    """What :func:`gclnm.scan` found.

    Parameters
    ----------
    root
        The folder.
    volumes, series, segmentations, problems
        Tables; their columns are described in ``gclnm.schemas``.
    instances
        Which volume holds each DICOM object: columns ``sop_uid``, ``volume_id``.
    n_files
        Files found.
    counts
        Files by kind: ``image``, ``rtstruct``, ``seg``, ``image file``, ``other DICOM``,
        ``DICOMDIR``, ``not DICOM``, ``copy``, ``unreadable``.
    """

    root: str
    volumes: pd.DataFrame
    series: pd.DataFrame
    segmentations: pd.DataFrame
    problems: pd.DataFrame
    instances: pd.DataFrame
    n_files: int
    counts: Mapping[str, int] = field(default_factory=dict)
    _volume_refs: Mapping[str, VolumeRef] = field(default_factory=dict)
    _mask_refs: Mapping[str, MaskRef] = field(default_factory=dict)
    _referenced: Mapping[str, frozenset[str]] = field(default_factory=dict)
    _identifiers: Identifiers = field(default_factory=Identifiers)

    def volume_ref(self, volume_id: str) -> VolumeRef:
        """Where the voxels of a volume are.

        Raises
        ------
        InputError
            When no volume has this id.
        """
        try:
            return self._volume_refs[volume_id]
        except KeyError:
            raise InputError(
                "there is no such volume",
                where=str(volume_id),
                fix="See the table `volumes`.",
                code="unknown-id",
            ) from None

    def mask_ref(self, segmentation_id: str) -> MaskRef:
        """Where a region of interest is.

        Raises
        ------
        InputError
            When no segmentation has this id.
        """
        try:
            return self._mask_refs[segmentation_id]
        except KeyError:
            raise InputError(
                "there is no such segmentation",
                where=str(segmentation_id),
                fix="See the table `segmentations`.",
                code="unknown-id",
            ) from None

    def referenced(self, segmentation_id: str) -> frozenset[str]:
        """SOP Instance UIDs of the images that a region was drawn on; empty for label maps."""
        self.mask_ref(segmentation_id)
        return self._referenced.get(segmentation_id, frozenset())

    @property
    def identifiers(self) -> Identifiers:
        """What became of patient ids and UIDs on the way into the tables."""
        return self._identifiers

    def _summary(self) -> list[tuple[str, str]]:
        """Lines that both views show: what, and how many."""
        volumes, rois = self.volumes, self.segmentations
        lines = []
        for modality, group in volumes.groupby("modality", sort=True):
            usable = int(group["usable"].sum())
            rest = f", {len(group) - usable} not usable" if usable < len(group) else ""
            patients = count(group["patient_id"].nunique(), "patient")
            named = modality or "unknown modality"
            lines.append((str(named), f"{count(usable, 'usable volume')} of {patients}{rest}"))
        for kind, group in rois.groupby("kind", sort=True):
            names = [str(name) for name, _ in Counter(group["name"]).most_common(4)]
            more = ", ..." if group["name"].nunique() > 4 else ""
            unusable = int((~group["usable"]).sum())
            rest = f", {unusable} not usable" if unusable else ""
            lines.append((str(kind).upper(), f"{count(len(group), 'ROI')}{rest}: {', '.join(names)}{more}"))
        others = [
            f"{n} {kind}" for kind, n in self.counts.items() if n and kind not in ("image", "rtstruct", "seg")
        ]
        lines.append(("files", f"{self.n_files}" + (f" ({', '.join(others)})" if others else "")))
        return lines

    def _problem_lines(self) -> list[tuple[str, str, str]]:
        """Severity, code with its number, and the first sentence: one line for each kind of problem."""
        lines = []
        for (severity, code), group in self.problems.groupby(["severity", "code"], sort=False):
            times = f"{len(group)} x " if len(group) > 1 else ""
            lines.append((str(severity), f"{times}{code}", str(group["what"].iloc[0])))
        return lines

    def __repr__(self) -> str:
        title = f"Catalog of {count(self.volumes['patient_id'].nunique(), 'patient')}, "
        title += f"{count(len(self.volumes), 'volume')}, {count(len(self.segmentations), 'ROI')}"
        problems = self._problem_lines()
        lines = [title]
        lines += [f"  {severity}: {code}: {what}" for severity, code, what in problems[:SHOWN_PROBLEMS]]
        if len(problems) > SHOWN_PROBLEMS:
            lines.append(f"  ... {len(problems) - SHOWN_PROBLEMS} more kinds: see .problems")
        width = max((len(name) for name, _ in self._summary()), default=0)
        lines += [f"  {name:<{width}}  {words}" for name, words in self._summary()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        title = html.escape(repr(self).splitlines()[0])
        problems = "".join(
            f"<tr><td style='color:{SEVERITY_COLOURS[severity]}'><b>{severity}</b></td>"
            f"<td>{html.escape(code)}</td><td style='text-align:left'>{html.escape(what)}</td></tr>"
            for severity, code, what in self._problem_lines()
        )
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th><td>{html.escape(words)}</td></tr>"
            for name, words in self._summary()
        )
        shown = (
            f"<details open><summary>problems</summary><table>{problems}</table></details>"
            if problems
            else ""
        )
        return f"<div><b>{title}</b>{shown}<table>{rows}</table></div>"
