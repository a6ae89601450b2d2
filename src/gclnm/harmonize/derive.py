"""Images made of several volumes: another energy level, an ADC map, a subtraction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gclnm.errors import InputError, QuantityError
from gclnm.images.volume import Step

if TYPE_CHECKING:
    from gclnm.harmonize.settings import HarmonizeSettings
    from gclnm.images.volume import Volume

__all__ = ["derive"]

_VMI = re.compile(r"vmi (\d+(?:\.\d+)?) keV")


def derive(
    volumes: Mapping[str, Volume],
    derivation: str,
    settings: HarmonizeSettings | None = None,
    *,
    extrapolate: bool = False,
) -> Volume:
    """One image made of several volumes, which share a grid.

    Parameters
    ----------
    volumes
        By role, as loaded; ``"image"`` is the one on whose grid the ROI lies.

        * ``"vmi 70 keV"``: ``image`` and ``high`` are monoenergetic images, the lower level first, with
          their levels in the fact ``energy_kev``; or ``image`` and ``water`` are maps of iodine and water.
        * ``"adc"``: all are diffusion-weighted images, with their b-values in the fact ``b_value_s_mm2``;
          several of one b-value are its directions.
        * ``"subtraction"``, ``"enhancement"``: ``image`` after contrast, ``pre`` before.
    derivation
        What is made, as ``Sample.derivation`` says it.
    settings
        Those of the recipe.
    extrapolate
        Whether an energy level may lie outside the pair.

    Returns
    -------
    Volume
        On the grid of ``image``; its history holds the histories of the partners too.

    Raises
    ------
    InputError
        When the derivation is unknown, or a role or a fact that it needs is missing.
    QuantityError, GeometryError
        When the volumes cannot be combined; see `gclnm.harmonize.spectral` and `gclnm.harmonize.mr`.

    Examples
    --------
    >>> import numpy as np
    >>> from gclnm.images import Geometry, Volume
    >>> grid = Geometry(size=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> water = [Volume(np.zeros((1, 1, 1)), grid, "HU", {"energy_kev": kev}) for kev in (40.0, 140.0)]
    >>> derive({"image": water[0], "high": water[1]}, "vmi 70 keV")
    Volume 1 x 1 x 1 voxels (x, y, z), 1 x 1 x 1 mm, HU 0 ... 0
    """
    level = _VMI.fullmatch(derivation)
    if level is not None:
        made = _monoenergetic(volumes, float(level[1]), settings, extrapolate)
    elif derivation == "adc":
        made = _adc(volumes, settings)
    elif derivation in ("subtraction", "enhancement"):
        made = _contrast(volumes, derivation)
    else:
        raise InputError(
            "the derivation of the sample is unknown",
            where=repr(derivation),
            fix="There are 'vmi <level> keV', 'adc', 'subtraction' and 'enhancement'.",
            code="unknown-derivation",
        )
    return _with_partners(made, volumes)


def _monoenergetic(
    volumes: Mapping[str, Volume], energy_kev: float, settings: HarmonizeSettings | None, extrapolate: bool
) -> Volume:
    from gclnm.harmonize import ct, spectral

    image = _role(volumes, "image")
    if "water" in volumes:
        iodine = ct.iodine(image, None if settings is None else settings.ct)
        return spectral.from_material_pair(iodine, ct.water(volumes["water"]), energy_kev)
    high = _role(volumes, "high")
    energies = (_number(image, "energy_kev"), _number(high, "energy_kev"))
    return spectral.monoenergetic(image, high, energies, energy_kev, extrapolate=extrapolate)


def _adc(volumes: Mapping[str, Volume], settings: HarmonizeSettings | None) -> Volume:
    from gclnm.harmonize import mr

    weighted: dict[float, list[Volume]] = {}
    for volume in volumes.values():
        weighted.setdefault(_number(volume, "b_value_s_mm2"), []).append(volume)
    if len(weighted) < 2:
        raise QuantityError(
            "images of one b-value give no ADC", fix="Pair images of two or more.", code="b-values"
        )
    by_b = {b: same[0] if len(same) == 1 else mr.trace(same) for b, same in sorted(weighted.items())}
    return mr.fit_adc(by_b, None if settings is None else settings.mr.adc)


def _contrast(volumes: Mapping[str, Volume], derivation: str) -> Volume:
    from gclnm.harmonize import mr

    post, pre = _role(volumes, "image"), _role(volumes, "pre")
    combine = mr.subtract if derivation == "subtraction" else mr.relative_enhancement
    return combine(post, pre)


def _role(volumes: Mapping[str, Volume], role: str) -> Volume:
    if role not in volumes:
        raise InputError(
            f"the derivation needs an image of role {role!r}",
            fix="Recipe.expand makes such samples; by hand give Sample(images={...}) that role.",
            code="no-partner",
        )
    return volumes[role]


def _number(volume: Volume, fact: str) -> float:
    value = volume.facts.get(fact)
    if not isinstance(value, int | float):
        raise InputError(
            f"the derivation needs the fact {fact} of each image",
            fix="VolumeRef(energy_kev=..., b_value=...) states it; Recipe.expand does so.",
            code="no-partner",
        )
    return float(value)


def _with_partners(made: Volume, volumes: Mapping[str, Volume]) -> Volume:
    """The volume with what was done to its partners before, after what was done to itself."""
    partners = [
        Step("partner", {"role": role, "history": [step.to_dict() for step in volume.history]})
        for role, volume in volumes.items()
        if role != "image" and volume.history
    ]
    return replace(made, history=(*made.history, *partners)) if partners else made
