"""SUV metrics: published numbers of real PET, the IBSI's peaks, and what must and must not change them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gclnm.engines.quantities import Quantities
from gclnm.engines.quantities.measure import run
from gclnm.engines.quantities.pet import burden, peaks
from gclnm.harmonize import harmonize
from gclnm.images import Case, Geometry, Mask, Volume
from gclnm.images.load import read_mask, read_series
from gclnm.images.volume import Step

GRID = Geometry(size=(9, 8, 7), spacing_mm=(4.0, 4.0, 3.0))
ALL = Quantities(pet="all")


def metrics(case: Case) -> dict[str, float]:
    return {key.removeprefix("native_pet_"): value for key, value in run(case, ALL).values.items()}


# README of pet_real: numpy on these files; SUVmax, SUVmean and both peaks also by MIRP 2.7.0.
REAL = {
    "STS_001": (
        ("sts001_ge_bqml", "sts001_rtstruct", "GTV_Mass"),
        {
            "SUVmax": 7.91067,
            "SUVmean": 2.55518,
            "SUVpeakLocal": 5.31303,
            "SUVpeakGlobal": 6.07844,
            "MTV41pct": 113.021,
            "TLG41pct": 469.484,
            "MTV2p5": 181.566,
            "TLG2p5": 664.877,
            "MTV4p0": 55.900,
            "TLG4p0": 263.753,
        },
    ),
    "STS_002": (
        ("sts002_ge_gml", "sts002_rtstruct", "GTV_Mass_PET"),
        {
            "SUVmax": 21.67575,
            "SUVmean": 7.36962,
            "MTV41pct": 18.777,
            "TLG41pct": 269.903,
            "MTV2p5": 41.172,
            "TLG2p5": 378.212,
            "MTV4p0": 30.806,
            "TLG4p0": 345.083,
        },
    ),
}


def close(found: dict[str, float], expected: dict[str, float], rel: float, stretched: float = 1.0) -> None:
    for key, value in expected.items():
        whole = stretched if key.startswith(("MTV", "TLG")) else 1.0
        # The README rounds to five decimals of SUV, to three of volumes.
        decimals = 6e-4 if key.startswith(("MTV", "TLG")) else 6e-6
        assert found[key] == pytest.approx(value * whole, rel=rel, abs=decimals), key


@pytest.mark.parametrize("patient", REAL)
def test_real_pet_gives_the_published_numbers(data, patient: str) -> None:
    (series, contours, name), expected = REAL[patient]
    image = harmonize(read_series(data("pet_real") / series))
    roi = read_mask(data("pet_real") / contours / "rtstruct.dcm", image, name)
    # The README counts slices of 3.27 mm; one of STS_001 lies 0.02 mm off, and positions decide here.
    stretched = image.geometry.spacing_mm[2] / 3.27
    assert stretched == pytest.approx(1.0, abs=1.1e-4)
    close(metrics(Case({"image": image}, {"roi": roi})), expected, 1e-6, stretched)


@pytest.mark.parametrize("patient", REAL)
def test_the_published_suv_volumes_give_the_published_numbers(data, patient: str) -> None:
    folder = data("pet_real") / f"{patient.lower().replace('_', '')}_mirp_suv"
    files = sorted(folder.glob("*.nii.gz"))
    image = read_series(next(f for f in files if "mask" not in f.name), modality="PT")
    roi = read_mask(next(f for f in files if "mask" in f.name), image)
    # The published voxels of STS_001 are up to 3e-5 of the maximum off those of the scanner.
    close(metrics(Case({"image": replace(image, quantity="SUVbw")}, {"roi": roi})), REAL[patient][1], 2e-5)


def ibsi_peaks(root: Path, data_set: str) -> list[tuple[float, float]]:
    with (root / "ibsi1_reference_values.csv").open() as handle:
        rows = {r["tag"]: r for r in csv.DictReader(handle) if r["data_set"] == data_set}
    return [
        (float(rows[tag]["value"]), float(rows[tag]["tolerance"]))
        for tag in ("loc_peak_loc", "loc_peak_glob")
    ]


def test_the_digital_phantom_has_the_ibsis_peaks(data) -> None:
    root = data("ibsi")
    image = read_series(root / "ibsi1_digital_phantom" / "image.nii.gz")
    found = peaks(image, read_mask(root / "ibsi1_digital_phantom" / "mask.nii.gz", image))
    expected = ibsi_peaks(root, "digital")
    assert [round(value, 1) for value in found] == [value for value, _ in expected]


def test_the_ct_phantom_of_configuration_a_has_the_ibsis_peaks(data) -> None:
    """Native grid, intensities in -500 to 400 HU: its hottest voxel lies beside air, its mean is negative."""
    root = data("ibsi")
    files = sorted((root / "ibsi1_ct_phantom").rglob("*.nii*"))
    image = read_series(next(f for f in files if "mask" not in f.name), modality="CT")
    roi = read_mask(next(f for f in files if "mask" in f.name), image)
    kept = Mask(roi.array & (image.array >= -500) & (image.array <= 400), image.geometry)
    for found, (value, tolerance) in zip(peaks(image, kept), ibsi_peaks(root, "ct_A"), strict=True):
        assert abs(found - value) <= tolerance + 0.5


def case_of(seed: int, scale: float = 1.0) -> Case:
    rng = np.random.default_rng(seed)
    inside = np.zeros(GRID.shape, dtype=bool)
    inside[2:5, 2:6, 2:7] = rng.random((3, 4, 5)) < 0.7
    inside[3, 3, 3] = True
    suv = rng.gamma(2.0, 1.5, GRID.shape).astype(np.float32) * np.float32(scale)
    return Case({"image": Volume(suv, GRID, "SUVbw")}, {"roi": Mask(inside, GRID)})


seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds)
def test_the_global_peak_is_never_below_the_local_one(seed: int) -> None:
    case = case_of(seed)
    local, overall = peaks(case.image, case.roi)
    assert overall >= local


def test_a_peak_may_exceed_the_maximum_of_the_roi() -> None:
    """Voxels outside the ROI count in the sphere: a lesion drawn beside the bladder shows its activity."""
    hot = np.ones(GRID.shape)
    hot[:, :, 5:] = 50.0
    beside = np.zeros(GRID.shape, dtype=bool)
    beside[3, 4, 4] = True
    found = peaks(Volume(hot, GRID), Mask(beside, GRID))
    assert found.local == found.overall > 1.0


def test_of_several_hottest_voxels_the_highest_mean_counts() -> None:
    image = np.ones(GRID.shape)
    image[3, 4, 1] = image[3, 4, 7] = 9.0
    image[3, 3, 7] = 5.0
    inside = np.zeros(GRID.shape, dtype=bool)
    inside[3, 4, [1, 7]] = True
    found = peaks(Volume(image, GRID), Mask(inside, GRID))
    alone = peaks(Volume(image, GRID), Mask(inside & (np.arange(9) < 4), GRID))
    assert found.local == found.overall > alone.local


@given(seed=seeds, flips=st.tuples(st.booleans(), st.booleans(), st.booleans()), turns=st.integers(0, 3))
def test_flips_and_quarter_turns_change_nothing(seed: int, flips: tuple[bool, ...], turns: int) -> None:
    case = case_of(seed)
    axes = tuple(axis for axis, flip in enumerate(flips) if flip)

    def moved(array: np.ndarray) -> np.ndarray:
        return np.rot90(np.flip(array, axes), turns, axes=(1, 2))

    array = moved(case.image.array)
    geometry = Geometry(size=array.shape[::-1], spacing_mm=GRID.spacing_mm)
    other = Case({"image": Volume(array, geometry, "SUVbw")}, {"roi": Mask(moved(case.roi.array), geometry)})
    assert metrics(other) == pytest.approx(metrics(case), rel=1e-12, nan_ok=True)


@given(seed=seeds, power=st.integers(-3, 3))
def test_scaled_uptake_scales_what_is_relative(seed: int, power: int) -> None:
    """By powers of two, which float32 holds exactly: SUV and TLG scale, the volume at 41 % does not."""
    scale = 2.0**power
    one, other = metrics(case_of(seed)), metrics(case_of(seed, scale))
    for key in ("SUVmax", "SUVmean", "SUVpeakLocal", "SUVpeakGlobal", "TLG41pct"):
        assert other[key] == pytest.approx(one[key] * scale, rel=1e-12)
    assert other["MTV41pct"] == one["MTV41pct"]


@given(seed=seeds, by=st.tuples(*[st.integers(-2, 2)] * 3))
def test_a_shift_of_image_and_roi_together_changes_nothing(seed: int, by: tuple[int, ...]) -> None:
    case = case_of(seed)
    wide = Geometry(size=(17, 16, 15), spacing_mm=GRID.spacing_mm)

    def within(array: np.ndarray) -> np.ndarray:
        space = np.full(wide.shape, 0, dtype=array.dtype)
        z, y, x = (4 + step for step in by)
        space[z : z + 7, y : y + 8, x : x + 9] = array
        return space

    placed = [within(case.image.array), within(case.roi.array)]
    here = Case({"image": Volume(placed[0], wide, "SUVbw")}, {"roi": Mask(placed[1], wide)})
    centre = [np.roll(a, [-step for step in by], axis=(0, 1, 2)) for a in placed]
    there = Case({"image": Volume(centre[0], wide, "SUVbw")}, {"roi": Mask(centre[1], wide)})
    assert metrics(here) == pytest.approx(metrics(there), rel=1e-12, nan_ok=True)


@given(seed=seeds, low=st.floats(0.1, 5), more=st.floats(0, 5))
def test_a_higher_threshold_never_gives_more(seed: int, low: float, more: float) -> None:
    values = case_of(seed).image.array.ravel()
    high = burden(values, low + more, 0.1)
    assume(high is not None)
    lower = burden(values, low, 0.1)
    assert lower is not None
    assert high is not None
    assert lower.volume_ml >= high.volume_ml
    assert lower.glycolysis_g >= high.glycolysis_g
    assert high.glycolysis_g >= high.volume_ml * (low + more) * (1 - 1e-6)


def uniform(suv: float, **masks: np.ndarray) -> Case:
    array = np.full(GRID.shape, suv, dtype=np.float32)
    array[0, 0, 0] += 1
    regions = {role: Mask(mask, GRID) for role, mask in masks.items()}
    return Case({"image": Volume(array, GRID, "SUVbw")}, regions)


def block(start: int, stop: int) -> np.ndarray:
    inside = np.zeros(GRID.shape, dtype=bool)
    inside[2:5, 2:6, start:stop] = True
    return inside


def test_a_voxel_at_the_threshold_counts() -> None:
    found = metrics(uniform(2.5, roi=block(2, 7)))
    assert found["MTV2p5"] == pytest.approx(60 * 0.048)
    assert found["TLG2p5"] == pytest.approx(60 * 0.048 * 2.5)
    assert np.isnan(found["MTV4p0"])


def test_hot_voxels_outside_the_roi_do_not_count_in_volumes() -> None:
    case = uniform(1.0, roi=block(2, 4))
    array = case.image.array.copy()
    array[:, :, 6:] = 30.0
    hot = Case({"image": Volume(array, GRID, "SUVbw")}, case.masks)
    one, other = metrics(case), metrics(hot)
    assert other["SUVmax"] == one["SUVmax"] == 1.0
    assert other["MTV41pct"] == one["MTV41pct"] == pytest.approx(24 * 0.048)


def test_an_empty_result_says_why() -> None:
    found = run(uniform(2.0, roi=block(2, 7)), ALL)
    notes = found.notes
    assert notes["native_pet_MTV2p5"] == notes["native_pet_TLG2p5"] == "no voxel of the ROI reaches 2.5 g/mL"
    assert notes["native_pet_MTVLiver"] == "no ROI of role liver is paired"
    assert notes["native_pet_SUVmaxToBlood"] == "no ROI of role blood or aorta is paired"
    missing = {key for key, value in found.values.items() if np.isnan(value)}
    assert missing == set(notes)
    assert found.diagnostics["liver_voxels"] == 0
    assert np.isnan(found.diagnostics["liver_mean"])


def test_without_uptake_there_is_no_share_of_the_maximum() -> None:
    found = run(uniform(-0.5, roi=block(2, 7)), ALL)
    assert found.notes["native_pet_MTV41pct"] == "SUVmax is not positive"
    assert found.values["native_pet_SUVmean"] == -0.5


def with_liver(**more: np.ndarray) -> Case:
    array = np.ones(GRID.shape, dtype=np.float32)
    array[2:5, 2:6, 0] = 2.0
    array[2:5, 2:6, 1] = 1.0
    array[2:5, 2:6, 2:7] = np.array([2.0, 2.5, 3.0, 3.25, 8.0])
    array[2:5, 2:6, 7] = 1.6
    masks = {"roi": block(2, 7), "liver": block(0, 2), **more}
    return Case({"image": Volume(array, GRID, "SUVbw")}, {r: Mask(m, GRID) for r, m in masks.items()})


def test_thresholds_and_ratios_follow_the_liver() -> None:
    """Liver 1.5 with SD 0.5: thresholds 2.5 and 3.25."""
    found = metrics(with_liver())
    assert found["MTVLiver"] == found["MTV2p5"] == pytest.approx(48 * 0.048)
    assert found["MTVPERCIST"] == pytest.approx(24 * 0.048)
    assert found["TLGPERCIST"] == pytest.approx(12 * 0.048 * (3.25 + 8.0))
    assert found["SUVmaxToLiver"] == pytest.approx(8 / 1.5)
    assert found["SUVmeanToLiver"] == pytest.approx(3.75 / 1.5)


@pytest.mark.parametrize(("times", "said"), [(1.0, False), (10.0, True), (0.1, True)])
def test_a_liver_that_no_patient_has_is_said(times: float, said: bool) -> None:
    """A dose written in another unit: everything is ten times as bright, or as dark."""
    case = with_liver()
    scaled = case.image.with_(Step("test"), array=case.image.array * np.float32(times))
    notes = run(Case({"image": scaled}, case.masks), ALL).notes
    assert ("is not usual: look at dose, weight" in notes.get("native_pet_SUVmax", "")) is said


def test_percist_on_another_suv_than_by_lean_mass_is_said() -> None:
    case = with_liver()
    assert "made for SUVlbm, the image is in SUVbw" in run(case, ALL).notes["native_pet_MTVPERCIST"]
    lean = case.image.with_(Step("test"), quantity="SUVlbm")
    assert "native_pet_MTVPERCIST" not in run(Case({"image": lean}, case.masks), ALL).notes


@pytest.mark.parametrize("role", ["blood", "aorta"])
def test_the_blood_pool_may_be_called_blood_or_aorta(role: str) -> None:
    found = metrics(with_liver(**{role: block(7, 8)}))
    assert found["SUVmaxToBlood"] == pytest.approx(5.0)
    both = run(with_liver(blood=block(7, 8), aorta=block(7, 8)), ALL)
    assert "leave one out" in both.notes["native_pet_SUVmaxToBlood"]


def test_a_liver_drawn_over_the_lesion_is_said() -> None:
    found = run(with_liver(liver=block(0, 3)), ALL)
    assert found.notes["native_pet_SUVmaxToLiver"] == (
        "the ROI of role liver and the one measured share 12 voxels"
    )
    assert np.isfinite(found.values["native_pet_SUVmaxToLiver"])


def test_a_reference_on_another_grid_is_brought_to_the_image() -> None:
    case = with_liver()
    part = Geometry(size=(2, 4, 3), spacing_mm=GRID.spacing_mm, origin_mm=(0.0, 8.0, 6.0))
    moved = Case(case.volumes, {**case.masks, "liver": Mask(np.ones(part.shape), part)})
    found = run(moved, ALL)
    assert found.values == pytest.approx(run(case, ALL).values, nan_ok=True)
    assert [step.name for step in found.steps["liver"]] == ["onto"]


def test_a_reference_outside_the_image_leaves_the_rest() -> None:
    case = with_liver()
    far = Geometry(size=(2, 2, 2), spacing_mm=GRID.spacing_mm, origin_mm=(900.0, 0.0, 0.0))
    found = run(Case(case.volumes, {**case.masks, "liver": Mask(np.ones((2, 2, 2)), far)}), ALL)
    assert "mask-outside-image" in found.notes["native_pet_MTVLiver"]
    assert np.isfinite(found.values["native_pet_SUVmax"])


def test_an_empty_or_broken_reference_says_so() -> None:
    empty = run(with_liver(liver=np.zeros(GRID.shape, dtype=bool)), ALL)
    assert empty.notes["native_pet_MTVLiver"] == "the ROI of role liver has no voxel"
    cold = with_liver(blood=block(7, 8))
    array = cold.image.array.copy()
    array[3, 3, 7] = np.nan
    array[2:5, 2:6, :2] = -1.0
    found = run(Case({"image": Volume(array, GRID, "SUVbw")}, cold.masks), ALL)
    assert found.notes["native_pet_SUVmaxToBlood"] == (
        "the ROI of role blood holds voxels that are not finite numbers"
    )
    assert found.notes["native_pet_MTVLiver"] == "the threshold from the liver is not positive"
    assert found.notes["native_pet_SUVmaxToLiver"] == "the mean of the liver is not positive"
