"""One process that reads damaged files: ``kind number`` a line in, how it ended as JSON a line out.

Run as a script, so that a crash of a codec or a hang ends this process and not the tests.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import mutate

import gclnm
from gclnm.errors import GclnmError
from gclnm.images.geometry import Geometry
from gclnm.images.load import load_mask, load_own_grid, load_volume
from gclnm.images.volume import Volume
from gclnm.recipe.recipe import Recipe

# Address space of this process: what would take more is a crash.
MEMORY = 4 << 30
MOST_LOADED = 3


def seeds(kind: str, folder: Path) -> list[Path]:
    """The sound files of a kind."""
    return sorted((folder / kind).iterdir())


def damaged(kind: str, number: int, files: list[Path]) -> tuple[str, bytes]:
    """Name and content of the damaged file of a number."""
    rng = np.random.default_rng([number, len(kind)])
    file, other = (files[int(rng.integers(len(files)))] for _ in range(2))
    if kind.startswith("recipe"):
        return "r.yaml", mutate.words(file.read_text("utf-8"), rng).encode("utf-8", "surrogatepass")
    if kind == "image file":
        return file.name, mutate.plain(file.read_bytes(), rng)
    return "x.dcm", mutate.dicom(file.read_bytes(), other.read_bytes(), rng)


def read(kind: str, path: Path) -> bool:
    """Read one file as a user would; whether anything of it was accepted."""
    if kind == "recipe":
        return bool(Recipe.from_yaml(path).id)
    if kind == "recipe params":
        return bool(Recipe.from_pyradiomics(path).id)
    catalog = gclnm.scan(path.parent, patient_key="secret", progress=False)
    repr(catalog), catalog._repr_html_()
    internal = catalog.problems.query("code == 'internal'")
    if len(internal):
        raise AssertionError(f"scan met {internal['what'].iloc[0]}")
    tries: list[Callable[[], Any]] = []
    for volume_id in catalog.volumes.loc[catalog.volumes["usable"], "volume_id"][:MOST_LOADED]:
        tries.append(lambda volume_id=volume_id: load_volume(catalog.volume_ref(volume_id)))
    usable = catalog.segmentations[catalog.segmentations["usable"]]
    for segmentation_id in usable["segmentation_id"][:MOST_LOADED]:
        ref = catalog.mask_ref(segmentation_id)
        if ref.kind == "rtstruct":
            tries.append(lambda ref=ref: load_mask(ref, _image()))
        else:
            tries.append(lambda ref=ref: load_own_grid(ref))
    done = 0
    for attempt in tries:
        try:
            attempt()
            done += 1
        except GclnmError:
            continue
    return done > 0


def _image() -> Volume:
    """An image in no frame of reference that the thighs of the reference data lie in."""
    grid = Geometry(size=(64, 64, 300), spacing_mm=(10.0, 10.0, 5.0), origin_mm=(-320.0, -320.0, -1200.0))
    return Volume(np.broadcast_to(np.float32(0), grid.shape), grid)


def one(kind: str, number: int, files: list[Path]) -> dict[str, Any]:
    """How one input ended: accepted, refused or crash, and how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        name, data = damaged(kind, number, files)
        path = Path(folder) / name
        path.write_bytes(data)
        start = perf_counter()
        error = ""
        try:
            outcome = "accepted" if read(kind, path) else "refused"
        except GclnmError:
            outcome = "refused"
        except BaseException as found:
            if isinstance(found, KeyboardInterrupt):
                raise
            outcome, error = "crash", "".join(traceback.format_exception(found)[-3:])
        return {"outcome": outcome, "seconds": perf_counter() - start, "error": error}


def main(folder: Path) -> None:
    """Answer lines until there are none."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("error")
    known: dict[str, list[Path]] = {}
    one("image", 0, seeds("image", folder))  # what is imported on first use is no input's fault
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    for line in sys.stdin:
        kind, _, number = line.strip().rpartition(" ")
        files = known.setdefault(kind, seeds(kind, folder))
        answers.write(json.dumps(one(kind, int(number), files)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
