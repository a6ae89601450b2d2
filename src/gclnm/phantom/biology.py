"""What is hidden in the lesions of one patient and shows in every modality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["Biology", "draw_biology"]


@dataclass(frozen=True)
class Biology:
    """What is hidden in the lesions of one patient and shows in every modality.

    Parameters
    ----------
    patchiness
        Standard deviation of the texture, as a fraction of what the modality allows.
    patch_mm
        Its correlation length.
    activity
        Uptake of the tumour relative to the average.
    texture
        A random field of unit variance on a cube of 1.5 mm voxels, shared by all modalities.
    """

    patchiness: float
    patch_mm: float
    activity: float
    texture: NDArray[np.float32]

    def at(
        self, x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """The field at points (mm), repeated beyond the cube."""
        from scipy.ndimage import map_coordinates

        where = np.stack([z, y, x]) / 1.5
        return np.asarray(map_coordinates(self.texture, where, order=1, mode="grid-wrap"), np.float32)


def draw_biology(rng: Generator) -> Biology:
    """A patient's hidden biology; the tumours of two patients differ in grain and in strength."""
    from scipy.ndimage import gaussian_filter

    patch_mm = float(rng.uniform(2.0, 5.5))
    noise = gaussian_filter(rng.normal(size=(48, 48, 48)), patch_mm / 1.5, mode="wrap")
    return Biology(
        patchiness=float(rng.uniform(0.4, 1.0)),
        patch_mm=patch_mm,
        activity=float(rng.uniform(0.7, 1.5)),
        texture=(noise / noise.std()).astype(np.float32),
    )
