"""What a recipe learns from training cases: the standard scale of a Nyúl normalization."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gclnm.cohort.tasks import Task, cores, group, require_samples, require_some, require_unique
from gclnm.errors import EngineError, FitWarning, GclnmError, InputError, RecipeError

if TYPE_CHECKING:
    from distributed import Client

    from gclnm.images.sample import Sample
    from gclnm.images.volume import Mask, Volume
    from gclnm.recipe.recipe import Recipe

__all__ = ["fit"]


def fit(
    samples: Iterable[Sample],
    recipe: Recipe | str | Path,
    *,
    min_cases: int = 5,
    client: Client | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Recipe:
    """Learn the normalization of a recipe from training cases, and write it into the recipe.

    Only ``harmonize.mr.normalize`` with method ``nyul`` learns: where the percentiles of the body, without
    the ROIs, lie on a standard scale (Nyúl and Udupa 1999). An image counts once, however many ROIs it
    has; N4 comes first where the recipe asks for it. Take training cases only, of one sequence: what is
    learnt from test cases makes results look better than they are.

    Parameters
    ----------
    samples
        The training cases: what :func:`gclnm.pair` returned, or any samples.
    recipe
        A recipe, the name of a built-in one, or a path to a YAML file. What it had learnt is replaced.
    min_cases
        Fewest images to learn from.
    client, workers
        Where it is computed, as in :func:`gclnm.extract`.
    progress
        Show a progress bar on stderr.

    Returns
    -------
    Recipe
        With ``harmonize.mr.normalize.standard``: the landmarks, the number of images, and the training
        samples (their digest alone when there are more than 100). It has an ``id`` of its own.

    Warns
    -----
    FitWarning
        Cases that could not be read or have no landmarks: how many, which, and why.

    Raises
    ------
    RecipeError
        When the recipe has nothing to learn.
    InputError
        When fewer than ``min_cases`` images remain, or samples are of several sequences.

    Examples
    --------
    >>> import gclnm
    >>> gclnm.fit([], "mr-t1")
    Traceback (most recent call last):
    ...
    gclnm.errors.RecipeError: the recipe has nothing to learn. Set harmonize.mr.normalize to ...
    """
    from gclnm.harmonize.mr.nyul import standard_scale
    from gclnm.harmonize.mr.settings import Nyul
    from gclnm.recipe.recipe import Recipe

    recipe = Recipe.of(recipe)
    method = recipe.harmonize.mr.normalize
    if not isinstance(method, Nyul):
        raise RecipeError(
            "the recipe has nothing to learn",
            fix='Set harmonize.mr.normalize to {"method": "nyul"}; the other methods need no training.',
            code="nothing-to-learn",
        )
    given = tuple(recipe.expand(require_samples(samples)))
    require_some(given, samples, "learn from")
    require_unique(given)
    _require_one_sequence(given)
    lessons = _lessons(given, recipe, client=client, workers=workers, progress=progress)
    learnt = [lesson for lesson in lessons if lesson.landmarks]
    left_out = {key: error for lesson in lessons for key, error in lesson.left_out.items()}
    reasons = _reasons(given, left_out)
    if len(learnt) < max(1, min_cases):
        raise InputError(
            f"{len(learnt)} images can be learnt from, fewer than {max(1, min_cases)}",
            where="; ".join(reasons),
            fix="Add training samples; min_cases= sets the number.",
            code="too-few-cases",
        )
    if left_out:
        message = f"{len(left_out)} of {len(given)} samples were left out: " + "; ".join(reasons)
        warnings.warn(FitWarning(message), stacklevel=2)
    # In the order of the samples, not of the workers: sums of floats depend on it.
    order = {sample.sample_id: place for place, sample in enumerate(given)}
    learnt.sort(key=lambda lesson: order[lesson.used[0]])
    used = [key for lesson in learnt for key in lesson.used]
    standard = standard_scale([lesson.landmarks for lesson in learnt], method, used)
    return recipe.with_(harmonize__mr__normalize__standard=standard)


@dataclass(frozen=True)
class Lesson:
    """What one image taught: its landmarks, the samples that stand for it, and those that could not."""

    landmarks: tuple[float, ...] = ()
    used: tuple[str, ...] = ()
    left_out: Mapping[str, GclnmError] = field(default_factory=dict)


def learn(samples: Sequence[Sample], recipe: Recipe) -> Lesson:
    """Landmarks of the image that samples share, in a worker; an error is returned, never raised."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    keys = [sample.sample_id for sample in samples]
    left_out: dict[str, GclnmError] = {}
    try:
        image = _image(samples[0], recipe)
        masks = {}
        for key, sample in zip(keys, samples, strict=True):
            try:
                masks[key] = _roi(sample, image)
            except Exception as error:
                left_out[key] = _ours(error)
        landmarks = _landmarks(image, list(masks.values()), recipe) if masks else ()
        return Lesson(landmarks, tuple(masks), left_out)
    except Exception as error:
        return Lesson(left_out=dict.fromkeys(keys, _ours(error)))


def _image(sample: Sample, recipe: Recipe) -> Volume:
    from gclnm.harmonize.dispatch import before_masks
    from gclnm.harmonize.mr.signal import require_signal
    from gclnm.images.load import load_volume

    if sample.derivation:
        raise InputError("a standard scale is learnt from images as they were acquired", code="derived")
    image = before_masks(load_volume(sample.images["image"]), recipe.harmonize)
    require_signal(image, "normalize")
    return image


def _roi(sample: Sample, image: Volume) -> Mask:
    from gclnm.images.load import load_mask
    from gclnm.prepare.grid import onto

    return onto(load_mask(sample.masks["roi"], image), image)


def _landmarks(image: Volume, rois: Sequence[Mask], recipe: Recipe) -> tuple[float, ...]:
    from gclnm.harmonize.mr.normalize import region
    from gclnm.harmonize.mr.nyul import histogram_landmarks
    from gclnm.harmonize.mr.settings import Nyul
    from gclnm.images.volume import Mask

    method = cast(Nyul, recipe.harmonize.mr.normalize)
    together = Mask(reduce(np.logical_or, (roi.array for roi in rois)), image.geometry)
    inside = region(image, together if method.exclude_roi else None)
    return tuple(float(v) for v in histogram_landmarks(image.array[inside], method.percentiles))


def _ours(error: Exception) -> GclnmError:
    if isinstance(error, GclnmError):
        return error
    return EngineError(f"{type(error).__name__} in the worker", code="internal")


def _lessons(
    samples: Sequence[Sample],
    recipe: Recipe,
    *,
    client: Client | None,
    workers: int | None,
    progress: bool,
) -> list[Lesson]:
    """One for each image, in the order in which workers finish."""
    from gclnm.cohort.cluster import local_workers, users_workers
    from gclnm.cohort.interrupt import CtrlC
    from gclnm.cohort.schedule import finished_tasks

    tasks = group(samples)
    processes = min(workers or cores(), len(tasks))
    place = local_workers(processes) if client is None else users_workers(client)
    found: list[Lesson] = []
    with place as pool, _bar(len(tasks), progress) as bar:

        def submit(task: Task) -> Any:
            return pool.submit(learn, task.samples, recipe)

        ctrl_c = CtrlC()
        news = finished_tasks(tasks, submit, workers=pool.size, alive=pool.alive, stop=ctrl_c.asked)
        with ctrl_c, contextlib.closing(news):
            for finished in news:
                if finished is not None:
                    task, reply = finished
                    found.append(_lesson(task, reply))
                    bar.update(1)
    return found


def _lesson(task: Task, reply: object) -> Lesson:
    """What a worker sent; or, where it died, that its samples are left out."""
    if isinstance(reply, GclnmError):
        return Lesson(left_out={sample.sample_id: reply for sample in task.samples})
    return cast(Lesson, reply)


def _bar(total: int, show: bool) -> Any:
    with warnings.catch_warnings():
        # Without ipywidgets tqdm falls back to text, which is what we want; it need not say so.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(total=total, desc="fit", unit="image", disable=not show, file=sys.stderr)


def _require_one_sequence(samples: Sequence[Sample]) -> None:
    sequences = Counter(str(sample.coords.get("sequence") or "unknown") for sample in samples)
    named = {name: n for name, n in sequences.items() if name != "unknown"}
    if len(named) > 1:
        raise InputError(
            "the training samples are of several sequences: "
            + ", ".join(f"{name} {n}" for name, n in sorted(named.items())),
            fix="A standard scale is that of one sequence: samples.query(\"sequence == '...'\").",
            code="several-sequences",
        )


def _reasons(samples: Sequence[Sample], left_out: Mapping[str, GclnmError]) -> list[str]:
    """A sentence for each kind of reason, with the first patients concerned."""
    names: dict[str, list[str]] = {}
    for sample in samples:
        error = left_out.get(sample.sample_id)
        if error is not None:
            names.setdefault(error.reason, []).append(str(sample.coords.get("patient_id", "")))
    return [
        f"{len(who)} x {reason} ({', '.join(who[:5])}{' ...' if len(who) > 5 else ''})"
        for reason, who in names.items()
    ]
