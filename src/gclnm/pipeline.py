"""One sample and a recipe become one row: what a worker runs.

Everything that can be wrong with a case ends as a failed row with a reason of ours; what is wrong
with the recipe or the installation is raised, before the first image is read.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gclnm import vocabulary
from gclnm.engines import engine
from gclnm.engines.quantities import measure as quantities
from gclnm.errors import EngineError, GclnmError, GeometryError, QuantityError
from gclnm.harmonize import check_regions, derive
from gclnm.harmonize.dispatch import awaits_masks, before_masks, with_masks
from gclnm.images.inputs import Inputs, mask_parts, override_parts, volume_parts
from gclnm.images.load import load_mask, load_volume
from gclnm.images.overrides import overridden
from gclnm.images.sample import Case, Sample
from gclnm.prepare.grid import onto
from gclnm.recipe.recipe import Recipe
from gclnm.schemas.features import out_of_bounds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from gclnm.engines import Result
    from gclnm.images.sample import Coordinate
    from gclnm.images.volume import Mask, Volume

__all__ = ["Row", "check", "features", "ready", "run"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a feature set.

    Parameters
    ----------
    sample_id
        The row's key.
    coords
        Its coordinates, as the sample gave them.
    status, reason
        ``"ok"`` and empty, or ``"failed"`` and why: a code and a sentence of ours. ``"unchanged"``:
        the inputs are the known ones, nothing was measured; such a row is never stored. ``"linked"``:
        the sample is that of another row, which the reason names; it has no values.
    values
        Features in the recipe's order, (feature,); NaN: not computed.
    diagnostics
        Diagnostics in the recipe's order, (diagnostic,).
    inputs_sha256
        Digest of everything it was computed from; empty when that could not be read.
    content_sha256
        Digest of voxels, grids and masks alone: equal for the same images and contours under other
        identifiers and headers. Empty when they could not be read.
    history
        JSON: the steps of image and ROI, digests of the parts of its inputs, the engine, and why
        values are NaN.
    seconds
        How long it took; the reading of shared volumes is counted with the first row.
    fix
        What to do about a failure; for the user's eyes, not stored.
    origin
        Commit of another store that it was merged from; empty: it was computed for this one.
    """

    sample_id: str
    coords: dict[str, Coordinate]
    status: Literal["ok", "failed", "unchanged", "linked"]
    reason: str
    values: NDArray[np.float64]
    diagnostics: NDArray[np.float64]
    inputs_sha256: str = ""
    content_sha256: str = ""
    history: str = "{}"
    seconds: float = float("nan")
    fix: str = ""
    origin: str = ""


def check(recipe: Recipe) -> None:
    """Refuse a recipe that this installation cannot compute, before hours run.

    Raises
    ------
    EngineError
        When the engine, or what one of its filters needs, is not there.
    RecipeError
        When a normalization that learns has not learnt.

    Examples
    --------
    >>> check(Recipe.named("ct"))
    """
    recipe.require_learnt()
    engine(recipe.engine).check(recipe.prepare, recipe.compute)


def run(
    samples: Sequence[Sample], recipe: Recipe | str | Path, known: Mapping[str, str] | None = None
) -> list[Row]:
    """Rows of samples, in their order; volumes that samples share are read once.

    Parameters
    ----------
    samples
        What to measure. Those with the same volumes are done together.
    recipe
        A recipe, a built-in name, or the path of a YAML file.
    known
        Digests of inputs that were measured before, by ``sample_id``. A sample whose inputs still
        have that digest is read, but not measured again.

    Returns
    -------
    list of Row
        One per sample. A sample that cannot be measured gives a failed row, one whose inputs are
        the known ones an unchanged row without values.

    Raises
    ------
    EngineError
        When the recipe cannot be computed by this installation at all.
    """
    recipe = Recipe.of(recipe)
    check(recipe)
    rows: dict[int, Row] = {}
    for indices in _sharing_volumes(samples):
        group = [samples[index] for index in indices]
        rows.update(zip(indices, _rows(group, recipe, known or {}), strict=True))
    return [rows[index] for index in range(len(samples))]


def features(
    volume: Volume | Mapping[str, Volume], mask: Mask | Mapping[str, Mask], recipe: Recipe | str | Path
) -> pd.Series[float]:
    """Features of one case, without a store.

    Parameters
    ----------
    volume, mask
        Image and ROI, or several by role (``image`` and ``roi`` are the ones that are measured).
        The mask may lie on another grid of the same space.
    recipe
        A recipe, a built-in name, or the path of a YAML file.

    Returns
    -------
    Series
        One value per column of the recipe. ``attrs`` holds ``diagnostics`` and ``notes``: why values
        are NaN.

    Raises
    ------
    GclnmError
        Whatever would make a failed row in a cohort.

    Examples
    --------
    >>> from gclnm.images import Geometry, Mask, Volume
    >>> grid = Geometry(size=(12, 12, 12), spacing_mm=(1.0, 1.0, 1.0))
    >>> ramp = np.arange(12**3, dtype=float).reshape(12, 12, 12) / 20
    >>> inside = np.zeros(ramp.shape, dtype=bool)
    >>> inside[3:9, 3:9, 3:9] = True
    >>> values = features(Volume(ramp, grid, quantity="HU"), Mask(inside, grid), "ct")
    >>> print(round(values["original_firstorder_Mean"], 1))
    43.2
    """
    import pandas as pd

    recipe = Recipe.of(recipe)
    check(recipe)
    volumes = dict(volume) if isinstance(volume, Mapping) else {"image": volume}
    masks = dict(mask) if isinstance(mask, Mapping) else {"roi": mask}
    harmonized = {role: _ready(item, recipe) for role, item in volumes.items()}
    result = _measure(measurable(Case(harmonized, masks), recipe), recipe)
    series = pd.Series(result.values, name=recipe.name, dtype=np.float64)
    series.attrs = {"diagnostics": result.diagnostics, "notes": result.notes}
    return series


def _sharing_volumes(samples: Sequence[Sample]) -> Iterator[list[int]]:
    groups: dict[object, list[int]] = {}
    for index, sample in enumerate(samples):
        groups.setdefault(tuple(sorted(sample.images.items())), []).append(index)
    for group in groups.values():
        # Samples of one derivation after each other: it is made once.
        yield sorted(group, key=lambda index: _making(samples[index]))


def _rows(samples: Sequence[Sample], recipe: Recipe, known: Mapping[str, str]) -> Iterator[Row]:
    """Rows of samples that share their volumes."""
    start = perf_counter()
    try:
        volumes = _Volumes({role: load_volume(ref) for role, ref in samples[0].images.items()}, recipe)
    except Exception as error:
        seconds = (perf_counter() - start) / len(samples)
        yield from (_failed(sample, recipe, error, seconds) for sample in samples)
        return
    for sample in samples:
        yield _row(sample, recipe, volumes, known.get(sample.sample_id), start)
        start = perf_counter()


class _Volumes:
    """Volumes as they were read, their digests, and what the recipe measures, made when first asked for."""

    def __init__(self, loaded: Mapping[str, Volume], recipe: Recipe) -> None:
        self.loaded, self._recipe = loaded, recipe
        self.parts = volume_parts(loaded)
        self._made: tuple[object, dict[str, Volume]] = (None, {})

    def ready(self, sample: Sample) -> dict[str, Volume]:
        """What is measured of one sample; kept until another derivation or other facts are asked for."""
        wanted = _making(sample)
        if self._made[0] != wanted:
            self._made = (None, {})  # One set of derived volumes at a time: memory.
            self._made = (wanted, ready(self.loaded, sample, self._recipe))
        return self._made[1]


def _making(sample: Sample) -> tuple[str, tuple[tuple[str, float | str], ...]]:
    """What the measured volumes of a sample depend on beside those that were read."""
    return sample.derivation, tuple(sorted(sample.overrides.items()))


def ready(loaded: Mapping[str, Volume], sample: Sample, recipe: Recipe) -> dict[str, Volume]:
    """Volumes as the recipe measures them: the user's facts, the derivation, then harmonisation.

    Parameters
    ----------
    loaded
        By role, as they were read.
    sample
        Its ``overrides`` and ``derivation`` count. What was derived is the only volume, ``"image"``.

    Raises
    ------
    QuantityError
        When the quantity is none that the recipe accepts, or cannot be told.
    """
    volumes = {role: overridden(volume, sample.overrides) for role, volume in loaded.items()}
    if sample.derivation:
        volumes = {
            "image": derive(volumes, sample.derivation, recipe.harmonize, extrapolate=recipe.extrapolate)
        }
    return {role: _ready(volume, recipe) for role, volume in volumes.items()}


def _row(sample: Sample, recipe: Recipe, volumes: _Volumes, known: str | None, start: float) -> Row:
    inputs = Inputs({})
    try:
        masks, unplaced = _masks(sample, volumes.loaded["image"])
        inputs = Inputs(volumes.parts | override_parts(sample.overrides) | mask_parts(masks))
        if inputs.sha256 == known:
            return _with_inputs(_empty(sample, recipe, perf_counter() - start), inputs)
        case = measurable(Case(volumes.ready(sample), masks, unplaced), recipe)
        result = _measure(case, recipe)
    except Exception as error:
        return _with_inputs(_failed(sample, recipe, error, perf_counter() - start), inputs)
    return Row(
        sample_id=sample.sample_id,
        coords=dict(sample.coords),
        status="ok",
        reason="",
        values=np.array([result.values[name] for name in recipe.features]),
        diagnostics=np.array([result.diagnostics[name] for name in recipe.diagnostics]),
        inputs_sha256=inputs.sha256,
        content_sha256=inputs.content_sha256,
        history=_history(case, recipe, result, inputs),
        seconds=perf_counter() - start,
    )


def _masks(sample: Sample, image: Volume) -> tuple[dict[str, Mask], dict[str, str]]:
    """Masks by role, and why others have no place on the image: only that of the ROI must have one."""
    masks: dict[str, Mask] = {}
    unplaced: dict[str, str] = {}
    for role, ref in sample.masks.items():
        try:
            masks[role] = load_mask(ref, image)
        except GeometryError as error:
            if role == "roi":
                raise
            unplaced[role] = error.reason
    return masks, unplaced


def _with_inputs(row: Row, inputs: Inputs) -> Row:
    """The row of a sample whose inputs were read, but that has no values."""
    if not inputs.parts:
        return row
    history = json.dumps({"inputs": inputs.short()}, separators=(",", ":"))
    return replace(row, inputs_sha256=inputs.sha256, content_sha256=inputs.content_sha256, history=history)


def _failed(sample: Sample, recipe: Recipe, error: Exception, seconds: float) -> Row:
    empty = _empty(sample, recipe, seconds)
    fix = error.fix if isinstance(error, GclnmError) else ""
    return replace(empty, status="failed", reason=_reason(error), fix=fix)


def _empty(sample: Sample, recipe: Recipe, seconds: float) -> Row:
    return Row(
        sample_id=sample.sample_id,
        coords=dict(sample.coords),
        status="unchanged",
        reason="",
        values=np.full(len(recipe.features), np.nan),
        diagnostics=np.full(len(recipe.diagnostics), np.nan),
        seconds=seconds,
    )


def _ready(volume: Volume, recipe: Recipe) -> Volume:
    """The volume in a quantity that the recipe accepts, but for what depends on the ROI."""
    if not recipe.quantity:
        return volume
    # A volume that a user harmonised before must not become SUV twice.
    done = any(step.name == "suv" for step in volume.history)
    ready = volume if done else before_masks(volume, recipe.harmonize)
    return ready if awaits_masks(ready, recipe.harmonize) else _accepted(ready, recipe)


def _accepted(volume: Volume, recipe: Recipe) -> Volume:
    if recipe.quantity and volume.quantity not in recipe.quantity:
        raise QuantityError(
            f"the recipe measures {' or '.join(recipe.quantity)}, the image is in {volume.quantity}",
            fix="Take a recipe for this kind of image, or change recipe.quantity.",
            code="wrong-quantity",
        )
    return volume


def measurable(case: Case, recipe: Recipe) -> Case:
    """The case with its ROI on the image's grid, and the image in the quantity that is measured."""
    case = replace(case, masks={**case.masks, "roi": onto(case.roi, case.image)})
    if not recipe.quantity:
        return case
    image = _accepted(with_masks(case.image, recipe.harmonize, case.masks), recipe)
    return replace(case, volumes={**case.volumes, "image": image})


def _measure(case: Case, recipe: Recipe) -> Result:
    check_regions(case.image, case.masks, recipe.harmonize)
    result = engine(recipe.engine).run(case, recipe.prepare, recipe.compute)
    result |= quantities.run(case, recipe.quantities)
    values = np.array([result.values[name] for name in recipe.features])
    lower, upper = vocabulary.bounds(recipe.features)
    wrong = np.flatnonzero(out_of_bounds(values, lower, upper))
    if wrong.size:
        first = int(wrong[0])
        raise EngineError(
            f"{recipe.features[first]} is {values[first]:.6g}, outside [{lower[first]:g}, {upper[first]:g}]",
            code="out-of-bounds",
        )
    return result


def _history(case: Case, recipe: Recipe, result: Result, inputs: Inputs) -> str:
    notes: dict[str, list[str]] = {}
    for column, note in result.notes.items():
        notes.setdefault(note, []).append(column)
    record: dict[str, Any] = {
        "image": [step.to_dict() for step in case.image.history],
        "roi": [step.to_dict() for step in case.roi.history],
        "inputs": inputs.short(),
        "engine": {"name": recipe.engine, "version": engine(recipe.engine).version},
    }
    record |= {tissue: [step.to_dict() for step in steps] for tissue, steps in result.steps.items()}
    if notes:
        record["notes"] = notes
    return json.dumps(record, separators=(",", ":"), ensure_ascii=True, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a step of the history holds a {type(value).__name__}")


def _reason(error: Exception) -> str:
    """What a failed row says: our own sentence, or only which kind of error came from where."""
    _LOG.debug("a sample failed", exc_info=error)
    if isinstance(error, GclnmError):
        return error.reason
    frames = list(traceback.walk_tb(error.__traceback__))
    module = frames[-1][0].f_globals.get("__name__", "unknown") if frames else "unknown"
    return f"internal: {type(error).__name__} in {module}"
