"""One sample and a recipe become one row: what a worker runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.sample import Coordinate

__all__ = ["Row"]


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a feature set.

    Parameters
    ----------
    sample_id
        The row's key.
    coords
        Its coordinates, as the sample gave them.
    status, reason
        ``"ok"`` and empty, or ``"failed"`` and why: a code and a sentence of ours.
    values
        Features in the recipe's order, (feature,); NaN: not computed.
    diagnostics
        Diagnostics in the recipe's order, (diagnostic,).
    inputs_sha256
        Digest of everything it was computed from; empty when that could not be read.
    history
        JSON: the steps of image and ROI, the engine, and why values are NaN.
    seconds
        How long it took, reading included.
    """

    sample_id: str
    coords: dict[str, Coordinate]
    status: Literal["ok", "failed"]
    reason: str
    values: NDArray[np.float64]
    diagnostics: NDArray[np.float64]
    inputs_sha256: str = ""
    history: str = "{}"
    seconds: float = float("nan")
