"""Contours to masks on grids of any direction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy.spatial.transform import Rotation

from gclnm.errors import GeometryError, ReadError
from gclnm.images import Geometry, MaskRef, Volume
from gclnm.images.dicom.rtstruct import read_contours
from gclnm.images.load import load_mask, read_mask
from gclnm.images.rasterise import Contours, mask_from_contours

GRID = Geometry(size=(30, 24, 8), spacing_mm=(1.0, 1.0, 2.0), frame_uid="1.2.3")


def oblique(size: tuple[int, int, int], spacing: tuple[float, float, float]) -> Geometry:
    axes = Rotation.from_euler("xyz", [21, -34, 57], degrees=True).as_matrix()
    rows = tuple(tuple(float(v) for v in row) for row in axes)
    return Geometry(size, spacing, (-31.2, 17.9, 4.4), rows)  # type: ignore[arg-type]


def square(z: float, low: float = 4.5, high: float = 9.5) -> np.ndarray:
    """A square of 5 x 5 voxels of GRID at height z (mm)."""
    return np.array([[low, low, z], [high, low, z], [high, high, z], [low, high, z]])


def told(contours: Sequence[np.ndarray], grid: Geometry = GRID) -> tuple[np.ndarray, dict[str, object]]:
    """Voxels in each slice, and the settings of the step in the history."""
    mask = mask_from_contours(Contours(tuple(contours)), grid)
    return mask.array.sum(axis=(1, 2)), dict(mask.history[0].settings)


def test_a_hollow_ball_on_an_oblique_grid_is_filled_exactly() -> None:
    grid = oblique((60, 50, 20), (0.7, 0.7, 2.5))
    middle = grid.to_physical([[29.3, 24.6, 9.5]])[0]
    contours = []
    for k in range(grid.size[2]):
        height = (k - 9.5) * 2.5
        for radius in (15.0, 8.0):
            if abs(height) < radius:
                r = np.sqrt(radius**2 - height**2) / 0.7
                angle = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
                index = np.column_stack(
                    [29.3 + r * np.cos(angle), 24.6 + r * np.sin(angle), np.full(1000, k)]
                )
                # A structure set holds a few decimals.
                contours.append(np.round(grid.to_physical(index), 4))
    z, y, x = np.indices(grid.shape)
    points = grid.to_physical(np.column_stack([x.ravel(), y.ravel(), z.ravel()]))
    distance = np.linalg.norm(points - middle, axis=1).reshape(grid.shape)
    mask = mask_from_contours(Contours(tuple(contours)), grid)
    # Centres closer to the surface than a polygon's sagitta and its rounding are nobody's.
    clear = (np.abs(distance - 15) > 1e-3) & (np.abs(distance - 8) > 1e-3)
    expected = (distance < 15) & (distance > 8)
    np.testing.assert_array_equal(mask.array[clear], expected[clear])
    assert mask.n_voxels > 9000


def test_contours_slightly_off_their_slices_count_and_the_distance_is_told() -> None:
    counts, settings = told([square(2.0 * k + 0.4) for k in range(2, 5)])
    assert counts.tolist() == [0, 0, 25, 25, 25, 0, 0, 0]
    assert settings["planes_off_slices"] == 3
    assert settings["farthest_off_slices"] == pytest.approx(0.2)


def test_of_finer_planes_the_nearest_to_the_slice_counts() -> None:
    planes = [square(4.0), square(4.6, high=19.5), square(5.2, high=19.5), square(6.0)]
    counts, settings = told(planes)
    assert counts.tolist() == [0, 0, 25, 25, 0, 0, 0, 0]
    assert settings["planes_not_nearest"] == 2


def test_evenly_coarser_planes_are_spread_over_the_slices_between() -> None:
    counts, settings = told([square(0.0), square(4.0), square(8.0)])
    assert counts.tolist() == [25, 25, 25, 25, 25, 0, 0, 0]
    assert settings["coarser_planes_spread_to"] == 1.0


def test_a_slice_that_the_reader_skipped_is_counted_and_not_filled() -> None:
    counts, settings = told([square(2.0), square(4.0), square(8.0)])
    assert counts.tolist() == [0, 25, 25, 0, 25, 0, 0, 0]
    assert settings["slices_skipped"] == 1


def test_contours_of_other_slices_are_refused() -> None:
    leaning = square(4.0)
    leaning[:2, 2] += 5.0
    with pytest.raises(GeometryError) as caught:
        told([leaning])
    assert caught.value.code == "contours-not-in-slices"


def test_a_contour_stored_twice_counts_once() -> None:
    counts, settings = told([square(4.0), square(4.0)])
    assert counts.sum() == 25
    assert settings["repeated"] == 1


def test_what_lies_outside_is_clipped_and_counted() -> None:
    counts, settings = told([square(z, high=200.0) for z in (10.0, 12.0, 14.0, 16.0)])
    assert counts.tolist() == [0, 0, 0, 0, 0, 475, 475, 475]
    assert (settings["clipped"], settings["planes_outside"]) == (3, 1)


@pytest.mark.parametrize("shift", [(0.0, 0.0, 500.0), (300.0, 0.0, 0.0)])
def test_an_roi_outside_the_image_is_refused(shift: tuple[float, float, float]) -> None:
    with pytest.raises(GeometryError) as caught:
        told([square(4.0) + shift])
    assert caught.value.code == "mask-outside-image"


def test_an_roi_between_voxel_centres_is_refused_and_touch_finds_it() -> None:
    speck = Contours((np.array([[3.1, 3.1, 4.0], [3.4, 3.1, 4.0], [3.4, 3.4, 4.0]]),))
    with pytest.raises(GeometryError) as caught:
        mask_from_contours(speck, GRID)
    assert caught.value.code == "mask-empty"
    touched = mask_from_contours(speck, GRID, rule="touch")
    assert touched.n_voxels == 1
    assert touched.history[0].settings["rule"] == "touch"


def test_touch_adds_the_rim_of_a_square() -> None:
    assert mask_from_contours(Contours((square(4.0, 4.2, 9.8),)), GRID, "touch").n_voxels == 49
    assert mask_from_contours(Contours((square(4.0, 4.2, 9.8),)), GRID).n_voxels == 25


def test_another_frame_of_reference_is_refused() -> None:
    with pytest.raises(GeometryError) as caught:
        mask_from_contours(Contours((square(4.0),), frame_uid="9.9"), GRID)
    assert caught.value.code == "other-frame"


@pytest.fixture
def structure_set(tmp_path: Path) -> str:
    """ROI 1 drawn, 2 without contours, 3 a point, 4 with a point beside its contour."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.SOPClassUID, file.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", generate_uid()
    file.Modality = "RTSTRUCT"
    file.StructureSetROISequence, file.ROIContourSequence = [], []
    drawn = {1: [square(4.0)], 2: [], 3: [square(4.0)[:1]], 4: [square(4.0), square(6.0)[:1]]}
    for number, contours in drawn.items():
        roi, contour_set = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, f"Node {number}"
        roi.ReferencedFrameOfReferenceUID = GRID.frame_uid
        contour_set.ReferencedROINumber = number
        contour_set.ContourSequence = []
        for points in contours:
            item = Dataset()
            item.ContourGeometricType = "CLOSED_PLANAR" if len(points) > 1 else "POINT"
            item.NumberOfContourPoints = len(points)
            item.ContourData = [f"{v:.4f}" for v in points.ravel()]
            contour_set.ContourSequence.append(item)
        file.StructureSetROISequence.append(roi)
        file.ROIContourSequence.append(contour_set)
    path = tmp_path / "rs"
    file.save_as(path, enforce_file_format=True)
    return str(path)


@pytest.fixture
def whole(structure_set: str) -> bytes:
    return Path(structure_set).read_bytes()


def image() -> Volume:
    return Volume(np.zeros(GRID.shape), GRID)


def test_a_structure_set_is_read_by_number_and_by_name(structure_set: str) -> None:
    assert load_mask(MaskRef("rtstruct", structure_set, 1), image()).n_voxels == 25
    assert read_mask(structure_set, image(), "node 1").n_voxels == 25
    contours = read_contours(structure_set, 4)
    assert (len(contours.points_mm), contours.ignored, contours.frame_uid) == (1, 1, "1.2.3")


@pytest.mark.parametrize(
    ("number", "code"), [(2, "roi-without-contours"), (3, "roi-without-contours"), (9, "no-such-roi")]
)
def test_an_roi_without_contours_is_refused_with_its_file(structure_set: str, number: int, code: str) -> None:
    with pytest.raises(ReadError) as caught:
        load_mask(MaskRef("rtstruct", structure_set, number), image())
    assert caught.value.code == code
    assert structure_set in str(caught.value)
    assert structure_set not in caught.value.reason


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0.3, 0.9999))
def test_a_structure_set_cut_anywhere_is_refused_and_never_read_in_part(
    structure_set: str, whole: bytes, part: float
) -> None:
    # pydicom itself reads a file that was cut between two contours as if it were whole.
    Path(structure_set).write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ReadError):
        load_mask(MaskRef("rtstruct", structure_set, 1), image())


def test_histories_are_plain_json(structure_set: str) -> None:
    mask = load_mask(MaskRef("rtstruct", structure_set, 4), image())
    text = json.dumps([step.to_dict() for step in mask.history])
    assert '"ignored": 1' in text


def test_contours_cannot_be_placed_on_an_image_without_positions(structure_set: str) -> None:
    nowhere = replace(image(), facts={"geometry_assumed": True})
    with pytest.raises(GeometryError, match="no positions"):
        load_mask(MaskRef("rtstruct", structure_set, 1), nowhere)
