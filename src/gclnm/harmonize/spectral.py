"""Spectral CT by two materials: from two energy levels, or a water/iodine pair, to any level.

A voxel is taken as water of some density with some iodine in it. With k(E), the HU that 1 mg/mL of iodine
adds at energy E, its value is HU(E) = r + k(E) c: linear in the iodine concentration c (mg/mL) and the
iodine-free HU r. Two levels determine both. This is exact for mixtures of water and iodine; for soft tissue
and blood it is off by less than 1 HU between the levels, for fat by some HU, for bone by a hundred.

The mass attenuation coefficients (total, with coherent scattering) are those of Elam, Ravel and Sieber
(Radiat. Phys. Chem. 63:121, 2002; doi 10.1016/S0969-806X(01)00227-4) as tabulated by xraydb 4.5.8; they agree
with Hubbell and Seltzer (NISTIR 5632) to 0.03 %. Decomposition: Alvarez and Macovski, Phys. Med. Biol.
21:733, 1976; doi 10.1088/0031-9155/21/5/002.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import GeometryError, InputError, QuantityError
from gclnm.images.volume import Step, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decompose", "from_material_pair", "iodine_hu", "monoenergetic", "slope"]

# Iodine-free HU outside which a voxel is no mixture of soft tissue and iodine: fat below, bone or calcium
# above; below the first, air or lung.
AIR_HU, FAT_HU, BONE_HU = -200.0, -60.0, 150.0
# Of the voxels of a water map that hold more than half of water, the median lies here in mg/mL.
WATER_MG_ML = (800.0, 1300.0)


@cache
def _log_attenuation() -> NDArray[np.float64]:
    """Logarithms of keV, of water's and of iodine's mass attenuation coefficient, (3, energy)."""
    text = files("gclnm.harmonize").joinpath("attenuation.csv").read_text(encoding="utf-8")
    rows = [[float(cell) for cell in line.split(",")] for line in text.split()[1:]]
    logs: NDArray[np.float64] = np.log(np.array(rows).T)
    return logs


def iodine_hu(energy_kev: float) -> float:
    """HU that 1 mg/mL of iodine adds to water at an energy, HU per mg/mL.

    The ratio of the mass attenuation coefficients of iodine and water, interpolated log-log between
    tabulated energies 1 keV apart.

    Raises
    ------
    InputError
        Code ``energy-out-of-range``: below 40 keV (close to the K-edge of iodine) or above 200 keV.

    Examples
    --------
    >>> round(iodine_hu(70), 1)
    26.0
    """
    logs = _log_attenuation()
    low, high = np.exp(logs[0, [0, -1]])
    if not low - 1e-9 <= energy_kev <= high + 1e-9:
        raise InputError(
            f"{energy_kev:g} keV is outside {low:.0f} to {high:.0f} keV, where iodine is tabulated",
            fix="Take a level in between.",
            code="energy-out-of-range",
        )
    water, iodine = (np.interp(np.log(energy_kev), logs[0], row) for row in logs[1:])
    return float(np.exp(iodine - water))


def monoenergetic(
    low: Volume,
    high: Volume,
    energies: tuple[float, float],
    energy_kev: float,
    *,
    extrapolate: bool = False,
) -> Volume:
    """The virtual monoenergetic image at an energy from those at two others, in HU.

    HU(E) = w low + (1 - w) high with w = (k(E) - k(high)) / (k(low) - k(high)): exact at both levels.

    Parameters
    ----------
    low, high
        Monoenergetic images of one acquisition in HU, on one grid; shape (z, y, x).
    energies
        Their levels, keV, the lower one first.
    energy_kev
        The level wanted, 40 to 200 keV.
    extrapolate
        Whether it may lie outside the pair. Noise and model errors then grow; the history says by how much.

    Returns
    -------
    Volume
        On the grid of ``low``, with its facts. The history holds the weights, the gain of independent
        noise, and the number of voxels that are no soft tissue with iodine (fat, bone or calcium).

    Raises
    ------
    QuantityError
        The images are not in HU, or ``outside-pair``.
    GeometryError
        Code ``different-grids``.
    InputError
        Levels in the wrong order, equal, or out of the table.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> at40, at100 = (Volume(np.full((1, 1, 1), 2 * iodine_hu(kev)), grid, "HU") for kev in (40, 100))
    >>> at70 = monoenergetic(at40, at100, (40, 100), 70)
    >>> round(float(at70.array[0, 0, 0]), 1)  # 2 mg/mL of iodine in water
    52.0
    """
    k_low, k_high = _pair(low, high, energies)
    outside = not energies[0] <= energy_kev <= energies[1]
    if outside and not extrapolate:
        raise QuantityError(
            f"{energy_kev:g} keV lies outside the pair of {energies[0]:g} and {energies[1]:g} keV",
            fix="Take a pair around it, or extrapolate=True, which amplifies noise and errors.",
            code="outside-pair",
        )
    weight = (iodine_hu(energy_kev) - k_high) / (k_low - k_high)
    values = np.float32(weight) * low.array + np.float32(1 - weight) * high.array
    free = _iodine_free(low.array, high.array, k_low, k_high)
    told = {
        "low_kev": float(energies[0]),
        "high_kev": float(energies[1]),
        "energy_kev": float(energy_kev),
        "weight_low": round(weight, 6),
        "noise_gain": round(hypot(weight, 1 - weight), 3),
    }
    note = "extrapolated outside the pair" if outside else "two materials: water and iodine"
    step = Step("monoenergetic", told | _flagged(free), note)
    return low.with_(step, array=values, facts=_derived(low, energy_kev))


def from_material_pair(iodine: Volume, water: Volume, energy_kev: float) -> Volume:
    """The virtual monoenergetic image at an energy from maps of iodine and of water, in HU.

    HU(E) = water - 1000 + k(E) iodine, with both maps in mg/mL.

    Parameters
    ----------
    iodine, water
        Maps of one decomposition (GE: IODINE(WATER) and WATER(IODINE)) in mg/mL, on one grid; (z, y, x).
    energy_kev
        The level wanted, 40 to 200 keV.

    Raises
    ------
    QuantityError
        A map is not in mg/mL, or ``unit-suspect``: its water is not near 1000 mg/mL.
    GeometryError
        Code ``different-grids``.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> iodine, water = (Volume(np.full((1, 1, 1), c), grid, "mg/mL") for c in (2.0, 1000.0))
    >>> round(float(from_material_pair(iodine, water, 70).array[0, 0, 0]), 1)
    52.0
    """
    for volume in (iodine, water):
        _check_quantity(volume, "mg/mL")
    _check_grids(iodine, water)
    _check_water(water)
    per_mg = iodine_hu(energy_kev)
    free = water.array - np.float32(1000.0)
    told = {"energy_kev": float(energy_kev), "hu_per_mg_ml": round(per_mg, 3)}
    step = Step("monoenergetic", told | _flagged(free), "from maps of iodine and water")
    values = free + np.float32(per_mg) * iodine.array
    return iodine.with_(step, array=values, quantity="HU", facts=_derived(iodine, energy_kev))


def decompose(low: Volume, high: Volume, energies: tuple[float, float]) -> tuple[Volume, Volume]:
    """Maps of iodine and of water, mg/mL, from monoenergetic images at two energies.

    c = (low - high) / (k(low) - k(high)); water = 1000 + low - k(low) c. Iodine-free tissue is not exactly
    water: soft tissue gives about +0.15 mg/mL of iodine, blood +0.3, fat -1.3 (pair of 40 and 140 keV).
    Parameters and errors as for :func:`monoenergetic`.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> at40, at100 = (Volume(np.full((1, 1, 1), 2 * iodine_hu(kev)), grid, "HU") for kev in (40, 100))
    >>> iodine, water = decompose(at40, at100, (40, 100))
    >>> round(float(iodine.array[0, 0, 0]), 2), round(float(water.array[0, 0, 0]), 1)
    (2.0, 1000.0)
    """
    k_low, k_high = _pair(low, high, energies)
    iodine = (low.array - high.array) / np.float32(k_low - k_high)
    free = _iodine_free(low.array, high.array, k_low, k_high)
    told = {"low_kev": float(energies[0]), "high_kev": float(energies[1])} | _flagged(free)
    step = Step("decompose", told, "two materials: water and iodine")
    facts = {name: value for name, value in low.facts.items() if not name.startswith("energy_")}
    return (
        low.with_(step, array=iodine, quantity="mg/mL", facts=facts | {"material": "iodine"}),
        low.with_(step, array=free + 1000.0, quantity="mg/mL", facts=facts | {"material": "water"}),
    )


def slope(low: Volume, high: Volume, energies: tuple[float, float]) -> Volume:
    """Slope of the spectral curve between two energies, HU/keV: (low - high) / (E high - E low).

    Falling curves, as of iodine, have positive slopes: the usual convention (HU40 - HU70) / 30.
    Parameters and errors as for :func:`monoenergetic`.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> at40, at70 = (Volume(np.full((1, 1, 1), hu), grid, "HU") for hu in (180.0, 90.0))
    >>> slope(at40, at70, (40, 70)).array.item()
    3.0
    """
    _pair(low, high, energies)
    values = (low.array - high.array) / np.float32(energies[1] - energies[0])
    step = Step("spectral-slope", {"low_kev": float(energies[0]), "high_kev": float(energies[1])})
    facts = {name: value for name, value in low.facts.items() if not name.startswith("energy_")}
    return low.with_(step, array=values, quantity="HU/keV", facts=facts)


def _pair(low: Volume, high: Volume, energies: tuple[float, float]) -> tuple[float, float]:
    """k at both levels of a pair that can be used."""
    for volume in (low, high):
        _check_quantity(volume, "HU")
    _check_grids(low, high)
    if not energies[0] < energies[1]:
        raise InputError(
            f"levels of {energies[0]:g} and {energies[1]:g} keV are no pair",
            fix="Give two different levels, the lower one first.",
            code="bad-pair",
        )
    for volume, energy in zip((low, high), energies, strict=True):
        known = volume.facts.get("energy_kev")
        if isinstance(known, int | float) and abs(known - energy) > 0.5:
            raise InputError(
                f"an image of {known:g} keV is given as one of {energy:g} keV",
                fix="Give the levels of the images, the lower one first.",
                code="bad-pair",
            )
    return iodine_hu(energies[0]), iodine_hu(energies[1])


def _check_quantity(volume: Volume, wanted: str) -> None:
    if volume.quantity != wanted:
        raise QuantityError(
            f"spectral arithmetic needs {wanted}, the image is in {volume.quantity}",
            fix="Take the monoenergetic images in HU, or material maps in mg/mL.",
            code="wrong-quantity",
        )


def _check_grids(a: Volume, b: Volume) -> None:
    frames = {a.geometry.frame_uid, b.geometry.frame_uid} - {""}
    if len(frames) > 1 or not a.geometry.agrees(b.geometry):
        raise GeometryError(
            "the two images of the pair lie on different grids",
            fix="Reconstruct both from one acquisition with the same slices; they are not resampled here.",
            code="different-grids",
        )


def _check_water(water: Volume) -> None:
    inside = water.array[water.array > 500]
    middle = float(np.median(inside)) if inside.size else float("nan")
    if not WATER_MG_ML[0] <= middle <= WATER_MG_ML[1]:
        raise QuantityError(
            "the water map is not in mg/mL: no tissue near 1000 mg/mL",
            fix="State its unit, or take the monoenergetic images.",
            code="unit-suspect",
        )


def _iodine_free(
    low: NDArray[np.float32], high: NDArray[np.float32], k_low: float, k_high: float
) -> NDArray[np.float32]:
    """HU without the iodine: low - k(low) c, as a weighted sum."""
    weight = -k_high / (k_low - k_high)
    return np.asarray(np.float32(weight) * low + np.float32(1 - weight) * high)


def _flagged(free: NDArray[np.float32]) -> dict[str, Any]:
    """Voxels that are no soft tissue with iodine, where the model errs."""
    return {
        "fat_voxels": int(np.count_nonzero((free < FAT_HU) & (free >= AIR_HU))),
        "bone_voxels": int(np.count_nonzero(free > BONE_HU)),
    }


def _derived(volume: Volume, energy_kev: float) -> dict[str, Any]:
    facts = {name: value for name, value in volume.facts.items() if name not in ("material", "unit")}
    return facts | {"energy_kev": float(energy_kev), "energy_source": "derived"}
