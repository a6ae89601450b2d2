"""The processes that `faults.py` kills: they say on stdout what the store has acknowledged, line by line.

    python benchmarks/victims.py prepare FOLDER             # small images, their samples, the recipe
    python benchmarks/victims.py writer STORE --commits 50  # append after append, from where the store ends
    python benchmarks/victims.py extract FOLDER STORE       # gclnm.extract of the samples

A line is printed after the store's append has returned, never before.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gclnm.images import Sample
    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe

SET = "faults"
SAMPLES = 24
ROWS_PER_COMMIT = 8
FAILED = 3
"""Exit code of a victim that ended with an error of gclnm; its code and words are the last line."""


def recipe() -> Recipe:
    """Few features on the image's own grid."""
    from gclnm.recipe.recipe import Recipe

    return Recipe(
        name=SET,
        prepare={"discretise": {"bin_width": 10}, "filters": {"wavelet": {}}},
        compute={"firstorder": ["Mean", "Entropy"], "glcm": ["JointEntropy"], "glszm": ["ZoneEntropy"]},
    )


def row(number: int, revision: int, made_by: Recipe) -> Row:
    """The row of one key in one revision: what it must be is known to whoever asks."""
    from gclnm.pipeline import Row

    key = f"key-{number:06d}"
    digest = hashlib.sha256(f"{key} {revision}".encode()).hexdigest()
    values = np.random.default_rng(int(digest[:8], 16)).random(len(made_by.features))
    return Row(
        sample_id=key,
        coords={"patient_id": f"P{number}", "roi": "ball"},
        status="ok",
        reason="",
        values=values,
        diagnostics=np.full(len(made_by.diagnostics), 5.0),
        inputs_sha256=digest,
        content_sha256=digest,
        seconds=0.1,
    )


def prepare(folder: Path) -> None:
    """Write images of noise with a ball in them, and their samples."""
    import SimpleITK

    from gclnm.images import MaskRef, Sample, VolumeRef

    folder.mkdir(parents=True, exist_ok=True)
    size = 40
    z, y, x = np.indices((size, size, size)) - size / 2
    samples: list[Sample] = []
    for index in range(SAMPLES):
        image, mask = folder / f"p{index}.nii.gz", folder / f"p{index}-mask.nii.gz"
        noise = np.random.default_rng(index).normal(40.0, 60.0, (size, size, size)).astype(np.float32)
        ball = (x**2 + y**2 + z**2 < (6 + index % 6) ** 2).astype(np.uint8)
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise), str(image))
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ball), str(mask))
        volume = VolumeRef(f"id-{index}", "image", (str(image),), modality="MR")
        coords = {"patient_id": f"P{index}", "roi": "ball", "modality": "MR"}
        samples.append(Sample({"image": volume}, {"roi": MaskRef("labelmap", str(mask), 1)}, coords))
    (folder / "samples.pickle").write_bytes(pickle.dumps(samples))


def samples_of(folder: Path) -> list[Sample]:
    """The samples that were prepared (a file of this run's own making)."""
    found: list[Sample] = pickle.loads((folder / "samples.pickle").read_bytes())
    return found


def say(what: str, **more: Any) -> None:
    """One line, on disk when this returns."""
    print(json.dumps({"what": what, **more}), flush=True)


def write(url: str, commits: int) -> None:
    """Append rows, from where the store ends; every commit replaces a few older ones too."""
    from gclnm.store.store import open_store

    made_by = recipe()
    say("start")
    store = open_store(url)
    store.create(SET, made_by)
    keys = store.keys(SET)
    revisions = [int(number) for number in keys.sort_values("sample_id")["revision"]]
    chance = np.random.default_rng(len(revisions))
    for _ in range(commits):
        old = chance.permutation(len(revisions))[: ROWS_PER_COMMIT // 4].tolist()
        new = list(range(len(revisions), len(revisions) + ROWS_PER_COMMIT - len(old)))
        revisions += [0] * len(new)
        for number in (*old, *new):
            revisions[number] += 1
        rows = [row(number, revisions[number], made_by) for number in (*old, *new)]
        store.append(SET, made_by, rows)
        acknowledge(rows)
    say("end")


def acknowledge(rows: Sequence[Row]) -> None:
    """Say which rows the store has taken."""
    say("acknowledged", rows=[[row.sample_id, row.inputs_sha256] for row in rows])


def extract(folder: Path, url: str, scheduler: str | None) -> None:
    """The extraction of the prepared samples, with many small commits so that kills meet them."""
    import gclnm
    from gclnm.cohort.commits import Commits

    begin: Any = Commits.__init__

    def and_acknowledge(self: Commits, write: Callable[[Sequence[Row]], Any]) -> None:
        def told(rows: Sequence[Row]) -> Any:
            commit = write(rows)
            acknowledge(rows)
            return commit

        begin(self, told, rows=2)

    Commits.__init__ = and_acknowledge  # type: ignore[method-assign,assignment]
    client = None
    if scheduler:
        from distributed import Client

        client = Client(scheduler_file=scheduler, timeout=30)
        client.wait_for_workers(1, timeout=60)
    say("start")
    run = gclnm.extract(
        samples_of(folder), recipe(), store=url, client=client, workers=2, progress=False, retry_failed=True
    )
    say("end", done=run.done, skipped=run.skipped, failed=len(run.failed), reasons=list(run.failed["reason"]))


def main() -> None:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("job", choices=("prepare", "writer", "extract"))
    parser.add_argument("places", nargs="+")
    parser.add_argument("--commits", type=int, default=2000)
    parser.add_argument("--scheduler", help="scheduler file of a running cluster")
    asked = parser.parse_args()
    try:
        if asked.job == "prepare":
            prepare(Path(asked.places[0]))
        elif asked.job == "writer":
            write(asked.places[0], asked.commits)
        else:
            extract(Path(asked.places[0]), asked.places[1], asked.scheduler)
    except Exception as error:
        from gclnm.errors import GclnmError

        if not isinstance(error, GclnmError):
            raise
        say("error", code=error.code, words=str(error))
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
