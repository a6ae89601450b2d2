"""Sentences of a methods paragraph: how images of different scanners were brought to one quantity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gclnm.harmonize.mr.settings import Nyul, Percentile, ReferenceTissue, WhiteStripe, ZScore

if TYPE_CHECKING:
    from gclnm.harmonize.mr.settings import Normalization
    from gclnm.recipe.recipe import Recipe

__all__ = ["CITED_HERE", "MODALITY_SETTINGS", "harmonized"]

# Settings that the sentences below tell.
MODALITY_SETTINGS = {"CT": "harmonize.ct", "PT": "harmonize.pet", "MR": "harmonize.mr"}
CITED_HERE = {
    "janmahasatian": "Janmahasatian S et al. Quantification of lean bodyweight. Clin Pharmacokinet"
    " 2005;44:1051-1065. doi:10.2165/00003088-200544100-00004",
    "meng": "Meng X et al. Differentiating malignant from benign gastric mucosal lesions with quantitative"
    " analysis in dual energy spectral computed tomography. Medicine (Baltimore) 2017;96:e5878."
    " doi:10.1097/MD.0000000000005878",
    "n4": "Tustison NJ et al. N4ITK: improved N3 bias correction. IEEE Trans Med Imaging 2010;29:1310-1320."
    " doi:10.1109/TMI.2010.2046908",
    "nyul": "Nyul LG, Udupa JK, Zhang X. New variants of a method of MRI scale standardization. IEEE Trans"
    " Med Imaging 2000;19:143-150. doi:10.1109/42.836373",
    "le-bihan": "Le Bihan D et al. MR imaging of intravoxel incoherent motions: application to diffusion and"
    " perfusion in neurologic disorders. Radiology 1986;161:401-407. doi:10.1148/radiology.161.2.3763909",
    "salvador": "Salvador R et al. Formal characterization and extension of the linearized diffusion tensor"
    " model. Hum Brain Mapp 2005;24:144-155. doi:10.1002/hbm.20076",
    "white-stripe": "Shinohara RT et al. Statistical normalization techniques for magnetic resonance imaging."
    " NeuroImage Clin 2014;6:9-19. doi:10.1016/j.nicl.2014.08.008",
}
Cite = Callable[..., str]


def harmonized(recipe: Recipe, cite: Cite) -> Iterator[str]:
    """What was done to stored values before anything else, for the modality that a recipe is made for."""
    if recipe.modality == "PT":
        yield from _pet(recipe, cite)
    elif recipe.modality == "CT":
        yield from _ct(recipe, cite)
    elif recipe.modality == "MR":
        yield from _mr(recipe, cite)
    if recipe.derive == "adc":
        yield _fitted_adc(recipe, cite)
    if recipe.derive in ("adc", "enhancement") or "1e-6 mm2/s" in recipe.quantity:
        yield (
            "Voxels without a value (no signal above noise, no decay, or 0 or less in a scanner's map)"
            " counted for shape alone and were not interpolated."
        )


def _pet(recipe: Recipe, cite: Cite) -> Iterator[str]:
    settings = recipe.harmonize.pet
    by = {"SUVbw": "body weight", "SUVbsa": "body surface area (Du Bois)", "SUVibw": "ideal body weight"}
    if settings.quantity == "SUVlbm":
        formula = f"Janmahasatian {cite('janmahasatian')}" if settings.lean_mass[0:3] == "jan" else "James"
        by["SUVlbm"] = f"lean body mass ({formula})"
    repaired = (
        "refused" if settings.strict else "corrected where only one reading was plausible, and recorded"
    )
    yield (
        f"Stored activity was converted slice by slice to {settings.quantity}, normalized by"
        f" {by[settings.quantity]}, from the units, decay correction, dose and times of each header;"
        f" implausible header values were {repaired}."
    )


def _ct(recipe: Recipe, cite: Cite) -> Iterator[str]:
    settings = recipe.harmonize.ct
    if "mg/mL" in recipe.quantity:
        from_hu = settings.iodine_hu_per_mg_ml
        factor = f" (maps in HU at {from_hu:g} HU per mg/mL)" if from_hu else ""
        yield (
            f"Iodine maps were brought to mg/mL by the unit that they state{factor}; maps with a median above"
            f" {settings.most_iodine_mg_ml:g} mg/mL in a tissue ROI or {settings.most_aorta_mg_ml:g} mg/mL in"
            f" blood were refused as being in another unit, which happens in print, too {cite('meng')}."
        )
    if settings.clamp_hu is not None:
        low, high = settings.clamp_hu
        yield f"Values below {low:g} HU or above {high:g} HU were set to these limits."


def _mr(recipe: Recipe, cite: Cite) -> Iterator[str]:
    settings = recipe.harmonize.mr
    if settings.n4 is not None:
        levels = ", ".join(str(n) for n in settings.n4.iterations)
        yield (
            f"Shading by coils was corrected by N4 {cite('n4')} (at most {levels} iterations a level, fitted"
            f" on voxels of up to {settings.n4.shrink_to_mm:g} mm, median of the field in the body 1), except"
            " where the scanner had corrected it."
        )
    if settings.normalize is not None:
        yield f"Signal was normalized: {_normalization(settings.normalize, cite)}."


def _fitted_adc(recipe: Recipe, cite: Cite) -> str:
    noise, span = recipe.harmonize.mr.adc.noise, recipe.harmonize.mr.adc.b_range
    used = "all b-values" if span is None else f"b-values from {span[0]:g} to {span[1]:g} s/mm2"
    measured = "measured in the image's corners, where these are air"
    level = measured if noise == "corners" else f"{float(noise) / 3:g}"
    return (
        f"Maps of the apparent diffusion coefficient {cite('le-bihan')} were fitted to {used} by linear least"
        f" squares of the logarithm of the signal, weighted by its square {cite('salvador')}, after the"
        f" variance of the noise (standard deviation {level}) was subtracted in quadrature; voxels below"
        " three of its standard deviations at the lowest b-value were left out."
    )


def _normalization(method: Normalization, cite: Cite) -> str:
    if isinstance(method, WhiteStripe):
        return (
            f"mean 0 and standard deviation 1 in normal-appearing white matter of {method.contrast} images of"
            f" the brain (WhiteStripe, width {method.width:g}, mask {method.role}) {cite('white-stripe')}"
        )
    if isinstance(method, ReferenceTissue):
        return f"the {method.statistic} of the tissue {method.role!r} became {method.scale:g}"
    where = "in the body without the ROI" if method.exclude_roi else "in the body"
    if isinstance(method, ZScore):
        clip = f", clipped at {method.clip_sd:g} standard deviations" if method.clip_sd else ""
        return f"mean 0 and standard deviation {method.scale:g} {where}{clip}"
    if isinstance(method, Percentile):
        return f"percentiles {method.low:g} and {method.high:g} {where} became 0 and {method.scale:g}"
    return _nyul(method, where, cite)


def _nyul(method: Nyul, where: str, cite: Cite) -> str:
    points = ", ".join(f"{p:g}" for p in method.percentiles)
    learnt = "" if method.standard is None else f" learnt from {method.standard.cases} training images"
    ends = f"{method.scale[0]:g} to {method.scale[1]:g}"
    return f"percentiles {points} {where} were brought to a standard scale{learnt} ({ends}) {cite('nyul')}"
