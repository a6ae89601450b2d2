"""The methods paragraph of a paper, written from a recipe: every setting that matters, with its source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from gclnm._version import __version__
from gclnm.engines import engine
from gclnm.recipe.harmonized import CITED_HERE, MODALITY_SETTINGS, harmonized

if TYPE_CHECKING:
    from gclnm.prepare.settings import Discretise, Plain, Resegment
    from gclnm.recipe.recipe import Recipe

__all__ = ["methods"]

REFERENCES = {
    "pyradiomics": "van Griethuysen JJM et al. Computational radiomics system to decode the radiographic"
    " phenotype. Cancer Res 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339",
    "ibsi": "Zwanenburg A et al. The Image Biomarker Standardization Initiative. Radiology 2020;295:328-338."
    " doi:10.1148/radiol.2020191145",
    "simpleitk": "Lowekamp BC et al. The design of SimpleITK. Front Neuroinform 2013;7:45."
    " doi:10.3389/fninf.2013.00045",
    "pywavelets": "Lee GR et al. PyWavelets: a Python package for wavelet analysis. J Open Source Softw"
    " 2019;4:1237. doi:10.21105/joss.01237",
    "two-materials": "Alvarez RE, Macovski A. Energy-selective reconstructions in X-ray computerised"
    " tomography. Phys Med Biol 1976;21:733-744. doi:10.1088/0031-9155/21/5/002",
    "attenuation": "Elam WT, Ravel BD, Sieber JR. A new atomic database for X-ray spectroscopic calculations."
    " Radiat Phys Chem 2002;63:121-128. doi:10.1016/S0969-806X(01)00227-4",
    "suv": "Boellaard R et al. FDG PET/CT: EANM procedure guidelines for tumour imaging: version 2.0."
    " Eur J Nucl Med Mol Imaging 2015;42:328-354. doi:10.1007/s00259-014-2961-x",
    "suv-bins": "Leijenaar RTH et al. The effect of SUV discretization in quantitative FDG-PET radiomics."
    " Sci Rep 2015;5:11075. doi:10.1038/srep11075",
    "peak": "Wahl RL et al. From RECIST to PERCIST. J Nucl Med 2009;50:122S-150S."
    " doi:10.2967/jnumed.108.057307",
    **CITED_HERE,
}
QUANTITIES = {
    "HU": "Hounsfield units",
    "SUVbw": "standardised uptake values by body weight (g/mL)",
    "mg/mL": "iodine concentration (mg/mL)",
    "1e-6 mm2/s": "apparent diffusion coefficients (1e-6 mm2/s)",
    "arbitrary": "arbitrary units of the scanner",
    "normalized": "normalized signal",
}
MODALITIES = {"CT": "CT", "MR": "MR", "PT": "PET", "": "Images of any modality"}
INTERPOLATORS = {"bspline": "cubic B-spline", "linear": "linear", "nearest": "nearest-neighbour"}
DERIVED = {
    "subtraction": "The first time point was subtracted from each later one.",
    "enhancement": "The enhancement of each later time point over the first was computed in percent.",
}
# Ends of the names of MTV and TLG.
THRESHOLDS = {
    "41pct": "41 % of SUVmax (41pct)",
    "2p5": "SUV 2.5 (2p5)",
    "4p0": "SUV 4.0 (4p0)",
    "Liver": "mean plus 2 standard deviations of the liver (Liver)",
    "PERCIST": "1.5 times the mean plus 2 standard deviations of the liver (PERCIST)",
}
FAMILIES = {
    "shape": "3-D shape",
    "shape2D": "2-D shape",
    "firstorder": "first-order statistics",
    "glcm": "grey level co-occurrence (GLCM)",
    "glrlm": "grey level run length (GLRLM)",
    "glszm": "grey level size zone (GLSZM)",
    "gldm": "grey level dependence (GLDM)",
    "ngtdm": "neighbouring grey tone difference (NGTDM)",
}
FILTERS = {
    "original": "the image itself",
    "log": "Laplacian of Gaussian (sigma {sigma_mm} mm)",
    "wavelet": "{wavelet} wavelet bands ({level} levels from {start_level})",
    "square": "squared intensities",
    "squareroot": "square roots of intensities",
    "logarithm": "logarithms of intensities",
    "exponential": "exponentials of intensities",
    "gradient": "gradient magnitude",
    "lbp2d": "2-D local binary patterns (radius {radius}, {samples} samples, method {method})",
    "lbp3d": "3-D local binary patterns ({levels} levels, icosphere radius {icosphere_radius},"
    " subdivision {icosphere_subdivision})",
}
# Settings that sentences of their own tell; what else differs from its default is listed by its name.
TOLD = (
    "name",
    "description",
    "modality",
    "quantity",
    "engine",
    "energies_kev",
    "extrapolate",
    "derive",
    "prepare.normalize",
    "prepare.resample.spacing_mm",
    "prepare.resample.interpolator",
    "prepare.resample.pad_voxels",
    "prepare.resample.round",
    "prepare.resample.align",
    "prepare.resample.mask",
    "prepare.resample.antialias",
    "prepare.crop.pad_voxels",
    "prepare.resegment",
    "prepare.discretise.bin_width",
    "prepare.discretise.bin_count",
    "prepare.discretise.origin",
    "prepare.filters",
    "compute",
    "quantities",
)


class _Citations:
    """Numbers of references, in the order in which they are cited."""

    def __init__(self) -> None:
        self._order: list[str] = []

    def __call__(self, *keys: str) -> str:
        for key in keys:
            if key not in self._order:
                self._order.append(key)
        return f"[{','.join(str(self._order.index(key) + 1) for key in keys)}]"

    def lines(self) -> Iterator[str]:
        return (f"{number}. {REFERENCES[key]}." for number, key in enumerate(self._order, start=1))


def methods(recipe: Recipe) -> str:
    """The methods paragraph of a paper: what a recipe does, with numbered references and versions.

    Every setting that differs from its default is in it: in a sentence, or by its name in the last one.

    Parameters
    ----------
    recipe
        Any recipe.

    Returns
    -------
    str
        One paragraph, an empty line, and the references.

    Examples
    --------
    >>> from gclnm.recipe.recipe import Recipe
    >>> text = methods(Recipe.named("ct"))
    >>> "resampled to 1 x 1 x 1 mm (linear interpolation)" in text, "10 HU" in text
    (True, True)
    """
    cite = _Citations()
    sentences = [
        *_software(recipe, cite),
        *_images(recipe, cite),
        *harmonized(recipe, cite),
        *_voxels(recipe, cite),
        *_grey_levels(recipe, cite),
        *_features(recipe, cite),
        *_quantities(recipe, cite),
        *_others(recipe),
    ]
    return "\n".join([" ".join(sentences), "", *cite.lines()])


def _software(recipe: Recipe, cite: _Citations) -> Iterator[str]:
    tools = [f"{name} {found}" for name in ("SimpleITK", "numpy", "PyWavelets") if (found := _version(name))]
    yield (
        f"Features were computed with gclnm {__version__} (recipe {recipe.name}, id {recipe.id[:12]}) and"
        f" {engine(recipe.engine).version} {cite('pyradiomics')}, {', '.join(tools)}."
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _images(recipe: Recipe, cite: _Citations) -> Iterator[str]:
    quantities = " or ".join(QUANTITIES.get(name, name) for name in recipe.quantity)
    source = f" {cite('suv')}" if any(name.startswith("SUV") for name in recipe.quantity) else ""
    if recipe.modality or quantities:
        images = f"{MODALITIES[recipe.modality]} images" if recipe.modality else MODALITIES[""]
        yield f"{images} were measured in {quantities or 'any quantity'}{source}; others were refused."
    if recipe.energies_kev:
        levels = _listed(f"{level:g}" for level in recipe.energies_kev)
        beyond = "also outside the available levels" if recipe.extrapolate else "never outside them"
        yield (
            f"Every ROI was measured at {levels} keV: on the scanner's monoenergetic image where there was"
            " one within 0.5 keV, otherwise on an image derived from the nearest available levels below and"
            f" above ({beyond}) by decomposition into water and iodine {cite('two-materials')}, with the"
            f" mass attenuation coefficients of {cite('attenuation')}."
        )
    if recipe.derive in DERIVED:
        yield DERIVED[recipe.derive]


def _voxels(recipe: Recipe, cite: _Citations) -> Iterator[str]:
    prepare = recipe.prepare
    if prepare.normalize is not None:
        clip = prepare.normalize.clip_sd
        yield (
            f"The whole image was scaled to mean 0 and standard deviation {prepare.normalize.scale:g}"
            + (f", clipped at {clip:g} standard deviations." if clip else ".")
        )
    if prepare.resample is not None:
        step = prepare.resample
        size = " x ".join(f"{spacing:g}" if spacing else "native" for spacing in step.spacing_mm)
        how = INTERPOLATORS.get(step.interpolator, step.interpolator)
        smoothed = " after a Gaussian against aliasing" if step.antialias else ""
        rounded = " and rounded to whole numbers" if step.round else ""
        grids = "centres" if step.align == "centre" else "first corners"
        rois = "linearly with a threshold of 0.5" if step.mask == "linear" else "by nearest neighbour"
        yield (
            f"Images were resampled to {size} mm ({how} interpolation{smoothed}){rounded}, ROIs {rois}, with"
            f" grids aligned at their {grids} and {step.pad_voxels} voxels around the ROI's box"
            f" {cite('simpleitk')}."
        )
    elif prepare.crop is not None:
        yield f"Images were cut {prepare.crop.pad_voxels} voxels around the ROI's box, without resampling."
    else:
        yield "Images were not resampled."


def _grey_levels(recipe: Recipe, cite: _Citations) -> Iterator[str]:
    prepare, unit = recipe.prepare, _unit(recipe)
    if prepare.resegment is not None:
        yield _resegmented(prepare.resegment, unit)
    keys = ("ibsi", "suv-bins") if recipe.modality == "PT" and prepare.discretise.bin_width else ("ibsi",)
    yield f"Grey levels: {_bins(prepare.discretise, unit)} {cite(*keys)}."


def _resegmented(step: Resegment, unit: str) -> str:
    found = []
    if step.range is not None:
        low, high = step.range
        of = {
            "absolute": unit,
            "relative": "of the ROI's maximum",
            "sigma": "standard deviations from the ROI's mean",
        }[step.mode]
        found.append(f"from {low:g} to {high:g} {of}" if high is not None else f"of at least {low:g} {of}")
    if step.sigma is not None:
        found.append(f"within {step.sigma:g} standard deviations of the ROI's mean")
    shape = ", for shape too" if step.shape else "" if step.cut_shape else "; shape is that of the whole ROI"
    return f"Voxels with intensities {' and '.join(found)} stayed in the ROI{shape}."


def _unit(recipe: Recipe) -> str:
    only = recipe.quantity[0] if len(recipe.quantity) == 1 else ""
    return {"": "units of the image", "arbitrary": "units of the image", "SUVbw": "SUV"}.get(only, only)


def _bins(grey: Discretise, unit: str) -> str:
    if grey.bin_width is not None:
        edges = "edges at whole multiples" if grey.origin == "zero" else "from the lower limit of the ROI on"
        return f"a fixed width of {grey.bin_width:g} {unit}, {edges}"
    return f"a fixed number of {grey.bin_count} between minimum and maximum of the ROI"


def _features(recipe: Recipe, cite: _Citations) -> Iterator[str]:
    compute, texture = recipe.compute, recipe.compute.texture
    families = [
        f"{FAMILIES[family]} ({_chosen(getattr(compute, family), names)})"
        for family, names in compute.chosen.items()
    ]
    unit, filters = _unit(recipe), recipe.prepare.filters
    columns = engine(recipe.engine).expected(recipe.prepare, compute)
    images = [_filter(kind, settings, unit) for kind, settings in filters.enabled.items()]
    wavelets = f" {cite('pywavelets')}" if filters.wavelet else ""
    yield (
        f"{len(columns)} features of {_listed(families)} were computed on"
        f" {_listed(images)}{wavelets}; their definitions are those of the IBSI {cite('ibsi')}, but for what"
        f" pyradiomics documents {cite('pyradiomics')}."
    )
    plane = "in three dimensions" if texture.plane == "3d" else f"within {texture.plane} slices"
    merged = (
        f"weighted by {texture.weighting} distance and summed over directions"
        if texture.weighting
        else "averaged over directions"
    )
    distances = _listed(str(distance) for distance in texture.distances)
    voxels = "voxel" if texture.distances == (1,) else "voxels"
    yield (
        f"Texture was computed {plane} at a distance of {distances} {voxels}"
        f" ({'symmetric' if texture.symmetric_glcm else 'not symmetric'} GLCM, {merged}, GLDM alpha"
        f" {texture.gldm_alpha}), and not for ROIs below {compute.min_voxels} voxels."
    )
    if compute.intensity_shift:
        yield f"{compute.intensity_shift:g} was added to intensities in Energy and RootMeanSquared."


def _quantities(recipe: Recipe, cite: _Citations) -> Iterator[str]:
    chosen = recipe.quantities.chosen
    for family, names in chosen.items():
        source = f" {cite('ibsi', 'peak')}" if family == "pet" else ""
        disc = (
            f", the minimum over discs of {recipe.quantities.adc_disc_mm2:g} mm2" if family == "adc" else ""
        )
        yield f"On the image as scanned, without resampling: {_listed(names)}{disc}{source}."
    thresholds = [
        words
        for suffix, words in THRESHOLDS.items()
        if {f"MTV{suffix}", f"TLG{suffix}"} & set(chosen.get("pet", ()))
    ]
    if thresholds:
        yield (
            "Metabolic tumour volume (MTV) is that of the voxels of the ROI at or above a threshold, total"
            f" lesion glycolysis (TLG) its product with their mean SUV: {_listed(thresholds)}."
        )


def _chosen(asked: Any, names: Sequence[str]) -> str:
    return f"{len(names)}" if asked == "all" else _listed(names)


def _filter(kind: str, settings: Plain, unit: str) -> str:
    values = settings.model_dump()
    words = FILTERS[kind].format(
        **{
            name: _listed(f"{v:g}" for v in value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }
    )
    if values.get("use_spacing") is False:
        words += " per voxel"
    return words if settings.discretise is None else f"{words} with {_bins(settings.discretise, unit)}"


def _others(recipe: Recipe) -> Iterator[str]:
    """What differs from its default and has no sentence of its own, by its name in the recipe."""
    settings = recipe.model_dump(mode="json", exclude_defaults=True)
    told = (*TOLD, *(path for key, path in MODALITY_SETTINGS.items() if key == recipe.modality))
    words = [
        f"{path} {value if isinstance(value, str) else json.dumps(value)}"
        for path, value in _leaves(settings)
        if not any(path == known or path.startswith(f"{known}.") for known in told)
    ]
    if words:
        yield f"Further settings: {'; '.join(words)}."


def _leaves(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        path = f"{above}.{name}" if above else name
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, path)
        else:
            yield path, value


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
