"""What plan says before hours run, on cases made to be odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gclnm.cohort.look import look_at
from gclnm.cohort.plan import plan
from gclnm.errors import InputError
from gclnm.images import Geometry, MaskRef, Sample, VolumeRef
from gclnm.images.volume import to_sitk
from gclnm.recipe.recipe import Recipe


def write(folder: Path, name: str, image: Any, mask: Any, spacing: tuple[float, float, float]) -> Sample:
    import SimpleITK

    grid = Geometry(size=image.shape[::-1], spacing_mm=spacing)
    paths = [str(folder / f"{name}-{part}.mha") for part in ("image", "mask")]
    SimpleITK.WriteImage(to_sitk(image.astype(np.float32), grid), paths[0])
    SimpleITK.WriteImage(to_sitk(mask.astype(np.uint8), grid), paths[1])
    return Sample(
        {"image": VolumeRef(name, "image", (paths[0],), modality="CT")},
        {"roi": MaskRef("labelmap", paths[1], 1)},
        {"patient_id": name, "roi": "tumour", "modality": "CT", "phase": "arterial"},
    )


def cube(shape: tuple[int, int, int], box: tuple[slice, slice, slice]) -> Any:
    mask = np.zeros(shape, dtype=bool)
    mask[box] = True
    return mask


def codes(sample: Sample, recipe: Recipe) -> set[str]:
    return {finding.code for finding in look_at(sample, recipe).findings}


@pytest.fixture
def ramp() -> Any:
    """Values 0 to 399 along x: the number of grey levels follows from the bin width."""
    return np.broadcast_to(np.linspace(0, 399, 20), (10, 20, 20)).copy()


BOX = (slice(2, 8), slice(4, 16), slice(0, 20))
ISOTROPIC = (1.0, 1.0, 1.0)


def made(**prepare: Any) -> Recipe:
    return Recipe(
        name="made",
        prepare={"discretise": {"bin_width": 10}, **prepare},
        compute={"firstorder": ["Mean"], "glcm": ["JointEntropy"], "min_voxels": 64},
    )


def test_a_sound_sample_has_no_finding(tmp_path: Path, ramp: Any) -> None:
    sample = write(tmp_path, "sound", ramp, cube(ramp.shape, BOX), ISOTROPIC)
    look = look_at(sample, made())
    assert look.findings == ()
    assert look.voxels == 6 * 12 * 20


def test_upsampling_beyond_two_is_named_with_its_axis(tmp_path: Path, ramp: Any) -> None:
    thick = write(tmp_path, "thick", ramp, cube(ramp.shape, BOX), (1.0, 1.0, 5.0))
    look = look_at(thick, made(resample={"spacing_mm": [1, 1, 1]}))
    assert [(f.code, f.severity) for f in look.findings] == [("upsampling", "odd")]
    assert "z from 5 to 1 mm" in look.findings[0].what
    assert look.voxels == 6 * 12 * 20 * 5
    assert codes(thick, made(resample={"spacing_mm": [1, 1, 0]})) == set()
    assert codes(thick, made(resample={"spacing_mm": [1, 1, 2.5]})) == set()


@pytest.mark.parametrize(
    ("width", "expected"),
    [(10, set()), (100, {"few-bins"}), (2, {"many-bins"}), (25, set()), (27, {"few-bins"})],
)
def test_grey_levels_outside_16_to_128_are_odd(
    tmp_path: Path, ramp: Any, width: float, expected: set[str]
) -> None:
    sample = write(tmp_path, "bins", ramp, cube(ramp.shape, BOX), ISOTROPIC)
    assert codes(sample, made(discretise={"bin_width": width})) == expected


def test_the_range_of_intensities_counts_for_the_grey_levels(tmp_path: Path, ramp: Any) -> None:
    sample = write(tmp_path, "range", ramp, cube(ramp.shape, BOX), ISOTROPIC)
    assert codes(sample, made(resegment={"range": [0, 100]})) == {"few-bins"}
    assert codes(sample, made(resegment={"range": [500, 900]})) == {"empty-range"}
    assert codes(sample, made(resegment={"range": [0, 0.2], "mode": "relative"})) == {"few-bins"}
    assert codes(sample, made(resegment={"range": [-3, 3], "mode": "sigma"})) == set()
    assert codes(sample, made(resegment={"sigma": 3})) == set()
    assert codes(sample, made(resegment={"range": [0, 900], "sigma": 0.2})) == {"few-bins"}


def test_bins_that_begin_at_the_range_are_counted_from_there(tmp_path: Path, ramp: Any) -> None:
    sample = write(tmp_path, "origin", ramp, cube(ramp.shape, BOX), ISOTROPIC)
    asked = {"resegment": {"range": [-5000, 5000]}, "discretise": {"bin_width": 25, "origin": "minimum"}}
    assert codes(sample, made(**asked)) == {"many-bins"}
    assert codes(sample, made(discretise={"bin_width": 25, "origin": "minimum"})) == set()


def test_normalised_intensities_are_counted_as_such(tmp_path: Path, ramp: Any) -> None:
    sample = write(tmp_path, "normal", ramp, cube(ramp.shape, BOX), ISOTROPIC)
    assert codes(sample, made(normalize={"scale": 1})) == {"few-bins"}
    assert codes(sample, made(normalize={"scale": 100})) == set()


def test_tiny_one_slice_constant_and_unreadable_samples_are_told_apart(tmp_path: Path, ramp: Any) -> None:
    shape = ramp.shape
    tiny = write(tmp_path, "tiny", ramp, cube(shape, (slice(2, 4), slice(4, 6), slice(0, 10))), ISOTROPIC)
    assert codes(tiny, made()) == {"tiny-roi"}
    flat = write(tmp_path, "flat", ramp, cube(shape, (slice(2, 3), slice(4, 16), slice(0, 20))), ISOTROPIC)
    assert codes(flat, made()) == {"one-slice"}
    assert [f.severity for f in look_at(flat, made()).findings] == ["refused"]
    empty = write(tmp_path, "empty", ramp, cube(shape, (slice(0), slice(0), slice(0))), ISOTROPIC)
    assert [f.severity for f in look_at(empty, made()).findings] == ["refused"]
    hole = ramp.copy()
    hole[4, 8, 8] = np.nan
    holed = write(tmp_path, "holed", hole, cube(shape, BOX), ISOTROPIC)
    assert codes(holed, made()) == {"not-finite"}
    constant = write(tmp_path, "constant", np.full(shape, 7.0), cube(shape, BOX), ISOTROPIC)
    assert codes(constant, made()) == {"constant"}
    gone = Sample({"image": VolumeRef("x", "image", ("nowhere.nii",))}, tiny.masks, {})
    assert [f.severity for f in look_at(gone, made()).findings] == ["refused"]


def test_a_quantity_that_the_recipe_does_not_accept_is_refused(tmp_path: Path, ramp: Any) -> None:
    sample = write(tmp_path, "ct", ramp, cube(ramp.shape, BOX), ISOTROPIC)
    recipe = Recipe.named("pet")
    found = plan([sample], recipe, progress=False).issues
    assert set(found.loc[found["severity"] == "refused", "patient_id"]) == {"ct"}
    assert "other-modality" in set(found["code"])


def test_a_plan_counts_rows_by_patient_and_image_and_estimates(make_samples: Any, recipe: Recipe) -> None:
    samples = make_samples(3, rois=2)
    made = plan(samples, recipe, progress=False)
    assert len(made.rows) == 6
    assert made.patients["MR"].to_dict() == {"p0": 2, "p1": 2, "p2": 2}
    assert made.n_read == 6
    assert 0 < made.hours < 1
    assert made.disk_mb > 0
    assert "6 of 3 patients: 6 MR" in repr(made)
    assert "<table>" in made._repr_html_()


def test_some_samples_stand_for_all_evenly(make_samples: Any, recipe: Recipe) -> None:
    samples = make_samples(5)
    assert plan(samples, recipe, n=2, progress=False).n_read == 2
    assert plan(samples, recipe, n=None, progress=False).n_read == 5
    with pytest.raises(InputError, match="at least 1"):
        plan(samples, recipe, n=0, progress=False)
    with pytest.raises(InputError, match="no samples"):
        plan([], recipe)


def test_a_patient_of_a_hostile_name_does_not_reach_the_page(tmp_path: Path, ramp: Any) -> None:
    sample = write(tmp_path, "a", ramp, cube(ramp.shape, BOX), (1.0, 1.0, 9.0))
    named = Sample(sample.images, sample.masks, {**sample.coords, "phase": "<script>x</script>"})
    shown = plan([named], made(resample={"spacing_mm": [1, 1, 1]}), progress=False)._repr_html_()
    assert "<script>" not in shown
    assert "upsampling" in shown


def test_a_catalog_or_a_name_in_place_of_samples_is_refused_by_its_type(tmp_path: Path) -> None:
    import gclnm

    with pytest.raises(InputError, match="got a str"):
        plan("ct", [])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"got a Catalog.*gclnm\.pair"):
        plan(gclnm.scan(tmp_path, progress=False), "ct")  # type: ignore[arg-type]


def test_mr_of_several_scanners_is_noted_once_where_its_signal_has_no_scale(
    make_samples: Any, recipe: Recipe
) -> None:
    def of(scanners: tuple[str, str]) -> list[Sample]:
        pairs = zip(make_samples(2), scanners, strict=True)
        return [Sample(s.images, s.masks, {**s.coords, "scanner": scanner}) for s, scanner in pairs]

    raw = recipe.with_(quantity=["arbitrary", "unspecified"])
    found = plan(of(("A", "B")), raw, progress=False).issues
    notes = found[found["code"] == "several-scanners"]
    assert list(notes["severity"]) == ["info"]
    assert "first-order values do not compare" in notes["what"].item()
    for scanners, other in ((("A", "A"), raw), (("A", ""), raw), (("A", "B"), recipe)):
        assert "several-scanners" not in set(plan(of(scanners), other, progress=False).issues["code"])


def test_thick_ct_is_sent_to_the_recipe_for_it(tmp_path: Path, ramp: Any) -> None:
    thick = write(tmp_path, "thick", ramp, cube(ramp.shape, BOX), (1.0, 1.0, 5.0))
    recipe = made(resample={"spacing_mm": [1, 1, 1]}).with_(modality="CT")
    assert "slices above 3 mm: use ct-2d" in look_at(thick, recipe).findings[0].fix
