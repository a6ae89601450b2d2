"""The main way on a cohort made on the spot: DICOM, scan, pair, extract, store, read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gclnm.counts import count
from gclnm.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.catalog.catalog import Catalog
    from gclnm.catalog.samples import Samples
    from gclnm.cohort.extraction import Extraction
    from gclnm.phantom import Cohort
    from gclnm.store.store import FeatureStore

__all__ = ["Demo", "run"]

FOLDER = "gclnm-demo"
# One label for tumours ("gtv") and one for nodes ("ln"), whose numbers become roi_instance.
ROIS = r"(?P<roi>GTV|LN)(_(?P<instance>\d+))?"
SETS = (("ct", "CT"), ("mr-t2", "MR"), ("pet", "PT"))
TAG = "demo"


@dataclass
class Demo:
    """What the demo made.

    Parameters
    ----------
    path
        Its folder: ``cohort/dicom``, ``features.icechunk``, ``contours.html``, ``preview.png``.
    seconds
        How long each step took.
    """

    path: Path
    catalog: Catalog
    samples: Samples
    store: FeatureStore
    extractions: dict[str, Extraction] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def tumours(self) -> pd.DataFrame:
        """One row a tumour: volume (mL) on CT, mean HU, mean SUV; the tagged state of the store."""
        import pandas as pd

        parts = []
        for name, features in (
            ("ct", {"original_shape_VoxelVolume": "volume_ml", "original_firstorder_Mean": "mean_hu"}),
            ("pet", {"original_firstorder_Mean": "mean_suv"}),
        ):
            rows = self.store.table(name, at=TAG, select=list(features), where="roi == 'gtv'")
            parts.append(rows.set_index("patient_id")[list(features)].rename(columns=features))
        table = pd.concat(parts, axis=1).reset_index()
        return table.assign(volume_ml=table["volume_ml"] / 1000).sort_values("patient_id", ignore_index=True)

    @property
    def code(self) -> str:
        """Lines for a notebook that open what was made."""
        return "\n".join(
            (
                "import gclnm",
                f"store = gclnm.open_store({str(self.path / 'features.icechunk')!r})",
                f'store.read("ct", at="{TAG}")      # lazy xarray: sample x feature',
                f'store.table("pet", at="{TAG}")    # wide table: coordinates, then features',
                "store.log()                      # every commit",
            )
        )

    def __repr__(self) -> str:
        failed = sum(len(one.failed) for one in self.extractions.values())
        total = sum(self.seconds.values())
        return f"Demo in {self.path}: {self.store!r}; {failed} failed; {total:.0f} s"


def run(
    path: str | Path | None = None,
    *,
    patients: int = 4,
    workers: int | None = None,
    progress: bool = True,
    tell: Callable[[str], None] | None = None,
) -> Demo:
    """Make a small DICOM cohort and go the main way on it.

    Run again on the same folder it finds the cohort and computes only what is missing: nothing.

    Parameters
    ----------
    path
        Folder to work in, new or of an earlier demo; ``gclnm-demo`` by default.
    patients
        Size of the cohort.
    workers
        Number of worker processes; by default one per core.
    progress
        Whether to show progress bars on stderr.
    tell
        Called with a line for each step that is done.

    Raises
    ------
    InputError
        When the folder holds something else.

    Examples
    --------
    >>> from gclnm import demo
    >>> demo.run("/tmp/try", patients=4)  # doctest: +SKIP
    """
    import gclnm
    from gclnm.report.contours import contours
    from gclnm.report.preview import preview

    folder = Path(path or FOLDER)
    seconds: dict[str, float] = {}

    @contextmanager
    def step(words: str) -> Iterator[Callable[[str], None]]:
        began, outcome = time.perf_counter(), [""]
        yield lambda text: outcome.append(text)
        seconds[words] = time.perf_counter() - began
        if tell is not None:
            tell(f"{words:<9} {outcome[-1]:<56} {seconds[words]:5.1f} s")

    with step("make") as done:
        made = _cohort(folder / "cohort", patients, workers, progress)
        done(f"{len(made.truth)} patients, {made.n_files} DICOM files of 6 scanners")
    with step("scan") as done:
        catalog = gclnm.scan(made.dicom, progress=progress)
        done(f"{len(catalog.volumes)} volumes, {len(catalog.segmentations)} ROIs (RTSTRUCT and SEG)")
    with step("pair") as done:
        samples = gclnm.pair(catalog, roi=ROIS)
        done(f"{len(samples)} samples, {len(samples.unpaired)} unpaired")
    with step("look") as done:
        contours(samples, folder / "contours.html", progress=progress)
        preview(samples).savefig(folder / "preview.png")
        done("contours.html and preview.png")
    store = gclnm.open_store(folder / "features.icechunk")
    demo = Demo(folder, catalog, samples, store, seconds=seconds)
    for name, modality in SETS:
        with step(f"{name}") as done:
            found = gclnm.extract(
                samples.query(f"modality == '{modality}'"),
                name,
                store=store,
                workers=workers,
                progress=progress,
            )
            demo.extractions[name] = found
            rows = count(found.done, "row") + (f" ({found.skipped} were there)" if found.skipped else "")
            done(f"{rows} x {len(found.recipe.features)} features, {len(found.failed)} failed")
    if TAG not in set(store.tags()["tag"]):
        store.tag(TAG)
    return demo


def _cohort(folder: Path, patients: int, workers: int | None, progress: bool) -> Cohort:
    """The cohort of an earlier demo, or a new one."""
    from gclnm.phantom import Cohort, cohort

    if (folder / "truth.json").exists():
        return Cohort.open(folder)
    if folder.parent.is_dir() and any(folder.parent.iterdir()):
        raise InputError(
            "the demo needs a new or empty folder, or that of an earlier demo",
            where=str(folder.parent),
            fix="Name another with --path, or path=.",
            code="folder-in-use",
        )
    return cohort(folder, patients=patients, workers=workers, progress=progress)
