"""What an extraction did: rows done, skipped and failed, the commit, and how to read them back."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gclnm.counts import count

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from gclnm.recipe.recipe import Recipe
    from gclnm.store.store import FeatureStore

__all__ = ["Extraction"]


@dataclass(frozen=True, eq=False)
class Extraction:
    """The result of :func:`gclnm.extract`.

    Parameters
    ----------
    store, name, recipe
        Where the rows are, under which name, by which recipe.
    done
        Rows computed and committed by this run.
    skipped
        Rows that were there already.
    failed
        One row per sample without features: ``sample_id``, its coordinates, ``reason`` and ``fix``
        (what to do); those of earlier runs that were not tried again have ``tried`` False.
    twins
        One row per failed sample that is held back because another one has its voxels, grid and
        contour: ``sample_id``, ``same_as`` (the other one), ``patient_id``, ``same_patient_id``,
        ``roi``, ``set``. Passed as ``same_as=`` it links them.
    not_made
        What the recipe asks for and no image gives (an energy level outside the pair): ``patient_id``,
        ``roi`` ..., ``code``, ``reason``, ``fix``; ``severity`` is ``"info"`` for images that are no part
        of it.
    same_images
        One row per sample that this run has computed from the image of another patient, with another
        contour: ``sample_id``, ``patient_id``, ``roi``, ``same_image_as`` (a sample of the other
        patient), ``same_patient_id``. Rows of earlier runs are not looked at. Nothing is held back:
        one person under two ids counts twice until you leave one out.
    seconds
        Wall time.
    phases
        How many rows of each contrast phase were asked for, where there are several.
    commit
        The commit that holds all of it.
    peak_mb
        By worker: the most memory (resident, in MB of 2^20 bytes) that its process has taken.
    replaced
        Rows of this run, computed or failed, that took the place of earlier ones.
    """

    store: FeatureStore
    name: str
    recipe: Recipe
    done: int
    skipped: int
    failed: pd.DataFrame
    twins: pd.DataFrame
    not_made: pd.DataFrame
    phases: str
    same_images: pd.DataFrame
    seconds: float
    commit: str
    peak_mb: dict[str, float] = field(default_factory=dict)
    replaced: int = 0

    @property
    def dataset(self) -> xr.Dataset:
        """The rows of the whole set, lazily, as of this run's commit: (sample, feature)."""
        return self.store.read(self.name, at=self.commit)

    @property
    def code(self) -> str:
        """The line that reads this result again, next year as well; empty when only memory holds it."""
        if self.store.url == "memory://":
            return ""
        return f'gclnm.open_store({self.store.url!r}).read("{self.name}", at="{self.commit}")'

    def _facts(self) -> list[tuple[str, str]]:
        facts = [
            ("rows", self._rows()),
            *([("phases", self.phases)] if self.phases else []),
            ("features", f"{len(self.recipe.features)} per row, recipe {self.recipe.id[:12]}"),
            ("time", _duration(self.seconds)),
            ("commit", self.commit),
        ]
        if self.peak_mb:
            most, number = max(self.peak_mb.values()), len(self.peak_mb)
            facts.append(("memory", f"{most:.0f} MB at most in a worker, {number} of them"))
        facts += [("failed", text) for text in self._reasons()]
        lost = self.not_made[self.not_made["severity"] == "refused"]
        facts += [("not made", text) for text in _commonest(lost)]
        if len(self.twins):
            facts.append(("twins", _twins_in_words(self.twins)))
        if len(self.same_images):
            facts.append(("images", _same_images_in_words(self.same_images)))
        return [*facts, ("read back", self.code or ".dataset (only in memory: pass store= to keep it)")]

    def _rows(self) -> str:
        held = f" ({len(self.twins)} held back)" if len(self.twins) else ""
        instead = f"; {count(self.replaced, 'earlier row')} replaced" if self.replaced else ""
        return f"{self.done} done, {self.skipped} skipped, {len(self.failed)} failed{held}{instead}"

    def _reasons(self, most: int = 5) -> list[str]:
        """The commonest reasons, with what to do about each."""
        # Each twin names another sample: they are one line of their own.
        failed = self.failed[~self.failed["sample_id"].isin(self.twins["sample_id"])]
        return _commonest(failed, ".failed")

    def __repr__(self) -> str:
        lines = [f"  {label + ':':<11}{text}" for label, text in self._facts()]
        return "\n".join([f"Extraction of {self.name!r}", *lines])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for label, text in self._facts()
        )
        return f"<table><caption>Extraction of {html.escape(self.name)}</caption>{cells}</table>"


def _commonest(rows: pd.DataFrame, see: str = ".not_made", most: int = 5) -> list[str]:
    """The commonest reasons of rows without features, with what to do about each."""
    counts = rows["reason"].value_counts()
    fixes = dict(zip(rows["reason"], rows["fix"], strict=True))
    shown = [f"{n} x {reason}. {fixes[reason]}".rstrip() for reason, n in counts.head(most).items()]
    rest = int(counts.iloc[most:].sum())
    return [*shown, f"{rest} x other reasons: see {see}"] if rest else shown


def _twins_in_words(twins: pd.DataFrame) -> str:
    """How many samples are held back, and what to do about them."""
    return (
        f"{count(len(twins), 'sample has', 'samples have')} the voxels and contour of another one"
        f" ({_pairs(twins)}). Pass same_as=run.twins to link them."
    )


def _same_images_in_words(found: pd.DataFrame) -> str:
    """How many samples have the image of another patient, and what that may mean."""
    return (
        f"{count(len(found), 'sample has', 'samples have')} the image of another patient under another"
        f" contour ({_pairs(found)}): one person may count twice. See .same_images."
    )


def _pairs(found: pd.DataFrame) -> str:
    patients = found[["patient_id", "same_patient_id"]].drop_duplicates()
    pairs = [f"{new} = {old}" for new, old in patients.itertuples(index=False)]
    more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    return f"patients {', '.join(pairs[:3])}{more}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
