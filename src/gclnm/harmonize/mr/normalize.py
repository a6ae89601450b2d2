"""MR signal to a scale that images share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gclnm.errors import QuantityError
from gclnm.harmonize.mr.body import body_mask
from gclnm.harmonize.mr.nyul import histogram_landmarks, onto_standard
from gclnm.harmonize.mr.settings import (
    NOT_LEARNT,
    Normalization,
    Nyul,
    Percentile,
    ReferenceTissue,
    WhiteStripe,
    ZScore,
)
from gclnm.harmonize.mr.signal import NORMALIZED, require_signal
from gclnm.harmonize.mr.whitestripe import stripe
from gclnm.images.volume import Mask, Step, Volume
from gclnm.prepare.grid import onto

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["normalize", "reference_role", "region"]

FEWEST_REFERENCE = 10
Values: TypeAlias = "NDArray[np.float64]"
Told: TypeAlias = dict[str, Any]


def normalize(
    volume: Volume, settings: Normalization, *, roi: Mask | None = None, reference: Mask | None = None
) -> Volume:
    """MR signal on a common scale; its quantity becomes ``normalized``.

    * ``z-score``: mean 0 and standard deviation ``scale`` in the body without the ROI, clipped (Carré
      2020, doi 10.1038/s41598-020-69298-z, on its use for radiomics).
    * ``percentile``: two percentiles of the body without the ROI to 0 and ``scale``.
    * ``reference-tissue``: divided by the mean of an outlined tissue.
    * ``nyul``: percentiles of the body without the ROI to a learnt standard scale (Nyúl and Udupa 1999,
      Magn Reson Med 42:1072).
    * ``white-stripe``: mean 0 and standard deviation 1 in white matter (Shinohara 2014, doi
      10.1016/j.nicl.2014.08.008); brain only.

    Parameters
    ----------
    volume
        MR signal (``arbitrary``), bias-corrected before where that is wanted.
    settings
        One of the methods.
    roi
        What is measured later; left out of the region that the scale is taken from. On any grid.
    reference
        The reference tissue (``reference-tissue``) or the brain without skull (``white-stripe``).

    Raises
    ------
    QuantityError
        Code ``not-signal`` (maps in units, CT, PET, normalized before), ``no-body``, ``no-reference``,
        ``not-learnt``, ``flat-histogram``, ``no-white-matter``.
    GeometryError
        A mask does not lie on the image.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(20, 20, 10), spacing_mm=(1.0, 1.0, 1.0))
    >>> signal = np.random.default_rng(0).normal(3, 1, grid.shape)
    >>> signal[:, 4:16, 4:16] += 100
    >>> muscle = np.zeros(grid.shape, dtype=bool)
    >>> muscle[2:8, 6:10, 6:10] = True
    >>> scaled = normalize(
    ...     Volume(signal, grid), ReferenceTissue(method="reference-tissue"), reference=Mask(muscle, grid)
    ... )
    >>> scaled.quantity, round(float(scaled.array[muscle].mean()), 3)
    ('normalized', 1.0)
    """
    require_signal(volume, "normalize")
    roi = None if roi is None else onto(roi, volume)
    reference = None if reference is None else onto(reference, volume)
    values, told = _METHODS[type(settings)](volume, settings, roi, reference)
    note = _NOTES[settings.method]
    doubt = "" if reference_role(settings) else body_mask(volume).history[-1].note
    step = Step("normalize", {"method": settings.method, **told}, f"{note}; {doubt}" if doubt else note)
    return volume.with_(step, array=values.astype(np.float32), quantity=NORMALIZED)


def reference_role(settings: Normalization) -> str:
    """Role of the mask that a method needs besides the ROI; empty when none.

    Examples
    --------
    >>> reference_role(ZScore(method="z-score")), reference_role(ReferenceTissue(method="reference-tissue"))
    ('', 'reference')
    """
    return settings.role if isinstance(settings, ReferenceTissue | WhiteStripe) else ""


def region(volume: Volume, roi: Mask | None) -> NDArray[np.bool_]:
    """The body, without the ROI where one is given (on the grid of ``volume``), (z, y, x).

    Raises
    ------
    QuantityError
        Code ``no-body``: nothing remains.
    """
    body = body_mask(volume).array
    inside = body if roi is None else body & ~roi.array
    if not inside.any():
        raise QuantityError("the ROI is all of the body in the image", code="no-body")
    return inside


def _chosen(volume: Volume, roi: Mask | None, exclude: bool) -> tuple[Values, Told]:
    """Values that the scale is taken from, and what to tell of them."""
    left_out = roi if exclude else None
    inside = region(volume, left_out)
    told = {"region": "body" if left_out is None else "body without the ROI", "voxels": int(inside.sum())}
    return volume.array[inside].astype(np.float64), told


def _z_score(
    volume: Volume, settings: ZScore, roi: Mask | None, reference: Mask | None
) -> tuple[Values, Told]:
    chosen, told = _chosen(volume, roi, settings.exclude_roi)
    mean, sd = float(chosen.mean()), float(chosen.std())
    _require_spread(sd)
    values = (volume.array.astype(np.float64) - mean) / sd
    told |= {"mean": mean, "sd": sd, "scale": settings.scale}
    if settings.clip_sd is not None:
        beyond = np.abs(values) > settings.clip_sd
        values = np.clip(values, -settings.clip_sd, settings.clip_sd)
        told |= {"clip_sd": settings.clip_sd, "clipped_voxels": int(beyond.sum())}
        # What matters is how much of the lesion itself was cut off.
        told |= {} if roi is None else {"clipped_in_roi": int((beyond & roi.array).sum())}
    return values * settings.scale, told


def _percentile(
    volume: Volume, settings: Percentile, roi: Mask | None, reference: Mask | None
) -> tuple[Values, Told]:
    chosen, told = _chosen(volume, roi, settings.exclude_roi)
    low, high = (float(value) for value in np.percentile(chosen, (settings.low, settings.high)))
    _require_spread(high - low)
    told |= {"percentiles": [settings.low, settings.high], "signal": [low, high], "scale": settings.scale}
    return (volume.array.astype(np.float64) - low) / (high - low) * settings.scale, told


def _reference_tissue(
    volume: Volume, settings: ReferenceTissue, roi: Mask | None, reference: Mask | None
) -> tuple[Values, Told]:
    if reference is None:
        raise QuantityError(
            "the reference tissue has no mask",
            fix=f"Pair an ROI of it in the role {settings.role!r}: pair(catalog, roi={{...}}).",
            code="no-reference",
        )
    chosen = volume.array[reference.array].astype(np.float64)
    if chosen.size < FEWEST_REFERENCE:
        raise QuantityError(
            f"the reference tissue has {chosen.size} voxels, fewer than {FEWEST_REFERENCE}",
            fix="Outline more of it.",
            code="no-reference",
        )
    signal = float(chosen.mean() if settings.statistic == "mean" else np.median(chosen))
    if signal <= 0:
        raise QuantityError(
            f"the signal of the reference tissue is {signal:.4g}: nothing can be divided by it",
            fix="Check that its mask lies on tissue of this image.",
            code="no-reference",
        )
    told: Told = {"statistic": settings.statistic, "signal": signal, "scale": settings.scale}
    told["voxels"] = int(chosen.size)
    if roi is not None:
        told["shared_with_roi"] = int((roi.array & reference.array).sum())
    return volume.array.astype(np.float64) / signal * settings.scale, told


def _nyul(volume: Volume, settings: Nyul, roi: Mask | None, reference: Mask | None) -> tuple[Values, Told]:
    if settings.standard is None:
        raise QuantityError(**NOT_LEARNT)
    chosen, told = _chosen(volume, roi, settings.exclude_roi)
    landmarks = histogram_landmarks(chosen, settings.percentiles)
    values = onto_standard(volume.array, landmarks, settings.standard.landmarks)
    beyond = (volume.array < landmarks[0]) | (volume.array > landmarks[-1])
    told |= {"landmarks": [float(value) for value in landmarks], "cases": settings.standard.cases}
    told |= {} if roi is None else {"extrapolated_in_roi": int((beyond & roi.array).sum())}
    return values, told


def _white_stripe(
    volume: Volume, settings: WhiteStripe, roi: Mask | None, reference: Mask | None
) -> tuple[Values, Told]:
    if reference is None:
        raise QuantityError(
            "WhiteStripe needs a mask of the brain without skull",
            fix=f"Pair one in the role {settings.role!r}: pair(catalog, roi={{...}}).",
            code="no-reference",
        )
    inside = reference.array if roi is None else reference.array & ~roi.array
    peak, chosen = stripe(volume.array[inside], settings.contrast, settings.width)
    mean, sd = float(chosen.mean()), float(chosen.std())
    _require_spread(sd)
    told = {"peak": peak, "mean": mean, "sd": sd, "voxels": int(chosen.size)}
    return (volume.array.astype(np.float64) - mean) / sd, told


def _require_spread(value: float) -> None:
    if not value > 0:
        raise QuantityError(
            "all voxels that the scale is taken from have the same signal",
            fix="Check that the image shows tissue, and that masks lie on it.",
            code="flat-histogram",
        )


_Method: TypeAlias = Callable[[Volume, Any, Mask | None, Mask | None], tuple[Values, Told]]
_METHODS: Mapping[type, _Method] = {
    ZScore: _z_score,
    Percentile: _percentile,
    ReferenceTissue: _reference_tissue,
    Nyul: _nyul,
    WhiteStripe: _white_stripe,
}
_NOTES = {
    "z-score": "(signal - mean) / sd * scale, then clipped",
    "percentile": "(signal - low) / (high - low) * scale",
    "reference-tissue": "signal / signal of the tissue * scale",
    "nyul": "landmarks of the histogram to the learnt standard scale, linear between and beyond",
    "white-stripe": "(signal - mean of the stripe) / sd of the stripe",
}
