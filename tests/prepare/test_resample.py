"""Images and masks on another voxel size: pyradiomics' voxels, the IBSI's rules, and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from gclnm.engines.upstream import quiet
from gclnm.errors import GeometryError
from gclnm.harmonize import harmonize
from gclnm.images import Geometry, Mask, Volume
from gclnm.images.load import read_mask, read_series
from gclnm.images.volume import Step, from_sitk
from gclnm.prepare import Resample, onto, resample
from gclnm.prepare.resample import INTERPOLATORS

TURNED = Step("turned")
OBLIQUE = ((0.8, -0.6, 0.0), (0.48, 0.64, -0.6), (0.36, 0.48, 0.8))
GRIDS = {
    "anisotropic": Geometry(size=(34, 38, 18), spacing_mm=(0.8, 0.9, 2.5), origin_mm=(10.0, -20.0, 30.0)),
    "oblique": Geometry(size=(34, 38, 18), spacing_mm=(1.1, 1.1, 1.7), direction=OBLIQUE),
}


def noise(grid: Geometry, seed: int = 7) -> Volume:
    values = gaussian_filter(np.random.default_rng(seed).normal(size=grid.shape), 1.2)
    return Volume(values * 350 + 40, grid, quantity="HU")


def ball(grid: Geometry, radius_mm: float) -> Mask:
    index = np.moveaxis(np.indices(grid.shape), 0, -1)[..., ::-1]
    middle = [(n - 1) / 2 for n in grid.size]
    return Mask(((((index - middle) * grid.spacing_mm) ** 2).sum(axis=-1)) <= radius_mm**2, grid)


def by_pyradiomics(image: Volume, roi: Mask, asked: Resample) -> tuple[sitk.Image, sitk.Image]:
    with quiet():
        from radiomics.imageoperations import resampleImage

        image_itk = image.to_sitk()
        mask = sitk.Cast(roi.to_sitk(), sitk.sitkUInt32)
        words = {
            "resampledPixelSpacing": list(asked.spacing_mm),
            "interpolator": INTERPOLATORS[asked.interpolator],
            "padDistance": asked.pad_voxels,
        }
        return resampleImage(image_itk, mask, **words)


def equal_to_pyradiomics(image: Volume, roi: Mask, asked: Resample) -> None:
    theirs = [from_sitk(part) for part in by_pyradiomics(image, roi, asked)]
    ours = resample(image, asked, around=roi), resample(roi, asked, around=roi)
    for own, (array, grid) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(own.array, array)
        assert own.geometry.size == grid.size
        np.testing.assert_allclose(own.geometry.affine, grid.affine, rtol=0, atol=1e-9)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("interpolator", ["bspline", "linear", "nearest"])
@pytest.mark.parametrize("spacing", [(1, 1, 1), (2.3, 2.3, 0), (0.35, 3, 1.7), (0.8, 0.9, 2.5)])
def test_corners_aligned_give_pyradiomics_voxels_bit_for_bit(grid, interpolator, spacing) -> None:
    image = noise(GRIDS[grid])
    for pad in (0, 5):
        asked = Resample(spacing_mm=spacing, interpolator=interpolator, pad_voxels=pad)
        equal_to_pyradiomics(image, ball(image.geometry, 9), asked)


@pytest.mark.parametrize("folder", ["PET", "CT", "MR_T1"])
def test_a_real_patient_has_pyradiomics_voxels_bit_for_bit(data, folder) -> None:
    root = data("sts") / "STS_019" / folder
    image = harmonize(read_series(root / "image"))
    roi = onto(read_mask(next((root / "mask").glob("*.dcm")), image), image)
    equal_to_pyradiomics(image, roi, Resample(spacing_mm=(2, 2, 2)))


def test_a_one_slice_roi_is_not_made_thicker() -> None:
    grid = GRIDS["anisotropic"]
    inside = np.zeros(grid.shape, dtype=bool)
    inside[7, 10:20, 9:22] = True
    equal_to_pyradiomics(noise(grid), Mask(inside, grid), Resample(spacing_mm=(1, 1, 1)))


@pytest.mark.parametrize("align", ["corner", "centre"])
@pytest.mark.parametrize("interpolator", ["bspline", "linear", "nearest"])
def test_the_same_spacing_changes_nothing(align, interpolator) -> None:
    image = noise(GRIDS["oblique"])
    asked = Resample(spacing_mm=(1.1, 0, 1.7), align=align, interpolator=interpolator)
    same = resample(image, asked)
    np.testing.assert_array_equal(same.array, image.array)
    assert same.geometry == image.geometry


@settings(max_examples=30)
@given(
    st.tuples(*[st.integers(30, 400).map(lambda n: n / 100)] * 3),
    st.sampled_from(["bspline", "linear", "nearest"]),
    st.floats(-1000, 3000, width=32),
    st.booleans(),
)
def test_a_constant_stays_constant_up_to_the_edge(spacing, interpolator, value, antialias) -> None:
    grid = Geometry((9, 8, 7), (0.9, 1.3, 2.0), direction=OBLIQUE)
    asked = Resample(spacing_mm=spacing, interpolator=interpolator, align="centre", antialias=antialias)
    result = resample(Volume(np.full(grid.shape, value), grid), asked).array
    np.testing.assert_allclose(result, value, rtol=1e-6, atol=1e-6)
    everything = resample(Mask(np.ones(grid.shape), grid), asked.model_copy(update={"mask": "linear"}))
    assert everything.array.all()


@pytest.mark.parametrize("align", ["corner", "centre"])
@pytest.mark.parametrize("interpolator", ["bspline", "linear"])
def test_a_ramp_stays_a_ramp_inside(align, interpolator) -> None:
    """Values are those of the place: alignment and interpolation agree on where voxels are."""
    grid = Geometry((50, 44, 46), (1.0, 1.2, 1.1), (3.0, -40.0, 8.0), OBLIQUE)
    index = np.moveaxis(np.indices(grid.shape), 0, -1)[..., ::-1].reshape(-1, 3)
    slope = np.array([0.7, -1.1, 0.4])
    image = Volume((grid.to_physical(index) @ slope).reshape(grid.shape), grid)
    asked = Resample(spacing_mm=(1.7, 0.9, 1.3), align=align, interpolator=interpolator)
    result = resample(image, asked)
    index = np.moveaxis(np.indices(result.geometry.shape), 0, -1)[..., ::-1].reshape(-1, 3)
    places = result.geometry.to_physical(index)
    # A spline is bent at the mirror of the edge; twelve voxels further in that has died out.
    margin = 12 if interpolator == "bspline" else 0
    on_old = grid.to_index(places)
    inside = ((on_old >= margin) & (on_old <= np.array(grid.size) - 1 - margin)).all(axis=1)
    assert inside.sum() > 5000
    np.testing.assert_allclose(result.array.ravel()[inside], (places @ slope)[inside], atol=2e-5)


@pytest.mark.parametrize("interpolator", ["bspline", "linear"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_image_gives_the_flipped_result_when_centres_are_aligned(interpolator, axis) -> None:
    image, roi = noise(GRIDS["anisotropic"]), ball(GRIDS["anisotropic"], 9)
    roi = roi.with_(TURNED, array=roi.array & (image.array > 20))
    asked = Resample(spacing_mm=(1.3, 2.2, 1.9), interpolator=interpolator, align="centre", mask="linear")
    for part in (image, roi):
        flipped = part.with_(TURNED, array=np.flip(part.array, axis))
        straight = resample(part, asked).array
        np.testing.assert_allclose(
            np.flip(resample(flipped, asked).array, axis).astype(float), straight.astype(float), atol=1e-4
        )


@settings(max_examples=25)
@given(
    st.tuples(*[st.integers(80, 300).map(lambda n: n / 100)] * 3),
    st.sampled_from(["linear", "nearest"]),
    st.sampled_from(["corner", "centre"]),
)
def test_the_volume_of_a_mask_is_kept_to_less_than_a_layer_of_voxels(spacing, how, align) -> None:
    roi = ball(Geometry((40, 40, 40), (1.0, 1.0, 1.0)), 14.0)
    result = resample(roi, Resample(spacing_mm=spacing, mask=how, align=align))
    before, after = (m.n_voxels * m.geometry.voxel_volume_mm3 for m in (roi, result))
    surface = 4 * np.pi * 14.0**2
    # Less than a layer of voxels is gained or lost by nearest neighbour, less than half of one linearly.
    share = 1.0 if how == "nearest" else 0.5
    assert abs(after - before) <= share * surface * max(1.0, *spacing)


def test_a_voxel_exactly_half_inside_counts_when_the_mask_is_linear() -> None:
    """IBSI reference manual, partial volume effects in the ROI mask (E8H9): from 0.5 on."""
    grid = Geometry((6, 6, 6), (1.0, 1.0, 1.0))
    inside = np.zeros(grid.shape, dtype=bool)
    inside[:, :, 1:4] = True
    result = resample(Mask(inside, grid), Resample(spacing_mm=(2, 2, 2), align="centre", mask="linear"))
    assert result.array[0, 0].tolist() == [True, True, False]


def test_only_the_surroundings_are_made_and_they_are_those_of_the_whole() -> None:
    image, roi = noise(GRIDS["oblique"]), ball(GRIDS["oblique"], 8)
    for align in ("corner", "centre"):
        asked = Resample(spacing_mm=(1.4, 1.4, 1.4), align=align, mask="linear", pad_voxels=2)
        for part in (image, roi):
            whole, near = resample(part, asked), resample(part, asked, around=roi)
            assert np.prod(near.geometry.size) < np.prod(whole.geometry.size) / 2
            x, y, z = np.rint(whole.geometry.to_index([near.geometry.origin_mm])[0]).astype(int)
            columns, rows, slices = near.geometry.size
            same = whole.array[z : z + slices, y : y + rows, x : x + columns].astype(float)
            np.testing.assert_allclose(near.array.astype(float), same, atol=1e-4)


def test_rounding_makes_whole_numbers_of_the_interpolated_ones() -> None:
    image = noise(GRIDS["anisotropic"])
    asked = Resample(spacing_mm=(1, 1, 1), align="centre", interpolator="linear")
    exact, rounded = (
        resample(image, asked.model_copy(update={"round": value})).array for value in (False, True)
    )
    np.testing.assert_array_equal(rounded, np.rint(exact))
    assert np.abs(rounded - exact).max() > 0.4


def test_anti_aliasing_widens_the_point_spread_function_to_the_new_voxel() -> None:
    """A Gaussian stays one; its variance grows by (new² - old²) / (8 ln 2) along each coarser axis."""
    grid = Geometry((61, 61, 61), (1.0, 1.0, 1.0))
    z, y, x = (np.arange(61) - 30.0 for _ in range(3))
    sigma = 5.0
    profile = [np.exp(-(axis**2) / (2 * sigma**2)) for axis in (z, y, x)]
    image = Volume(1000 * np.einsum("i,j,k->ijk", *profile), grid)
    spacing = (4.0, 3.0, 0.5)
    result = resample(image, Resample(spacing_mm=spacing, align="centre", antialias=True))
    widths = np.sqrt(sigma**2 + np.maximum(np.array(spacing) ** 2 - 1, 0) / (8 * np.log(2)))
    expected = np.float64(1000)
    for axis, (n, step, width) in enumerate(zip(result.geometry.size, spacing, widths, strict=True)):
        place = (np.arange(n) - (n - 1) / 2) * step
        shape = [1, 1, 1]
        shape[2 - axis] = n
        curve = sigma / width * np.exp(-(place**2) / (2 * width**2))
        expected = expected * curve.reshape(shape)
    np.testing.assert_allclose(result.array, expected, atol=1.5)
    aliased = resample(image, Resample(spacing_mm=spacing, align="centre")).array
    assert np.abs(aliased - expected).max() > 50


def test_anti_aliasing_leaves_an_image_that_becomes_finer() -> None:
    image = noise(GRIDS["anisotropic"])
    asked = Resample(spacing_mm=(0.5, 0.5, 0.5))
    smooth = resample(image, asked.model_copy(update={"antialias": True}))
    np.testing.assert_array_equal(smooth.array, resample(image, asked).array)


def test_the_history_says_how_image_and_mask_were_interpolated() -> None:
    asked = Resample(spacing_mm=(2, 2, 0), align="centre", mask="linear", round=True)
    image, roi = noise(GRIDS["anisotropic"]), ball(GRIDS["anisotropic"], 9)
    told = [resample(part, asked).history[-1].to_dict()["settings"] for part in (image, roi)]
    common = {"spacing_mm": [2.0, 2.0, 0.0], "align": "centre"}
    assert told == [
        {**common, "interpolation": "bspline", "round": True},
        {**common, "interpolation": "linear, inside from 0.5"},
    ]
    assert resample(image, asked).quantity == "HU"


def test_an_roi_on_another_grid_is_refused() -> None:
    image, roi = noise(GRIDS["anisotropic"]), ball(GRIDS["oblique"], 9)
    with pytest.raises(GeometryError, match="different grids") as caught:
        resample(image, Resample(spacing_mm=(1, 1, 1)), around=roi)
    assert caught.value.code == "other-grid"
