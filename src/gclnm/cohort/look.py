"""A look at one sample before anything is computed: what its recipe would make of it, and what is odd."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gclnm.engines.regions import require_finite, require_roi, require_voxel
from gclnm.engines.upstream import PLANES
from gclnm.errors import GclnmError
from gclnm.prepare.discretise import lower_bound, n_levels
from gclnm.prepare.known import AFTER_KNOWN, among_known, known_voxels
from gclnm.prepare.resegment import kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.images.sample import Sample
    from gclnm.images.volume import Mask, Volume
    from gclnm.prepare.settings import Normalize, Prepare
    from gclnm.recipe.recipe import Recipe

__all__ = ["MOST_BINS", "Finding", "Look", "look_at"]

UPSAMPLING = 2.0
# What the literature recommends for texture: fewer levels lose it, more are noise.
FEWEST_BINS, MOST_BINS = 16, 128


@dataclass(frozen=True)
class Finding:
    """Something odd about one sample.

    ``severity`` is ``"refused"`` when there would be no features, ``"info"`` for what to bear in mind.
    """

    severity: str
    code: str
    what: str
    fix: str = ""


@dataclass(frozen=True, eq=False)
class Look:
    """What reading one sample has shown: voxels that features would be computed on, seconds, findings."""

    sample: Sample
    voxels: float
    seconds: float
    findings: tuple[Finding, ...]


def look_at(sample: Sample, recipe: Recipe) -> Look:
    """Read and harmonise one sample and compare it with the recipe; errors become findings."""
    from gclnm import pipeline
    from gclnm.images.load import load
    from gclnm.images.sample import Case

    started = time.perf_counter()
    voxels, seconds, findings = 0.0, 0.0, list[Finding]()
    try:
        case = load(sample)
        ready = Case(pipeline.ready(case.volumes, sample, recipe), case.masks)
        measured = pipeline.measurable(ready, recipe)
        volume, mask = measured.image, measured.roi
        voxels = mask.n_voxels * _shrinking(volume, recipe.prepare)
        seconds = time.perf_counter() - started
        findings.extend(_findings(volume, mask, voxels, recipe))
    except GclnmError as error:
        findings.append(Finding("refused", error.code, error.what, error.fix))
    except Exception as error:
        findings.append(Finding("refused", "internal", f"{type(error).__name__} while it was read: {error}"))
    return Look(sample, voxels, seconds, tuple(findings))


def _findings(volume: Volume, mask: Mask, voxels: float, recipe: Recipe) -> Iterator[Finding]:
    require_roi(mask.array, PLANES.get(recipe.compute.texture.plane))
    mask = among_known(mask, known_voxels(volume))
    require_voxel(mask.array, after=AFTER_KNOWN)
    require_finite(volume.array, mask.array, "the image has")
    yield from _header_findings(volume)
    yield from _energy_findings(volume, recipe)
    yield from _grid_findings(volume, voxels, recipe)
    yield from _level_findings(volume, mask, recipe.prepare)


def _header_findings(volume: Volume) -> Iterator[Finding]:
    """What had to be repaired in a header, or contradicts itself there, when SUV was made."""
    doubts = [doubt for step in volume.history for doubt in step.settings.get("doubts", ())]
    if doubts:
        yield Finding(
            "odd",
            "doubtful-header",
            "; ".join(doubts),
            "Check it: Samples.override(table) states right values, harmonize.pet.strict refuses such files.",
        )


def _energy_findings(volume: Volume, recipe: Recipe) -> Iterator[Finding]:
    """A monoenergetic image under a recipe that does not name the levels it is for."""
    level = volume.facts.get("energy_kev")
    if recipe.energies_kev or recipe.derive or (level is None and volume.facts.get("spectral") != "vmi"):
        return
    shown = "an unknown level" if level is None else f"{level:g} keV"
    # Maps have a level too, that of the images they were made from; their values are no HU.
    if volume.quantity == "HU":
        yield Finding(
            "odd",
            "monoenergetic",
            f"a monoenergetic image of {shown}: its HU are not those of ordinary CT",
            "Recipe.with_(energies_kev=[...]) names the levels to measure; energy_kev tells rows apart.",
        )


def _grid_findings(volume: Volume, voxels: float, recipe: Recipe) -> Iterator[Finding]:
    for axis, native, wanted in _spacings(volume, recipe.prepare):
        if native > UPSAMPLING * wanted:
            yield Finding(
                "odd",
                "upsampling",
                f"{axis} from {native:.3g} to {wanted:.3g} mm: {native / wanted:.1f} voxels made of one",
                _against_upsampling(axis, recipe),
            )
    if voxels < recipe.compute.min_voxels:
        yield Finding(
            "odd",
            "tiny-roi",
            f"about {voxels:.0f} voxels after resampling, texture needs {recipe.compute.min_voxels}",
            "Its texture will be NaN.",
        )


def _against_upsampling(axis: str, recipe: Recipe) -> str:
    said = "Texture along this axis is interpolation."
    if axis == "z" and recipe.modality == "CT":
        return f"{said} The recipe ct is meant for slices up to about 3 mm; slices above 3 mm: use ct-2d."
    return f"{said} A 2-D recipe (spacing 0 across slices, plane axial) or a larger spacing avoids it."


def _level_findings(volume: Volume, mask: Mask, prepare: Prepare) -> Iterator[Finding]:
    values = _inside(volume, mask, prepare)
    if not values.size:
        yield Finding("refused", "empty-range", "no voxel of the ROI is inside the recipe's intensity range")
        return
    low, high = float(values.min()), float(values.max())
    if low == high:
        yield Finding("odd", "constant", f"all voxels of the ROI are {low:g}")
        return
    bins = int(n_levels(values, prepare.discretise, lower_bound(prepare.resegment)))
    if not FEWEST_BINS <= bins <= MOST_BINS:
        yield Finding(
            "odd",
            "few-bins" if bins < FEWEST_BINS else "many-bins",
            f"about {bins} grey levels, {FEWEST_BINS} to {MOST_BINS} are usual ({low:.4g} to {high:.4g})",
            "Another bin_width, or a range of intensities, brings them there.",
        )


def _inside(volume: Volume, mask: Mask, prepare: Prepare) -> NDArray[np.float64]:
    """Intensities of the ROI as they would be discretised, but for resampling."""
    values = volume.array[mask.array].astype(np.float64)
    values = values[np.isfinite(values)]
    if prepare.normalize is not None:
        values = _normalised(values, volume, prepare.normalize)
    return values if prepare.resegment is None else values[kept(values, prepare.resegment)]


def _normalised(values: NDArray[np.float64], volume: Volume, settings: Normalize) -> NDArray[np.float64]:
    everywhere = volume.array[np.isfinite(volume.array)]
    spread = float(everywhere.std(dtype=np.float64))
    if not spread:
        return values
    scaled = (values - float(everywhere.mean(dtype=np.float64))) / spread
    if settings.clip_sd is not None:
        scaled = np.clip(scaled, -settings.clip_sd, settings.clip_sd)
    return np.asarray(scaled * settings.scale)


def _spacings(volume: Volume, prepare: Prepare) -> list[tuple[str, float, float]]:
    """Axis, the image's spacing and the recipe's, for the axes that are resampled."""
    if prepare.resample is None:
        return []
    pairs = zip("xyz", volume.geometry.spacing_mm, prepare.resample.spacing_mm, strict=True)
    return [(axis, native, wanted) for axis, native, wanted in pairs if wanted > 0]


def _shrinking(volume: Volume, prepare: Prepare) -> float:
    """Voxels after resampling per voxel of the image."""
    return float(np.prod([native / wanted for _, native, wanted in _spacings(volume, prepare)]))
