"""From samples to rows in the store: what is missing is computed, in parallel, and committed as it comes."""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gclnm.cohort.commits import Commits
from gclnm.cohort.extraction import Extraction
from gclnm.cohort.ledger import Ledger
from gclnm.cohort.resume import todo
from gclnm.cohort.tasks import Task, check_coordinates, cores, group, require_unique, run_task
from gclnm.errors import ClusterError, GclnmError, InputError
from gclnm.images.sample import Sample

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client

    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe
    from gclnm.store.store import FeatureStore

__all__ = ["Extraction", "extract"]

RETRY = "Not tried again by this run: retry_failed=True does."


def extract(
    samples: Iterable[Sample],
    recipe: Recipe | str | Path,
    *,
    store: FeatureStore | str | Path | None = None,
    name: str | None = None,
    replace: bool = False,
    client: Client | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    verify: bool = False,
    progress: bool = True,
) -> Extraction:
    """Compute the features of samples in parallel and keep them in a store.

    Rows that are in the store already are skipped; when nothing is missing, nothing is started.
    Everything that was computed is committed every 256 rows or 60 s, so that an interrupted run
    (Ctrl-C, a lost machine) is continued by calling the same line again.

    Parameters
    ----------
    samples
        What :func:`gclnm.pair` returned, or any samples.
    recipe
        A recipe, the name of a built-in one, or a path to a YAML file.
    store
        Where rows are kept; without one they are in memory, as ``.dataset`` of the result.
    name
        Name of the feature set; the recipe's own by default.
    replace
        Start a new version of a set that was made with another recipe. The old one stays readable
        by tag, commit and date.
    client
        A Dask client whose workers do the computing; by default worker processes on this machine.
        They are started apart from your script, which therefore needs no main guard.
    workers
        Number of local worker processes, of one thread each; by default one per core.
    retry_failed
        Try failed rows again; otherwise they are reported again, but not computed.
    verify
        Compute the rows that are there again, and replace those whose files or contours changed.
        Without it a row that is there is skipped, unless its coordinates have changed.
    progress
        Show a progress bar on stderr.

    Returns
    -------
    Extraction
        A sample that cannot be computed does not end the run: it is a row of ``.failed``.

    Raises
    ------
    InputError
        When samples are empty or two of them would be the same row.
    StoreError
        When the set was made with another recipe and ``replace`` is false.
    ClusterError
        When workers do not start or go away; what was computed until then is committed.

    Examples
    --------
    >>> import gclnm
    >>> gclnm.extract([], "ct")
    Traceback (most recent call last):
    ...
    gclnm.errors.InputError: there are no samples to extract. Look at .unpaired of gclnm.pair.
    """
    from gclnm import pipeline
    from gclnm.recipe.recipe import Recipe
    from gclnm.store.store import open_store

    started = time.perf_counter()
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    recipe = Recipe.of(recipe)
    rows_to_be = tuple(recipe.expand(tuple(samples)))
    if not rows_to_be:
        raise InputError("there are no samples to extract", fix="Look at .unpaired of gclnm.pair.")
    require_unique(rows_to_be)
    check_coordinates(rows_to_be)
    if store is None:
        store = open_store("memory://")
    elif isinstance(store, str | Path):
        store = open_store(str(store))
    name = name or recipe.name
    store.create(name, recipe, replace=replace)
    work = todo(rows_to_be, store, name, retry_failed=retry_failed, verify=verify)
    ledger = Ledger(recipe, Commits(partial(store.append, name, recipe)), work.hashes)
    if work.samples:
        pipeline.check(recipe)
        _compute(work.samples, recipe, ledger, client=client, workers=workers, progress=progress)
    return Extraction(
        store=store,
        name=name,
        recipe=recipe,
        done=ledger.done,
        skipped=work.skipped + ledger.unchanged,
        failed=_failures(rows_to_be, ledger.failed, work.failed),
        seconds=time.perf_counter() - started,
        commit=store.commit,
    )


def _compute(
    samples: Sequence[Sample],
    recipe: Recipe,
    ledger: Ledger,
    *,
    client: Client | None,
    workers: int | None,
    progress: bool,
) -> None:
    """Send the samples out, enter what comes back, commit in time; also when it ends early."""
    from gclnm.cohort.cluster import local_workers, users_workers
    from gclnm.cohort.schedule import finished_tasks

    tasks = group(samples)
    processes = min(workers or cores(), len(tasks))
    place = local_workers(processes) if client is None else users_workers(client)
    with place as pool, _bar(len(samples), recipe.name, progress) as bar:

        def submit(task: Task) -> Any:
            return pool.submit(run_task, task.samples, recipe)

        with contextlib.closing(finished_tasks(tasks, submit, workers=pool.size, alive=pool.alive)) as news:
            try:
                for finished in news:
                    if finished is None:
                        ledger.tick()
                    else:
                        _enter(ledger, bar, *finished)
            except KeyboardInterrupt as stop:
                stop.add_note(f"Stopped; {ledger.close()}. The same line again computes the rest.")
                raise
            except ClusterError as error:
                fix = f"It has {ledger.close()}; the same line again computes the rest."
                raise ClusterError(error.what, where=error.where, fix=fix, code=error.code) from None
            ledger.close()


def _enter(ledger: Ledger, bar: Any, task: Task, outcome: list[Row] | GclnmError) -> None:
    ledger.enter(task.samples, outcome)
    bar.set_postfix(failed=len(ledger.failed), refresh=False)
    bar.update(len(task.samples))


def _bar(total: int, name: str, show: bool) -> Any:
    with warnings.catch_warnings():
        # Without ipywidgets tqdm falls back to text, which is what we want; it need not say so.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(total=total, desc=f"extract {name}", unit="row", disable=not show, file=sys.stderr)


def _failures(
    samples: Sequence[Sample], now: Mapping[str, tuple[str, str]], before: Mapping[str, str]
) -> pd.DataFrame:
    """One row per failed sample: who it is, why, what to do, and whether this run has tried it."""
    import pandas as pd

    reasons = {key: (reason, RETRY) for key, reason in before.items()} | dict(now)
    records = [
        {"sample_id": key, **sample.coords, "reason": reason, "fix": fix, "tried": key in now}
        for sample in samples
        if (key := sample.sample_id) in reasons
        for reason, fix in (reasons[key],)
    ]
    return pd.DataFrame(records, columns=None if records else ["sample_id", "reason", "fix", "tried"])
