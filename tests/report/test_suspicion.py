"""Each oddity of a contour is found, said in words, and not seen where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from gclnm.images import Geometry, Mask, MaskRef, Sample, Volume, VolumeRef
from gclnm.report.suspicion import Measures, compare, dice, judge, measure
from gclnm.report.views import View

GRID = Geometry(size=(20, 20, 10), spacing_mm=(1.0, 1.0, 3.0))


def a_sample(roi: str = "GTV", rater: str = "", patient: str = "p1", modality: str = "CT") -> Sample:
    coords = {"patient_id": patient, "roi": roi, "rater": rater, "modality": modality}
    image = VolumeRef(f"1.{patient}", "dicom", ("a",), modality=modality)
    return Sample({"image": image}, {"roi": MaskRef("rtstruct", "b", 1)}, coords)


def measured(mask: np.ndarray, values: np.ndarray | None = None) -> Measures:
    array = np.full(GRID.shape, 40.0) if values is None else values
    return measure(View(a_sample(), Volume(array, GRID, "HU"), Mask(mask, GRID)))


def block(z: slice = slice(3, 7), y: slice = slice(5, 12), x: slice = slice(5, 12)) -> np.ndarray:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[z, y, x] = True
    return mask


def codes(m: Measures) -> list[str]:
    return [finding.code for finding in judge(m)]


def test_a_plain_contour_is_not_suspicious() -> None:
    assert codes(measured(block())) == []


def test_its_numbers_are_those_of_the_block() -> None:
    m = measured(block())
    assert (m.voxels, m.slices, m.skipped, m.parts) == (4 * 49, 4, 0, (196,))
    assert m.volume_ml == pytest.approx(196 * 3 / 1000)


def test_gas_inside_is_found_and_its_share_said() -> None:
    values = np.full(GRID.shape, 40.0)
    values[4, 6, 5:12] = -900
    (finding,) = judge(measured(block(), values))
    assert finding.code == "gas"
    assert "3.6 %" in finding.words  # 7 of 196 voxels


def test_gas_is_a_matter_of_hounsfield_units_only() -> None:
    volume = Volume(np.where(block(), -900.0, 0.0), GRID, "arbitrary")
    assert "gas" not in codes(measure(View(a_sample(), volume, Mask(block(), GRID))))


def test_a_skipped_slice_is_found() -> None:
    mask = block()
    mask[5] = False
    assert codes(measured(mask)) == ["skipped-slices", "fragments"]


def test_a_stray_voxel_is_a_fragment() -> None:
    mask = block()
    mask[4, 18, 18] = True
    (finding,) = judge(measured(mask))
    assert finding.code == "fragments"
    assert finding.words.startswith("2 separate parts; 1 voxel ")


def test_parts_that_share_a_corner_are_one() -> None:
    mask = block()
    mask[7, 12, 12] = True
    assert codes(measured(mask)) == []


def test_one_slice_the_border_and_few_voxels_are_found() -> None:
    assert codes(measured(block(z=slice(4, 5), y=slice(2, 14)))) == ["one-slice"]
    assert codes(measured(block(y=slice(0, 7)))) == ["border"]
    assert codes(measured(block(z=slice(3, 5), y=slice(4, 6), x=slice(4, 6)))) == ["few-voxels"]


def test_dice_of_two_blocks_is_that_of_their_overlap() -> None:
    a, b = measured(block()), measured(block(x=slice(8, 15)))
    assert dice(a, b) == pytest.approx(2 * 4 * 7 * 4 / (196 + 196))
    assert dice(a, a) == 1
    assert dice(a, measured(block(x=slice(14, 18)))) == 0


def test_raters_who_disagree_are_both_marked_and_named() -> None:
    samples = [a_sample(rater="anna"), a_sample(rater="ben"), a_sample(rater="cem")]
    parts = {0: measured(block()), 1: measured(block(x=slice(9, 16))), 2: measured(block())}
    found = compare(samples, parts)
    assert [f.words for f in found[0]] == ["Disagrees with rater ben: Dice 0.43."]
    assert len(found[1]) == 2
    assert [f.code for f in found[2]] == ["raters-disagree"]


def test_contours_of_two_patients_are_not_compared() -> None:
    samples = [a_sample(rater="anna"), a_sample(rater="ben", patient="p2")]
    assert compare(samples, {0: measured(block()), 1: measured(block(x=slice(14, 18)))}) == {}


def test_a_volume_far_from_the_median_of_its_roi_and_modality_stands_out() -> None:
    samples = [a_sample(patient=f"p{i}") for i in range(9)]
    parts = {i: measured(block(x=slice(5, 11 + i % 2))) for i in range(8)}
    parts[8] = measured(block(z=slice(1, 9), y=slice(1, 19), x=slice(1, 19)))
    found = compare(samples, parts)
    assert list(found) == [8]
    assert "larger than the median" in found[8][0].words


def test_a_volume_is_not_compared_with_another_roi() -> None:
    samples = [a_sample(patient=f"p{i}") for i in range(8)] + [a_sample("LN", patient="p9")]
    parts = {i: measured(block()) for i in range(8)}
    parts[8] = measured(block(z=slice(1, 9), y=slice(1, 19), x=slice(1, 19)))
    assert compare(samples, parts) == {}
