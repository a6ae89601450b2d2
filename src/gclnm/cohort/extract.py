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

from gclnm.cohort.extraction import Extraction
from gclnm.cohort.interrupt import CtrlC
from gclnm.cohort.ledger import Ledger
from gclnm.cohort.recall import Recall
from gclnm.cohort.resume import Todo, todo
from gclnm.cohort.same_images import same_images
from gclnm.cohort.tasks import (
    Reply,
    Task,
    check_coordinates,
    cores,
    group,
    phases_in_words,
    require_samples,
    require_some,
    require_unique,
    run_task,
)
from gclnm.cohort.twins import settle, twins_of
from gclnm.errors import ClusterError, GclnmError, InputError, StoreError
from gclnm.images.sample import Sample

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client

    from gclnm.recipe.expand import NotMade
    from gclnm.recipe.recipe import Recipe
    from gclnm.store.same_as import SameAs
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
    same_as: SameAs = None,
    progress: bool = True,
) -> Extraction:
    """Compute the features of samples in parallel and keep them in a store.

    Rows that are in the store already are skipped, unless their images, contours or coordinates have
    changed; when nothing is missing and nothing has changed, nothing is started. A file is taken as
    unchanged when its path, size and time of change are those that this machine remembers; otherwise
    it is read, and its row computed anew when what was read differs.
    Everything that was computed is committed every 256 rows or 60 s, so that an interrupted run
    (Ctrl-C, a lost machine) is continued by calling the same line again.

    A sample whose voxels, grid and contour are those of another one, on a volume of its own, is held
    back: it is most likely a second export of the same patient under other identifiers. It is a row
    of ``.failed`` and of ``.twins``, and never a second row of features.

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
        Try all failed rows again; otherwise those whose files have not changed since are reported
        again, but not computed.
    verify
        Read all files again, also those that look unchanged, and replace the rows that come from
        other images or contours now.
    same_as
        What held-back samples are: ``.twins`` of an earlier run (or a CSV of it), or a mapping of
        ``sample_id`` to the one that counts. A linked sample is that row from then on, in later runs
        too, and has no features of its own. A sample mapped to itself is truly different, and gets its
        row.
    progress
        Show a progress bar on stderr.

    Returns
    -------
    Extraction
        A sample that cannot be computed does not end the run: it is a row of ``.failed``.

    Raises
    ------
    InputError
        When there are no samples, two of them would be the same row, or ``same_as`` names none of
        them or samples that nobody knows.
    StoreError
        When the set was made with another recipe and ``replace`` is false.
    RecipeError
        When a normalization has not been learnt yet (:func:`gclnm.fit`).
    ClusterError
        When workers do not start or go away; what was computed until then is committed.

    Examples
    --------
    >>> import gclnm
    >>> gclnm.extract([], "ct")
    Traceback (most recent call last):
    ...
    gclnm.errors.InputError: there are no samples to extract. Look at .unpaired of gclnm.pair, and ...
    """
    from gclnm import pipeline
    from gclnm.recipe.recipe import Recipe
    from gclnm.store.store import open_store

    started = time.perf_counter()
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    given = require_samples(samples)
    recipe = Recipe.of(recipe)
    recipe.require_learnt()
    expansion = recipe.expansion(given)
    rows_to_be = expansion.samples
    require_some(rows_to_be, samples, "extract", expansion.refused)
    require_unique(rows_to_be)
    check_coordinates(rows_to_be)
    if store is None:
        store = open_store("memory://")
    elif isinstance(store, str | Path):
        store = open_store(str(store))
    name = name or recipe.name
    # Asked before a new version takes the place of the set: its links stay true, and wrong ones are
    # refused before anything is written.
    settled = settle(rows_to_be, store, name, same_as, fresh=_will_be_fresh(store, name, recipe, replace))
    store.create(name, recipe, replace=replace)
    if settled.links:
        store.link(name, settled.links, coords={sample.sample_id: sample.coords for sample in rows_to_be})
    distinct = settled.distinct
    recall = Recall(rows_to_be, recipe)
    work = todo(
        rows_to_be,
        store,
        name,
        retry_failed=retry_failed,
        unchanged={} if verify else recall.inputs(),
        unread=() if verify else recall.unread(),
        distinct=distinct,
    )
    ledger = Ledger(recipe, partial(store.offer, name, recipe, distinct=distinct), work, recall.learn)
    if work.samples:
        pipeline.check(recipe)
        try:
            _compute(work, recipe, ledger, client=client, workers=workers, progress=progress)
        finally:
            recall.save()
    before = {key: reason for key, reason in work.failed.items() if key not in ledger.recovered}
    twins = twins_of(rows_to_be, store, name)
    return Extraction(
        store=store,
        name=name,
        recipe=recipe,
        done=ledger.done,
        skipped=work.skipped + ledger.unchanged,
        failed=_failures(rows_to_be, ledger.failed, before),
        twins=twins,
        same_images=same_images(rows_to_be, ledger.images, distinct.union(twins["sample_id"])),
        not_made=_not_made(expansion.refused),
        phases=phases_in_words(sample.coords.get("phase") for sample in rows_to_be),
        seconds=time.perf_counter() - started,
        commit=store.commit,
        peak_mb=ledger.peak_mb,
        replaced=ledger.replaced,
    )


def _will_be_fresh(store: FeatureStore, name: str, recipe: Recipe, replace: bool) -> bool:
    """Whether the set is new, or a new version will take its place."""
    sets = store.sets()
    made_with = sets.loc[sets["set"] == name, "recipe_id"]
    return made_with.empty or (replace and not recipe.id.startswith(made_with.item()))


def _compute(
    work: Todo,
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

    tasks = group(work.samples)
    processes = min(workers or cores(), len(tasks))
    place = local_workers(processes) if client is None else users_workers(client)
    with place as pool, _bar(len(work.samples), recipe.name, progress) as bar:

        def submit(task: Task) -> Any:
            keys = [sample.sample_id for sample in task.samples]
            known = {key: work.hashes[key] for key in keys if key in work.hashes}
            return pool.submit(run_task, task.samples, recipe, known)

        ctrl_c = CtrlC()
        news = finished_tasks(tasks, submit, workers=pool.size, alive=pool.alive, stop=ctrl_c.asked)
        with ctrl_c, contextlib.closing(news):
            try:
                for finished in news:
                    if finished is None:
                        ledger.tick()
                    else:
                        _enter(ledger, bar, *finished)
                ledger.close()
            except KeyboardInterrupt as stop:
                if ctrl_c.times > 1:
                    raise
                stop.add_note(f"Stopped; {ledger.close()}. The same line again computes the rest.")
                raise
            except ClusterError as error:
                fix = f"It has {ledger.close()}; the same line again computes the rest."
                raise ClusterError(error.what, where=error.where, fix=fix, code=error.code) from None
            except StoreError as error:
                fix = f"{error.fix} The run has {ledger.committed()}; the same line again computes the rest."
                raise StoreError(error.what, where=error.where, fix=fix.strip(), code=error.code) from error


def _enter(ledger: Ledger, bar: Any, task: Task, reply: Reply | GclnmError) -> None:
    ledger.enter(task.samples, reply)
    bar.set_postfix(failed=len(ledger.failed), refresh=False)
    bar.update(len(task.samples))


def _bar(total: int, name: str, show: bool) -> Any:
    with warnings.catch_warnings():
        # Without ipywidgets tqdm falls back to text, which is what we want; it need not say so.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(total=total, desc=f"extract {name}", unit="row", disable=not show, file=sys.stderr)


def _not_made(refused: Sequence[NotMade]) -> pd.DataFrame:
    """One row for each thing that the recipe asks for and that no image gives."""
    import pandas as pd

    names = ("patient_id", "roi", "roi_instance", "rater", "phase")
    records = [
        {
            **{name: one.sample.coords.get(name) for name in names},
            **{name: getattr(one, name) for name in ("severity", "code", "reason", "fix")},
        }
        for one in refused
    ]
    return pd.DataFrame(records, columns=[*names, "severity", "code", "reason", "fix"])


def _failures(
    samples: Sequence[Sample], now: Mapping[str, tuple[str, str]], before: Mapping[str, str]
) -> pd.DataFrame:
    """One row per failed sample: who it is, why, what to do, and whether this run has tried it."""
    import pandas as pd

    from gclnm.store.links import HELD_BACK, named_sample

    left = {key: (reason, HELD_BACK if named_sample(reason) else RETRY) for key, reason in before.items()}
    reasons = left | dict(now)
    names = dict.fromkeys(name for sample in samples for name in sample.coords)
    records = [
        {"sample_id": key, **sample.coords, "reason": reason, "fix": fix, "tried": key in now}
        for sample in samples
        if (key := sample.sample_id) in reasons
        for reason, fix in (reasons[key],)
    ]
    return pd.DataFrame(records, columns=["sample_id", *names, "reason", "fix", "tried"])
