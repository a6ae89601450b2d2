"""What crosses to a worker: the samples of one volume and a recipe; what comes back: rows, and from where."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gclnm.cohort.footprint import peak_mb
from gclnm.counts import count
from gclnm.errors import EngineError, GclnmError, InputError
from gclnm.images.sample import Sample, VolumeRef
from gclnm.schemas.features import as_numbers, as_text, coordinate_kind

if TYPE_CHECKING:
    from gclnm.pipeline import Row
    from gclnm.recipe.expand import NotMade
    from gclnm.recipe.recipe import Recipe

__all__ = [
    "Reply",
    "Task",
    "check_coordinates",
    "cores",
    "group",
    "phases_in_words",
    "require_samples",
    "require_some",
    "require_unique",
    "run_task",
]


@dataclass(frozen=True, eq=False)
class Task:
    """Samples that share their volumes, so that a worker reads these once.

    ``cost`` is the size of the files (bytes) times the number of samples: good enough to start the
    long tasks first. ``alone`` marks the second and last try of a sample whose worker died.
    """

    samples: tuple[Sample, ...]
    cost: int = 0
    alone: bool = False

    def split(self) -> list[Task]:
        """One task per sample, to be run while nothing else runs."""
        return [Task((sample,), alone=True) for sample in self.samples]


@dataclass(frozen=True, eq=False)
class Reply:
    """What a worker sends back.

    ``outcome`` is a row per sample, or the error that stands for all of them; ``worker`` the name of
    the worker and ``peak_mb`` the most memory that its process has taken so far.
    """

    outcome: list[Row] | GclnmError
    worker: str
    peak_mb: float


def run_task(samples: Sequence[Sample], recipe: Recipe, known: Mapping[str, str] | None = None) -> Reply:
    """One task, in a worker: one thread, whatever the worker was started with.

    An error is returned, not raised: Dask's client waits for ever for a task whose traceback it
    cannot rebuild (one of a RecursionError, say), and foreign text would cross with it.
    """
    return Reply(_rows(samples, recipe, known), _worker(), peak_mb())


def _worker() -> str:
    """Which Dask worker this is: the same after its nanny has restarted it."""
    from distributed import get_worker

    try:
        worker = get_worker()
        return str(worker.nanny or worker.name)
    except ValueError:
        return "none"


def _rows(
    samples: Sequence[Sample], recipe: Recipe, known: Mapping[str, str] | None
) -> list[Row] | GclnmError:
    try:
        import SimpleITK as sitk

        from gclnm import pipeline

        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        return pipeline.run(samples, recipe, known)
    except GclnmError as error:
        return error
    except Exception as error:
        return EngineError(f"{type(error).__name__} in the worker", code="internal")


def group(samples: Sequence[Sample]) -> list[Task]:
    """Samples with equal volumes in one task; large tasks first, equal ones in the given order."""
    members: dict[tuple[object, ...], list[Sample]] = {}
    for sample in samples:
        volumes = tuple((role, ref.volume_id, ref.files) for role, ref in sorted(sample.images.items()))
        members.setdefault(volumes, []).append(sample)
    sizes: dict[VolumeRef, int] = {}
    tasks = []
    for together in members.values():
        refs = together[0].images.values()
        size = sum(sizes.setdefault(ref, _bytes(ref)) for ref in refs)
        tasks.append(Task(tuple(together), cost=size * len(together)))
    return sorted(tasks, key=lambda task: -task.cost)


def _bytes(ref: VolumeRef) -> int:
    """Size of a volume's files, from the first one: the slices of a series are alike."""
    try:
        return os.stat(ref.files[0]).st_size * len(ref.files) if ref.files else 0
    except OSError:
        return 0  # The worker will say what is wrong with it.


def require_samples(samples: object) -> tuple[Sample, ...]:
    """The samples of a call, or a refusal of what are none: a catalog, a name, a table.

    Raises
    ------
    InputError
        With the type of what was passed.
    """
    one: object = samples
    if isinstance(samples, Iterable) and not isinstance(samples, str | bytes | Mapping):
        given = tuple(samples)
        strange = [item for item in given if not isinstance(item, Sample)]
        if not strange:
            return given
        # Rows of a table and paths of a list are named by what holds them; a list by what it holds.
        one = strange[0] if isinstance(samples, Sequence) else samples
    name = type(one).__name__
    raise InputError(
        f"these are no samples; got {'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}",
        fix="Pass what gclnm.pair or gclnm.Samples.from_table returned, and the recipe after it.",
        code="no-samples",
    )


def require_some(
    rows: Sequence[Sample], samples: object, doing: str, not_made: Sequence[NotMade] = ()
) -> None:
    """Refuse a run of no rows, and say where the samples have gone.

    Raises
    ------
    InputError
        When ``rows`` is empty.
    """
    from gclnm.catalog.samples import Samples

    if rows:
        return
    if not_made:
        # A lost row explains more than an image that is no part of what is asked for.
        first = min(not_made, key=lambda one: one.severity != "refused")
        raise InputError(
            f"of {len(not_made)} samples the recipe makes no row: {first.reason}",
            fix=first.fix,
            code="no-samples",
        )
    if isinstance(samples, Samples) and (len(samples.excluded) or not len(samples.unpaired)):
        raise InputError(
            f"no samples to {doing}: all were excluded or filtered",
            fix="Look at .excluded, and at what .query, .one_per or a slice has left.",
            code="no-samples",
        )
    raise InputError(
        f"there are no samples to {doing}",
        fix="Look at .unpaired of gclnm.pair, and at what .query, .one_per or a slice has left.",
        code="no-samples",
    )


def require_unique(samples: Sequence[Sample]) -> None:
    """Refuse samples that would become the same row.

    Raises
    ------
    InputError
        With the patients and ROIs concerned.
    """
    counts = Counter(sample.sample_id for sample in samples)
    twice = {sample.sample_id: sample for sample in samples if counts[sample.sample_id] > 1}
    if not twice:
        return
    names = [f"{s.coords.get('patient_id')} {s.coords.get('roi')}" for s in twice.values()]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    raise InputError(
        f"{count(len(twice), 'row is', 'rows are')} asked for more than once",
        where=", ".join(names[:5]) + more,
        fix="Give each its own roi_instance, rater or volume, or take one with samples.one_per(...).",
        code="duplicate-samples",
    )


def phases_in_words(phases: Iterable[object]) -> str:
    """How many rows of each contrast phase there are, most first; empty where all are of one.

    Examples
    --------
    >>> phases_in_words(["arterial", "native", "arterial"]), phases_in_words(["native", "native"])
    ('arterial 2, native 1', '')
    """
    counts = Counter(str(phase or "unknown") for phase in phases)
    return ", ".join(f"{phase} {n}" for phase, n in counts.most_common()) if len(counts) > 1 else ""


def cores() -> int:
    """Cores that this process may use, containers' limits included."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


def check_coordinates(samples: Sequence[Sample]) -> None:
    """Refuse coordinates that the store would refuse, before anything is computed.

    Raises
    ------
    InputError
        When a coordinate has a name that is not allowed, or text and numbers in one column.
    """
    names = {name: None for sample in samples for name in sample.coords}
    for name in names:
        values = [sample.coords.get(name) for sample in samples]
        kind = coordinate_kind(name, values)
        if kind is not None:
            _ = as_text(name, values) if kind == "str" else as_numbers(name, values)
