"""Facts that a user supplies in place of what a header says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gclnm.images.volume import Step

if TYPE_CHECKING:
    from gclnm.images.volume import Volume

__all__ = ["overridden"]


def overridden(volume: Volume, overrides: Mapping[str, float | str]) -> Volume:
    """The volume with facts replaced, which the fact ``overridden`` and the history name.

    Parameters
    ----------
    volume
        As loaded.
    overrides
        Facts by name, in the units that their names say. The history has the names only: what a
        harmonizer makes of the values is told by its own step.

    Examples
    --------
    >>> import numpy as np
    >>> from gclnm.images import Geometry, Volume
    >>> grid = Geometry(size=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> volume = Volume(np.zeros((1, 1, 1)), grid, facts={"weight_kg": 7.0})
    >>> dict(overridden(volume, {"weight_kg": 70.0}).facts)
    {'weight_kg': 70.0, 'overridden': 'weight_kg'}
    """
    if not overrides:
        return volume
    names = sorted(overrides)
    facts = {**volume.facts, **overrides, "overridden": ";".join(names)}
    return volume.with_(Step("override", note=f"supplied by the user: {', '.join(names)}"), facts=facts)
