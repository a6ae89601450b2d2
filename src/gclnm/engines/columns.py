"""The names of filtered images and of feature columns, from the settings alone."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from gclnm.prepare.settings import LBP3D, LoG, Wavelet

if TYPE_CHECKING:
    from gclnm.engines.settings import Features
    from gclnm.prepare.settings import Plain, Prepare

__all__ = ["columns", "image_names"]

_PLAIN_NAMES = {"lbp2d": "lbp-2D"}


def image_names(kind: str, settings: Plain, *, plane: str = "3d") -> tuple[str, ...]:
    """Names of the images that one filter gives, as pyradiomics spells them.

    Parameters
    ----------
    kind
        Key of `gclnm.prepare.settings.Filters`.
    settings
        Its settings.
    plane
        The recipe's plane: wavelets of a 2-D recipe act along two axes only.

    Examples
    --------
    >>> from gclnm.prepare.settings import LoG
    >>> image_names("log", LoG(sigma_mm=(1.0, 2.5)))
    ('log-sigma-1-0-mm-3D', 'log-sigma-2-5-mm-3D')
    """
    if isinstance(settings, LoG):
        return tuple(f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D" for sigma in settings.sigma_mm)
    if isinstance(settings, Wavelet):
        return _wavelet_names(settings.level, 3 if plane == "3d" else 2)
    if isinstance(settings, LBP3D):
        return (*(f"lbp-3D-m{level + 1}" for level in range(settings.levels)), "lbp-3D-k")
    return (_PLAIN_NAMES.get(kind, kind),)


def _wavelet_names(levels: int, axes: int) -> tuple[str, ...]:
    bands = ["".join(letters) for letters in product("LH", repeat=axes)]
    smooth, details = bands[0], bands[1:]
    prefixes = ["wavelet" if level == 1 else f"wavelet{level}" for level in range(1, levels + 1)]
    names = [f"{prefix}-{band}" for prefix in prefixes for band in details]
    return (*names, f"{prefixes[-1]}-{smooth}")


def columns(prepare: Prepare, features: Features) -> tuple[str, ...]:
    """Every feature column of a recipe: shape first, then image by image, family by family.

    Examples
    --------
    >>> from gclnm.engines.settings import Features
    >>> from gclnm.prepare.settings import Prepare
    >>> columns(Prepare(), Features(shape=("Sphericity",), ngtdm=("Busyness", "Contrast")))
    ('original_shape_Sphericity', 'original_ngtdm_Contrast', 'original_ngtdm_Busyness')
    """
    chosen = features.chosen
    shapes = {f: names for f, names in chosen.items() if f.startswith("shape")}
    others = {f: names for f, names in chosen.items() if f not in shapes}
    found = [f"original_{family}_{name}" for family, names in shapes.items() for name in names]
    for kind, settings in prepare.filters.enabled.items():
        for image in image_names(kind, settings, plane=features.texture.plane):
            found += [f"{image}_{family}_{name}" for family, names in others.items() for name in names]
    return tuple(found)
