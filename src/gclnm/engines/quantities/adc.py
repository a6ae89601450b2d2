"""Apparent diffusion coefficient of an ROI on the ADC map as scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.engines.quantities.around import disc, means_around
from gclnm.engines.quantities.measured import Measured

if TYPE_CHECKING:
    from gclnm.images.sample import Case

__all__ = ["measure"]


def measure(case: Case, disc_mm2: float) -> Measured:
    """Mean ADC, and the lowest mean of a disc in a slice that lies wholly in the ROI.

    A reader's minimum ADC is the mean of a small round region in the darkest part of the lesion, which its
    size changes (20 to 214 mm^2 compared by Ma et al. 2017, doi:10.1186/s40644-017-0116-6); here every
    place is tried. One voxel alone would be noise.

    Parameters
    ----------
    case
        An ADC map, and the voxels of the ROI that have a value, on its grid.
    disc_mm2
        Area of the disc; voxels whose centres lie within it count.

    Examples
    --------
    >>> from gclnm.images import Case, Geometry, Mask, Volume
    >>> grid = Geometry(size=(6, 3, 1), spacing_mm=(2.0, 2.0, 5.0))
    >>> adc = Volume(np.tile([900.0, 900.0, 900.0, 1200.0, 1200.0, 1200.0], (1, 3, 1)), grid)
    >>> measure(Case({"image": adc}, {"roi": Mask(np.ones(grid.shape), grid)}), disc_mm2=40.0).values
    {'ADCmean': 1050.0, 'ADCmin': 900.0}
    """
    inside = case.roi.array
    mean = float(case.image.array[inside].astype(np.float64).mean())
    offsets = disc(case.image.geometry, disc_mm2)
    # What lies beyond the image is not in the ROI.
    whole = means_around(inside.astype(np.float64), inside, offsets, beyond=0.0) == 1
    lowest, notes = float("nan"), {}
    if not whole.any():
        notes["ADCmin"] = f"no disc of {disc_mm2:g} mm^2 ({len(offsets)} voxels) lies wholly in the ROI"
    else:
        lowest = float(means_around(case.image.array, inside, offsets)[whole].min())
        if len(offsets) == 1:
            notes["ADCmin"] = f"a disc of {disc_mm2:g} mm^2 is one voxel here: the lowest voxel"
    return Measured({"ADCmean": mean, "ADCmin": lowest}, notes)
