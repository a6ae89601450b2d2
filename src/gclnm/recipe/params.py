"""Parameter files of pyradiomics, of today and of its first versions, as settings of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from gclnm import vocabulary
from gclnm.engines.upstream import FILTERS, PLANES
from gclnm.prepare.resample import INTERPOLATORS

__all__ = ["translate"]

# Options of one image type: pyradiomics' key and ours. They may also stand among the general settings.
_FILTER_OPTIONS = {
    "log": {"sigma": "sigma_mm"},
    "wavelet": {"wavelet": "wavelet", "level": "level", "start_level": "start_level"},
    "gradient": {"gradientUseSpacing": "use_spacing"},
    "lbp2d": {"lbp2DRadius": "radius", "lbp2DSamples": "samples", "lbp2DMethod": "method"},
    "lbp3d": {
        "lbp3DLevels": "levels",
        "lbp3DIcosphereRadius": "icosphere_radius",
        "lbp3DIcosphereSubdivision": "icosphere_subdivision",
    },
}
_TEXTURE = {
    "distances": "distances",
    "symmetricalGLCM": "symmetric_glcm",
    "weightingNorm": "weighting",
    "gldm_a": "gldm_alpha",
}
_GRID = "gclnm brings masks to the grid of the image itself, and refuses those that do not fit"
_ELSEWHERE = {
    "label": "which ROI is measured is decided by gclnm.pair",
    "label_channel": "which ROI is measured is decided by gclnm.pair",
    "correctMask": _GRID,
    "geometryTolerance": _GRID,
    "minimumROIDimensions": "3-D recipes refuse ROIs of one slice, all refuse ROIs of one voxel or one line",
    "additionalInfo": "gclnm keeps its own diagnostics and history",
    "enableCExtensions": "it has no effect any more",
}
_USED = (
    *(
        "normalize",
        "normalizeScale",
        "removeOutliers",
        "interpolator",
        "resampledPixelSpacing",
        "padDistance",
    ),
    *("preCrop", "resegmentRange", "resegmentMode", "resegmentShape", "binWidth", "binCount", "force2D"),
    *("force2Ddimension", "voxelArrayShift", "minimumROISize", *_TEXTURE),
    *(key for options in _FILTER_OPTIONS.values() for key in options),
)
_OLD_NAMES = {
    "shape_Volume": ("MeshVolume", "VoxelVolume"),
    "shape_MajorAxis": ("MajorAxisLength",),
    "shape_MinorAxis": ("MinorAxisLength",),
    "shape_LeastAxis": ("LeastAxisLength",),
    "glcm_AverageIntensity": ("JointAverage",),
    "glcm_Energy": ("JointEnergy",),
    "glcm_Entropy": ("JointEntropy",),
}
_REPEATED = {
    "glcm_Homogeneity1": "glcm_Id",
    "glcm_Homogeneity2": "glcm_Idm",
    "glcm_Dissimilarity": "glcm_DifferenceAverage",
    "glcm_SumVariance": "glcm_ClusterTendency",
    "gldm_GrayLevelNonUniformityNormalized": "firstorder_Uniformity",
    "gldm_DependencePercentage": "1",
}


def translate(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings of a recipe for the content of a parameter file, and what has no place in one.

    Parameters
    ----------
    data
        The sections ``setting``, ``imageType`` (once ``inputImage``), ``featureClass`` and
        ``voxelSetting``.

    Returns
    -------
    recipe, unmapped
        ``prepare`` and ``compute`` of a recipe, not yet validated; a sentence for everything that
        was left out or read as something else.

    Examples
    --------
    >>> recipe, unmapped = translate({"setting": {"binWidth": 10, "label": 2}})
    >>> recipe["prepare"]["discretise"], len(unmapped)
    ({'bin_width': 10}, 1)
    """
    notes: list[str] = []
    images = _section(data, "imageType", notes) or _section(data, "inputImage", notes)
    asked = _settings(_section(data, "setting", notes), notes)
    for section in data:
        if section == "voxelSetting":
            notes.append("voxelSetting: a recipe gives one value per ROI, not maps")
        elif section not in ("setting", "imageType", "inputImage", "featureClass"):
            notes.append(f"{section}: not a section of a parameter file")
    flat = bool(asked.get("force2D"))
    classes = _section(data, "featureClass", notes)
    prepare = {**_prepare(asked), "filters": _filters(images or {"Original": {}}, asked, notes)}
    compute = {**_families(classes, flat, notes), **_compute(asked, flat, notes)}
    return {"prepare": prepare, "compute": compute}, tuple(notes)


def _section(data: Mapping[str, Any], name: str, notes: list[str]) -> dict[str, Any]:
    section = data.get(name)
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        notes.append(f"{name}: not a mapping")
        return {}
    return {str(key): value for key, value in section.items()}


def _settings(given: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Settings under pyradiomics' own spelling; those that are decided elsewhere become notes."""
    known = {key.lower(): key for key in (*_USED, *_ELSEWHERE)}
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = known.get(key.lower())
        if name is None:
            near = get_close_matches(key.lower(), known, n=1)
            hint = f", did you mean {known[near[0]]}?" if near else ""
            notes.append(f"setting.{key}: not a setting of pyradiomics{hint}")
            continue
        if name != key:
            notes.append(f"setting.{key}: read as {name}; pyradiomics itself refuses this spelling")
        if name in _ELSEWHERE:
            if (name, value) not in (("label", 1), ("label_channel", 0)):
                notes.append(f"setting.{name}: {_ELSEWHERE[name]}")
        elif value is not None:
            found[name] = value
    return found


def _prepare(asked: Mapping[str, Any]) -> dict[str, Any]:
    prepare: dict[str, Any] = {"discretise": _grey(asked) or {"bin_width": 25}}
    if asked.get("normalize"):
        scale, clip = asked.get("normalizeScale", 1), asked.get("removeOutliers")
        prepare["normalize"] = {"scale": scale, "clip_sd": clip}
    pad = asked.get("padDistance", 5)
    if "resampledPixelSpacing" in asked:
        kind = _interpolator(asked.get("interpolator", "sitkBSpline"))
        prepare["resample"] = {
            "spacing_mm": asked["resampledPixelSpacing"],
            "interpolator": kind,
            "pad_voxels": pad,
        }
    elif asked.get("preCrop"):
        prepare["crop"] = {"pad_voxels": pad}
    if "resegmentRange" in asked:
        limits = asked["resegmentRange"]
        if isinstance(limits, list) and all(isinstance(limit, (int, float)) for limit in limits):
            limits = [*sorted(limits), None][:2]
        mode, shape = asked.get("resegmentMode", "absolute"), asked.get("resegmentShape", False)
        prepare["resegment"] = {"range": limits, "mode": mode, "shape": shape}
    return prepare


def _grey(asked: Mapping[str, Any]) -> dict[str, Any] | None:
    if asked.get("binCount") is not None:
        return {"bin_count": asked["binCount"]}
    if asked.get("binWidth") is not None:
        return {"bin_width": asked["binWidth"]}
    return None


def _interpolator(value: Any) -> Any:
    ours = {theirs: name for name, theirs in INTERPOLATORS.items()}
    if isinstance(value, int) and 1 <= value <= len(ours):
        return list(ours.values())[value - 1]
    return ours.get(value, value) if isinstance(value, str) else value


def _filters(images: Mapping[str, Any], asked: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    known = {theirs.lower(): name for name, theirs in FILTERS.items()}
    found: dict[str, Any] = {}
    for image, given in images.items():
        kind = known.get(image.lower())
        if kind is None:
            notes.append(f"imageType.{image}: not an image type of pyradiomics")
            continue
        own = given if isinstance(given, Mapping) else {}
        found[kind] = _filter(kind, image, own, asked, notes)
        if kind == "log" and not found[kind].get("sigma_mm"):
            notes.append(f"imageType.{image}: without sigma there is no image")
            del found[kind]
    return found


def _filter(
    kind: str, image: str, own: Mapping[str, Any], asked: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    options = _FILTER_OPTIONS.get(kind, {})
    every = {**asked, **own}
    settings = {ours: every[theirs] for theirs, ours in options.items() if every.get(theirs) is not None}
    # A width given here does nothing in pyradiomics when the number of levels is fixed for all images.
    grey = _grey({**{k: v for k, v in asked.items() if k == "binCount"}, **own})
    if grey and grey != _grey(asked):
        settings["discretise"] = grey
    for key in own:
        if key not in options and key not in ("binWidth", "binCount"):
            notes.append(f"imageType.{image}.{key}: a recipe has one value of it for all images")
    sigmas = settings.get("sigma_mm")
    if isinstance(sigmas, list) and any(isinstance(sigma, int) for sigma in sigmas):
        notes.append(f"imageType.{image}.sigma: images are named with a decimal, as log-sigma-1-0-mm-3D")
    return settings


def _families(classes: Mapping[str, Any], flat: bool, notes: list[str]) -> dict[str, Any]:
    known = {family.lower(): family for family in vocabulary.FAMILIES}
    if not classes:
        return {family: "all" for family in vocabulary.FAMILIES if family != "shape2D" or flat}
    found: dict[str, Any] = {}
    for name, features in classes.items():
        family = known.get(name.lower())
        if family is None:
            notes.append(f"featureClass.{name}: not a feature class of pyradiomics")
        elif family == "shape2D" and not flat:
            notes.append("featureClass.shape2D: without force2D pyradiomics computes none")
        elif not features:
            found[family] = "all"
        else:
            listed = features if isinstance(features, list) else [features]
            found[family] = [new for old in listed for new in _feature(family, str(old), notes)]
    return found


def _feature(family: str, name: str, notes: list[str]) -> tuple[str, ...]:
    """Today's name of a feature, or none; what changed becomes a note."""
    every = {feature.lower(): feature for feature in vocabulary.names(family, every=True)}
    if name in every.values():
        return (name,)
    key = f"{family}_{name}"
    if key in _REPEATED:
        notes.append(f"featureClass.{family}.{name}: pyradiomics gives no value; it equals {_REPEATED[key]}")
        return ()
    new = _OLD_NAMES.get(key) or ((every[name.lower()],) if name.lower() in every else ())
    if new:
        notes.append(f"featureClass.{family}.{name}: read as {' and '.join(new)}")
        return new
    near = get_close_matches(name, every.values(), n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    notes.append(f"featureClass.{family}.{name}: not a feature of pyradiomics{hint}")
    return ()


def _compute(asked: Mapping[str, Any], flat: bool, notes: list[str]) -> dict[str, Any]:
    texture: dict[str, Any] = {ours: asked[theirs] for theirs, ours in _TEXTURE.items() if theirs in asked}
    if flat:
        planes = {dimension: plane for plane, dimension in PLANES.items()}
        dimension = asked.get("force2Ddimension", 0)
        texture["plane"] = planes.get(dimension, dimension) if isinstance(dimension, int) else dimension
    compute: dict[str, Any] = {"texture": texture, "min_voxels": 1}
    if "voxelArrayShift" in asked:
        compute["intensity_shift"] = asked["voxelArrayShift"]
    if isinstance(asked.get("minimumROISize"), int):
        compute["min_voxels"] = asked["minimumROISize"] + 1
        notes.append("setting.minimumROISize: read as min_voxels; smaller ROIs lose texture only")
    return compute
