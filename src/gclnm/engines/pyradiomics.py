"""Engine ``pyradiomics``: the numbers of pyradiomics, image by image and family by family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gclnm.engines.columns import columns

if TYPE_CHECKING:
    from gclnm.engines.settings import Features
    from gclnm.prepare.settings import Prepare

__all__ = ["Pyradiomics"]

DIAGNOSTICS = (
    "voxels_native",
    "slices_native",
    "voxels_resampled",
    "voxels_analysed",
    "fraction_outside_range",
    "intensity_minimum",
    "intensity_mean",
    "intensity_maximum",
    "grey_levels",
    "spacing_x_mm",
    "spacing_y_mm",
    "spacing_z_mm",
)


class Pyradiomics:
    """The engine that calls pyradiomics."""

    name = "pyradiomics"
    diagnostics = DIAGNOSTICS

    def expected(self, prepare: Prepare, features: Features) -> tuple[str, ...]:
        """Columns in order."""
        return columns(prepare, features)
