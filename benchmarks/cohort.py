"""A cohort of CT samples: a plain loop over pyradiomics, gclnm with 1 and 2 workers, and nothing to do.

    python benchmarks/cohort.py                    # the CT samples of GCLNM_DATA/sts
    python benchmarks/cohort.py path/to/dicom --roi "GTV.*" --patients 4 --repeat 1

Every measurement runs in a process of its own, one after the other. The loop uses gclnm's readers
and calls pyradiomics itself, with the same settings (original, LoG 1 to 5 mm, wavelet, 1 mm), on one
thread as each worker; a second loop leaves ITK's threads as they come. pyradiomics' additionalInfo
(digests of the images, about a tenth of its time) is off: gclnm does without it. Imports and the start of the
cluster are given apart. "cpu" is the processor time of all processes while the clock ran: unlike
seconds, it hardly depends on what else the machine does. The numbers of all ways are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SETTINGS = """
imageType: {Original: {}, LoG: {sigma: [1.0, 2.0, 3.0, 4.0, 5.0]}, Wavelet: {}}
featureClass: {shape: , firstorder: , glcm: , glrlm: , glszm: , gldm: , ngtdm: }
setting: {resampledPixelSpacing: [1, 1, 1], interpolator: sitkBSpline, padDistance: 10, binWidth: 25,
  additionalInfo: false}
"""
WORKERS = (1, 2)
WIDTHS = (9, 15, 10, 7, 9, 9, 9, 27)


def main() -> None:
    """Run everything and print the table."""
    asked = arguments()
    if asked.run:
        job = JOBS[asked.run]
        print(json.dumps(job(Path(asked.folder), asked.workers)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        (place / "settings.yaml").write_text(SETTINGS)
        samples = prepare(asked.folder, asked.roi, asked.patients, place)
        ways = [("loop", 1), ("loop_itk_threads", 0), *(("gclnm", n) for n in WORKERS)]
        runs: dict[str, list[dict[str, Any]]] = {}
        for repeat in range(asked.repeat):
            for way, workers in ways:
                print(f"run {repeat + 1} of {asked.repeat}: {label(way, workers)}", file=sys.stderr)
                runs.setdefault(label(way, workers), []).append(measure(way, place, workers))
        again = [measure("again", place, 0) for _ in range(asked.repeat)]
        report(samples, runs, again)


def arguments() -> argparse.Namespace:
    """What was asked on the command line; --run is how the benchmark calls itself."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = os.path.join(os.environ.get("GCLNM_DATA", "."), "sts")
    parser.add_argument("folder", nargs="?", default=default, help="folder of DICOM (default GCLNM_DATA/sts)")
    parser.add_argument("--roi", default="GTV.*", help="name or pattern of the ROI")
    parser.add_argument("--patients", type=int, help="only the first so many samples")
    parser.add_argument("--repeat", type=int, default=3, help="how often; medians are shown")
    parser.add_argument("--run", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def label(way: str, workers: int) -> str:
    """The way's name in the table."""
    names = {"loop": "plain loop, 1 thread", "loop_itk_threads": "plain loop, ITK's threads"}
    return names.get(way) or f"gclnm, {workers} worker{'s' if workers > 1 else ''}"


def prepare(folder: str, roi: str, patients: int | None, place: Path) -> int:
    """Scan, pair, and keep the CT samples for the processes to come; how many there are."""
    import gclnm

    paired = gclnm.pair(gclnm.scan(folder, progress=False), roi=roi, modality="CT")
    samples = list(paired)[:patients]
    (place / "samples.pickle").write_bytes(pickle.dumps(samples))
    return len(samples)


def measure(way: str, place: Path, workers: int) -> dict[str, Any]:
    """One run in a process of its own, with its wall time."""
    command = [sys.executable, __file__, str(place), "--run", way, "--workers", str(workers)]
    environment = dict(os.environ)
    if way == "loop":
        environment |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
    started = time.perf_counter()
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
    return {**json.loads(printed.splitlines()[-1]), "process": time.perf_counter() - started}


def load(place: Path) -> Sequence[Any]:
    """The samples that were prepared (a file of this run's own making)."""
    found: Sequence[Any] = pickle.loads((place / "samples.pickle").read_bytes())
    return found


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)


def cpu_seconds() -> float:
    """Processor time of this process so far."""
    return time.process_time()


def run_loop(place: Path, _: int) -> dict[str, Any]:
    """The loop one would write: read, call pyradiomics, keep the numbers."""
    started = time.perf_counter()
    import logging

    import SimpleITK  # noqa: F401
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    from gclnm.images.load import load_mask, load_volume

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    samples = load(place)
    extractor = RadiomicsFeatureExtractor(str(place / "settings.yaml"))
    imported = time.perf_counter()
    before = cpu_seconds()
    values = {}
    for sample in samples:
        volume = load_volume(sample.images["image"])
        mask = load_mask(sample.masks["roi"], volume)
        found = extractor.execute(volume.to_sitk(), mask.to_sitk())
        values[sample.sample_id] = {
            name: float(value) for name, value in found.items() if not name.startswith("diagnostics_")
        }
    seconds = time.perf_counter() - imported
    times = {"imports": imported - started, "seconds": seconds, "cpu": cpu_seconds() - before}
    return {**times, "peak_mb": [peak_mb()], "values": values}


def run_gclnm(place: Path, workers: int) -> dict[str, Any]:
    """The same through extract; workers are up and have imported before the clock starts."""
    started = time.perf_counter()
    import gclnm
    from gclnm import pipeline
    from gclnm.cohort.cluster import local_workers

    samples = load(place)
    recipe = gclnm.Recipe.from_pyradiomics(place / "settings.yaml", name="benchmark")
    pipeline.check(recipe)
    store = gclnm.open_store(place / f"store-{workers}-{os.getpid()}")
    imported = time.perf_counter()
    with local_workers(workers) as pool:
        pool.client.wait_for_workers(workers)
        pool.client.run(pipeline.check, recipe)
        ready = time.perf_counter()
        before = cpu_seconds() + sum(pool.client.run(cpu_seconds).values())
        done = gclnm.extract(samples, recipe, store=store, client=pool.client, progress=False)
        seconds = time.perf_counter() - ready
        cpu = cpu_seconds() + sum(pool.client.run(cpu_seconds).values()) - before
        peaks = [peak_mb(), *pool.client.run(peak_mb).values()]
    data = done.dataset
    (place / "store").write_text(store.url)
    values = {
        key: dict(zip(data["feature"].values.tolist(), row, strict=True))
        for key, row in zip(data["sample_id"].values.tolist(), data["value"].values.tolist(), strict=True)
    }
    times = {"imports": imported - started, "cluster": ready - imported, "seconds": seconds, "cpu": cpu}
    return {**times, "peak_mb": peaks, "values": values, "failed": len(done.failed)}


def run_again(place: Path, _: int) -> dict[str, Any]:
    """The last extraction once more: everything is there."""
    import gclnm

    samples = load(place)
    recipe = gclnm.Recipe.from_pyradiomics(place / "settings.yaml", name="benchmark")
    run = gclnm.extract(samples, recipe, store=(place / "store").read_text(), progress=False)
    return {
        "done": run.done,
        "skipped": run.skipped,
        "extract": run.seconds,
        "cluster": "distributed" in sys.modules,
    }


def difference(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Largest relative difference of two runs' values, over all samples and features."""
    worst = 0.0
    for sample, values in theirs.items():
        for name, value in values.items():
            if value == value or ours[sample][name] == ours[sample][name]:
                scale = max(abs(value), abs(ours[sample][name]), 1e-300)
                worst = max(worst, abs(value - ours[sample][name]) / scale)
    return worst


def report(samples: int, runs: dict[str, list[dict[str, Any]]], again: list[dict[str, Any]]) -> None:
    """Print the tables."""
    first = next(iter(runs.values()))
    features = len(next(iter(first[0]["values"].values())))
    base = statistics.median(run["seconds"] for run in first)
    print(f"\n{samples} CT samples x {features} features, medians of {len(first)}, {os.cpu_count()} cores\n")
    head = (
        "seconds",
        "min-max",
        "loop = 1",
        "speed",
        "cpu",
        "imports",
        "cluster",
        "peak MB (client, workers)",
    )
    print(f"{'':<26}" + "".join(f"{title:>{width}}" for title, width in zip(head, WIDTHS, strict=True)))
    for name, times in runs.items():
        seconds = [run["seconds"] for run in times]
        middle = statistics.median(seconds)
        columns = zip(*(run["peak_mb"] for run in times), strict=True)
        cells = (
            f"{middle:.2f}",
            f"{min(seconds):.2f}-{max(seconds):.2f}",
            f"{middle / base:.3f}",
            f"{base / middle:.2f}",
            *(
                f"{statistics.median(run.get(key, 0) for run in times):.2f}"
                for key in ("cpu", "imports", "cluster")
            ),
            ", ".join(f"{max(column):.0f}" for column in columns),
        )
        print(f"{name:<26}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)))
    for name, times in list(runs.items())[1:]:
        worst = difference(times[0]["values"], first[0]["values"])
        print(f"{name:<26}largest relative difference to the plain loop: {worst:.2g}")
    wall, inside = (statistics.median(run[key] for run in again) for key in ("process", "extract"))
    cluster = "a cluster was started" if any(run["cluster"] for run in again) else "no cluster"
    print(f"\nagain, nothing to do: {wall:.2f} s for the whole process, {inside:.2f} s of it in extract;")
    print(f"{again[0]['done']} done, {again[0]['skipped']} skipped, {cluster}")


JOBS = {"loop": run_loop, "loop_itk_threads": run_loop, "gclnm": run_gclnm, "again": run_again}

if __name__ == "__main__":
    main()
