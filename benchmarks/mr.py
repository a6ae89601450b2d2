"""Seconds and memory of N4 and of each normalization, on every MR volume of a folder, as a table.

    python benchmarks/mr.py /path/to/mr_raw

Each figure is of a process of its own, with one thread; seconds are the processor's, which a quiet machine's
clock shows too. Masks of a tissue and of the brain are stand-ins (the body without
its outer 20 mm): the time is that of real ones, the values are not. A method that refuses an image says why.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

METHODS = ("n4", "z-score", "percentile", "reference-tissue", "nyul", "white-stripe")


def places(root: Path) -> list[Path]:
    """Folders of one series, and image files."""
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    return [
        *folders,
        *sorted(path for path in root.iterdir() if path.name.endswith((".nii.gz", ".nrrd", ".mha"))),
    ]


def volumes(place: Path) -> list:
    """Every volume there, loaded."""
    import gclnm
    from gclnm.images.load import load_volume

    if place.is_file():
        return [gclnm.read_series(place, modality="MR")]
    from gclnm.images.dicom.assemble import assemble
    from gclnm.images.dicom.headers import read_header

    frames = [frame for file in sorted(place.iterdir()) for frame in read_header(file).frames]
    return [load_volume(found.ref) for found in assemble(frames)]


def inner(volume):
    """The body without its outer 20 mm, as a mask; None where there is no body."""
    from scipy import ndimage

    from gclnm.errors import GclnmError
    from gclnm.harmonize.mr import body_mask
    from gclnm.images import Mask

    try:
        body = body_mask(volume).array
    except GclnmError:
        return None
    _, rows, columns = volume.geometry.spacing_mm[::-1]
    depth = [ndimage.distance_transform_edt(plane, (rows, columns)) for plane in body]
    return Mask([plane > 20 for plane in depth], volume.geometry)


def step(volume, method: str):
    """What is to be timed, prepared: a function without arguments."""
    from gclnm.harmonize.mr import (
        Nyul,
        Percentile,
        ReferenceTissue,
        WhiteStripe,
        ZScore,
        body_mask,
        n4,
        normalize,
    )
    from gclnm.harmonize.mr.nyul import histogram_landmarks, standard_scale
    from gclnm.harmonize.mr.signal import require_signal
    from gclnm.images import Volume

    fresh = Volume(volume.array, volume.geometry, volume.quantity, volume.facts)
    if method == "n4":
        return lambda: n4(fresh)
    mask = inner(volume) if method in ("reference-tissue", "white-stripe") else None
    if method == "nyul":
        require_signal(volume, "normalize")
        settings = Nyul(method="nyul")
        marks = histogram_landmarks(volume.array[body_mask(volume).array], settings.percentiles)
        settings = settings.model_copy(update={"standard": standard_scale([marks], settings, ["one"])})
    else:
        settings = {
            "z-score": ZScore(method="z-score"),
            "percentile": Percentile(method="percentile"),
            "reference-tissue": ReferenceTissue(method="reference-tissue"),
            "white-stripe": WhiteStripe(method="white-stripe", anatomy="brain", contrast="T1"),
        }[method]
    return lambda: normalize(fresh, settings, reference=mask)


def doubt(volume) -> str:
    """What speaks against anatomy in the image; empty for most."""
    from gclnm.errors import GclnmError
    from gclnm.harmonize.mr import body_mask

    try:
        return body_mask(volume).history[-1].note
    except GclnmError as error:
        return error.what


def measure(place: Path, number: int, method: str) -> dict:
    """One step on one volume, in this process."""
    from gclnm.cohort.footprint import peak_mb
    from gclnm.errors import GclnmError

    volume = volumes(place)[number]
    x, y, z = volume.geometry.size
    result = {"voxels": f"{x} x {y} x {z}"}
    if method == "white-stripe" and "brain" not in place.name:
        return {**result, "outcome": "not for this anatomy"}
    try:
        run = step(volume, method)
        start, before = time.process_time(), peak_mb()
        run()
    except GclnmError as error:
        return {**result, "outcome": f"refused: {error.what}"}
    seconds = time.process_time() - start
    return {**result, "seconds": seconds, "peak_mb": peak_mb(), "more_mb": peak_mb() - before}


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="folders of one series each, and image files")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--one", nargs=2, metavar=("NUMBER", "METHOD"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.folder, int(given.one[0]), given.one[1])))
        return
    print("| volume | voxels | step | seconds | peak MB | of it this step |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "GCLNM_CACHE": cache}
        doubts = []
        for place in places(given.folder):
            for number, volume in enumerate(volumes(place)):
                name = place.name if number == 0 else f"{place.name} ({number + 1})"
                if against := doubt(volume):
                    doubts.append(f"{name}: {against}")
                for method in given.methods:
                    command = [sys.executable, __file__, str(place), "--one", str(number), method]
                    done = subprocess.run(
                        command, env=environment, capture_output=True, text=True, check=True
                    )
                    found = json.loads(done.stdout)
                    figures = found.get("outcome", "") + " | | "
                    if "seconds" in found:
                        figures = f"{found['seconds']:.2f} | {found['peak_mb']:.0f} | {found['more_mb']:.0f}"
                    print(f"| {name} | {found['voxels']} | {method} | {figures} |", flush=True)
    if doubts:
        print("\nOnly time and memory count for these volumes:\n\n- " + "\n- ".join(doubts))


if __name__ == "__main__":
    main()
