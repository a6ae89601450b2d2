"""Several MR images that are computed with: one grid, one scale, nothing done to one and not to others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gclnm.errors import GeometryError, QuantityError
from gclnm.images.volume import Volume

__all__ = ["require_signal_alike", "signal_arrays"]

# Steps that change each image in its own way: a ratio of two is no longer one of tissue.
_OWN_SCALE = frozenset({"n4", "normalize"})


def require_signal_alike(volumes: Sequence[Volume], wanted: str) -> None:
    """Refuse images that cannot be put into one formula.

    Parameters
    ----------
    volumes
        Two or more.
    wanted
        What they are for, in an error's words.

    Raises
    ------
    GeometryError
        Code ``other-grid``: voxels do not lie at the same places.
    QuantityError
        Code ``not-signal``: a map, or signal with a scale of its own. Code ``mixed-scales``: some state
        the scale of their signal, and some do not.
    """
    first = volumes[0]
    if not all(first.geometry.agrees(other.geometry) for other in volumes[1:]):
        raise GeometryError(
            f"{wanted} needs images on one grid",
            fix="Take series of one acquisition, or register and resample them before.",
            code="other-grid",
        )
    for volume in volumes:
        done = sorted(_OWN_SCALE.intersection(step.name for step in volume.history))
        if volume.quantity != "arbitrary" or done:
            what = f"signal after {' and '.join(done)}" if done else f"values in {volume.quantity}"
            raise QuantityError(
                f"{wanted} needs MR signal as acquired, not {what}",
                fix="Derive first, then correct or normalize.",
                code="not-signal",
            )
    stated = [volume.facts.get("signal_scale") for volume in volumes]
    if None in stated and any(scale is not None for scale in stated):
        raise QuantityError(
            "some images state the scale of their signal (2005,100E), and some do not",
            fix="Export all series from the scanner's own archive.",
            code="mixed-scales",
        )


def signal_arrays(volumes: Sequence[Volume]) -> list[NDArray[np.float32]]:
    """Their voxels on the scale of the first one (Philips scales every series for itself).

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> volumes = [Volume(np.full((1, 1, 1), 6.0), grid, facts={"signal_scale": s}) for s in (2.0, 4.0)]
    >>> [float(array[0, 0, 0]) for array in signal_arrays(volumes)]
    [6.0, 3.0]
    """
    scales = [volume.facts.get("signal_scale") for volume in volumes]
    known = [float(scale) if isinstance(scale, int | float) else 1.0 for scale in scales]
    return [
        volume.array if scale == known[0] else volume.array * np.float32(known[0] / scale)
        for volume, scale in zip(volumes, known, strict=True)
    ]
