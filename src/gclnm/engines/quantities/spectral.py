"""Iodine of an ROI on an iodine map as scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.engines.quantities.measured import Measured
from gclnm.engines.quantities.reference import ratio, reference

if TYPE_CHECKING:
    from gclnm.images.sample import Case

__all__ = ["measure"]


def measure(case: Case) -> Measured:
    """Mean iodine concentration and, relative to the aorta of the same image, its normalized form.

    Negative voxels are noise and count in the mean. The ratio cancels what differs between patients in
    circulation, and any factor of the unit (Meng et al. 2017, doi:10.1097/MD.0000000000005878).

    Parameters
    ----------
    case
        An iodine map in mg/mL, the ROI on its grid, and where there is one an ROI of role ``aorta``.

    Examples
    --------
    >>> from gclnm.images import Case, Geometry, Mask, Volume
    >>> grid = Geometry(size=(4, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> roi = Mask(np.array([[[1, 1, 0, 0]]]), grid)
    >>> iodine = Volume(np.array([[[1.5, 2.5, 8.0, 8.0]]]), grid, quantity="mg/mL")
    >>> measure(Case({"image": iodine}, {"roi": roi, "aorta": Mask(~roi.array, grid)})).values
    {'IodineMean': 2.0, 'NIC': 0.25}
    """
    aorta = reference(case, "aorta", ("aorta",))
    mean = float(case.image.array[case.roi.array].astype(np.float64).mean())
    normalized, note = ratio(mean, aorta)
    return Measured({"IodineMean": mean, "NIC": normalized}, {"NIC": note} if note else {}, (aorta,))
