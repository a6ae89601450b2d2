"""What is odd about a contour: measured on the image, said in words, weighed for order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gclnm.counts import count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images import Sample
    from gclnm.report.views import View

__all__ = ["Finding", "Measures", "compare", "dice", "judge", "measure", "same_roi"]

GAS_HU = -300.0
GAS_FRACTION = 0.005
FEW_VOXELS = 64
OUTLIER_Z = 3.5
LOW_DICE = 0.7


@dataclass(frozen=True)
class Finding:
    """One oddity: its stable name, a sentence, and how much it weighs (1 slight ... 5 grave)."""

    code: str
    words: str
    weight: float


@dataclass(frozen=True)
class Measures:
    """Numbers of one contour on its image.

    ``box`` is the bounding box and ``inside`` the mask within it, kept to compare raters;
    ``skipped`` the empty slices between the first and the last; ``parts`` the sizes (voxels) of
    connected parts, largest first.
    """

    voxels: int
    volume_ml: float
    slices: int
    skipped: int
    parts: tuple[int, ...]
    mean: float
    sd: float
    lowest: float
    highest: float
    unit: str
    gas: float
    at_border: bool
    spacing_mm: tuple[float, float, float]
    box: tuple[slice, slice, slice]
    inside: NDArray[np.bool_] = field(repr=False)


def measure(view: View) -> Measures:
    """Measure one loaded sample.

    Connected parts share at least a corner of a voxel.
    """
    from scipy import ndimage

    assert view.volume is not None
    assert view.mask is not None
    (box,) = ndimage.find_objects(view.mask.array.astype(np.uint8))
    inside = view.mask.array[box]
    labels, _ = ndimage.label(inside, structure=np.ones((3, 3, 3)))
    sizes = sorted((int(n) for n in np.bincount(labels.ravel())[1:]), reverse=True)
    values = view.volume.array[box][inside].astype(np.float64)
    known = values[np.isfinite(values)]  # Maps lack values where there was no signal.
    values = known if known.size else values
    filled = int(inside.any(axis=(1, 2)).sum())
    shape = view.mask.array.shape
    # A one-slice image has no neighbours along z, so its ends are no borders.
    borders = [part.start == 0 or part.stop == n for part, n in zip(box, shape, strict=True) if n > 1]
    is_ct = view.volume.quantity == "HU"
    return Measures(
        voxels=int(inside.sum()),
        volume_ml=float(inside.sum() * view.volume.geometry.voxel_volume_mm3 / 1000),
        slices=filled,
        skipped=inside.shape[0] - filled,
        parts=tuple(sizes),
        mean=float(values.mean()),
        sd=float(values.std()),
        lowest=float(values.min()),
        highest=float(values.max()),
        unit="" if view.volume.quantity == "arbitrary" else view.volume.quantity,
        gas=float((values < GAS_HU).mean()) if is_ct else 0.0,
        at_border=any(borders),
        spacing_mm=view.volume.geometry.spacing_mm,
        box=box,
        inside=inside,
    )


def judge(measures: Measures, note: str = "") -> list[Finding]:
    """What is odd about one contour, looked at alone."""
    m, found = measures, []
    if m.gas > GAS_FRACTION:
        words = f"Gas or air inside: {_percent(m.gas)} of the voxels are below {GAS_HU:.0f} HU."
        found.append(Finding("gas", words, 3 + min(m.gas * 10, 2)))
    if m.skipped:
        words = f"{count(m.skipped, 'slice')} skipped between the first and the last contour."
        found.append(Finding("skipped-slices", words, 3.5))
    if m.slices == 1:
        found.append(Finding("one-slice", "Drawn on one slice only: it has no third dimension.", 2.5))
    if len(m.parts) > 1:
        stray = sum(m.parts[1:])
        words = (
            f"{len(m.parts)} separate parts; {count(stray, 'voxel')} ({_percent(stray / m.voxels)}) lie "
            "outside the largest."
        )
        found.append(Finding("fragments", words, 2.0 + min(stray / m.voxels * 4, 1.5)))
    if m.at_border:
        found.append(Finding("border", "Touches the border of the image: part of it may be missing.", 2.5))
    if m.voxels < FEW_VOXELS:
        # Recipes count after resampling, which may make more of them.
        words = f"Only {count(m.voxels, 'voxel')} as scanned: texture may be empty after resampling."
        found.append(Finding("few-voxels", words, 1.0 + (1.0 if m.voxels < 8 else 0.0)))
    if note:
        found.append(Finding("quantity", f"Not in known units: {note}.", 2.0))
    return found


def compare(samples: Sequence[Sample], measures: Mapping[int, Measures]) -> dict[int, list[Finding]]:
    """What is odd about contours beside each other: size outliers and raters who disagree.

    Parameters
    ----------
    samples
        All samples.
    measures
        By position in ``samples``, of those that could be measured.
    """
    found: dict[int, list[Finding]] = defaultdict(list)
    for index, finding in (*_outliers(samples, measures), *_disagreements(samples, measures)):
        found[index].append(finding)
    return found


def _outliers(samples: Sequence[Sample], measures: Mapping[int, Measures]) -> list[tuple[int, Finding]]:
    """Volumes far from the median of their ROI and modality (robust z of the logarithm)."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index in measures:
        coords = samples[index].coords
        groups[(coords.get("roi"), coords.get("modality"))].append(index)
    found = []
    for members in groups.values():
        if len(members) < 6:
            continue
        logs = np.log([measures[i].volume_ml for i in members])
        middle = float(np.median(logs))
        # At least 10 % of spread, so that a cohort of equal contours has no outliers of a hair.
        spread = max(1.4826 * float(np.median(np.abs(logs - middle))), 0.1)
        for index, value in zip(members, logs, strict=True):
            z = (float(value) - middle) / spread
            if abs(z) > OUTLIER_Z:
                times = float(np.exp(abs(value - middle)))
                word = "larger" if z > 0 else "smaller"
                median = f"the median of this ROI and modality ({np.exp(middle):.3g} mL)"
                words = f"{times:.1f} times {word} than {median}."
                found.append((index, Finding("volume-outlier", words, min(1.5 + abs(z) / 5, 4.0))))
    return found


def _disagreements(samples: Sequence[Sample], measures: Mapping[int, Measures]) -> list[tuple[int, Finding]]:
    """Pairs of raters of one ROI on one volume whose contours overlap little."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index in measures:
        groups[same_roi(samples[index])].append(index)
    found = []
    for members in groups.values():
        for position, first in enumerate(members):
            for second in members[position + 1 :]:
                if samples[first].coords.get("rater") == samples[second].coords.get("rater"):
                    continue
                overlap = dice(measures[first], measures[second])
                if overlap < LOW_DICE:
                    found.append((first, _disagrees(samples[second], overlap)))
                    found.append((second, _disagrees(samples[first], overlap)))
    return found


def same_roi(sample: Sample) -> tuple[str, ...]:
    """What the contours of one ROI on one volume share, whoever drew them."""
    names = ("patient_id", "roi", "roi_instance", "timepoint")
    return (sample.images["image"].volume_id, *(str(sample.coords.get(name) or "") for name in names))


def _disagrees(other: Sample, overlap: float) -> Finding:
    words = f"Disagrees with rater {other.coords.get('rater')}: Dice {overlap:.2f}."
    return Finding("raters-disagree", words, 2.0 + 2.5 * (LOW_DICE - overlap) / LOW_DICE)


def dice(a: Measures, b: Measures) -> float:
    """Dice's coefficient of two masks on one grid, from their boxes: 2 |A and B| / (|A| + |B|)."""
    low = [max(p.start, q.start) for p, q in zip(a.box, b.box, strict=True)]
    high = [min(p.stop, q.stop) for p, q in zip(a.box, b.box, strict=True)]
    if any(stop <= start for start, stop in zip(low, high, strict=True)):
        return 0.0
    cuts = []
    for m in (a, b):
        part = tuple(
            slice(start - own.start, stop - own.start)
            for start, stop, own in zip(low, high, m.box, strict=True)
        )
        cuts.append(m.inside[part])
    return float(2 * np.count_nonzero(cuts[0] & cuts[1]) / (a.voxels + b.voxels))


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.1f} %" if fraction < 0.1 else f"{fraction * 100:.0f} %"
