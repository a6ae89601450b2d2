"""A row computed once more from its files, and compared with what the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gclnm.counts import count
from gclnm.errors import GclnmError, InputError
from gclnm.images.sample import Sample
from gclnm.store.layout import versions
from gclnm.store.versions.rowdiff import input_changes, parts_of
from gclnm.store.versions.valuediff import relative_difference
from gclnm.store.versions.words import code_changes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe

__all__ = ["Redo", "Redone", "Stored", "redone"]

Redo = bool | Sample | Iterable[Sample]


@dataclass(frozen=True, eq=False)
class Stored:
    """What the store holds of a row, as far as it can be computed again."""

    sample_id: str
    status: str
    reason: str
    recipe: Mapping[str, Any]
    recipe_id: str
    features: tuple[str, ...]
    values: NDArray[np.float64]
    inputs_sha256: str
    content_sha256: str
    history: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Redone:
    """What computing a row again gave.

    Attributes
    ----------
    outcome
        ``"identical"`` to the last bit (a failure: with the same reason); ``"different"``; or it was
        ``"not computed"``.
    why
        Why it was not computed, or how the outcome differs; for an identical one empty. No path.
    inputs
        What was read, where it is not what the row was computed from: which part, in words.
    software
        Packages with other versions than the row was computed with.
    compared, differing
        How many values were compared, and how many of them differ.
    feature, before, now, relative
        The value with the largest relative difference ``|now - before| / max(|now|, |before|)``.
    """

    outcome: Literal["identical", "different", "not computed"]
    why: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    software: tuple[str, ...] = ()
    compared: int = 0
    differing: int = 0
    feature: str = ""
    before: float = float("nan")
    now: float = float("nan")
    relative: float = 0.0

    def lines(self) -> list[tuple[str, str]]:
        """The same as pairs of what and how."""
        found = [("computed again", self._words())]
        if self.outcome != "not computed":
            same = "the same" if not self.inputs else "; ".join(self.inputs.values())
            found.append(("its inputs", same))
            found.append(("its software", ", ".join(self.software) or "the same versions"))
        return found

    def _words(self) -> str:
        if self.outcome == "identical" and self.compared:
            return f"identical: {count(self.compared, 'value')}, to the last bit"
        if self.feature:
            largest = f"{self.feature}: {self.before!r} -> {self.now!r} ({100 * self.relative:.3g} %)"
            return f"different: {self.differing} of {count(self.compared, 'value')}, most {largest}"
        return f"{self.outcome}: {self.why}"


def redone(stored: Stored, redo: Redo) -> Redone:
    """Compute a row again with the recipe of its set, from files that are given or remembered.

    Raises
    ------
    InputError
        When samples are given and none of them is this row.
    """
    from gclnm.recipe.recipe import Recipe

    if stored.status == "linked":
        return Redone("not computed", "the sample is that of another row, which has the values")
    try:
        recipe = Recipe(**stored.recipe)
    except (GclnmError, TypeError):
        return Redone("not computed", "this version of gclnm does not understand the stored recipe")
    sample = _sample(stored, recipe, redo)
    if sample is None:
        return Redone("not computed", "this machine does not know where its files are: pass redo=samples")
    missing, files = _missing(sample)
    if missing:
        why = f"this machine does not reach {missing} of its {count(files, 'file')}: pass redo=samples"
        return Redone("not computed", why)
    from gclnm import pipeline

    try:
        (row,) = pipeline.run([sample], recipe)
    except GclnmError as error:
        return Redone("not computed", error.reason)
    return _compared(stored, recipe, row)


def _sample(stored: Stored, recipe: Recipe, redo: Redo) -> Sample | None:
    """The sample of the row, among the given ones or as this machine remembers it."""
    from gclnm.catalog.places import Places, places_file

    if isinstance(redo, bool):
        return Places(places_file()).sample(stored.sample_id, stored.inputs_sha256)
    given = [redo] if isinstance(redo, Sample) else list(redo)
    if not all(isinstance(sample, Sample) for sample in given):
        raise InputError("redo= takes True, or samples as gclnm.pair makes them", code="bad-redo")
    for sample in recipe.expand(given):
        if sample.sample_id == stored.sample_id:
            return sample
    raise InputError(
        "none of the samples in redo= is this row",
        where=repr(stored.sample_id),
        fix="Give samples paired like those that were extracted: the same patient, image, ROI and rater.",
        code="not-this-row",
    )


def _missing(sample: Sample) -> tuple[int, int]:
    """How many files of a sample cannot be found, and how many it has."""
    files = {file for ref in sample.images.values() for file in ref.files}
    files |= {ref.file for ref in sample.masks.values()}
    return sum(not _is_file(file) for file in files), len(files)


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def _compared(stored: Stored, recipe: Recipe, row: Row) -> Redone:
    software = code_changes(stored.versions, versions())
    if recipe.id != stored.recipe_id:
        software.append("the recipe has another id in this version of gclnm: numbers_version was raised")
    common: dict[str, Any] = {"inputs": _inputs(stored, row), "software": tuple(software)}
    if row.status != stored.status:
        why = f"it was {stored.status}, and now is {row.status}"
        reason = stored.reason or row.reason
        return Redone("different", f"{why} ({reason})", **common)
    if row.status == "failed":
        if row.reason == stored.reason:
            return Redone("identical", "it fails again with the same reason", **common)
        return Redone("different", f"it failed as {stored.reason}, and now as {row.reason}", **common)
    now = dict(zip(recipe.features, row.values, strict=True))
    shared = [index for index, name in enumerate(stored.features) if name in now]
    if not shared:
        return Redone("different", "this version of gclnm computes none of its features", **common)
    before = stored.values[shared]
    again = np.array([now[stored.features[index]] for index in shared])
    relative = relative_difference(before, again)
    top = int(np.argmax(relative))
    if relative[top] == 0:
        return Redone("identical", compared=len(shared), **common)
    return Redone(
        "different",
        compared=len(shared),
        differing=int(np.count_nonzero(relative)),
        feature=stored.features[shared[top]],
        before=float(before[top]),
        now=float(again[top]),
        relative=float(relative[top]),
        **common,
    )


def _inputs(stored: Stored, row: Row) -> dict[str, str]:
    """Which parts of the inputs are not those of the row."""
    if row.inputs_sha256 == stored.inputs_sha256:
        return {}
    if not row.inputs_sha256:
        return {"inputs": "cannot be read now"}
    if not stored.inputs_sha256:
        return {"inputs": "could not be read then"}
    before, now = parts_of(stored.history), parts_of(row.history)
    same_picture = stored.content_sha256 == row.content_sha256 if stored.content_sha256 else None
    return input_changes(before, now, same_picture)
