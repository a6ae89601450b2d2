"""The body is what holds tissue, in every contrast and whatever the scanner's scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gclnm.errors import QuantityError
from gclnm.harmonize.mr import ZScore, body_mask, n4, normalize
from gclnm.images import Geometry, Volume
from gclnm.images.load import read_series


def test_the_body_of_a_phantom_is_found_but_for_its_edge(made) -> None:
    made_image = made()
    found = body_mask(made_image.volume).array
    assert np.logical_xor(found, made_image.body).sum() < 0.05 * made_image.body.sum()


@settings(max_examples=15)
@given(a=st.floats(0.05, 50), b=st.floats(-500, 500))
def test_the_body_does_not_depend_on_gain_and_offset(a: float, b: float) -> None:
    rng = np.random.default_rng(3)
    array = rng.normal(10, 2, (6, 30, 30))
    array[:, 6:24, 6:24] += rng.uniform(50, 400, (6, 18, 18))
    grid = Geometry(size=(30, 30, 6), spacing_mm=(2.0, 2.0, 5.0))
    first, other = (body_mask(Volume(values, grid)).array for values in (array, a * array + b))
    assert np.logical_xor(first, other).mean() < 0.002


def test_air_inside_and_tissue_at_the_edge_of_the_image_are_body() -> None:
    array = np.full((6, 30, 30), 2.0) + np.random.default_rng(0).random((6, 30, 30))
    array[:, :, 5:] += 100  # a body that leaves the field of view on three sides
    array[:, 10:16, 12:18] = 2.0  # bowel gas
    inside = body_mask(Volume(array, Geometry(size=(30, 30, 6), spacing_mm=(2.0, 2.0, 5.0)))).array
    assert inside[:, :, 5:].all()
    assert not inside[:, :, :4].any()


def test_dark_tissue_beside_bright_fat_is_body() -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(5, 2, (6, 30, 40))
    array[:, 5:25, 5:20] = rng.normal(250, 15, (6, 20, 15))
    array[:, 5:25, 20:35] = rng.normal(1000, 50, (6, 20, 15))
    inside = body_mask(Volume(array, Geometry(size=(40, 30, 6), spacing_mm=(4.0, 4.0, 5.0)))).array
    assert inside[:, 6:24, 6:34].all()
    assert not inside[:, :4].any()


def test_both_breasts_are_body_and_specks_are_not() -> None:
    array = np.random.default_rng(0).random((8, 40, 40))
    array[:, 5:20, 3:17] += 50
    array[:, 5:20, 23:37] += 50
    array[4, 34, 20] += 50
    inside = body_mask(Volume(array, Geometry(size=(40, 40, 8), spacing_mm=(4.0, 4.0, 4.0)))).array
    assert inside[4, 10, 10]
    assert inside[4, 10, 30]
    assert not inside[4, 34, 20]


def test_an_image_without_a_body_is_refused() -> None:
    array = np.zeros((4, 10, 10))
    array[2, 5, 5] = 9.0
    with pytest.raises(QuantityError, match="0 voxels") as caught:
        body_mask(Volume(array, Geometry(size=(10, 10, 4), spacing_mm=(1.0, 1.0, 1.0))))
    assert caught.value.code == "no-body"


def test_the_mask_of_one_volume_is_made_once(made) -> None:
    volume = made().volume
    assert body_mask(volume) is body_mask(volume)


@pytest.mark.parametrize(
    ("case", "least", "most"),
    [("abdomen_t2_titan_1p5T", 0.6, 0.75), ("brain_t1_uih_umr770_3T", 0.55, 0.7)],
)
def test_the_body_of_real_images_holds_dark_organs_too(data, case, least, most) -> None:
    volume = read_series(data("mr_raw") / case)
    inside = body_mask(volume).array
    assert least < inside.mean() < most
    # Otsu's threshold on intensities calls the liver air: it lies at 700 of up to 5,000.
    if case.startswith("abdomen"):
        assert inside[4, 200:300, 120:200].all()
        assert volume.array[4, 200:300, 120:200].mean() < 1206


def stripes() -> Volume:
    """Bright columns with noise between them, as of a failed reconstruction."""
    array = np.abs(np.random.default_rng(0).normal(0, 4, (6, 60, 60)))
    array[:, :, ::6] += 200
    return Volume(array, Geometry(size=(60, 60, 6), spacing_mm=(1.0, 1.0, 3.0)), facts={"modality": "MR"})


def test_an_image_without_anatomy_is_told_by_the_mask_and_by_the_steps_that_use_it() -> None:
    image = stripes()
    (step,) = body_mask(image).history
    assert step.settings["largest_part"] == pytest.approx(0.1)  # one of ten stripes
    assert step.note.startswith("the image may show no anatomy")
    for done in (n4(image), normalize(image, ZScore(method="z-score"))):
        assert done.history[-1].note.endswith(step.note)


def test_a_body_of_one_part_or_two_is_not_doubted(made) -> None:
    two = np.full((6, 40, 60), 2.0) + np.random.default_rng(0).random((6, 40, 60))
    two[:, 8:32, 5:26] += 100
    two[:, 8:32, 34:55] += 100
    legs = Volume(two, Geometry(size=(60, 40, 6), spacing_mm=(2.0, 2.0, 5.0)))
    for image, share in ((legs, 0.5), (made().volume, 1.0)):
        (step,) = body_mask(image).history
        assert step.settings["largest_part"] == pytest.approx(share, abs=0.05)
        assert not step.note


def test_a_real_series_of_stripes_is_doubted_and_a_real_brain_is_not(data) -> None:
    notes = [
        body_mask(read_series(data("mr_raw") / name)).history[-1].note
        for name in ("brain_t1_ge_pioneer_3T", "brain_t1_uih_umr770_3T")
    ]
    assert "no anatomy" in notes[0]
    assert not notes[1]
