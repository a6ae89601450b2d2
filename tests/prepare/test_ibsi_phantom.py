"""The IBSI's CT phantom: its diagnostics after each step of configurations A to E, and its values.

Tolerances are the IBSI's, and half a unit of the third digit to which its references are rounded. The
phantom is CC BY-NC 3.0: it is read where it lies.
"""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gclnm import vocabulary
from gclnm.engines import engine
from gclnm.images import Case, Mask, Volume
from gclnm.images.load import read_mask, read_series
from gclnm.prepare import Prepare, resample, resegment
from gclnm.prepare.crop import bounding_box
from gclnm.recipe import Recipe

Steps = dict[str, tuple[Volume, Mask, Mask]]


def grid(spacing: list[int], interpolator: str) -> dict[str, Any]:
    convention = {"align": "centre", "mask": "linear", "round": True}
    return {"spacing_mm": spacing, "interpolator": interpolator, **convention}


def cut(**asked: Any) -> dict[str, Any]:
    return {**asked, "cut_shape": False}


# IBSI reference manual, configurations of the radiomics phantom.
FROM_RANGE = {"bin_width": 25, "origin": "minimum"}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "ct_A": {"resegment": cut(range=[-500, 400]), "discretise": FROM_RANGE},
    "ct_B": {
        "resample": grid([2, 2, 0], "linear"),
        "resegment": cut(range=[-500, 400]),
        "discretise": {"bin_count": 32},
    },
    "ct_C": {
        "resample": grid([2, 2, 2], "linear"),
        "resegment": cut(range=[-1000, 400]),
        "discretise": FROM_RANGE,
    },
    "ct_D": {
        "resample": grid([2, 2, 2], "linear"),
        "resegment": cut(sigma=3),
        "discretise": {"bin_count": 32},
    },
    "ct_E": {
        "resample": grid([2, 2, 2], "bspline"),
        "resegment": cut(range=[-1000, 400], sigma=3),
        "discretise": {"bin_count": 32},
    },
}


@pytest.fixture(scope="module")
def phantom(data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, Mask]:
    folder = tmp_path_factory.mktemp("phantom")
    with tarfile.open(data("ibsi") / "ibsi1_ct_phantom" / "dicom.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    image = read_series(next(folder.rglob("image")))
    return image, read_mask(next(next(folder.rglob("mask")).glob("*.dcm")), image)


def rows(data: Callable[[str], Path], name: str, configuration: str) -> dict[str, dict[str, str]]:
    with (data("ibsi") / name).open() as handle:
        return {row["tag"]: row for row in csv.DictReader(handle) if row["data_set"] == configuration}


def misses(found: dict[str, float], references: dict[str, dict[str, str]]) -> dict[str, tuple[float, float]]:
    """Values outside tolerance, with their reference."""
    wrong = {}
    for tag, value in found.items():
        reference, tolerance = float(references[tag]["value"]), float(references[tag]["tolerance"])
        digit = 10.0 ** (np.floor(np.log10(abs(reference))) - 2) if reference else 0.0
        if not abs(value - reference) <= tolerance + 0.51 * digit:
            wrong[tag] = (value, reference)
    return wrong


def prepared(phantom: tuple[Volume, Mask], prepare: Prepare) -> Steps:
    """Image, morphological mask and intensity mask after each step."""
    image, roi = phantom
    new, new_roi = image, roi
    if prepare.resample:
        new, new_roi = resample(image, prepare.resample), resample(roi, prepare.resample)
    assert prepare.resegment
    intensity = resegment(new, new_roi, prepare.resegment)
    return {
        "init": (image, roi, roi),
        "interp": (new, new_roi, new_roi),
        "reseg": (new, new_roi, intensity),
    }


def diagnostics(steps: Steps) -> dict[str, float]:
    found: dict[str, float] = {}
    for step, (image, morphological, intensity) in steps.items():
        if step != "reseg":
            found |= statistics(image.array, "", f"{step}_img")
            for axis, n, spacing in zip("xyz", image.geometry.size, image.geometry.spacing_mm, strict=True):
                found |= {f"img_dim_{axis}_{step}_img": n, f"vox_dim_{axis}_{step}_img": spacing}
        found |= statistics(image.array[intensity.array], "int_mask_", f"{step}_roi")
        for kind, mask in (("int", intensity), ("morph", morphological)):
            found[f"{kind}_mask_vox_count_{step}_roi"] = mask.n_voxels
            low, high = bounding_box(mask)
            for axis, span in zip("xyz", high - low + 1, strict=True):
                found[f"{kind}_mask_bb_dim_{axis}_{step}_roi"] = span
        for axis, n in zip("xyz", intensity.geometry.size, strict=True):
            found[f"int_mask_dim_{axis}_{step}_roi"] = n
    return found


def statistics(values: np.ndarray, prefix: str, suffix: str) -> dict[str, float]:
    return {
        f"{prefix}mean_int_{suffix}": values.mean(dtype=float),
        f"{prefix}min_int_{suffix}": values.min(),
        f"{prefix}max_int_{suffix}": values.max(),
    }


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_diagnostic_of_the_ibsi_is_met(data, phantom, name: str) -> None:
    references = rows(data, "ibsi1_reference_diagnostics.csv", name)
    found = diagnostics(prepared(phantom, Prepare(**CONFIGURATIONS[name])))
    assert set(found) == set(references)
    assert len(found) == 60
    assert misses(found, references) == {}


def test_voxel_counts_are_those_of_the_reference_to_the_voxel(phantom) -> None:
    """The tolerances allow hundreds; the consensus itself is met."""
    counts = {"ct_A": (125256, 114596), "ct_B": (29842, 27359), "ct_C": (45985, 45981)}
    counts |= {"ct_D": (45985, 44465), "ct_E": (45985, 44484)}
    for name, expected in counts.items():
        _, whole, intensity = prepared(phantom, Prepare(**CONFIGURATIONS[name]))["reseg"]
        assert (whole.n_voxels, intensity.n_voxels) == expected, name


@pytest.mark.parametrize(
    ("change", "tag"),
    [
        ({"align": "corner"}, "int_mask_mean_int_interp_roi"),
        ({"mask": "nearest"}, "int_mask_vox_count_interp_roi"),
        ({"interpolator": "linear"}, "int_mask_max_int_interp_roi"),
    ],
)
def test_pyradiomics_conventions_miss_what_the_ibsi_asks_for(data, phantom, change, tag) -> None:
    settings = CONFIGURATIONS["ct_E"]
    asked = Prepare(**{**settings, "resample": {**settings["resample"], **change}})
    references = rows(data, "ibsi1_reference_diagnostics.csv", "ct_E")
    assert tag in misses(diagnostics(prepared(phantom, asked)), references)


def features(phantom: tuple[Volume, Mask], name: str, weighting: str | None) -> dict[str, float]:
    """Values by the IBSI's tag: features averaged over directions, or of merged matrices."""
    flat = name in ("ct_A", "ct_B")
    families = ("glcm", "glrlm") if weighting else [f for f in vocabulary.FAMILIES if f != "shape2D"]
    compute: dict[str, Any] = {family: list(vocabulary.names(family, every=True)) for family in families}
    compute["texture"] = {"plane": "axial" if flat else "3d", "weighting": weighting}
    recipe = Recipe(name="ibsi", prepare=CONFIGURATIONS[name], compute=compute)
    case = Case({"image": phantom[0]}, {"roi": phantom[1]})
    values = engine("pyradiomics").run(case, recipe.prepare, recipe.compute).values
    found: dict[str, float] = {}
    for column, value in values.items():
        tag = vocabulary.feature(column).ibsi_tag
        tag = tag.replace("_3D_avg", "_3D_comb") if weighting else tag
        found |= {tag.replace("_3D", "_2_5D") if flat else tag: value} if tag else {}
    return found


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_feature_that_pyradiomics_shares_with_the_ibsi_has_its_value(data, phantom, name) -> None:
    references = rows(data, "ibsi1_reference_values.csv", name)
    averaged = features(phantom, name, None)
    merged = features(phantom, name, "no_weighting")
    assert (len(averaged), len(merged)) == (104, 39)
    assert misses({**averaged, **merged}, references) == {}
