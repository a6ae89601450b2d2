"""SUV metrics of an ROI on the PET image as scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gclnm.engines.quantities.around import means_around, sphere
from gclnm.engines.quantities.measured import Measured
from gclnm.engines.quantities.reference import Reference, ratio, reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from gclnm.images.sample import Case
    from gclnm.images.volume import Mask, Volume

__all__ = ["Burden", "Peaks", "burden", "measure", "peaks"]

# Roles that the ROI of a tissue may have.
_LIVER, _BLOOD = ("liver",), ("blood", "aorta")
# Mean SUV of the healthy liver (EANM: 1.3 to 3.0, quoted in doi:10.1007/s00259-022-05977-5), with room for
# lean mass below and fat and drugs above: what is outside points at dose, weight or times, not at the liver.
_USUAL_LIVER = (0.8, 4.5)
_FIXED = {"2p5": 2.5, "4p0": 4.0}
_OF_MAXIMUM = 0.41


class Peaks(NamedTuple):
    """SUVpeak as the IBSI defines it, both ways."""

    local: float
    """Mean of the sphere around the hottest voxel (code VJGA)."""
    overall: float
    """Largest mean of a sphere around any voxel of the ROI (code 0F91)."""


class Burden(NamedTuple):
    """What of a lesion lies above a threshold."""

    volume_ml: float
    """Metabolic tumour volume (MTV)."""
    glycolysis_g: float
    """Total lesion glycolysis (TLG): the volume times the mean SUV of the same voxels."""


_NONE = Burden(float("nan"), float("nan"))


def peaks(volume: Volume, mask: Mask) -> Peaks:
    """Local and global intensity peak: means over spheres of 1 cm^3.

    A voxel belongs to a sphere when its centre lies within 6.2035 mm. Spheres are centred on voxels of
    the ROI, but all of the image counts in them (IBSI manual, local intensity, codes VJGA and 0F91;
    doi:10.1148/radiol.2020191145): so a peak can exceed the ROI's maximum. The hottest voxel is one
    of the ROI: the global peak is never below the local one. Of several hottest voxels the highest mean
    counts. At the image's edge the voxels that exist count.

    Parameters
    ----------
    volume
        The image as scanned: a peak depends on the grid.
    mask
        The ROI, on the image's grid, with at least one voxel.

    Returns
    -------
    Peaks
        In the unit of the image.

    Examples
    --------
    >>> from gclnm.images import Geometry, Mask, Volume
    >>> grid = Geometry(size=(5, 5, 5), spacing_mm=(6.0, 6.0, 6.0))
    >>> hot = np.zeros(grid.shape)
    >>> hot[2, 2, 2] = 7.0
    >>> peaks(Volume(hot, grid), Mask(hot > 0, grid))
    Peaks(local=1.0, overall=1.0)
    """
    values = volume.array[mask.array]
    means = means_around(volume.array, mask.array, sphere(volume.geometry))
    return Peaks(float(means[values == values.max()].max()), float(means.max()))


def burden(values: NDArray[np.floating], threshold: float, voxel_ml: float) -> Burden | None:
    """Volume and glycolysis of the voxels of an ROI at or above a threshold; None where there is none.

    Every such voxel of the ROI counts, connected or not (thresholds: doi:10.3390/cancers12030601, table 2).

    Parameters
    ----------
    values
        SUV of the voxels of the ROI.
    threshold
        Lowest SUV that counts, itself included.
    voxel_ml
        Volume of one voxel.

    Examples
    --------
    >>> burden(np.array([2.0, 2.5, 5.5]), 2.5, voxel_ml=0.5)
    Burden(volume_ml=1.0, glycolysis_g=4.0)
    >>> burden(np.array([2.0]), 2.5, voxel_ml=0.5) is None
    True
    """
    above = values[values >= threshold]
    if not above.size:
        return None
    return Burden(above.size * voxel_ml, float(above.sum(dtype=np.float64)) * voxel_ml)


def measure(case: Case) -> Measured:
    """All quantities of the family on a PET image in SUV.

    Liver-based thresholds are mean + 2 SD, and PERCIST's 1.5 mean + 2 SD (made for SUVlbm and a sphere of
    3 cm in the right lobe; doi:10.2967/jnumed.108.057307). SUVmean is that of the whole ROI.

    Parameters
    ----------
    case
        The image, the ROI on its grid, and where there are any ROIs of role ``liver``, and ``blood`` or
        ``aorta``.
    """
    values = case.image.array[case.roi.array].astype(np.float64)
    liver, blood = reference(case, "liver", _LIVER), reference(case, "blood", _BLOOD)
    top, mean = float(values.max()), float(values.mean())
    found = {"SUVmax": top, "SUVmean": mean}
    found["SUVpeakLocal"], found["SUVpeakGlobal"] = peaks(case.image, case.roi)
    notes: dict[str, str] = {}
    voxel_ml = case.image.geometry.voxel_volume_mm3 / 1000.0
    for name, (threshold, note) in _thresholds(top, liver).items():
        above = burden(values, threshold, voxel_ml)
        found[f"MTV{name}"], found[f"TLG{name}"] = above or _NONE
        note = note or ("" if above else f"no voxel of the ROI reaches {threshold:.4g} g/mL")
        notes |= {f"{kind}{name}": note for kind in ("MTV", "TLG") if note}
    notes |= _doubts(case.image.quantity, liver, notes)
    for tissue in (liver, blood):
        for name in ("SUVmax", "SUVmean"):
            column = f"{name}To{tissue.tissue.capitalize()}"
            found[column], note = ratio(found[name], tissue)
            notes |= {column: note} if note else {}
    return Measured(found, notes, (liver, blood))


def _doubts(quantity: str, liver: Reference, known: Mapping[str, str]) -> dict[str, str]:
    """What is computed but to be read with care, by name; not where a note says already why nothing was."""
    found = {}
    if quantity != "SUVlbm":
        found = dict.fromkeys(
            ("MTVPERCIST", "TLGPERCIST"),
            f"PERCIST's threshold is made for SUVlbm, the image is in {quantity}",
        )
    low, high = _USUAL_LIVER
    if not liver.missing and not low <= liver.mean <= high:
        odd = f"the liver's mean of {liver.mean:.3g} g/mL is not usual: look at dose, weight and times"
        found |= dict.fromkeys(("SUVmax", "SUVmean", "SUVpeakLocal", "SUVpeakGlobal"), odd)
    return {name: note for name, note in found.items() if name not in known}


def _thresholds(top: float, liver: Reference) -> dict[str, tuple[float, str]]:
    """Threshold of each kind and what to say about it; NaN, which no voxel reaches, where there is none."""
    fraction = (_OF_MAXIMUM * top, "") if top > 0 else (float("nan"), "SUVmax is not positive")
    fixed = {name: (value, "") for name, value in _FIXED.items()}
    return {"41pct": fraction, **fixed, "Liver": _of_liver(liver, 1.0), "PERCIST": _of_liver(liver, 1.5)}


def _of_liver(liver: Reference, times: float) -> tuple[float, str]:
    if liver.missing:
        return float("nan"), liver.missing
    threshold = times * liver.mean + 2.0 * liver.sd
    if threshold <= 0:
        return float("nan"), "the threshold from the liver is not positive"
    return threshold, liver.care
