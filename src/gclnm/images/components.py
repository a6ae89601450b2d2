"""Connected parts of a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.errors import ReadError
from gclnm.images.volume import Mask, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["component", "component_sizes"]


def component_sizes(mask: Mask) -> tuple[int, ...]:
    """Voxels of each connected part, largest first; voxels that share a face, edge or corner are connected.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(5, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> component_sizes(Mask(np.array([[[1, 0, 1, 1, 0]]]), grid))
    (2, 1)
    """
    return tuple(int(n) for n in sorted(_labelled(mask)[1], reverse=True))


def component(mask: Mask, number: int) -> Mask:
    """One connected part of a mask: 1 is the largest; of equal ones the first in the array comes first.

    Raises
    ------
    ReadError
        When the mask has fewer parts (code ``no-such-component``).
    """
    labels, sizes = _labelled(mask)
    if not 1 <= number <= len(sizes):
        raise ReadError(f"the mask has {len(sizes)} connected parts, not {number}", code="no-such-component")
    order = np.argsort(-sizes, kind="stable")
    step = Step("component", {"number": number, "of": len(sizes), "connectivity": 26})
    return mask.with_(step, array=labels == order[number - 1] + 1)


def _labelled(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    from scipy import ndimage

    labels, _ = ndimage.label(mask.array, structure=np.ones((3, 3, 3)))
    return labels, np.bincount(labels.ravel())[1:]
