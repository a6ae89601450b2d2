"""A sample as it is looked at: its image and its mask on one grid, and where to look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import GclnmError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images import Mask, Sample, Volume

__all__ = ["View", "title", "views", "window"]

Box = tuple[slice, slice]
ABDOMEN_HU = (-160.0, 240.0)
# A cool lesion is shown among tissue, not stretched to black.
LEAST_SUV = 4.0


@dataclass(frozen=True)
class View:
    """A loaded sample, or why it could not be loaded.

    Parameters
    ----------
    sample
        The sample.
    volume, mask
        Image, and ROI on the image's grid; None when ``problem`` says why not.
    problem
        What went wrong, in words of ours, and what to do.
    note
        Something that is not wrong but should be seen (PET that cannot become SUV).
    """

    sample: Sample
    volume: Volume | None = None
    mask: Mask | None = None
    problem: str = ""
    note: str = ""

    @property
    def modality(self) -> str:
        """DICOM modality of the image."""
        return str(self.sample.coords.get("modality") or self.sample.images["image"].modality)


def views(samples: Sequence[Sample]) -> Iterator[View]:
    """Load samples one after another; a volume that the next sample shares is read once.

    Samples that follow each other on one volume are cheapest: sort by volume first.
    """
    from gclnm.images.load import load_volume

    ref, volume, problem, note = None, None, "", ""
    for sample in samples:
        if sample.images["image"] != ref:
            ref = sample.images["image"]
            try:
                volume, note = _in_known_units(load_volume(ref))
                problem = ""
            except GclnmError as error:
                volume, problem, note = None, f"{error.what}. {error.fix}".strip(), ""
        yield _view(sample, volume, problem, note)


def _in_known_units(volume: Volume) -> tuple[Volume, str]:
    """PET as SUV and CT as HU where the header allows it; else as stored, with the reason."""
    from gclnm.harmonize import harmonize

    try:
        return harmonize(volume), ""
    except GclnmError as error:
        return volume, error.what


def _view(sample: Sample, volume: Volume | None, problem: str, note: str) -> View:
    from gclnm.images.load import load_mask
    from gclnm.prepare.grid import onto

    if volume is None:
        return View(sample, problem=problem)
    try:
        return View(sample, volume, onto(load_mask(sample.masks["roi"], volume), volume), note=note)
    except GclnmError as error:
        return View(sample, volume, problem=f"{error.what}. {error.fix}".strip(), note=note)


def title(sample: Sample) -> str:
    """Patient, ROI (with instance and rater where there are any) and modality in one line."""
    coords = sample.coords
    roi = " ".join(str(coords[key]) for key in ("roi", "roi_instance") if coords.get(key))
    parts = [str(coords.get("patient_id") or "?"), roi, str(coords.get("modality") or "")]
    parts += [str(coords[key]) for key in ("rater", "timepoint") if coords.get(key)]
    return " · ".join(part for part in parts if part)


def window(view: View) -> tuple[float, float, bool]:
    """Darkest and brightest value to show, and whether dark means much (PET)."""
    assert view.volume is not None
    values = view.volume.array
    finite = values[np.isfinite(values)]
    if view.volume.quantity == "HU":
        return (*ABDOMEN_HU, False)
    if not finite.size:
        return (0.0, 1.0, False)
    if view.modality == "PT":
        inside = values[view.mask.array] if view.mask is not None and view.mask.n_voxels else finite
        # Nearly to the lesion's maximum: a lesion in one black shows nothing of what is measured in it.
        top = float(np.nanpercentile(inside, 99))
        if view.volume.quantity.startswith("SUV"):
            return (0.0, max(top, LEAST_SUV), True)
        return (0.0, top if top > 0 else 1.0, True)
    low, high = np.percentile(finite, (1, 99.5))
    return (float(low), float(high) if high > low else float(low) + 1.0, False)


def crop(mask: NDArray[np.bool_], spacing_mm: tuple[float, float], margin_mm: float = 22.0) -> Box:
    """A square box (rows, columns) about a mask (rows, columns or z, rows, columns)."""
    flat = mask.any(axis=0) if mask.ndim == 3 else mask
    rows, columns = np.nonzero(flat)
    centre = np.array([rows.min() + rows.max(), columns.min() + columns.max()]) / 2
    extent = np.array([np.ptp(rows), np.ptp(columns)]) * spacing_mm
    half = (extent.max() / 2 + margin_mm) / np.asarray(spacing_mm)
    low = np.maximum(np.floor(centre - half), 0).astype(int)
    high = np.minimum(np.ceil(centre + half) + 1, flat.shape).astype(int)
    return (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))


def slices_of(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """First, largest and last slice of a mask (z, rows, columns); the middle one of equally large."""
    area = mask.sum(axis=(1, 2))
    filled = np.nonzero(area)[0]
    largest = np.nonzero(area == area.max())[0]
    return int(filled[0]), int(largest[len(largest) // 2]), int(filled[-1])
