"""The smooth shading that receive coils leave on MR signal, taken out by N4."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.harmonize.mr.body import body_mask
from gclnm.harmonize.mr.settings import N4
from gclnm.harmonize.mr.signal import require_signal
from gclnm.images.volume import Step, Volume, to_sitk

if TYPE_CHECKING:
    import SimpleITK as sitk
    from numpy.typing import NDArray

__all__ = ["n4"]

# ITK's defaults, and the threshold of its examples.
CONVERGENCE, SPLINE_ORDER, CONTROL_POINTS, BINS = 0.001, 3, 4, 200
# Fraction of the median that a fitted voxel must reach: logarithms of less say nothing of the coil.
FLOOR = 0.01


def n4(volume: Volume, settings: N4 | None = None) -> Volume:
    """Divide MR signal by the coil's shading, estimated by N4 (Tustison 2010, doi 10.1109/TMI.2010.2046908).

    The logarithm of the signal is fitted inside the body, on every n-th voxel; voxels below 1 % of the
    body's median are clipped to it and take no part. The field is evaluated on the full grid and scaled
    to median 1 in the body, so that signal keeps its level. Values are divided, never shifted: the model
    is a product. One thread: the same numbers bit for bit.

    An image that the scanner has corrected (fact ``uniformity``: NORM, PURE, SCIC, CLEAR) is left as it is,
    which its history says.

    Parameters
    ----------
    volume
        MR signal (``arbitrary``).
    settings
        Levels and shrinking; the defaults when left out.

    Raises
    ------
    QuantityError
        Code ``not-signal`` (maps in units), ``no-body``.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> signal = Volume(np.array([[[1.0, 2.0]]]), grid, facts={"modality": "MR", "uniformity": "NORM"})
    >>> n4(signal).history[-1].note
    'skipped: the scanner has corrected the shading (NORM)'
    """
    settings = settings or N4()
    require_signal(volume, "n4")
    done = str(volume.facts.get("uniformity") or "")
    if done:
        return volume.with_(Step("n4", {}, f"skipped: the scanner has corrected the shading ({done})"))
    mask = body_mask(volume)
    body = mask.array
    floor = FLOOR * float(np.median(volume.array[body]))
    inside = body & (volume.array > floor)
    shrink = _shrink(volume, settings)
    with _one_thread():
        field = _field(volume, inside, floor, settings, shrink)
    # The model has a free factor: without this, signal drifts (measured: median 0.64).
    field /= np.median(field[body])
    corrected = (volume.array / field).astype(np.float32)
    told = {
        "iterations": list(settings.iterations),
        "shrink": shrink,
        "clipped_voxels": int(body.sum() - inside.sum()),
        "field_percentiles_1_50_99": [round(float(v), 4) for v in np.percentile(field[body], (1, 50, 99))],
        "cv_before_after": [round(_variation(array[inside]), 4) for array in (volume.array, corrected)],
        "simpleitk": _version(),
    }
    note = "divided by a smooth field with median 1 in the body"
    doubt = mask.history[-1].note
    return volume.with_(Step("n4", told, f"{note}; {doubt}" if doubt else note), array=corrected)


def _shrink(volume: Volume, settings: N4) -> list[int]:
    """Factor along x, y and z: thick slices have none, and few slices stay at least four."""
    grid = volume.geometry
    return [
        max(1, min(int(settings.shrink_to_mm / spacing + 1e-6), n // CONTROL_POINTS))
        for spacing, n in zip(grid.spacing_mm, grid.size, strict=True)
    ]


def _field(
    volume: Volume, inside: NDArray[np.bool_], floor: float, settings: N4, shrink: list[int]
) -> NDArray[np.float64]:
    """The multiplicative field on the full grid, up to a factor."""
    import SimpleITK as sitk

    image = to_sitk(np.maximum(volume.array, np.float32(floor)), volume.geometry)
    mask = to_sitk(inside.astype(np.uint8), volume.geometry)
    fit = sitk.N4BiasFieldCorrectionImageFilter()
    fit.SetNumberOfThreads(1)
    fit.SetMaximumNumberOfIterations(list(settings.iterations))
    fit.SetConvergenceThreshold(CONVERGENCE)
    fit.SetSplineOrder(SPLINE_ORDER)
    fit.SetNumberOfControlPoints([CONTROL_POINTS] * 3)
    fit.SetNumberOfHistogramBins(BINS)
    fit.Execute(_shrunken(image, shrink), _shrunken(mask, shrink))
    log_field = sitk.GetArrayFromImage(fit.GetLogBiasFieldAsImage(image))
    return np.asarray(np.exp(log_field, dtype=np.float64))


def _shrunken(image: sitk.Image, factors: list[int]) -> sitk.Image:
    import SimpleITK as sitk

    return sitk.Shrink(image, factors)


@contextmanager
def _one_thread() -> Iterator[None]:
    """N4 fits its splines by filters of its own, which take the global number of threads."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _variation(values: NDArray[Any]) -> float:
    return float(values.std(dtype=np.float64) / values.mean(dtype=np.float64))


def _version() -> str:
    import SimpleITK as sitk

    return str(sitk.Version.VersionString())
