"""Before hours run: what would be computed, what is odd, how long it takes and how much it writes."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gclnm.cohort.look import Finding, Look, look_at
from gclnm.cohort.tasks import cores, phases_in_words, require_samples, require_some, require_unique
from gclnm.counts import count
from gclnm.errors import InputError
from gclnm.progress import track

if TYPE_CHECKING:
    from gclnm.images.sample import Sample
    from gclnm.recipe.expand import NotMade
    from gclnm.recipe.recipe import Recipe

__all__ = ["Plan", "plan"]

ISSUE_COLUMNS = ["severity", "code", "patient_id", "roi", "modality", "what", "fix", "sample_id"]
# Coordinates, key and history of one row; and half of the values again, because an append writes the
# last, half full chunk anew.
ROW_BYTES, REWRITING = 2000, 1.5


@dataclass(frozen=True, eq=False)
class Plan:
    """What :func:`gclnm.plan` found.

    Parameters
    ----------
    recipe
        The recipe that was asked about.
    rows
        One row per row to come: ``sample_id`` and coordinates.
    patients
        Number of rows by patient (index) and modality, with the phase where one is known (columns).
    issues
        What is odd or would be refused, one row per finding.
    n_read
        How many samples were read to find out; issues and estimates stand for these.
    hours
        Estimate for one machine with ``workers`` processes; NaN when no sample could be computed.
    disk_mb
        Estimate of what the store will take, in megabytes.
    workers
        Number of processes the estimate assumes: the cores of this machine.
    """

    recipe: Recipe
    rows: pd.DataFrame
    patients: pd.DataFrame
    issues: pd.DataFrame
    n_read: int
    hours: float
    disk_mb: float
    workers: int

    def _facts(self) -> list[tuple[str, str]]:
        n_patients = self.rows["patient_id"].nunique() if "patient_id" in self.rows else 0
        kinds = ", ".join(f"{int(rows)} {kind}" for kind, rows in self.patients.sum().items())
        return [
            ("rows", f"{len(self.rows)} of {count(n_patients, 'patient')}: {kinds}"),
            *self._mixture(),
            ("features", f"{len(self.recipe.features)} per row, recipe {self.recipe.name}"),
            ("time", _words(self.hours, self.workers)),
            ("disk", f"about {self.disk_mb:.3g} MB"),
            ("looked at", f"{self.n_read} of {count(len(self.rows), 'sample')}; n=None looks at all"),
        ]

    def _mixture(self) -> list[tuple[str, str]]:
        """Phases, where the set mixes them, and what is derived."""
        found = []
        if "phase" in self.rows and (phases := phases_in_words(self.rows["phase"])):
            found.append(("phases", phases))
        if "derivation" in self.rows:
            derived = self.rows["derivation"].fillna("")
            counts = derived[derived != ""].value_counts(sort=False)
            if len(counts):
                found.append(("derived", ", ".join(f"{kind} {n}" for kind, n in counts.items())))
        return found

    def _summary(self) -> pd.DataFrame:
        """Issues by kind, refusals first."""
        counted = self.issues.groupby(["severity", "code"], sort=False)
        table = counted.agg(samples=("sample_id", "nunique"), example=("what", "first"), fix=("fix", "first"))
        return table.reset_index().sort_values(["severity", "samples"], ascending=False, ignore_index=True)

    def __repr__(self) -> str:
        lines = [f"Plan for {self.recipe.name!r}"]
        lines += [f"  {label + ':':<11}{text}" for label, text in self._facts()]
        for issue in self._summary().to_dict("records"):
            label = f"{issue['severity']}:"
            lines.append(f"  {label:<11}{issue['samples']} x {issue['code']}: {issue['example']}")
        return "\n".join(lines if len(self.issues) else [*lines, "  nothing odd in what was looked at"])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for label, text in self._facts()
        )
        odd = self._summary().to_html(index=False, escape=True) if len(self.issues) else "<p>Nothing odd.</p>"
        return f"<table><caption>Plan for {html.escape(self.recipe.name)}</caption>{cells}</table>{odd}"


def plan(
    samples: Iterable[Sample], recipe: Recipe | str | Path, *, n: int | None = 12, progress: bool = True
) -> Plan:
    """Look before hours run: rows to come, what is odd or would be refused, hours and disk.

    Some samples are read and compared with the recipe: upsampling beyond a factor of 2, grey levels
    outside 16 to 128, tiny and one-slice ROIs, quantities the recipe does not accept. The one with
    the median number of voxels is computed, to tell the time: reading is taken as measured, computing
    as proportional to the voxels after resampling.

    Parameters
    ----------
    samples
        What :func:`gclnm.pair` returned, or any samples.
    recipe
        A recipe, the name of a built-in one, or a path to a YAML file.
    n
        How many samples are read, evenly over patients and modalities; None reads all.
    progress
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        When there are no samples, or two of them would be the same row.
    """
    from gclnm.recipe.recipe import Recipe

    given = require_samples(samples)
    recipe = Recipe.of(recipe)
    expansion = recipe.expansion(given)
    rows = expansion.samples
    require_some(rows, samples, "plan for", expansion.refused)
    require_unique(rows)
    chosen = _evenly(rows, n)
    looks = [
        look_at(sample, recipe)
        for sample in track(chosen, total=len(chosen), label="plan", unit="sample", show=progress)
    ]
    workers = cores()
    table = pd.DataFrame([{"sample_id": s.sample_id, **s.coords} for s in rows])
    return Plan(
        recipe=recipe,
        rows=table,
        patients=_patients(table),
        issues=_issues(rows, looks, recipe, expansion.refused),
        n_read=len(looks),
        hours=_seconds_a_row(looks, recipe) * len(rows) / min(workers, len(rows)) / 3600,
        disk_mb=_disk_mb(len(rows), recipe),
        workers=workers,
    )


def _evenly(samples: Sequence[Sample], n: int | None) -> list[Sample]:
    """``n`` samples spread evenly over modalities, then patients."""
    ordered = sorted(
        samples, key=lambda s: (str(s.coords.get("modality")), str(s.coords.get("patient_id")), s.sample_id)
    )
    if n is None or n >= len(ordered):
        return ordered
    if n < 1:
        raise InputError(f"n must be at least 1, or None for all, not {n}")
    return [ordered[(2 * i + 1) * len(ordered) // (2 * n)] for i in range(n)]


def _patients(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by patient and by modality with its phase."""
    blank = pd.Series("", index=rows.index)
    patient = rows.get("patient_id", blank).rename("patient_id")
    phase = rows.get("phase", blank).fillna("").astype(str).replace("unknown", "")
    kind = (rows.get("modality", blank).fillna("").astype(str) + " " + phase).str.strip()
    return pd.crosstab(patient, kind.replace("", "unknown").rename("images"))


def _issues(
    rows: Sequence[Sample], looks: Sequence[Look], recipe: Recipe, not_made: Sequence[NotMade]
) -> pd.DataFrame:
    found = [(look.sample, finding) for look in looks for finding in look.findings]
    found += [(one.sample, Finding(one.severity, one.code, one.reason, one.fix)) for one in not_made]
    found += [(s, other) for s in rows if (other := _other_modality(s, recipe)) is not None]
    found += _several_scanners(rows, recipe) + _several_levels(rows, recipe)
    records = [
        {
            **{key: sample.coords.get(key) for key in ("patient_id", "roi", "modality")},
            **{key: getattr(finding, key) for key in ("severity", "code", "what", "fix")},
            "sample_id": sample.sample_id,
        }
        for sample, finding in found
    ]
    table = pd.DataFrame(records, columns=ISSUE_COLUMNS)
    return table.sort_values(["severity", "code"], ascending=[False, True], kind="stable", ignore_index=True)


def _other_modality(sample: Sample, recipe: Recipe) -> Finding | None:
    modality = str(sample.coords.get("modality") or sample.images["image"].modality)
    if not recipe.modality or not modality or modality == recipe.modality:
        return None
    return Finding(
        "odd",
        "other-modality",
        f"the image is {modality}, the recipe is made for {recipe.modality}",
        f"samples.query(\"modality == '{recipe.modality}'\") keeps those it is made for.",
    )


def _several_scanners(rows: Sequence[Sample], recipe: Recipe) -> list[tuple[Sample, Finding]]:
    """One note, at the first sample, when MR without a scale comes from more than one scanner."""
    if "arbitrary" not in recipe.quantity or recipe.prepare.normalize is not None:
        return []
    mr = [s for s in rows if (s.coords.get("modality") or s.images["image"].modality) == "MR"]
    scanners = {str(s.coords["scanner"]) for s in mr if s.coords.get("scanner")}
    if len(scanners) < 2:
        return []
    note = Finding(
        "info",
        "several-scanners",
        f"MR of {len(scanners)} scanners: its signal has no scale, first-order values do not compare",
        "Compare first-order features within one scanner only; shape, and texture at a fixed bin_count,"
        " do not depend on the scale.",
    )
    return [(mr[0], note)]


def _several_levels(rows: Sequence[Sample], recipe: Recipe) -> list[tuple[Sample, Finding]]:
    """One note, at the first sample, when one set would hold HU of different energies."""
    if recipe.energies_kev or recipe.derive:
        return []
    ct = [s for s in rows if (s.coords.get("modality") or s.images["image"].modality) == "CT"]
    stated = [(s.coords.get("energy_kev"), s.images["image"].energy_kev) for s in ct]
    shown = [next((float(level) for level in both if not pd.isna(level)), None) for both in stated]
    levels = sorted({level for level in shown if level is not None})
    if not levels or len(set(shown)) < 2:
        return []
    kinds = [f"{level:g} keV" for level in levels] + ["no stated level"] * (None in shown)
    note = Finding(
        "odd",
        "several-levels",
        f"HU of different energies in one set: {', '.join(kinds)}",
        "Compare within one level: energy_kev tells rows apart;"
        " Recipe.with_(energies_kev=[...]) measures every ROI at the same levels.",
    )
    return [(ct[0], note)]


def _seconds_a_row(looks: Sequence[Look], recipe: Recipe) -> float:
    """Mean seconds of one row on one worker, from one row that is computed."""
    from gclnm import pipeline

    usable = sorted((look for look in looks if look.voxels > 0), key=lambda look: look.voxels)
    usable = [look for look in usable if all(f.severity != "refused" for f in look.findings)]
    if not usable:
        return float("nan")
    median = usable[len(usable) // 2]
    # The first row in a process pays for imports, which a worker does once: take the smallest for that.
    pipeline.run([usable[0].sample], recipe)
    row = pipeline.run([median.sample], recipe)[0]
    if row.status == "failed":
        return float("nan")
    computing = max(0.0, row.seconds - median.seconds)
    rate = computing / median.voxels
    return sum(look.seconds + rate * look.voxels for look in usable) / len(usable)


def _disk_mb(rows: int, recipe: Recipe) -> float:
    width = len(recipe.features) + len(recipe.diagnostics)
    return rows * (8 * width * REWRITING + ROW_BYTES) / 1e6


def _words(hours: float, workers: int) -> str:
    if hours != hours:
        return "unknown: nothing that was looked at can be computed"
    minutes = f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h"
    return f"about {minutes if hours > 1 / 60 else f'{hours * 3600:.0f} s'} with {count(workers, 'worker')}"
