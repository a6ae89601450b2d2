"""Image and ROI brought together: samples, and by name and reason whatever is in none."""

from __future__ import annotations

import difflib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

import pandas as pd

from gclnm.catalog import cells
from gclnm.catalog.pairing.build import (
    Place,
    Rule,
    make_sample,
    sample_order,
    unpaired_row,
    unpaired_table,
    usual_modality,
)
from gclnm.catalog.pairing.link import Linker, On, Record, Refusal
from gclnm.catalog.pairing.names import (
    RoiPattern,
    clean_label,
    natural,
    patterns,
    refuse_without_match,
    text_key,
)
from gclnm.catalog.pairing.roles import attach_roles
from gclnm.catalog.pairing.split import component_count
from gclnm.catalog.pairing.versions import Candidate, Prefer, Rater, Raters, resolve
from gclnm.catalog.samples import Samples
from gclnm.errors import InputError

if TYPE_CHECKING:
    from gclnm.catalog.catalog import Catalog
    from gclnm.images.sample import MaskRef, Sample

__all__ = ["pair"]

Split = Literal["components"]


def pair(
    catalog: Catalog,
    roi: str | Mapping[str, str] | None = None,
    *,
    label: str | None = None,
    modality: str | Sequence[str] | None = None,
    on: On = "reference",
    rater: Rater | None = None,
    prefer: Prefer | None = None,
    split: Split | None = None,
    rule: Rule = "centre",
    manifest: pd.DataFrame | str | os.PathLike[str] | None = None,
) -> Samples:
    """Bring images and ROIs of a catalog together: one sample for each ROI on each of its images.

    What goes in comes out: an ROI whose name fits is in a sample or in ``.unpaired`` with the
    reason, and so is every image of the wanted modality. Nothing is ever merged or chosen silently.

    Parameters
    ----------
    catalog
        What ``scan`` found.
    roi
        Name of the ROI, or a regular expression that must match the whole name; case does not
        count and names are compared in Unicode form NFKC. A mapping of role to such a text adds
        other ROIs of the same image: features are computed in role ``"roi"``. Without it the names
        that were found are shown and nothing is paired.
    label
        What the ROI is called in coordinate ``roi``, and so in the key of a row, however the pattern
        grows: ``roi="GTV.*|Tumou?r.*", label="gtv"``. The name or pattern itself by default.
    modality
        Images to pair (``"CT"``, ``"MR"``, ``"PT"``, or several); all by default.
    on
        ``"reference"``: the images that the ROI refers to by SOP instance and series; for label
        maps the image that the file name gives, or else the only one of the patient with their
        grid. ``"acquisition"``: also every other reconstruction of that acquisition (keV, kernel,
        material map), no other phase. ``"diffusion"``: also every b-value and the ADC map of that
        acquisition, by the source images that maps name, else all of the study on its grid.
        ``"geometry"``: the only image of the patient that has the ROI's grid, or whose voxels include
        it. ``"frame"``: every image of the patient in the ROI's frame of reference, which CT, PET and
        MR often share.
    rater
        Who drew an ROI: a mapping (by file, file name, UID or ROI name), a function of a row of
        ``catalog.segmentations``, or a regular expression with a group, searched in the ROI's name
        and then in its file path. An ROI for which it gives nothing has no reader given
        (``rater`` is empty); it is refused where another structure set of the image holds the
        same ROI with a reader.
    prefer
        Which of several structure sets with the same ROI counts: the ``"approved"`` or the
        ``"newest"``. Without ``rater`` or ``prefer`` both are refused, and listed.
    split
        ``"components"``: each connected part of an ROI (faces, edges or corners touching) is a
        sample; ``roi_instance`` counts from 1, the largest, and is ``"1"`` also where there is one
        part. It is part of the key of a row: without ``split`` the same ROI has instance ``""`` and
        another ``sample_id``. Reads the voxels of every ROI.
    rule
        How contours become voxels: those whose centre is inside, or ``"touch"``: all touched.
    manifest
        A table or CSV file that says which mask belongs to which image; see Notes. Then nothing
        else is paired.

    Returns
    -------
    Samples
        With ``.table``, ``.unpaired``, ``.query`` and more.

    Raises
    ------
    InputError
        When no ROI fits (with the nearest names), a pattern is none, an option is unknown, or
        ``catalog`` is not what ``scan`` returned.

    Notes
    -----
    *Coordinate* ``roi`` is what the user gave: ``label``; or the value of the pattern's group
    ``(?P<roi>...)`` in lower case; or else the name or pattern as written, and then a pattern that
    changes gives other rows. Text of the file never becomes a coordinate unless a group asks for it.

    *Coordinate* ``roi_instance`` tells several ROIs of one label apart: the pattern's group
    ``(?P<instance>...)``; or else the one number in which their names differ (``LN1``, ``LN2``); or
    else their ROI number in the structure set, also for two of the same name. It is empty when
    there is one. Its place in a list never counts. A group keeps it the same when ROIs are added.
    After ``scan(patient_key=secret)`` a number out of a name is a keyed digest: a group gives it in clear.

    *Manifest*: columns ``image`` (file, folder, SeriesInstanceUID or volume_id), ``mask`` (file,
    segmentation_id or SOP instance UID), and where there are any ``label`` (number or name),
    ``roi``, ``roi_instance``, ``rater``, ``patient_id``, ``modality``, ``timepoint``; further
    columns become coordinates. Relative paths start at the CSV file. ``roi=`` then chooses rows.
    """
    _check_catalog(catalog)
    _check(on, prefer, split, rule)
    called = "" if label is None else clean_label(label)
    modalities = _modalities(modality)
    if manifest is not None:
        from gclnm.catalog.pairing.manifest import pair_manifest

        return pair_manifest(catalog, manifest, roi=roi, modalities=modalities, rule=rule, label=called)
    _check_modalities(catalog, modalities)
    rois = _records(catalog.segmentations, "segmentation_id")
    if roi is None:
        if called:
            raise InputError("label needs the ROI that it names", where=f"label={called!r}", fix="Give roi=.")
        return Samples(found=_names_found(rois))
    wanted = patterns(roi, called)
    for pattern in wanted:
        refuse_without_match(pattern, (r["name"] for r in rois))
    job = _Pairing(catalog, rois, wanted, on, modalities, rule)
    job.pair(Raters(rater, catalog.identifiers), prefer, split == "components")
    return job.samples()


@dataclass
class _Pairing:
    """The state of one call: candidates found so far, and what was refused."""

    catalog: Catalog
    rois: Sequence[Record]
    patterns: Sequence[RoiPattern]
    on: On
    modalities: frozenset[str]
    rule: Rule
    made: list[tuple[Sample, Record]] = field(default_factory=list)
    unpaired: dict[tuple[str, Refusal], dict[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        used = [r for r in self.rois if any(p.matches(r["name"]) for p in self.patterns)]
        self.linker = Linker(self.catalog, used)

    def pair(self, raters: Raters, prefer: Prefer | None, by_component: bool) -> None:
        """Fill ``made`` and ``unpaired``."""
        resolved = resolve(self._candidates(self.patterns[0], raters), prefer, self.catalog.identifiers)
        self.notes = (*resolved.notes, *_reader_notes(raters, resolved.kept))
        if self.patterns[0].unnamed_among(c.roi["name"] for c in resolved.kept):
            self.notes += (
                f"coordinate roi is the pattern itself, {self.patterns[0].text!r}: another pattern gives"
                ' other rows. label= gives a name that stays, for example label="gtv".',
            )
        for candidate, refusal in resolved.refused:
            self._refuse(candidate.roi, refusal)
        parts = [p for c in resolved.kept for p in (self._parts(c) if by_component else [(c, None)])]
        others = self._others(raters)
        masks, refused = attach_roles(self.catalog, [c for c, _ in parts], others)
        for record, refusal in refused:
            self._refuse(record, refusal)
        for (candidate, component), more in zip(parts, masks, strict=True):
            self._make(candidate, component, more)
        self._list_volumes()

    def _candidates(self, pattern: RoiPattern, raters: Raters) -> list[Candidate]:
        """A candidate for each fitting ROI on each of its volumes; the rest is refused."""
        found = []
        for roi in self.rois:
            if not pattern.matches(roi["name"]):
                continue
            links = self._links(roi)
            if isinstance(links, Refusal):
                self._refuse(roi, links)
            else:
                reader = raters.of(roi)
                label, instance = pattern.labels(roi["name"])
                found += [
                    Candidate(roi, volume_id, by, label, instance, pattern.has_instance, reader)
                    for volume_id, by in links.items()
                ]
        return found

    def _links(self, roi: Record) -> dict[str, str] | Refusal:
        """The usable volumes of one ROI, with the rule that found each."""
        if not roi["usable"]:
            return Refusal(
                "unusable-roi",
                cells.text(roi["reason"]) or "it cannot be used",
                "Draw it again, or leave it out.",
            )
        links = self.linker.link(roi, self.on, self.modalities)
        if isinstance(links, Refusal):
            return links
        if links.note is not None:
            self._refuse(roi, links.note)
        usable = {v: by for v, by in links.by.items() if self.linker.volumes[v]["usable"]}
        if usable:
            return usable
        reasons = sorted({cells.text(self.linker.volumes[v]["reason"]) for v in links.by})
        return Refusal(
            "unusable-image",
            f"its image cannot be used: {'; '.join(reasons)}",
            "See catalog.problems; a repaired or complete export is scanned again.",
        )

    def _others(self, raters: Raters) -> dict[str, list[Candidate]]:
        """Candidates of the roles beside ``roi``; a reader is not required of them."""
        others: dict[str, list[Candidate]] = {}
        for pattern in self.patterns[1:]:
            found = others.setdefault(pattern.role, [])
            for roi in self.rois:
                if not pattern.matches(roi["name"]):
                    continue
                links = self._links(roi)
                if isinstance(links, Refusal):
                    self._refuse(roi, links)
                    continue
                reader = raters.of(roi)
                found += [Candidate(roi, v, by, pattern.role, rater=reader) for v, by in links.items()]
        return others

    def _parts(self, candidate: Candidate) -> list[tuple[Candidate, int | None]]:
        """One candidate for each connected part of its label."""
        mask = replace(self.catalog.mask_ref(candidate.roi["segmentation_id"]), rule=self.rule)
        count = component_count(mask, self.catalog.volume_ref(candidate.volume_id))
        if isinstance(count, Refusal):
            self._refuse(candidate.roi, count)
            return []
        prefix = f"{candidate.instance}." if candidate.instance else ""
        return [(replace(candidate, instance=f"{prefix}{n}"), n) for n in range(1, count + 1)]

    def _make(self, candidate: Candidate, component: int | None, more: Mapping[str, MaskRef]) -> None:
        mask = replace(self.catalog.mask_ref(candidate.roi["segmentation_id"]), component=component)
        place = Place(candidate.label, candidate.instance, candidate.rater, candidate.paired_by)
        volume = self.linker.volumes[candidate.volume_id]
        sample = make_sample(
            self.catalog.volume_ref(candidate.volume_id), volume, {"roi": mask, **more}, place, self.rule
        )
        self.made.append((sample, candidate.roi))

    def _refuse(self, roi: Record, refusal: Refusal) -> None:
        key = roi["segmentation_id"]
        row = unpaired_row(roi["kind"], roi["patient_id"], roi["name"], refusal, key)
        self.unpaired[key, refusal] = row

    def _list_volumes(self) -> None:
        """Images of the wanted modality that are in no sample."""
        used = {sample.images["image"].volume_id for sample, _ in self.made}
        for volume_id, volume in self.linker.volumes.items():
            if volume_id in used or (self.modalities and volume["modality"] not in self.modalities):
                continue
            refusal = Refusal("no-roi", "no ROI that fits belongs to this image", severity="info")
            if not volume["usable"]:
                refusal = Refusal("unusable-image", cells.text(volume["reason"]), severity="info")
            name = cells.text(volume.get("series_description")) or cells.text(volume["modality"])
            row = unpaired_row("volume", volume["patient_id"], name, refusal, volume_id)
            self.unpaired[volume_id, refusal] = row

    def samples(self) -> Samples:
        """What was made, in an order that does not depend on that of files."""
        ordered = sorted(self.made, key=lambda made: sample_order(made[0]))
        names = {s.sample_id: (roi["name"], roi["segmentation_id"]) for s, roi in ordered}
        return Samples(
            tuple(sample for sample, _ in ordered),
            unpaired=unpaired_table(list(self.unpaired.values())),
            notes=self.notes,
            names=names,
        )


def _records(table: pd.DataFrame, key: str) -> list[Record]:
    """Rows as mappings; an object that was found twice counts once."""
    unique = table.drop_duplicates(key)
    return [{str(name): value for name, value in row.items()} for row in unique.to_dict("records")]


def _names_found(rois: Sequence[Record]) -> pd.DataFrame:
    """ROI names as they are compared, with how often each was found."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for roi in rois:
        groups[text_key(roi["name"])].append(roi)
    rows = [
        {
            "name": members[0]["name"],
            "rois": len(members),
            "patients": len({m["patient_id"] for m in members}),
            "kind": ", ".join(sorted({m["kind"] for m in members})),
            "usable": sum(bool(m["usable"]) for m in members),
        }
        for members in groups.values()
    ]
    rows.sort(key=lambda row: (-row["rois"], natural(str(row["name"]))))
    return pd.DataFrame(rows, columns=["name", "rois", "patients", "kind", "usable"])


def _reader_notes(raters: Raters, kept: Sequence[Candidate]) -> tuple[str, ...]:
    without = sum(not candidate.rater for candidate in kept)
    if not raters.given or not without:
        return ()
    named = len(kept) - without
    return (f"rater= names a reader for {named} of {len(kept)} ROIs: the others have an empty rater.",)


def _check_catalog(catalog: object) -> None:
    if not hasattr(catalog, "segmentations") or not hasattr(catalog, "volume_ref"):
        raise InputError(
            "pair needs a catalog",
            where=f"pair({type(catalog).__name__}, ...)",
            fix="Pass what gclnm.scan returned: gclnm.pair(gclnm.scan(folder), roi=...).",
        )


def _check(on: str, prefer: str | None, split: str | None, rule: str) -> None:
    options = {
        "on": (on, get_args(On)),
        "prefer": (prefer, (None, *get_args(Prefer))),
        "split": (split, (None, *get_args(Split))),
        "rule": (rule, get_args(Rule)),
    }
    for name, (value, allowed) in options.items():
        if value not in allowed:
            words = [str(word) for word in allowed if word is not None]
            near = difflib.get_close_matches(str(value), words, n=1)
            raise InputError(
                f"{name} is one of {', '.join(map(repr, words))}",
                where=f"{name}={value!r}",
                fix=f"Did you mean {near[0]!r}?" if near else "",
            )


def _modalities(modality: str | Sequence[str] | None) -> frozenset[str]:
    given = [modality] if isinstance(modality, str) else list(modality or ())
    return frozenset(usual_modality(str(word)) for word in given)


def _check_modalities(catalog: Catalog, wanted: frozenset[str]) -> None:
    known = sorted({str(m) for m in catalog.volumes["modality"]} - {""})
    unknown = sorted(wanted - set(known))
    if unknown:
        raise InputError(
            "the catalog has no image of this modality",
            where=f"modality={', '.join(unknown)}",
            fix=f"It has {', '.join(known) or 'none that says its modality'}.",
        )
