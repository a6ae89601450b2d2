"""Engine ``pyradiomics``: its steps in its order, so that numbers are those of calling it directly.

Its filters and features; the grid, the masks and the grey levels are made by `gclnm.prepare`, which by
default makes the same ones, bit for bit, and can follow the IBSI instead. What is added: refusals in
plain words, notes on every NaN, diagnostics, and the check that each filter and each feature gave a
value. What is left out: its log, its digests and its provenance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.counts import count
from gclnm.engines.base import Result
from gclnm.engines.columns import columns, image_names
from gclnm.engines.regions import (
    ROI_DIAGNOSTICS,
    require_finite,
    require_roi,
    require_voxel,
    roi_diagnostics,
)
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
from gclnm.images.volume import to_sitk
from gclnm.prepare.align import new_grid
from gclnm.prepare.crop import bounding_box, crop, cut
from gclnm.prepare.discretise import lower_bound, n_levels
from gclnm.prepare.known import AFTER_KNOWN, among_known, filled, known_voxels
from gclnm.prepare.normalize import normalized
from gclnm.prepare.resample import interpolated, resample
from gclnm.prepare.resegment import intensity_mask
from gclnm.vocabulary import TEXTURE

if TYPE_CHECKING:
    import SimpleITK as sitk
    from numpy.typing import NDArray

    from gclnm.engines.settings import Features
    from gclnm.images.sample import Case
    from gclnm.images.volume import Mask, Step
    from gclnm.prepare.settings import Discretise, Prepare

__all__ = ["Pyradiomics"]

# Co-occurrence needs this many squared, times 13, doubles; beyond it a case takes gigabytes and hours.
MOST_GREY_LEVELS = 2048


@dataclass(frozen=True)
class _Region:
    """Image and ROI after the steps before filters: what shape sees and what intensities see."""

    image: sitk.Image
    shaped: sitk.Image
    shape_box: NDArray[np.int64]
    analysed: sitk.Image
    box: NDArray[np.int64]
    lowest: float | None
    diagnostics: dict[str, float]
    steps: dict[str, tuple[Step, ...]]


@dataclass(frozen=True)
class _Levels:
    """Grey levels of one image type, and the lower limit of the range that its ROI was cut by."""

    grey: Discretise
    lowest: float | None


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
            asked = settings(features)
            region = _region(case, prepare, features.texture.plane)
            notes: dict[str, str] = {}
            raw = _shape(region, asked, features, notes)
            chosen = _families(region, features, notes)
            for kind, own in prepare.filters.enabled.items():
                names = image_names(kind, own, plane=features.texture.plane)
                levels = _Levels(
                    own.discretise or prepare.discretise, region.lowest if kind == "original" else None
                )
                raw |= _filtered(
                    region, kind, {**asked, **filter_settings(own)}, levels, names, chosen, notes
                )
        wanted = self.expected(prepare, features)
        values = _checked(raw, wanted, features, notes)
        return Result(values, region.diagnostics, notes, region.steps)


def _region(case: Case, prepare: Prepare, plane: str) -> _Region:
    """Normalise, resample or crop, and re-segment."""
    axis = PLANES.get(plane)
    require_roi(case.roi.array, axis)
    known = known_voxels(case.image)
    native = among_known(case.roi, known)
    require_voxel(native.array, after=AFTER_KNOWN)
    require_finite(case.image.array, native.array, "the image has")
    voxels, whole, valued = _on_new_grid(case, known, prepare)
    require_roi(whole.array, axis, after="resampling")
    require_roi(valued.array, axis, after=AFTER_KNOWN)
    require_finite(voxels, whole.array, "resampling or normalisation gives")
    analysed = intensity_mask(voxels, valued, prepare.resegment) if prepare.resegment else valued
    numbers = roi_diagnostics(case, voxels, whole.array, valued.array, analysed.array, prepare)
    shaped, within = _shape_mask(whole, analysed, prepare)
    lost = whole.n_voxels - _voxels(whole, within) if shaped is whole else 0
    return _Region(
        image=to_sitk(voxels, whole.geometry),
        shaped=_label(shaped),
        shape_box=_box(within),
        analysed=_label(analysed),
        box=_box(analysed),
        lowest=lower_bound(prepare.resegment),
        diagnostics=numbers | {"shape_voxels_lost": float(lost)},
        steps={} if valued is whole else {"intensity mask": valued.history[-1:]},
    )


def _on_new_grid(case: Case, known: Mask | None, prepare: Prepare) -> tuple[NDArray[np.floating], Mask, Mask]:
    """Voxels, double where they were normalised; the whole ROI on their grid, and what of it has values."""
    voxels: NDArray[np.floating] = filled(case.image.array, known)
    old, roi = case.image.geometry, case.roi
    if prepare.normalize:
        voxels = normalized(voxels, prepare.normalize)
    whole = _moved(roi, roi, prepare)
    if prepare.resample:
        voxels = interpolated(voxels, old, new_grid(old, prepare.resample, roi), prepare.resample)
    elif prepare.crop:
        voxels = cut(voxels, old, whole.geometry)
    return voxels, whole, whole if known is None else among_known(whole, _moved(known, roi, prepare))


def _moved(mask: Mask, roi: Mask, prepare: Prepare) -> Mask:
    """A mask on the grid that features are computed on."""
    if prepare.resample:
        return resample(mask, prepare.resample, around=roi)
    return crop(mask, roi, prepare.crop.pad_voxels) if prepare.crop else mask


def _shape_mask(whole: Mask, analysed: Mask, prepare: Prepare) -> tuple[Mask, Mask]:
    """What shape is computed on, and the mask whose box it is cut to."""
    if prepare.resegment and prepare.resegment.shape:
        return analysed, analysed
    cut = prepare.resegment is not None and prepare.resegment.cut_shape
    return whole, analysed if cut else whole


def _box(mask: Mask) -> NDArray[np.int64]:
    """Box of a mask as pyradiomics writes it: first and last index along x, y and z."""
    return np.column_stack(bounding_box(mask)).ravel()


def _voxels(mask: Mask, within: Mask) -> int:
    """Voxels of a mask in the box of another."""
    x0, x1, y0, y1, z0, z1 = (int(limit) for limit in _box(within))
    return int(np.count_nonzero(mask.array[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1]))


def _label(mask: Mask) -> sitk.Image:
    return to_sitk(mask.array.astype(np.uint32), mask.geometry)


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
    image, mask = imageoperations.cropToTumorMask(region.image, region.shaped, region.shape_box)
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
    levels: _Levels,
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
        _require_levels(voxels[inside], name, levels, chosen)
        once = OneDiscretisation(levels.grey, levels.lowest)
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
    voxels: NDArray[np.float64], name: str, levels: _Levels, chosen: dict[str, tuple[str, ...]]
) -> None:
    grey = levels.grey
    if grey.bin_width is None or not set(chosen) & set(TEXTURE):
        return
    count = n_levels(voxels, grey, levels.lowest)
    if count > MOST_GREY_LEVELS:
        raise EngineError(
            f"the bin width {grey.bin_width:g} makes {count:.0f} grey levels of {name}; at most "
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
