"""Whether an ROI can give features, and the numbers that tell how sound it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.counts import count
from gclnm.errors import EngineError
from gclnm.prepare.discretise import lower_bound, n_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.sample import Case
    from gclnm.prepare.settings import Prepare

__all__ = ["ROI_DIAGNOSTICS", "extent", "require_finite", "require_roi", "require_voxel", "roi_diagnostics"]

ROI_DIAGNOSTICS = (
    "voxels_native",
    "slices_native",
    "voxels_resampled",
    "voxels_analysed",
    "fraction_outside_range",
    "shape_voxels_lost",
    "intensity_minimum",
    "intensity_mean",
    "intensity_maximum",
    "grey_levels",
    "spacing_x_mm",
    "spacing_y_mm",
    "spacing_z_mm",
)


def extent(inside: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Voxels that the ROI's box spans along z, y and x; zeros when it is empty.

    Examples
    --------
    >>> mask = np.zeros((4, 5, 6), dtype=bool)
    >>> mask[1:3, 2, 1:6] = True
    >>> extent(mask)
    (2, 1, 5)
    """
    spans = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        places = np.flatnonzero(inside.any(axis=others))
        spans.append(int(places[-1] - places[0] + 1) if places.size else 0)
    return (spans[0], spans[1], spans[2])


def require_roi(inside: NDArray[np.bool_], axis: int | None, *, after: str = "") -> None:
    """Refuse an ROI that has too few voxels or dimensions.

    Parameters
    ----------
    inside
        The ROI, (z, y, x).
    axis
        The axis (z, y, x) that a 2-D recipe does not look along; None for a 3-D recipe.
    after
        The step it has just been through, for the message.

    Raises
    ------
    EngineError
        With code ``empty-roi``, ``one-voxel``, ``one-slice`` or ``thin-roi``.
    """
    when = f" after {after}" if after else ""
    require_voxel(inside, after=after)
    if np.count_nonzero(inside) == 1:
        raise EngineError(f"the ROI has one voxel{when}", fix="Features need more.", code="one-voxel")
    spans = extent(inside)
    if axis is None and min(spans) == 1:
        raise EngineError(
            f"the ROI lies in one slice{when}, which 3-D recipes do not measure; 2-D ones such as ct-2d do",
            fix="Set compute.texture.plane: axial, or use a built-in 2-D recipe.",
            code="one-slice",
        )
    if axis is not None and any(span == 1 for index, span in enumerate(spans) if index != axis):
        raise EngineError(
            f"the ROI is one voxel wide in the plane of the recipe{when}",
            fix="Check the contour, or choose another compute.texture.plane.",
            code="thin-roi",
        )


def require_voxel(inside: NDArray[np.bool_], *, after: str = "") -> None:
    """Refuse an ROI without voxels.

    Raises
    ------
    EngineError
        With code ``empty-roi``.
    """
    if not inside.any():
        when = f" after {after}" if after else ""
        raise EngineError(f"the ROI has no voxel{when}", fix="Check the contour.", code="empty-roi")


def require_finite(voxels: NDArray[np.floating], inside: NDArray[np.bool_], source: str) -> None:
    """Refuse an ROI that holds NaN or infinite voxels.

    Raises
    ------
    EngineError
        With the number of such voxels.
    """
    wrong = int(np.count_nonzero(~np.isfinite(voxels[inside])))
    if wrong:
        raise EngineError(
            f"{source} {count(wrong, 'voxel')} in the ROI without a finite number",
            fix="Padding or a failed conversion may reach into the ROI.",
            code="not-finite",
        )


def roi_diagnostics(
    case: Case,
    voxels: NDArray[np.floating],
    inside: NDArray[np.bool_],
    valued: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    prepare: Prepare,
) -> dict[str, float]:
    """Numbers that tell whether a case is sound.

    Parameters
    ----------
    case
        Image and ROI as loaded.
    voxels, inside
        Image and whole ROI after resampling, (z, y, x).
    valued
        What of the ROI has values: intensities are those of these voxels.
    kept
        What remains of it after re-segmentation.
    prepare
        What the recipe did to them.
    """
    native = case.roi.array
    values, size = voxels[valued], np.count_nonzero(inside)
    x, y, z = case.image.geometry.spacing_mm
    return {
        "voxels_native": float(np.count_nonzero(native)),
        "slices_native": float(np.count_nonzero(native.any(axis=(1, 2)))),
        "voxels_resampled": float(size),
        "voxels_analysed": float(np.count_nonzero(kept)),
        "fraction_outside_range": float(1.0 - np.count_nonzero(kept) / size),
        "intensity_minimum": float(values.min()),
        "intensity_mean": float(values.mean(dtype=np.float64)),
        "intensity_maximum": float(values.max()),
        "grey_levels": n_levels(voxels[kept], prepare.discretise, lower_bound(prepare.resegment)),
        "spacing_x_mm": x,
        "spacing_y_mm": y,
        "spacing_z_mm": z,
    }
