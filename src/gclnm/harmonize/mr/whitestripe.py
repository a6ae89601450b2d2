"""The stripe of normal-appearing white matter in a brain's histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from gclnm.errors import QuantityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["stripe"]

BINS, SMOOTH_BINS = 200, 3.0
# A peak is one when it is at least a fifth as high as the highest (the authors' `rare.prop`).
RARE = 0.2
TAILS = (0.5, 99.5)
FEWEST = 1000


def stripe(
    values: NDArray[np.floating], contrast: Literal["T1", "T2"], width: float
) -> tuple[float, NDArray[np.float64]]:
    """The peak of white matter, and the values around it (Shinohara 2014, section 2.2).

    The peak is the last of the smoothed histogram (T1, where white matter is brightest) or the highest
    (T2). The stripe holds the values within ``width`` of the peak's quantile, to either side.

    Parameters
    ----------
    values
        Signal of the brain without skull, (voxel,).
    contrast
        ``"T1"`` or ``"T2"``.
    width
        Fraction of the voxels to either side.

    Raises
    ------
    QuantityError
        Code ``no-white-matter``: fewer than 1,000 voxels, or no peak.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> brain = np.concatenate([rng.normal(100, 8, 60000), rng.normal(150, 6, 40000)])
    >>> peak, inside = stripe(brain, "T1", 0.05)
    >>> abs(peak - 150) < 1, round(inside.size / brain.size, 2)
    (True, 0.1)
    """
    signal = np.asarray(values, dtype=np.float64)
    if signal.size < FEWEST:
        raise _no_peak(f"the mask of the brain has {signal.size} voxels")
    centres, heights = _histogram(signal)
    inner = heights[1:-1]
    peaks = 1 + np.flatnonzero((inner > heights[:-2]) & (inner >= heights[2:]))
    peaks = peaks[heights[peaks] >= RARE * heights.max()]
    if not peaks.size:
        raise _no_peak("its histogram has no peak")
    chosen = peaks[-1] if contrast == "T1" else peaks[np.argmax(heights[peaks])]
    peak = float(centres[chosen])
    quantile = float(np.mean(signal < peak))
    low, high = np.quantile(signal, (max(quantile - width, 0.0), min(quantile + width, 1.0)))
    return peak, signal[(signal > low) & (signal < high)]


def _histogram(signal: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy import ndimage

    low, high = np.percentile(signal, TAILS)
    if not high > low:
        raise _no_peak("all its voxels have the same signal")
    counts, edges = np.histogram(signal, bins=BINS, range=(low, high))
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), SMOOTH_BINS, mode="constant")
    return (edges[:-1] + edges[1:]) / 2, smooth


def _no_peak(why: str) -> QuantityError:
    return QuantityError(
        f"no white matter is found: {why}",
        fix="Check the mask of the brain; WhiteStripe is for whole brains without skull.",
        code="no-white-matter",
    )
