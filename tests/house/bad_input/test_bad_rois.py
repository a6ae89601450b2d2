"""ROIs and voxels that cannot be measured as they are: refused with a reason, or measured and told."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

import gclnm
from gclnm.errors import GclnmError, InputError
from gclnm.recipe.recipe import Recipe

SOUND = {"P002"}


def _contours(ds):
    """Contours of the first ROI, which is the GTV."""
    return ds.ROIContourSequence[0].ContourSequence


def _move(ds, x=0.0, y=0.0, z=0.0):
    for contour in _contours(ds):
        points = np.array(contour.ContourData, dtype=float).reshape(-1, 3) + np.array([x, y, z])
        contour.ContourData = [f"{value:.3f}" for value in points.ravel()]


def _square(ds, centre, half_mm):
    """One contour instead of all: a square around a point."""
    del _contours(ds)[1:]
    (contour,) = _contours(ds)
    corners = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]) * half_mm + np.asarray(centre)
    contour.ContourData = [f"{value:.3f}" for value in corners.ravel()]
    contour.NumberOfContourPoints = 4


def _voxel_centre(file, column=60, row=70):
    ds = pydicom.dcmread(file, stop_before_pixels=True)
    step = np.array(ds.PixelSpacing, dtype=float)[::-1]
    return np.array(ds.ImagePositionPatient, dtype=float) + np.array([column * step[0], row * step[1], 0.0])


def _history(outcome, part="step", patient="P001"):
    """The lines of what was done to a patient's sample."""
    keys = outcome.samples.table.query("patient_id == @patient")["sample_id"]
    lines = str(outcome.store.explain(keys.iloc[0])).splitlines()
    return "; ".join(" ".join(line.split()) for line in lines if line.startswith(part))


@pytest.mark.parametrize("how", ["no sequence", "no item", "points only"])
def test_an_roi_without_contours(tree, way, say, how):
    def spoil(ds):
        drawn = ds.ROIContourSequence[0]
        if how == "no sequence":
            del drawn.ContourSequence
        elif how == "no item":
            del ds.ROIContourSequence[0]
        else:
            for contour in drawn.ContourSequence:
                contour.ContourGeometricType = "POINT"

    tree.change(tree.rois(), spoil)
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    refusal, problem = outcome.refusal(), outcome.problem("unusable-roi")
    say(f"{problem['where']}: {refusal['reason']}. {refusal['fix']}")
    assert "no contours" in refusal["reason"] or "no closed contour" in refusal["reason"]
    assert refusal["fix"]
    assert str(tree.rois()) in problem["where"]


def test_a_structure_set_without_any_roi(tree, way, say):
    def spoil(ds):
        ds.StructureSetROISequence, ds.ROIContourSequence = [], []

    tree.change(tree.rois(), spoil)
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    problem = outcome.problem("no-roi")
    say(f"{problem['what']}. {problem['fix']}")
    assert problem["where"] == str(tree.rois())


@pytest.mark.parametrize("axis", ["x", "z"])
def test_a_mask_outside_the_image(tree, way, say, axis):
    tree.change(tree.rois(), lambda ds: _move(ds, **{axis: 5000.0}))
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    say(outcome.failure())
    assert "outside the image" in outcome.failure()


def test_an_roi_partly_outside_in_plane_is_measured_and_told(tree, way, say):
    points = np.array(_contours(pydicom.dcmread(tree.rois()))[3].ContourData, dtype=float).reshape(-1, 3)
    edge = _voxel_centre(tree.images()[0], column=0)[0]

    def cut(ds):
        step = float(ds.PixelSpacing[1])
        lost = int((points[:, 0].mean() - edge) / step)
        pixels = ds.pixel_array[:, lost:].copy()
        ds.PixelData, ds.Columns = pixels.tobytes(), pixels.shape[1]
        x, y, z = (float(v) for v in ds.ImagePositionPatient)
        ds.ImagePositionPatient = [round(x + lost * step, 4), y, z]

    for file in tree.images():
        tree.change(file, cut)
    outcome = way(tree.path)
    assert outcome.ok == {"P001", *SOUND}
    say(_history(outcome, "step: roi"))
    assert "clipped" in _history(outcome)


def test_an_roi_on_slices_that_are_not_there_is_measured_and_told(tree, way, say):
    drawn = {float(c.ContourData[2]) for c in _contours(pydicom.dcmread(tree.rois()))}
    middle = sorted(drawn)[len(drawn) // 2]
    for file in tree.images():
        if float(pydicom.dcmread(file, stop_before_pixels=True).ImagePositionPatient[2]) > middle:
            file.unlink()
    outcome = way(tree.path)
    assert outcome.ok == {"P001", *SOUND}
    say(_history(outcome, "step: roi"))
    assert "planes_outside" in _history(outcome)


def test_an_roi_of_one_voxel(tree, way, say):
    centre = _voxel_centre(tree.images()[4])
    tree.change(tree.rois(), lambda ds: _square(ds, centre, 0.4))
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    say(outcome.failure())
    assert "one voxel" in outcome.failure()


def test_an_roi_between_voxel_centres(tree, way, say):
    centre = _voxel_centre(tree.images()[4], column=60.5, row=70.5)
    tree.change(tree.rois(), lambda ds: _square(ds, centre, 0.2))
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    say(outcome.failure())
    assert "no voxel centre" in outcome.failure()


def test_an_roi_of_one_slice_by_a_3d_and_a_2d_recipe(tree, way, recipe, client, say):
    centre = _voxel_centre(tree.images()[4], column=128, row=128)
    tree.change(tree.rois(), lambda ds: _square(ds, centre, 15.0))
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    say(outcome.failure())
    assert "one slice" in outcome.failure()
    assert "ct-2d" in outcome.failure()
    plane = Recipe.named("ct-2d").with_(prepare__filters={"log": None, "wavelet": None})
    case = gclnm.load(outcome.samples[0])
    with pytest.raises(GclnmError) as caught:
        gclnm.features(case.image, case.roi, recipe)
    say(caught.value)
    assert "ct-2d" in str(caught.value)
    flat = gclnm.extract(outcome.samples[:1], plane, client=client, progress=False)
    assert (flat.done, len(flat.failed)) == (1, 0)


def test_two_rois_of_the_same_name_stay_two_rows(tree, way, say):
    def rename(ds):
        ds.StructureSetROISequence[1].ROIName = "GTV"

    tree.change(tree.rois(), rename)
    outcome = way(tree.path)
    mine = outcome.samples.table.query("patient_id == 'P001'")
    say(outcome.samples.notes)
    assert sorted(mine["roi_instance"]) == ["1", "2"]
    assert len(outcome.store.table("ct")) == 3


def test_two_versions_of_a_structure_set(tree, way, say):
    def newer(ds):
        ds.SOPInstanceUID = generate_uid()
        ds.StructureSetDate = "20991231"
        _move(ds, x=3.0)

    later = tree.change(tree.rois(), newer, tree.rois().with_name("RTSTRUCT2.dcm"))
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    refused = outcome.samples.unpaired.query("kind == 'rtstruct'")
    say(f"{refused['reason'].iloc[0]}. {refused['fix'].iloc[0]}")
    assert len(refused) == 2
    assert "rater=" in refused["fix"].iloc[0]
    assert "prefer=" in refused["fix"].iloc[0]
    chosen = gclnm.pair(outcome.catalog, roi="GTV", prefer="newest")
    assert len(chosen) == 2
    assert str(later) in [sample.masks["roi"].file for sample in chosen]
    lost = set(refused["id"]) - set(chosen.table["segmentation_id"]) - set(chosen.unpaired["id"])
    assert lost == set()


def test_contours_of_another_frame_of_reference(tree, way, say):
    def reframe(ds):
        ds.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.3"
        for roi in ds.StructureSetROISequence:
            roi.ReferencedFrameOfReferenceUID = "1.2.3"

    tree.change(tree.rois(), reframe)
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    say(outcome.failure())
    assert "another frame of reference" in outcome.failure()


def test_a_segmentation_of_another_frame_of_reference(seg_tree, way, say):
    seg_tree.change(seg_tree.rois("P003"), lambda ds: ds.update({"FrameOfReferenceUID": "1.2.3"}))
    outcome = way(seg_tree.path)
    assert outcome.ok == SOUND
    say(outcome.failure("P003"))
    assert "another frame of reference" in outcome.failure("P003")


def test_a_segmentation_on_another_grid_is_resampled_and_told(seg_tree, way, say):
    def shift(ds):
        for frame in ds.PerFrameFunctionalGroupsSequence:
            place = frame.PlanePositionSequence[0]
            x, y, z = (float(v) for v in place.ImagePositionPatient)
            place.ImagePositionPatient = [round(x + 0.6, 3), y, z]

    seg_tree.change(seg_tree.rois("P003"), shift)
    outcome = way(seg_tree.path)
    assert outcome.ok == {"P003", *SOUND}
    told = _history(outcome, "step: roi", patient="P003")
    say(told)
    assert "voxel_centres_apart_mm=0.6" in told


def test_a_pet_image_and_a_recipe_for_ct(pet, way, say):
    outcome = way(pet.path)
    assert outcome.ok == set()
    say(outcome.failure())
    assert "measures HU" in outcome.failure()


def test_a_pet_that_does_not_name_its_decay_correction_is_measured_and_told(pet, way, say):
    for file in pet.images():
        pet.change(file, lambda ds: ds.__delattr__("DecayCorrection"))
    by = Recipe.named("pet").with_(prepare__filters={"log": None, "wavelet": None})
    outcome = way(pet.path, by=by)
    assert "P001" in outcome.ok
    told = _history(outcome, "step: image")
    say(told)
    assert "DecayCorrection" in told


@pytest.mark.parametrize("tag", ["PatientWeight", "RadiopharmaceuticalInformationSequence"])
def test_a_pet_without_what_suv_needs(pet, way, say, tag):
    for file in pet.images():
        pet.change(file, lambda ds: ds.__delattr__(tag))
    quick = {"compute__shape": (), "compute__glcm": (), "compute__glrlm": ()}
    by = Recipe.named("pet").with_(prepare__filters={"log": None, "wavelet": None}, **quick)
    outcome = way(pet.path, by=by)
    assert outcome.ok == set()
    say(outcome.failure())
    assert "SUV" in outcome.failure()
    assert outcome.failure().startswith("no-suv")


def _ball(size=20):
    z, y, x = np.indices((size, size, size))
    return ((z - size / 2) ** 2 + (y - size / 2) ** 2 + (x - size / 2) ** 2 < 30).astype(np.uint8)


def _pair_of_files(folder, write_image, array, name="bad"):
    write_image(folder / name / "CT.nii.gz", np.asarray(array, dtype=np.float32))
    write_image(folder / name / "CT_GTV_mask.nii.gz", _ball())


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(40, 30, (20, 20, 20)).astype(np.float32)


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["nan", "inf"])
def test_voxels_that_are_not_numbers(tmp_path, write_image, way, say, noise, value):
    array = noise.copy()
    array[8:11, 10, 10] = value
    _pair_of_files(tmp_path / "in", write_image, array)
    _pair_of_files(tmp_path / "in", write_image, noise, "good")
    outcome = way(tmp_path / "in")
    assert outcome.ok == {"good"}
    say(outcome.failure("bad"))
    assert "not numbers" in outcome.failure("bad")


@pytest.mark.parametrize(("value", "words"), [(np.nan, "not numbers"), (40.0, "same value")])
def test_an_image_of_one_value(tmp_path, write_image, way, say, noise, value, words):
    _pair_of_files(tmp_path / "in", write_image, np.full((20, 20, 20), value))
    _pair_of_files(tmp_path / "in", write_image, noise, "good")
    outcome = way(tmp_path / "in")
    assert outcome.ok == {"good"}
    say(outcome.failure("bad"))
    assert words in outcome.failure("bad")


def test_a_constant_roi_keeps_what_is_defined(tmp_path, write_image, way, noise):
    _pair_of_files(tmp_path / "in", write_image, np.where(_ball() == 1, 40.0, noise))
    outcome = way(tmp_path / "in")
    (row,) = outcome.store.table("ct").to_dict("records")
    assert row["original_firstorder_Mean"] == pytest.approx(40.0)
    assert row["original_glcm_JointEntropy"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("how", ["four dimensions", "not a file of its kind", "empty file", "colour"])
def test_an_image_file_that_is_no_volume(tmp_path, write_image, way, say, noise, how):
    _pair_of_files(tmp_path / "in", write_image, noise, "good")
    _pair_of_files(tmp_path / "in", write_image, noise)
    file = tmp_path / "in" / "bad" / "CT.nii.gz"
    if how == "four dimensions":
        write_image(file, np.stack([noise, noise]), vector=False)
    elif how == "colour":
        import SimpleITK

        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.stack([noise] * 3, -1), isVector=True), str(file))
    else:
        file.write_bytes(b"" if how == "empty file" else b"not gzip at all")
    outcome = way(tmp_path / "in")
    assert outcome.ok == {"good"}
    told = outcome.catalog.problems
    (problem,) = told[told["where"] == str(file)].to_dict("records")
    say(f"{problem['code']}: {problem['what']}. {problem['fix']}")
    assert problem["fix"]
    refusal = outcome.refusal("bad")
    say(f"{refusal['reason']}. {refusal['fix']}")
    assert refusal["fix"]


@pytest.mark.parametrize("how", ["empty", "fractions", "elsewhere", "nan"])
def test_a_label_map_that_outlines_nothing(tmp_path, write_image, way, say, noise, how):
    _pair_of_files(tmp_path / "in", write_image, noise, "good")
    _pair_of_files(tmp_path / "in", write_image, noise)
    file = tmp_path / "in" / "bad" / "CT_GTV_mask.nii.gz"
    if how == "elsewhere":
        import SimpleITK

        image = SimpleITK.GetImageFromArray(_ball())
        image.SetOrigin((5000.0, 0.0, 0.0))
        SimpleITK.WriteImage(image, str(file))
    else:
        arrays = {"empty": _ball() * 0, "fractions": _ball() * 0.5, "nan": _ball() * np.float32("nan")}
        write_image(file, arrays[how])
    outcome = way(tmp_path / "in")
    assert outcome.ok == {"good"}
    if how == "elsewhere":
        say(outcome.failure("bad"))
        assert "outside the image" in outcome.failure("bad")
        return
    told = outcome.catalog.problems
    (problem,) = told[told["where"].str.contains(str(file), regex=False)].to_dict("records")
    say(f"{problem['code']}: {problem['what']}. {problem['fix']}")
    assert problem["fix"]


def test_a_truncated_image_file(tmp_path, write_image, way, say, noise):
    _pair_of_files(tmp_path / "in", write_image, noise, "good")
    _pair_of_files(tmp_path / "in", write_image, noise)
    file = tmp_path / "in" / "bad" / "CT.nii.gz"
    file.write_bytes(file.read_bytes()[:-3000])
    outcome = way(tmp_path / "in")
    assert outcome.ok == {"good"}
    told = outcome.problem("truncated")
    say(f"{told['what']}. {told['fix']}")
    assert told["where"] == str(file)
    assert outcome.refusal("bad")["code"] == "missing-image"


def test_read_series_and_read_mask_in_a_notebook(tree, tmp_path, say):
    with pytest.raises(GclnmError) as caught:
        gclnm.read_series(tmp_path / "nowhere")
    say(caught.value)
    with pytest.raises(InputError) as several:
        gclnm.read_series(tree.path)
    say(several.value)
    assert "gclnm.scan" in str(several.value)
    volume = gclnm.read_series(tree.path / "P001" / "CT")
    with pytest.raises(InputError) as wrong:
        gclnm.read_mask(tree.rois(), volume, "GVT")
    say(wrong.value)
    assert "GTV" in str(wrong.value)
    with pytest.raises(GclnmError) as swapped:
        gclnm.read_mask(tree.images()[0], volume)
    say(swapped.value)


def test_what_is_told_of_a_row_holds_no_path(tree, way):
    outcome = way(tree.path)
    assert str(tree.path) not in str(outcome.store.explain(outcome.samples.table["sample_id"].iloc[0]))
