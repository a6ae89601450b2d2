"""A large feature set: time per commit, opening, one row, one feature, compact, replacing, bytes on disk.

    python benchmarks/store.py                                # 102,400 rows x 1,502 features, 400 commits
    python benchmarks/store.py --rows 5120 --features 200     # seconds

The store is filled through `FeatureStore.append`, row objects and their checks included; plain Zarr (an
array and its keys, same chunks) and Parquet (one file a commit, keys and values) get the same numbers in
the same run. None of these two keeps history, checks rows or replaces them. Every question is asked in a
process of its own with warm file caches; imports are given apart. "cpu" is processor time of all threads:
unlike seconds, it hardly depends on what else the machine does. Values fill all 53 bits, as features do,
so that they hardly compress.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe

NAME = "ct"
SHAPES, PER_IMAGE, WAVELETS = 14, 93, 8
TRIES = 7
# Appends write the last chunk of every array again, which is empty, fills, and is empty again: 16 commits of
# 256 rows fill a chunk of texts, so that their mean compares.
CYCLE = 16
WAYS = ("gclnm", "zarr", "parquet")
Figures = dict[str, Any]


def main() -> None:
    """Run everything and print the tables."""
    asked = arguments()
    if asked.run:
        job, way = asked.run.split(":")
        print(json.dumps(JOBS[job](Path(asked.folder) / way, way, asked)))
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        report(measure_all(Path(temporary), asked), asked)


def arguments() -> argparse.Namespace:
    """What was asked on the command line; --run is how the benchmark calls itself."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=102_400)
    parser.add_argument("--features", type=int, default=1500, help="about: one filtered image makes 93")
    parser.add_argument("--per-commit", type=int, default=256)
    parser.add_argument("--folder", help="where to work (default: the system's temporary folder)")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_all(place: Path, asked: argparse.Namespace) -> dict[str, Figures]:
    """Every job for every way that has it, one process each."""
    found: dict[str, Figures] = {}
    order = [*(f"fill:{way}" for way in WAYS), *(f"ask:{way}" for way in WAYS), "grow:gclnm"]
    order += ["compact:gclnm", "ask:gclnm", "grow:gclnm"]
    for job in order:
        print(job, file=sys.stderr)
        key = f"{job}:compacted" if job in found else job
        found[key] = in_process(job, place, asked)
    return found


def in_process(job: str, place: Path, asked: argparse.Namespace) -> Figures:
    """One job in a fresh process."""
    command = [sys.executable, __file__, "--run", job, "--folder", str(place)]
    for option in ("rows", "features", "per_commit"):
        command += [f"--{option.replace('_', '-')}", str(getattr(asked, option))]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: Figures = json.loads(printed.splitlines()[-1])
    return found


# --- what is stored


def recipe_of(features: int) -> Recipe:
    """The built-in CT recipe with wavelets and as many LoG filters as come near the number of features."""
    from gclnm.recipe.recipe import Recipe

    images = max(1, round((features - SHAPES) / PER_IMAGE))
    wavelet = {} if images > WAVELETS else {"wavelet": None}
    sigmas = images - 1 - (0 if wavelet else WAVELETS)
    log = {"sigma_mm": [1.0 + index / 2 for index in range(sigmas)]} if sigmas else None
    return Recipe.named("ct").with_(prepare={"filters": {"log": log, **wavelet}})


class Maker:
    """Rows of a recipe with plausible values inside the bounds of every feature."""

    def __init__(self, recipe: Recipe) -> None:
        table = recipe.feature_table()
        low, high = (table[key].to_numpy(dtype=float, na_value=np.nan) for key in ("lower", "upper"))
        self.low = np.where(np.isfinite(low), low, -1e3)
        self.width = np.where(np.isfinite(high), high - self.low, np.nan)
        self.recipe = recipe

    def values(self, rows: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Values, (row, feature): uniform between two bounds, lognormal above one."""
        random = np.random.default_rng(seed)
        share = random.random((rows, len(self.low)))
        # Exponential of a uniform number over six decades: cheap, and as skewed as textures are.
        open_ended = np.exp((share - 0.5) * 14)
        return np.where(np.isnan(self.width), self.low + open_ended, self.low + share * self.width)

    def rows(self, start: int, stop: int, revision: int = 1) -> list[Row]:
        """Rows by number; another revision has other values and inputs."""
        values = self.values(stop - start, start + 7919 * revision)
        return [self.row(number, values[number - start], revision) for number in range(start, stop)]

    def row(self, number: int, values: np.ndarray[Any, np.dtype[np.float64]], revision: int = 1) -> Row:
        """One row as a cohort run makes it: four ROIs a patient, the usual coordinates, a history."""
        from gclnm.pipeline import Row

        patient, roi = divmod(number, 4)
        digests = [digest(f"{part}{number}{revision}") for part in ("inputs", "content", "a", "b", "c")]
        steps = [{"step": "resample", "settings": {"spacing_mm": [1.0, 1.0, 1.0], "n": n}} for n in range(12)]
        parts = {"voxels:image": digests[2][:16], "facts:image": digests[3][:16], "mask:roi": digests[4][:16]}
        return Row(
            sample_id=digest(f"sample {number}"),
            coords={
                "patient_id": f"H{patient % 7}-{digest(f'patient {patient}')[:8]}",
                "roi": ("GTV", "CTV", "liver", "spleen")[roi],
                "roi_instance": "1",
                "modality": "CT",
                "study_uid": f"2.25.{int(digest(f'study {patient}')[:30], 16)}",
                "series_uid": f"2.25.{int(digest(f'series {patient}')[:30], 16)}",
                "phase": ("native", "arterial", "venous")[patient % 3],
                "energy_kev": None,
                "centre": f"centre {patient % 7}",
                "scanner": f"scanner {patient % 31}",
                "manufacturer": ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips", "UIH")[patient % 4],
                "model": f"model {patient % 11}",
                "kernel": f"B{patient % 5}0f",
                "slice_thickness_mm": (1.0, 1.25, 3.0, 5.0)[patient % 4],
                "paired_by": "reference",
            },
            status="ok",
            reason="",
            values=values,
            diagnostics=np.full(len(self.recipe.diagnostics), float(number)),
            inputs_sha256=digests[0],
            content_sha256=digests[1],
            history=json.dumps({"inputs": parts, "image": steps, "roi": steps[:4], "notes": []}),
            seconds=12.5,
        )


def digest(text: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


# --- measuring


class Clock:
    """Seconds and processor time of a call."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def __call__(self, name: str, call: Callable[[], Any], times: int = 1) -> Any:
        """Call, keep the median under the name, and give what the last call gave."""
        walls, cpus, result = [], [], None
        for _ in range(times):
            wall, cpu = time.perf_counter(), time.process_time()
            result = call()
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        self.seconds[name], self.cpu[name] = statistics.median(walls), statistics.median(cpus)
        return result

    def figures(self) -> Figures:
        """As JSON, with the largest resident memory of this process."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "seconds": self.seconds,
            "cpu": self.cpu,
            "peak_mb": peak / (2**20 if sys.platform == "darwin" else 2**10),
        }


def size_of(folder: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# --- jobs: each runs in a process of its own


def fill(place: Path, way: str, asked: argparse.Namespace) -> Figures:
    """Write all commits; seconds and processor time of each, and how the bytes grow."""
    made = Maker(recipe_of(asked.features))
    write = WRITERS[way](place, made.recipe)
    walls, cpus, sizes = [], [], []
    starts = range(0, asked.rows, asked.per_commit)
    for index, start in enumerate(starts):
        rows = made.rows(start, min(start + asked.per_commit, asked.rows))
        wall, cpu = time.perf_counter(), time.process_time()
        write(rows)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        if index == len(starts) - 1 or (index + 1) % max(1, len(starts) // 4) == 0:
            sizes.append((start + len(rows), size_of(place)))
    return Clock().figures() | {"walls": walls, "cpus": cpus, "sizes": sizes, "features": len(made.low)}


def ask(place: Path, way: str, asked: argparse.Namespace) -> Figures:
    """Open, read the rows' coordinates, one row, one feature, and the store's own questions."""
    clock = Clock()
    ASKERS[way](place, asked, clock)
    return clock.figures()


def ask_gclnm(place: Path, asked: argparse.Namespace, clock: Clock) -> None:
    """What a person asks of the store."""
    import pandas  # noqa: F401
    import xarray  # noqa: F401

    from gclnm.store.store import open_store

    # What the first use of libraries imports belongs to imports.
    tiny = open_store("memory://")
    tiny.append(NAME, recipe_of(asked.features), Maker(recipe_of(asked.features)).rows(0, 2))
    tiny.read(NAME)["value"].values.sum()

    keys = picked(asked.rows)
    features = recipe_of(asked.features).features
    data = clock("open and read", lambda: open_store(place, mode="r").read(NAME))
    store = clock("open", lambda: open_store(place, mode="r"))
    turn = iter(keys * 3)
    clock("one row of a dataset", lambda: data.sel(sample_id=next(turn))["value"].values, TRIES)
    clock("read one row", lambda: store.read(NAME, where={"sample_id": next(turn)})["value"].values, TRIES)
    names = iter(features[:: max(1, len(features) // 20)])
    clock("one feature of a dataset", lambda: data["value"].sel(feature=next(names)).values, 3)
    clock("table(select=one feature)", lambda: store.table(NAME, select=[next(names)]), 3)
    clock("read, one patient", lambda: store.read(NAME, where="patient_id == 'nobody'"), 3)
    clock("keys() first", lambda: store.keys(NAME))
    clock("keys() again", lambda: store.keys(NAME), 3)
    clock("sets()", store.sets, 3)
    clock("log()", store.log)
    clock("explain, oldest row", lambda: repr(store.explain(keys[0], NAME)))
    clock("explain, newest row", lambda: repr(store.explain(keys[-1], NAME)))


def ask_zarr(place: Path, asked: argparse.Namespace, clock: Clock) -> None:
    """The same of two plain arrays."""
    import zarr

    def opened() -> tuple[Any, dict[str, int]]:
        group: Any = zarr.open_group(place, mode="r")
        return group["value"], {str(key): index for index, key in enumerate(group["sample_id"][:])}

    value, at = clock("open and read", opened)
    turn, columns = iter(picked(asked.rows)), iter(range(0, 300, 30))
    clock("one row of a dataset", lambda: value[at[next(turn)]], TRIES)
    clock("one feature of a dataset", lambda: value[:, next(columns) % value.shape[1]], 3)


def ask_parquet(place: Path, asked: argparse.Namespace, clock: Clock) -> None:
    """The same of a folder of Parquet files."""
    import pyarrow.dataset

    def opened() -> Any:
        data = pyarrow.dataset.dataset(place, format="parquet")
        return data, data.to_table(columns=["sample_id", "patient_id", "roi"])

    data, _ = clock("open and read", opened)
    turn, names = iter(picked(asked.rows)), iter(recipe_of(asked.features).features[::20])
    wanted = pyarrow.dataset.field("sample_id")
    clock("one row of a dataset", lambda: data.to_table(filter=wanted == next(turn)), 3)
    clock("one feature of a dataset", lambda: data.to_table(columns=[next(names)]), 3)


def picked(rows: int) -> list[str]:
    """Keys of rows all over the set, oldest first."""
    return [digest(f"sample {int(number)}") for number in np.linspace(0, rows - 1, TRIES)]


def grow(place: Path, way: str, asked: argparse.Namespace) -> Figures:
    """Append 100 new rows, and replace 100 that lie all over the set, five times each."""
    from gclnm.store.store import open_store

    clock, made = Clock(), Maker(recipe_of(asked.features))
    store = open_store(place)
    clock("first look at the keys", lambda: store.keys(NAME))
    first = int(store.sets()["rows"].sum())
    new = iter([made.rows(first + 100 * turn, first + 100 * (turn + 1)) for turn in range(5)])
    changed = iter([scattered(made, asked.rows, first + turn) for turn in range(5)])
    moved = iter([moved_rows(made, asked.rows, turn) for turn in range(3)])
    clock("append 100 rows", lambda: store.append(NAME, made.recipe, next(new)), 5)
    clock("replace 100 scattered rows", lambda: store.append(NAME, made.recipe, next(changed)), 5)
    clock("offer 100 known rows again", lambda: store.append(NAME, made.recipe, next(moved)), 3)
    return clock.figures()


def scattered(made: Maker, rows: int, revision: int) -> list[Row]:
    """A hundred rows all over the set, with other inputs."""
    numbers = np.linspace(0, rows - 1, min(100, rows)).astype(int)
    values = made.values(len(numbers), revision)
    return [made.row(int(number), row, revision) for number, row in zip(numbers, values, strict=True)]


def moved_rows(made: Maker, rows: int, turn: int) -> list[Row]:
    """A hundred rows all over the set as they are: nothing is written, all coordinates are compared."""
    numbers = np.linspace(1, rows - 2, min(100, rows - 2)).astype(int) + turn % 2
    values = made.values(len(numbers), turn)
    return [made.row(int(number), row) for number, row in zip(numbers, values, strict=True)]


def compact(place: Path, way: str, asked: argparse.Namespace) -> Figures:
    """Rewrite the values for reading columns."""
    from gclnm.store.store import open_store

    clock = Clock()
    before = size_of(place)
    store = open_store(place)
    clock("compact", lambda: store.compact(NAME))
    return clock.figures() | {"bytes": (before, size_of(place))}


# --- writers


def gclnm_writer(place: Path, recipe: Recipe) -> Callable[[Sequence[Row]], None]:
    """The store: one commit a batch."""
    from gclnm.store.store import open_store

    store = open_store(place)
    store.create(NAME, recipe)

    def write(rows: Sequence[Row]) -> None:
        store.append(NAME, recipe, rows)

    return write


def zarr_writer(place: Path, recipe: Recipe) -> Callable[[Sequence[Row]], None]:
    """Plain Zarr: values in the store's chunks, and keys."""
    import zarr

    width = len(recipe.features)
    group = zarr.open_group(place, mode="w")
    value = group.create_array("value", shape=(0, width), chunks=(512, width), dtype="f8")
    keys = group.create_array("sample_id", shape=(0,), chunks=(8192,), dtype=np.dtypes.StringDType())

    def write(rows: Sequence[Row]) -> None:
        value.append(np.stack([row.values for row in rows]))
        keys.append(np.array([row.sample_id for row in rows], dtype=np.dtypes.StringDType()))

    return write


def parquet_writer(place: Path, recipe: Recipe) -> Callable[[Sequence[Row]], None]:
    """Parquet: a file a batch, coordinates and values."""
    import pandas as pd

    place.mkdir()
    names = list(recipe.features)

    def write(rows: Sequence[Row]) -> None:
        coords = pd.DataFrame([{"sample_id": row.sample_id, **row.coords} for row in rows])
        values = pd.DataFrame(np.stack([row.values for row in rows]), columns=names)
        target = place / f"{len(list(place.iterdir())):06d}.parquet"
        pd.concat([coords.astype({"energy_kev": float}), values], axis=1).to_parquet(target)

    return write


# --- the tables


def report(found: dict[str, Figures], asked: argparse.Namespace) -> None:
    """Print what was measured."""
    features = found["fill:gclnm"]["features"]
    raw = asked.rows * features * 8
    print(f"\n{asked.rows} rows x {features} features, {asked.per_commit} a commit; float64: {mb(raw)} MB\n")
    print("| writing | commits | first, s | last, s | last/first | in cpu | total, s | MB | of float64 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for way in WAYS:
        print(row_of(way, *writing(found[f"fill:{way}"], raw)))
    print("\n| bytes of the store after | MB | of float64 |\n|---|---|---|")
    for rows, size in found["fill:gclnm"]["sizes"]:
        print(row_of(f"{rows} rows", mb(size), f"{size / (rows * features * 8):.2f}"))
    before, after = found["compact:gclnm"]["bytes"]
    print(row_of(f"compact (before it {mb(before)})", mb(after), f"{after / raw:.2f}"))
    print("\n| asked in a fresh process, s (cpu) | gclnm | after compact | zarr | Parquet |")
    print("|---|---|---|---|---|")
    asks = [found[key] for key in ("ask:gclnm", "ask:gclnm:compacted", "ask:zarr", "ask:parquet")]
    for name in asks[0]["seconds"]:
        print(row_of(name, *(cell(figures, name) for figures in asks)))
    print(row_of("largest memory, MB", *(f"{figures['peak_mb']:.0f}" for figures in asks)))
    print("\n| written to the full set, s (cpu) | before compact | after |\n|---|---|---|")
    grown = [found[key] for key in ("grow:gclnm", "grow:gclnm:compacted")]
    for name in grown[0]["seconds"]:
        print(row_of(name, *(cell(figures, name) for figures in grown)))
    for kind in ("seconds", "cpu"):
        pairs = [(f[kind]["replace 100 scattered rows"], f[kind]["append 100 rows"]) for f in grown]
        print(row_of(f"replace / append, {kind}", *(f"{one / other:.2f}" for one, other in pairs)))
    done = found["compact:gclnm"]
    print(f"\ncompact: {cell(done, 'compact')} s, largest memory {done['peak_mb']:.0f} MB")


def writing(figures: Figures, raw: int) -> list[str]:
    """Cells of the table of writing; the first commit, which makes the set, is left out."""
    ends: list[tuple[float, float]] = []
    for key in ("walls", "cpus"):
        times = figures[key][1:] or figures[key]
        ends.append((statistics.mean(times[:CYCLE]), statistics.mean(times[-CYCLE:])))
    (first, last), (first_cpu, last_cpu) = ends
    size = figures["sizes"][-1][1]
    return [
        str(len(figures["walls"])),
        f"{first:.3f}",
        f"{last:.3f}",
        f"{last / first:.2f}",
        f"{last_cpu / first_cpu:.2f}",
        f"{sum(figures['walls']):.1f}",
        mb(size),
        f"{size / raw:.2f}",
    ]


def cell(figures: Figures, name: str) -> str:
    """Seconds and processor time of one question; empty where it was not asked."""
    if name not in figures["seconds"]:
        return ""
    return f"{figures['seconds'][name]:.3f} ({figures['cpu'][name]:.3f})"


def row_of(*cells: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def mb(size: float) -> str:
    """Megabytes (10^6 bytes)."""
    return f"{size / 1e6:.0f}"


JOBS = {"fill": fill, "ask": ask, "grow": grow, "compact": compact}
WRITERS = {"gclnm": gclnm_writer, "zarr": zarr_writer, "parquet": parquet_writer}
ASKERS = {"gclnm": ask_gclnm, "zarr": ask_zarr, "parquet": ask_parquet}

if __name__ == "__main__":
    main()
