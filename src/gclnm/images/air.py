"""The lower end of Hounsfield units: what lies below air is no measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.images.volume import Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AIR_HU", "clamp", "clamped"]

AIR_HU = -1024.0


def clamp(values: NDArray[np.floating]) -> int:
    """Set what lies below air to air, in place; how many voxels that were.

    Examples
    --------
    >>> values = np.array([-2000.0, 40.0])
    >>> clamp(values), values.tolist()
    (1, [-1024.0, 40.0])
    """
    below = values < AIR_HU
    values[below] = AIR_HU
    return int(below.sum())


def clamped(voxels: int) -> tuple[Step, ...]:
    """What the history says of it; nothing where nothing was done."""
    step = Step("clamp", {"voxels": voxels, "set_to": AIR_HU}, "values below -1024 HU")
    return (step,) if voxels else ()
