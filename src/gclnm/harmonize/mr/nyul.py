"""The standard scale of Nyúl and Udupa: landmarks of a histogram, learnt once, met by every image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import QuantityError
from gclnm.harmonize.mr.settings import Nyul, StandardScale

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["histogram_landmarks", "onto_standard", "standard_scale"]

# More identifiers would make the recipe a list of patients' keys; their digest says as much.
MOST_NAMED = 100


def histogram_landmarks(values: ArrayLike, percentiles: Sequence[float]) -> NDArray[np.float64]:
    """Signal at each percentile, ascending.

    Raises
    ------
    QuantityError
        Code ``flat-histogram``: two landmarks coincide.

    Examples
    --------
    >>> histogram_landmarks(range(101), (1, 50, 99)).tolist()
    [1.0, 50.0, 99.0]
    """
    landmarks = np.percentile(np.asarray(values, dtype=np.float64), percentiles)
    if not (np.diff(landmarks) > 0).all():
        raise QuantityError(
            "landmarks of the histogram coincide: too many voxels of the body have the same signal",
            fix="Take fewer percentiles, or z-score.",
            code="flat-histogram",
        )
    return landmarks


def standard_scale(
    landmarks: Sequence[ArrayLike], settings: Nyul, sample_ids: Sequence[str]
) -> StandardScale:
    """Mean position of each landmark, after the first and last of every image were put on the scale.

    Parameters
    ----------
    landmarks
        Landmarks of each training image, (image, percentile).
    settings
        Ends of the scale.
    sample_ids
        Training samples; their order does not matter.

    Examples
    --------
    >>> settings = Nyul(method="nyul", percentiles=(1, 50, 99))
    >>> standard_scale([[10, 20, 50], [0, 50, 100]], settings, ["a", "b"]).landmarks
    (0.0, 37.5, 100.0)
    """
    table = np.asarray(landmarks, dtype=np.float64)
    low, high = settings.scale
    first, last = table[:, :1], table[:, -1:]
    standard = (low + (table - first) / (last - first) * (high - low)).mean(axis=0)
    names = sorted(sample_ids)
    return StandardScale(
        landmarks=tuple(float(value) for value in standard),
        cases=len(table),
        sample_ids=tuple(names) if len(names) <= MOST_NAMED else (),
        sample_ids_sha256=hashlib.sha256("\n".join(names).encode()).hexdigest(),
    )


def onto_standard(values: ArrayLike, landmarks: ArrayLike, standard: ArrayLike) -> NDArray[np.float64]:
    """Values with each landmark moved to its place on the standard scale.

    Linear between two landmarks; beyond the outer ones the outer segments go on.

    Examples
    --------
    >>> onto_standard([0, 5, 10, 20, 30], [5, 10, 20], [0, 50, 100]).tolist()
    [-50.0, 0.0, 50.0, 100.0, 150.0]
    """
    x = np.asarray(values, dtype=np.float64)
    old, new = np.asarray(landmarks, dtype=np.float64), np.asarray(standard, dtype=np.float64)
    mapped = np.interp(x, old, new)
    for end, outside in ((0, x < old[0]), (-1, x > old[-1])):
        pair = slice(0, 2) if end == 0 else slice(-2, None)
        slope = np.diff(new[pair]) / np.diff(old[pair])
        mapped = np.where(outside, new[end] + (x - old[end]) * slope, mapped)
    return np.asarray(mapped)
