"""What a run costs beside its computing: client, scheduler and store, per sample, at ten thousand samples.

    python benchmarks/overhead.py                    # 10,000 samples of the recipe "ct", 2 workers
    python benchmarks/overhead.py --samples 1000     # the same, small
    python benchmarks/overhead.py --profile          # and the functions of the client that take longest

Schedule, ledger, commits, store, Dask's scheduler and worker processes are the real ones; only the computing
is replaced by a function that returns ready rows at once. Every sample has a volume and a mask file of its
own, so that a task is one sample: the worst case. "busy" is processor time: of the client's main thread in
each part of its work, of the client's other threads (Dask's scheduler lives there), of both workers. The last
table says how much of two workers is used when samples take so long.
"""

from __future__ import annotations

import argparse
import cProfile
import functools
import hashlib
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.cohort.tasks import Reply
    from gclnm.images import Sample
    from gclnm.recipe.recipe import Recipe

WORKERS = 2
WORK_MS = (10, 50, 200)


@functools.cache
def bounds(features: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the values of features may lie; made once in a process."""
    from gclnm import vocabulary

    lower, upper = vocabulary.bounds(features)
    low = np.where(np.isfinite(lower), lower, 0.0)
    return low, np.where(np.isfinite(upper), upper, low + 1.0)


def ready_rows(samples: Sequence[Sample], recipe: Recipe, known: Mapping[str, str], work_s: float) -> Reply:
    """What `run_task` would send back, without reading or computing anything; a worker runs this."""
    from gclnm.cohort.footprint import peak_mb
    from gclnm.cohort.tasks import Reply
    from gclnm.pipeline import Row

    time.sleep(work_s)
    low, high = bounds(tuple(recipe.features))
    rows = []
    for sample in samples:
        digest = hashlib.sha256(sample.sample_id.encode()).hexdigest()
        share = np.random.default_rng(int(digest[:8], 16)).random(len(low))
        rows.append(
            Row(
                sample_id=sample.sample_id,
                coords=dict(sample.coords),
                status="ok",
                reason="",
                values=low + share * (high - low),
                diagnostics=np.full(len(recipe.diagnostics), 5.0),
                inputs_sha256=digest,
                content_sha256=digest,
                history='{"image":[{"step":"rescale","settings":{"slope":1}}],"roi":[]}' + " " * 500,
                seconds=0.1,
            )
        )
    return Reply(rows, str(os.getpid()), peak_mb())


def make_samples(folder: Path, number: int) -> list[Sample]:
    """Samples with a volume and a mask of their own; the files hold nothing."""
    from gclnm.images import MaskRef, Sample, VolumeRef

    folder.mkdir()
    samples = []
    for index in range(number):
        image, mask = folder / f"{index}.nii", folder / f"{index}-mask.nii"
        image.touch()
        mask.touch()
        coords: dict[str, Any] = {"patient_id": f"P{index:06d}", "roi": "tumour", "roi_instance": "1"}
        coords |= {"modality": "CT", "phase": "portal_venous", "energy_kev": 70.0, "centre": f"C{index % 5}"}
        volume = VolumeRef(f"{index}", "image", (str(image),), modality="CT")
        samples.append(Sample({"image": volume}, {"roi": MaskRef("labelmap", str(mask), 1)}, coords))
    return samples


class Clock:
    """Seconds and processor time of the client's main thread, part by part; a part holds no other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.busy: dict[str, float] = {}
        self._open: list[str] = ["other"]
        self._since = (time.perf_counter(), time.thread_time())

    def _enter(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        part = self._open[-1]
        self.seconds[part] = self.seconds.get(part, 0.0) + now[0] - self._since[0]
        self.busy[part] = self.busy.get(part, 0.0) + now[1] - self._since[1]
        self._since = now

    def wrap(self, place: Any, name: str, part: str) -> None:
        """Count the time in a function as a part."""
        function = getattr(place, name)

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            self._enter()
            self._open.append(part)
            try:
                return function(*arguments, **options)
            finally:
                self._enter()
                self._open.pop()

        setattr(place, name, timed)

    def stop(self) -> None:
        """Count what has passed since the last part."""
        self._enter()


def instrument(clock: Clock, extract: Any) -> None:
    """Time the parts of a run, by the functions that do them."""
    from gclnm.cohort import schedule
    from gclnm.cohort.cluster import Workers
    from gclnm.cohort.ledger import Ledger
    from gclnm.store.store import FeatureStore

    class Waiting(schedule.SimpleQueue):  # type: ignore[misc,name-defined]
        pass

    clock.wrap(Waiting, "get", "waiting for workers")
    schedule.SimpleQueue = Waiting  # type: ignore[misc]
    clock.wrap(Workers, "submit", "submitting tasks")
    clock.wrap(Ledger, "enter", "checking rows (ledger)")
    clock.wrap(Ledger, "_commit", "handing rows to the store")
    clock.wrap(FeatureStore, "offer", "commits (store)")
    clock.wrap(extract, "todo", "what is there already")
    clock.wrap(extract, "Recall", "fingerprints of files")
    clock.wrap(extract, "group", "samples to tasks")
    clock.wrap(extract, "require_unique", "sample_ids")
    clock.wrap(extract, "check_coordinates", "coordinates")
    clock.wrap(extract, "settle", "links between samples")
    clock.wrap(extract, "twins_of", "links between samples")


@contextmanager
def profiled(asked: bool) -> Iterator[None]:
    """Print the functions of this thread that take longest."""
    if not asked:
        yield
        return
    with cProfile.Profile() as profile:
        yield
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(25)


def main() -> None:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--recipe", default="ct")
    parser.add_argument("--profile", action="store_true", help="show the client's slowest functions")
    asked = parser.parse_args()
    # Workers import this file by its name.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")])
    )
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["GCLNM_CACHE"] = str(Path(temporary) / "cache")
        measure(Path(temporary), asked.samples, asked.recipe, asked.profile)


def measure(place: Path, number: int, recipe_name: str, profile: bool) -> None:
    """A run of everything, the same again, and runs of samples that take their time."""
    import importlib

    import gclnm
    from gclnm.cohort.cluster import local_workers

    here: Any = importlib.import_module("overhead")
    extract: Any = importlib.import_module("gclnm.cohort.extract")
    recipe = gclnm.Recipe.named(recipe_name)
    samples = make_samples(place / "images", number)
    url = str(place / "store")
    with local_workers(WORKERS) as pool:
        pool.client.wait_for_workers(WORKERS)

        def run(some: Sequence[Sample], store: str, work_s: float = 0.0) -> Any:
            extract.run_task = functools.partial(here.ready_rows, work_s=work_s)
            return extract.extract(some, recipe, store=store, client=pool.client, progress=False)

        run(samples[:8], str(place / "warm"))
        efficiency = [(ms, efficiency_of(run, samples, place, ms)) for ms in WORK_MS]
        clock = Clock()
        instrument(clock, extract)
        before = cpu_of(pool.client)
        clock.stop()
        clock.seconds.clear()
        clock.busy.clear()
        with profiled(profile):
            done = run(samples, url)
        clock.stop()
        spent = {name: after - before[name] for name, after in cpu_of(pool.client).items()}
        assert done.done == number, done
    print(
        f"{number:,} samples of one row, {len(recipe.features)} features, {WORKERS} workers compute nothing\n"
    )
    total = sum(clock.seconds.values())
    lines = [(part, clock.seconds[part], clock.busy[part]) for part in clock.seconds]
    lines = sorted(lines, key=lambda line: -line[1])
    lines.append(("all of it, main thread", total, sum(clock.busy.values())))
    print(f"{'':<30}{'seconds':>9}{'busy':>9}{'ms per sample':>15}")
    for part, seconds, busy in lines:
        print(f"{part:<30}{seconds:>9.2f}{busy:>9.2f}{1000 * seconds / number:>15.3f}")
    other = spent["client"] - sum(clock.busy.values())
    for part, busy in (("the client's other threads", other), ("both workers", spent["workers"])):
        print(f"{part:<30}{'':>9}{busy:>9.2f}{1000 * busy / number:>15.3f}")
    started = time.perf_counter()
    with profiled(profile):
        again = gclnm.extract(samples, recipe, store=url, progress=False)
    seconds = time.perf_counter() - started
    assert again.skipped == number, again
    print(f"\nagain, nothing to do: {seconds:.2f} s, {1000 * seconds / number:.3f} ms per sample")
    print(f"\n{'a sample takes':<18}{'two workers are used':>22}")
    for ms, share in efficiency:
        print(f"{f'{ms} ms':<18}{share:>22.1%}")


def efficiency_of(run: Callable[..., Any], samples: Sequence[Sample], place: Path, work_ms: int) -> float:
    """Share of two workers' time that goes into computing, when a sample takes so long."""
    some = samples[: min(len(samples), max(60, 20_000 // work_ms))]
    started = time.perf_counter()
    run(some, str(place / f"efficiency-{work_ms}"), work_ms / 1000)
    return len(some) * work_ms / 1000 / WORKERS / (time.perf_counter() - started)


def cpu_of(client: Any) -> dict[str, float]:
    """Processor time so far, of the client's process and of its workers."""
    return {"client": time.process_time(), "workers": sum(client.run(time.process_time).values())}


if __name__ == "__main__":
    main()
