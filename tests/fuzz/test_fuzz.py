"""Ten thousand damaged files: each is read or refused with a reason, none crashes, hangs or eats the memory.

``python -m pytest -m slow tests/fuzz -s`` prints the table; GCLNM_FUZZ=300 tries fewer. A failure names kind
and number, of which ``tests/fuzz/worker.py`` makes the same file again.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

INPUTS = int(os.environ.get("GCLNM_FUZZ", "10000"))
WORKERS = min(os.cpu_count() or 1, 4)
DEADLINE_S = 30.0
# Of each hundred inputs.
SHARES = {"image": 32, "rtstruct": 18, "seg": 18, "image file": 12, "recipe": 10, "recipe params": 10}
IMAGES = (
    *("enhanced/emr_small.dcm", "enhanced/emr_small_rle.dcm", "enhanced/emr_small_j2k.dcm"),
    *("abdomen/siemens_mct_venous_j2k/000.dcm", "abdomen/ge_ls16_rle_transcoded/000.dcm"),
    *("sts/STS_002/CT/image/*", "sts/STS_002/PET/image/*", "mr_raw/abdomen_t2_titan_1p5T/001.dcm"),
)
STRUCTURES = ("sts/STS_0[0-5]?/*/mask/RS.dcm",)
MOST_BYTES = 250_000


@pytest.fixture(scope="session")
def sound(data: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small real files by kind."""
    root, folder = data("sts").parent, tmp_path_factory.mktemp("sound")
    for kind, patterns, most in (("image", IMAGES, 2), ("rtstruct", STRUCTURES, 12)):
        (folder / kind).mkdir()
        for pattern in patterns:
            small = sorted(root.glob(pattern), key=lambda path: (path.stat().st_size, path))[:most]
            for path in small:
                if path.stat().st_size < MOST_BYTES:
                    shutil.copy(path, folder / kind / "_".join(path.relative_to(root).parts))
    _segmentations(folder / "seg")
    _image_files(folder / "image file")
    for kind, places in (
        ("recipe", Path(str(files("gclnm.recipe"))) / "builtin"),
        ("recipe params", Path(__file__).parents[1] / "recipe" / "params"),
    ):
        (folder / kind).mkdir()
        for path in places.glob("*.yaml"):
            shutil.copy(path, folder / kind / path.name)
    assert all(any((folder / kind).iterdir()) for kind in SHARES)
    return folder


def _segmentations(folder: Path) -> None:
    """Binary, fractional and run-length encoded segmentations of a box in a small CT."""
    import highdicom
    from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
    from pydicom.sr.coding import Code
    from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

    from gclnm.phantom.cohort import _make_patient

    made = folder.parent / "phantom"
    _make_patient(made, "P1", 0, 0, ("PT",))
    import pydicom

    images = [pydicom.dcmread(path) for path in sorted(made.rglob("IM*"))]
    mask = np.zeros((len(images), images[0].Rows, images[0].Columns), bool)
    mask[5:9, 20:40, 20:40] = True
    described = SegmentDescription(
        1,
        "GTV",
        Code("49755003", "SCT", "Morphologically Altered Structure"),
        Code("4147007", "SCT", "Mass"),
        "MANUAL",
    )
    folder.mkdir()
    for name, kind, syntax in (
        ("binary", SegmentationTypeValues.BINARY, ExplicitVRLittleEndian),
        ("fractional", SegmentationTypeValues.FRACTIONAL, ExplicitVRLittleEndian),
        ("rle", SegmentationTypeValues.FRACTIONAL, RLELossless),
    ):
        seg = Segmentation(
            images,
            mask if name == "binary" else mask.astype(float),
            kind,
            [described],
            generate_uid(),
            1,
            generate_uid(),
            1,
            "gclnm",
            "phantom",
            "1",
            "1",
            transfer_syntax_uid=syntax,
        )
        seg.save_as(folder / f"{name}.dcm")
    assert highdicom.__version__
    shutil.rmtree(made)


def _image_files(folder: Path) -> None:
    import SimpleITK

    folder.mkdir()
    image = SimpleITK.GetImageFromArray(np.random.default_rng(0).normal(0, 50, (8, 10, 12)).astype(np.int16))
    label = SimpleITK.GetImageFromArray(np.pad(np.ones((2, 3, 4), np.uint8), 3))
    for suffix in ("nii", "nii.gz", "nrrd", "mha"):
        SimpleITK.WriteImage(image, str(folder / f"ct.{suffix}"))
        SimpleITK.WriteImage(label, str(folder / f"gtv_mask.{suffix}"))


@dataclass
class Tally:
    """What became of the inputs of one kind."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    slowest: float = 0.0
    bad: list[str] = field(default_factory=list)


class Worker:
    """A process that reads damaged files, started anew when it dies or hangs."""

    def __init__(self, folder: Path) -> None:
        self._command = [sys.executable, str(Path(__file__).with_name("worker.py")), str(folder)]
        self._environment = {**os.environ, "GCLNM_CACHE": str(folder / f"cache{id(self)}")}
        self._process: subprocess.Popen[str] | None = None

    def ask(self, kind: str, number: int) -> dict[str, Any]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=self._environment,
            )
            waiting = DEADLINE_S * 2  # it imports first
        else:
            waiting = DEADLINE_S
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{kind} {number}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], waiting)
        line = process.stdout.readline() if ready else ""
        if line:
            return dict(json.loads(line))
        self.close()
        outcome = "crash" if ready else "hang"
        return {
            "outcome": outcome,
            "seconds": waiting if not ready else 0.0,
            "error": f"exit {process.returncode}",
        }

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture(scope="session")
def tallies(sound: Path) -> dict[str, Tally]:
    """All inputs, read by several processes."""
    todo: Queue[tuple[str, int]] = Queue()
    for kind, share in SHARES.items():
        for number in range(max(INPUTS * share // 100, 1)):
            todo.put((kind, number))
    found = {kind: Tally() for kind in SHARES}

    def work(_: int) -> None:
        worker = Worker(sound)
        try:
            for kind, number in _until_empty(todo):
                answer, tally = worker.ask(kind, number), found[kind]
                tally.counts[answer["outcome"]] += 1
                tally.slowest = max(tally.slowest, answer["seconds"])
                if answer["outcome"] in ("crash", "hang"):
                    tally.bad.append(f"{kind} {number}: {answer['outcome']}: {answer['error'].strip()}")
        finally:
            worker.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    return found


def _until_empty(todo: Queue[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    while True:
        try:
            yield todo.get_nowait()
        except Empty:
            return


def test_damaged_files_are_read_or_refused_and_never_crash_or_hang(tallies):
    lines = [
        f"{'kind':14} {'inputs':>7} {'accepted':>9} {'refused':>8} {'crashes':>8} {'hangs':>6} {'slowest':>9}"
    ]
    for kind, tally in tallies.items():
        n = tally.counts
        lines.append(
            f"{kind:14} {sum(n.values()):7} {n['accepted']:9} {n['refused']:8} {n['crash']:8} {n['hang']:6}"
            f" {tally.slowest:7.2f} s"
        )
    print("\n" + "\n".join(lines))
    bad = [line for tally in tallies.values() for line in tally.bad]
    assert not bad, f"{len(bad)} bad ends:\n" + "\n".join(bad[:20])


def test_damage_is_neither_always_fatal_nor_always_harmless(tallies):
    for kind, tally in tallies.items():
        assert tally.counts["accepted"] > 0, kind
        assert tally.counts["refused"] > 0, kind
