"""Tissues that ratios and thresholds refer to: liver, blood pool, aorta."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import GeometryError
from gclnm.prepare.grid import onto

if TYPE_CHECKING:
    from gclnm.images.sample import Case
    from gclnm.images.volume import Step

__all__ = ["Reference", "ratio", "reference"]


@dataclass(frozen=True)
class Reference:
    """Intensities of one tissue, or why there are none.

    Parameters
    ----------
    tissue
        ``"liver"``, ``"blood"`` or ``"aorta"``.
    mean, sd
        Mean and standard deviation (over N) of its voxels, in the unit of the image; NaN without it.
    voxels
        How many there are on the image's grid.
    missing
        Why there is no mean; empty where there is one.
    care
        Why to read it with care; empty where there is nothing to say.
    steps
        What was done to its ROI.
    """

    tissue: str
    mean: float = float("nan")
    sd: float = float("nan")
    voxels: int = 0
    missing: str = ""
    care: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def diagnostics(self) -> dict[str, float]:
        """Mean, standard deviation and number of voxels, by name."""
        known = {"mean": self.mean, "sd": self.sd, "voxels": float(self.voxels)}
        return {f"{self.tissue}_{what}": value for what, value in known.items()}


def reference(case: Case, tissue: str, roles: tuple[str, ...]) -> Reference:
    """What a tissue is like on the image as scanned.

    Parameters
    ----------
    case
        Image and masks by role, each on its own grid.
    tissue
        What it is called.
    roles
        Roles that its ROI may have; where several are there none is taken.

    Examples
    --------
    >>> from gclnm.images import Case, Geometry, Mask, Volume
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> masks = {"liver": Mask(np.array([[[True, True]]]), grid), "roi": Mask(np.zeros((1, 1, 2)), grid)}
    >>> case = Case({"image": Volume(np.array([[[1.5, 2.5]]]), grid)}, masks)
    >>> reference(case, "liver", ("liver",)).mean
    2.0
    >>> reference(case, "blood", ("blood", "aorta")).missing
    'no ROI of role blood or aorta is paired'
    """
    present = [role for role in roles if role in case.masks or role in case.unplaced]
    if not present:
        return Reference(tissue, missing=f"no ROI of role {' or '.join(roles)} is paired")
    if len(present) > 1:
        return Reference(tissue, missing=f"ROIs of roles {' and '.join(present)} are paired: leave one out")
    role = present[0]
    words = f"the ROI of role {role}"
    if role in case.unplaced:
        return Reference(tissue, missing=f"{words} cannot be used: {case.unplaced[role]}")
    try:
        mask = onto(case.masks[role], case.image)
    except GeometryError as error:
        return Reference(tissue, missing=f"{words} cannot be used: {error.reason}")
    found = Reference(tissue, voxels=mask.n_voxels, steps=mask.history)
    values = case.image.array[mask.array].astype(np.float64)
    if not values.size:
        return replace(found, missing=f"{words} has no voxel")
    if not np.isfinite(values).all():
        return replace(found, missing=f"{words} holds voxels that are not finite numbers")
    shared = int(np.count_nonzero(mask.array & case.roi.array))
    care = f"{words} and the one measured share {shared} voxels" if shared else ""
    return replace(found, mean=float(values.mean()), sd=float(values.std()), care=care)


def ratio(value: float, tissue: Reference) -> tuple[float, str]:
    """A value over the mean of a tissue, and why there is none or it needs care.

    Examples
    --------
    >>> ratio(6.0, Reference("liver", mean=2.0))
    (3.0, '')
    >>> ratio(6.0, Reference("liver", mean=-0.1))
    (nan, 'the mean of the liver is not positive')
    """
    if tissue.missing:
        return float("nan"), tissue.missing
    if tissue.mean <= 0:
        return float("nan"), f"the mean of the {tissue.tissue} is not positive"
    return value / tissue.mean, tissue.care
