"""Engine ``pyradiomics``: its steps in its order, so that numbers are those of calling it directly.

What is added: refusals in plain words, notes on every NaN, diagnostics, and the check that each
filter and each feature gave a value. What is left out: its log, its digests and its provenance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.counts import count
from gclnm.engines.base import Result
from gclnm.engines.columns import columns, image_names
from gclnm.engines.regions import ROI_DIAGNOSTICS, require_finite, require_roi, roi_diagnostics
from gclnm.engines.upstream import (
    FILTERS,
    PLANES,
    OneDiscretisation,
    filter_settings,
    provider,
    quiet,
    require_filter,
    settings,
)
from gclnm.errors import EngineError
from gclnm.vocabulary import TEXTURE

if TYPE_CHECKING:
    import SimpleITK as sitk
    from numpy.typing import NDArray

    from gclnm.engines.settings import Features
    from gclnm.images.sample import Case
    from gclnm.prepare.settings import Prepare

__all__ = ["Pyradiomics"]

# Co-occurrence needs this many squared, times 13, doubles; beyond it a case takes gigabytes and hours.
MOST_GREY_LEVELS = 2048


@dataclass(frozen=True)
class _Region:
    """Image and ROI after the steps before filters: what shape sees and what intensities see."""

    image: sitk.Image
    whole: sitk.Image
    analysed: sitk.Image
    box: NDArray[np.int64]
    diagnostics: dict[str, float]


class Pyradiomics:
    """The engine that calls pyradiomics."""

    name = "pyradiomics"
    diagnostics = ROI_DIAGNOSTICS

    @property
    def version(self) -> str:
        """Installed package and version."""
        return provider()

    def expected(self, prepare: Prepare, features: Features) -> tuple[str, ...]:
        """Columns in order."""
        return columns(prepare, features)

    def check(self, prepare: Prepare, features: Features) -> None:
        """Raise EngineError when this installation cannot compute what is asked for."""
        provider()
        for kind in prepare.filters.enabled:
            require_filter(kind)

    def run(self, case: Case, prepare: Prepare, features: Features) -> Result:
        """Features of one case whose image and ROI lie on one grid.

        Raises
        ------
        EngineError
            When the ROI or the image cannot give features (empty, one voxel, one slice in a 3-D
            recipe, not finite), or a filter or a feature gave nothing.
        """
        with quiet():
            asked = settings(prepare, features)
            region = _region(case, prepare, asked, features.texture.plane)
            notes: dict[str, str] = {}
            raw = _shape(region, asked, features, notes)
            chosen = _families(region, features, notes)
            for kind, own in prepare.filters.enabled.items():
                names = image_names(kind, own, plane=features.texture.plane)
                raw |= _filtered(region, kind, {**asked, **filter_settings(own)}, names, chosen, notes)
        wanted = self.expected(prepare, features)
        return Result(_checked(raw, wanted, features, notes), region.diagnostics, notes)


def _region(case: Case, prepare: Prepare, asked: dict[str, Any], plane: str) -> _Region:
    """Normalise, resample or crop, and re-segment, as pyradiomics does."""
    from radiomics import imageoperations

    from gclnm.images.volume import to_sitk

    axis = PLANES.get(plane)
    require_roi(case.roi.array, axis)
    require_finite(case.image.array, case.roi.array, "the image has")
    image = case.image.to_sitk()
    mask = to_sitk(case.roi.array.astype(np.uint32), case.image.geometry)
    if prepare.normalize:
        image = imageoperations.normalizeImage(image, **asked)
    if prepare.resample:
        image, mask = imageoperations.resampleImage(image, mask, **asked)
        image = _rounded(image) if prepare.resample.round else image
    elif prepare.crop:
        box, _ = imageoperations.checkMask(image, mask, **asked)
        image, mask = imageoperations.cropToTumorMask(image, mask, box, **asked)
    inside, voxels = _arrays(image, mask)
    require_roi(inside, axis, after="resampling")
    require_finite(voxels, inside, "resampling or normalisation gives")
    analysed, whole = mask, mask
    if prepare.resegment:
        analysed = _resegmented(image, mask, asked)
        whole = analysed if prepare.resegment.shape else mask
    box, _ = imageoperations.checkMask(image, analysed, **asked)
    kept = _arrays(image, analysed)[0]
    numbers = roi_diagnostics(case, voxels, inside, kept, prepare.discretise)
    return _Region(image, whole, analysed, box, numbers | _lost(inside, box, prepare))


def _resegmented(image: sitk.Image, mask: sitk.Image, asked: dict[str, Any]) -> sitk.Image:
    from radiomics import imageoperations

    try:
        return imageoperations.resegmentMask(image, mask, **asked)
    except ValueError:
        limits = " to ".join(f"{limit:g}" for limit in asked["resegmentRange"])
        raise EngineError(
            f"at most one voxel of the ROI lies in the range {limits} ({asked['resegmentMode']})",
            fix="Check that the ROI lies on this image, or widen prepare.resegment.range.",
            code="nothing-in-range",
        ) from None


def _lost(inside: NDArray[np.bool_], box: NDArray[np.int64], prepare: Prepare) -> dict[str, float]:
    """Voxels of the whole ROI outside the box of the analysed one: pyradiomics cuts them off from shape."""
    x0, x1, y0, y1, z0, z1 = (int(limit) for limit in box)
    seen = np.count_nonzero(inside[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1])
    on_purpose = prepare.resegment is not None and prepare.resegment.shape
    return {"shape_voxels_lost": 0.0 if on_purpose else float(np.count_nonzero(inside) - seen)}


def _rounded(image: sitk.Image) -> sitk.Image:
    import SimpleITK as sitk

    whole = sitk.GetImageFromArray(np.rint(sitk.GetArrayViewFromImage(image)))
    whole.CopyInformation(image)
    return whole


def _arrays(image: sitk.Image, mask: sitk.Image) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    import SimpleITK as sitk

    return sitk.GetArrayViewFromImage(mask) == 1, sitk.GetArrayViewFromImage(image)


def _shape(
    region: _Region, asked: dict[str, Any], features: Features, notes: dict[str, str]
) -> dict[str, Any]:
    from radiomics import imageoperations

    chosen = {family: names for family, names in features.chosen.items() if family.startswith("shape")}
    if not chosen:
        return {}
    image, mask = imageoperations.cropToTumorMask(region.image, region.whole, region.box)
    if region.diagnostics["shape_voxels_lost"]:
        notes["shape"] = "cut to the box of the re-segmented ROI, as pyradiomics does"
    found: dict[str, Any] = {}
    for family, names in chosen.items():
        if family == "shape2D" and mask.GetSize()[2 - asked["force2Ddimension"]] > 1:
            notes[family] = "the ROI spans several slices"
            continue
        values = _run_family(family, names, image, mask, asked)
        found |= {f"original_{family}_{name}": value for name, value in values.items()}
    return found


def _families(region: _Region, features: Features, notes: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Families to compute on every image: texture only where the ROI is large enough."""
    chosen = {family: names for family, names in features.chosen.items() if not family.startswith("shape")}
    voxels = int(region.diagnostics["voxels_analysed"])
    if voxels >= features.min_voxels:
        return chosen
    small = f"the ROI has {count(voxels, 'voxel')}, fewer than {features.min_voxels}"
    notes |= {family: small for family in chosen if family in TEXTURE}
    return {family: names for family, names in chosen.items() if family not in TEXTURE}


def _filtered(
    region: _Region,
    kind: str,
    asked: dict[str, Any],
    names: tuple[str, ...],
    chosen: dict[str, tuple[str, ...]],
    notes: dict[str, str],
) -> dict[str, Any]:
    """Features of the images of one filter, by column."""
    from radiomics import imageoperations

    found: dict[str, Any] = {}
    given: set[str] = set()
    for image, name, own in _images(region, kind, asked):
        given.add(name)
        image, mask = imageoperations.cropToTumorMask(image, region.analysed, region.box)
        inside, voxels = _arrays(image, mask)
        if not np.isfinite(voxels[inside]).all():
            notes[name] = "the filter gives no finite number in the ROI"
            continue
        _require_levels(voxels[inside], name, own, chosen)
        once = OneDiscretisation()
        for family, wanted in chosen.items():
            values = _run_family(family, wanted, image, mask, own, once)
            found |= {f"{name}_{family}_{feature}": value for feature, value in values.items()}
    missing = [name for name in names if name not in given]
    if missing:
        raise EngineError(
            f"the filter {kind} gave no image {', '.join(missing)}",
            fix="The image around the ROI may be too small: it needs 4 voxels along each axis, and sigma_mm.",
            code="filter-gave-nothing",
        )
    return found


def _images(
    region: _Region, kind: str, asked: dict[str, Any]
) -> Iterator[tuple[sitk.Image, str, dict[str, Any]]]:
    from radiomics import imageoperations

    make = getattr(imageoperations, f"get{FILTERS[kind]}Image")
    yield from make(region.image, region.analysed, **asked)


def _run_family(
    family: str,
    names: tuple[str, ...],
    image: sitk.Image,
    mask: sitk.Image,
    asked: dict[str, Any],
    once: OneDiscretisation | None = None,
) -> dict[str, Any]:
    from radiomics import getFeatureClasses

    found = getFeatureClasses()[family]
    calculator = (once.sharing(found) if once else found)(image, mask, **asked)
    for name in names:
        calculator.enableFeatureByName(name)
    values: dict[str, Any] = calculator.execute()
    return values


def _require_levels(
    voxels: NDArray[np.float64], name: str, asked: dict[str, Any], chosen: dict[str, tuple[str, ...]]
) -> None:
    if asked.get("binCount") is not None or not set(chosen) & set(TEXTURE):
        return
    levels = float(np.ptp(voxels)) / asked["binWidth"]
    if levels > MOST_GREY_LEVELS:
        raise EngineError(
            f"the bin width {asked['binWidth']:g} makes {levels:.0f} grey levels of {name}; at most "
            f"{MOST_GREY_LEVELS} are computed",
            fix="Take a larger prepare.discretise.bin_width, or a bin_count.",
            code="too-many-grey-levels",
        )


def _checked(
    raw: dict[str, Any], wanted: tuple[str, ...], features: Features, notes: dict[str, str]
) -> dict[str, float]:
    """Every wanted column as a float; a note for each that is not a number, an error for a silent gap."""
    values: dict[str, float] = {}
    for column in wanted:
        image, family, _ = column.split("_")
        if column in raw:
            value = _real(raw[column], column)
            if not np.isfinite(value):
                notes[column] = "pyradiomics gives no number for this ROI"
                value = float("nan")
        elif family in notes or image in notes:
            value = float("nan")
        else:
            raise EngineError(f"pyradiomics gave no {column}", code="feature-missing")
        values[column] = value
    return values


def _real(value: Any, column: str) -> float:
    # numpy 2.5 gives eigenvalues, and what is made of them, as complex numbers without imaginary part.
    number = np.asarray(value)
    if number.size != 1:
        raise EngineError(f"pyradiomics gave {number.size} numbers for {column}", code="feature-not-real")
    single = number.reshape(())[()]
    if abs(np.imag(single)) >= 1e-9:
        raise EngineError(f"pyradiomics gave a complex number for {column}", code="feature-not-real")
    return float(np.real(single))
