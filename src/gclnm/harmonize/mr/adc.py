"""ADC maps from diffusion-weighted images of two or more b-values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gclnm.errors import QuantityError
from gclnm.harmonize.mr.together import require_signal_alike, signal_arrays
from gclnm.harmonize.mr.units import ADC_UNIT
from gclnm.images.volume import Step, Volume
from gclnm.prepare.known import WITHOUT_VALUE
from gclnm.prepare.settings import Settings

__all__ = ["AdcSettings", "fit_adc", "trace"]

_NOT_NEGATIVE = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Below this difference ln S has no slope to speak of.
LEAST_SPREAD = 50.0
LEAST_ADC = 1e-9
# The level of noise is so many of its standard deviations.
SIGMAS = 3.0
# Signal of air is Rayleigh-distributed: its mean is 1.253 sigma (Gudbjartsson and Patz 1995), and it
# spreads by 0.52 of its mean; tissue is more even, and its signal falls with b.
_MEAN_OF_AIR = 1.253
LEAST_SPREAD_OF_AIR = 0.4
LEAST_KEPT_BY_AIR = 0.7
CORNER = 1 / 12
MOST_EMPTY = 0.5
# Level of noise, as a part of bright tissue, above which the corners cannot be air.
MOST_NOISE = 0.5
# Half a standard deviation: what a signal is at least, after noise was taken from it.
FLOOR = 0.5


class AdcSettings(Settings):
    """How an ADC is fitted."""

    b_range: tuple[_NOT_NEGATIVE, _NOT_NEGATIVE] | None = None
    """Lowest and highest b-value used, s/mm2; all by default. In the abdomen perfusion adds to the decay
    below 100 to 200: ``[100, 1000]`` leaves it out."""
    noise: _NOT_NEGATIVE | Literal["corners"] = "corners"
    """Level of the noise, which is three of its standard deviations: a number in units of the image, or
    measured in the image's corners, where these are air. 0 corrects nothing."""


def fit_adc(volumes: Mapping[float, Volume], settings: AdcSettings | None = None) -> Volume:
    """Apparent diffusion coefficient by a weighted linear fit of ln S against b, for each voxel.

    ``S(b) = S0 exp(-b ADC)``; least squares on ``ln S`` with weights ``S ** 2``, since noise of equal
    spread in S has a spread of ``1 / S`` in its logarithm. With two b-values that is
    ``ln(S1 / S2) / (b2 - b1)``. Noise lifts weak signal: its variance is subtracted in quadrature, and
    half its standard deviation is left at least. No b-value is dropped because its signal is weak: that
    would leave the voxels and b-values which noise happened to lift or lower. A voxel whose signal at the
    lowest b-value is not above the noise, or is 0 at another while the noise is not known, or whose signal
    does not fall with b, has no ADC: it is NaN, counted in the fact ``without_value``, and neither counts
    nor is interpolated where features are computed.

    Parameters
    ----------
    volumes
        By b-value (s/mm2, the one that was applied), on one grid, signal as acquired. One image each:
        directions are averaged before, see :func:`trace`.
    settings
        Choices; the defaults when left out.

    Returns
    -------
    Volume
        In 1e-6 mm2/s, with facts and grid of the lowest b-value.

    Raises
    ------
    QuantityError
        Code ``b-values``: fewer than two, or too close to each other. Code ``not-signal``: maps, or signal
        that was corrected or normalized for itself.
    GeometryError
        Code ``other-grid``.

    References
    ----------
    Le Bihan et al., Radiology 161 (1986) 401-407. Salvador et al., Human Brain Mapping 24 (2005) 144-155,
    doi 10.1002/hbm.20076 (weights). Gudbjartsson and Patz, Magnetic Resonance in Medicine 34 (1995)
    910-914, doi 10.1002/mrm.1910340618 (noise).

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> signal = lambda b: Volume(1000 * np.exp(-b * np.array([[[1e-3, 2e-3]]])), grid)
    >>> adc = fit_adc({0.0: signal(0), 400.0: signal(400), 800.0: signal(800)})
    >>> adc.array.round(1).tolist(), adc.quantity
    ([[[1000.0, 2000.0]]], '1e-6 mm2/s')
    """
    settings = settings or AdcSettings()
    used = _used(volumes, settings)
    b_values = np.array(list(used))
    images = list(used.values())
    require_signal_alike(images, "an ADC")
    signal = signal_arrays(images)
    noise, how = _noise(signal, settings.noise)
    adc = np.empty(signal[0].shape, np.float32)
    for index in range(len(adc)):  # slice by slice: a fit needs several arrays of its size
        adc[index] = _fitted(np.stack([image[index] for image in signal]), b_values, noise)
    lacking = int(np.count_nonzero(np.isnan(adc)))
    told = {
        "b_values": [float(f"{b:.6g}") for b in b_values],
        "weak_at_highest_b": int(np.count_nonzero((adc > 0) & (signal[-1] <= noise))),
        "noise": float(f"{noise:.4g}"),
        "without_value": lacking,
    }
    note = f"weighted log-linear least squares; noise {how}; voxels without a value are NaN"
    facts = {**images[0].facts, WITHOUT_VALUE: lacking}
    return images[0].with_(Step("adc", told, note), array=adc, quantity=ADC_UNIT, facts=facts)


def trace(volumes: Sequence[Volume]) -> Volume:
    """Geometric mean of images of one b-value and several directions; 0 where one of them is not above 0.

    Its logarithm is the mean of theirs, so that the ADC of three orthogonal directions is a third of the
    tensor's trace.

    Raises
    ------
    QuantityError, GeometryError
        They are no signal, or lie on several grids.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> float(trace([Volume(np.full((1, 1, 1), value), grid) for value in (2.0, 8.0)]).array[0, 0, 0])
    4.0
    """
    images = list(volumes)
    if len(images) == 1:
        return images[0]
    require_signal_alike(images, "a mean of directions")
    mean = np.zeros(images[0].array.shape, np.float64)
    positive = np.ones(mean.shape, bool)
    for signal in signal_arrays(images):
        positive &= signal > 0
        mean += np.log(np.maximum(signal, np.finfo(np.float32).tiny))
    values = np.where(positive, np.exp(mean / len(images)), 0.0)
    return images[0].with_(Step("trace", {"directions": len(images)}, "geometric mean"), array=values)


def _used(volumes: Mapping[float, Volume], settings: AdcSettings) -> dict[float, Volume]:
    low, high = settings.b_range or (0.0, np.inf)
    used = {float(b): volumes[b] for b in sorted(volumes) if low <= b <= high}
    if len(used) < 2 or max(used) - min(used) < LEAST_SPREAD:
        shown = ", ".join(f"{b:g}" for b in used) or "none"
        raise QuantityError(
            f"an ADC needs two b-values at least {LEAST_SPREAD:g} s/mm2 apart, there is {shown}",
            fix="Add images of another b-value, or widen b_range.",
            code="b-values",
        )
    return used


def _noise(signal: Sequence[NDArray[np.float32]], wanted: float | str) -> tuple[float, str]:
    """Level that signal has to exceed, and where it comes from."""
    if not isinstance(wanted, str):
        return float(wanted), "as given"
    corners, first = _corners(signal[-1]), _corners(signal[0])
    if np.count_nonzero(corners <= 0) > MOST_EMPTY * corners.size:
        return 0.0, "not known (the corners are empty, filled with 0) and not corrected for"
    mean = float(corners.mean(dtype=np.float64))
    level = SIGMAS * mean / _MEAN_OF_AIR
    air = (
        float(corners.std(dtype=np.float64)) >= LEAST_SPREAD_OF_AIR * mean
        and mean >= LEAST_KEPT_BY_AIR * float(first.mean(dtype=np.float64))
        and level <= MOST_NOISE * float(np.percentile(signal[0], 95))
    )
    if not air:
        return 0.0, "not known (the corners are not air) and not corrected for"
    return level, "of the air in the corners"


def _corners(image: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = (max(1, int(n * CORNER)) for n in image.shape[1:])
    ends = [(slice(0, rows), slice(-rows, None)), (slice(0, columns), slice(-columns, None))]
    return np.concatenate([image[:, y, x].ravel() for y in ends[0] for x in ends[1]])


def _fitted(signal: NDArray[Any], b_values: NDArray[np.float64], noise: float) -> NDArray[np.float32]:
    """ADC of voxels (b, row, column) in 1e-6 mm2/s, NaN where there is none."""
    variance = (noise / SIGMAS) ** 2
    squares = np.maximum(signal.astype(np.float64) ** 2 - variance, FLOOR**2 * variance)
    # Only the lowest b-value decides: its signal says next to nothing of the ADC.
    counts = (signal[0] > noise) & (squares > 0).all(axis=0)
    values = np.sqrt(np.where(counts, squares, 1.0))
    # Relative weights: the squares of large signals would lose the small ones.
    weights = (values / values.max(axis=0)) ** 2
    logs, b = np.log(values), b_values[:, None, None]
    total = weights.sum(axis=0)
    mean_b, mean_log = (weights * b).sum(axis=0) / total, (weights * logs).sum(axis=0) / total
    spread = (weights * (b - mean_b) ** 2).sum(axis=0)
    fall = -(weights * (b - mean_b) * (logs - mean_log)).sum(axis=0)
    # Equal signals fall by a rounding error.
    known = counts & (fall > LEAST_ADC * spread)
    adc = np.divide(fall, spread, out=np.full_like(fall, np.nan), where=known)
    return np.asarray(adc * 1e6, dtype=np.float32)
