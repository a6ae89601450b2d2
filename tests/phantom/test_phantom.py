"""The phantom is what it says: readable by others, consistent, and the same for the same seed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from matplotlib.path import Path as Outline

from gclnm.errors import InputError
from gclnm.phantom import Cohort, cohort


def images(made: Cohort, patient: str, modality: str) -> list[pydicom.Dataset]:
    """The image objects of one series along z."""
    files = sorted((made.dicom / patient / modality).glob("IM*"))
    return sorted((pydicom.dcmread(f) for f in files), key=lambda ds: float(ds.ImagePositionPatient[2]))


def segmentation(made: Cohort, patient: str, modality: str) -> pydicom.Dataset:
    (file,) = [f for f in (made.dicom / patient / modality).iterdir() if not f.name.startswith("IM")]
    return pydicom.dcmread(file)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(made: Cohort, tmp_path: Path) -> None:
    again = cohort(tmp_path / "again", patients=1, modalities=["PT"], progress=False)
    other = cohort(tmp_path / "other", patients=1, modalities=["PT"], seed=1, progress=False)
    assert digest(again.dicom) == digest_of(made, "P001/PT")
    assert not set(digest(again.dicom).values()) & set(digest(other.dicom).values())


def digest_of(made: Cohort, part: str) -> dict[str, str]:
    return {name: value for name, value in digest(made.dicom).items() if name.startswith(part)}


def test_a_cohort_is_opened_again_with_its_truth(made: Cohort) -> None:
    again = Cohort.open(made.path)
    assert again.n_files == made.n_files == sum(1 for f in made.dicom.rglob("*") if f.is_file())
    assert again.truth == made.truth
    assert "P001" in again._repr_html_()


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
@pytest.mark.parametrize("patient", ["P001", "P002"])
def test_simpleitk_reads_every_series_as_one_volume(made: Cohort, patient: str, modality: str) -> None:
    reader = sitk.ImageSeriesReader()
    folder = str(made.dicom / patient / modality)
    slices = images(made, patient, modality)
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder, slices[0].SeriesInstanceUID))
    volume = reader.Execute()
    assert volume.GetSize() == (slices[0].Columns, slices[0].Rows, len(slices))
    stored = slices[4].pixel_array * float(slices[4].get("RescaleSlope", 1))
    stored = stored + float(slices[4].get("RescaleIntercept", 0))
    np.testing.assert_allclose(sitk.GetArrayFromImage(volume)[4], stored, rtol=1e-5, atol=1e-3)


def test_every_object_says_that_it_has_no_identity_and_has_its_required_empty_attributes(
    made: Cohort,
) -> None:
    uids = set()
    for file in made.dicom.rglob("*"):
        if file.is_file():
            ds = pydicom.dcmread(file, stop_before_pixels=True)
            assert ds.PatientIdentityRemoved == "YES"
            assert ds.DeidentificationMethod
            assert ds.PatientBirthDate == ds.AccessionNumber == ds.ReferringPhysicianName == ""
            uids.add(ds.SOPInstanceUID)
    assert len(uids) == made.n_files


def test_two_hospitals_differ_in_vendor_kernel_matrix_and_slices(made: Cohort) -> None:
    north, south = images(made, "P001", "CT")[0], images(made, "P002", "CT")[0]
    assert "GE" in north.Manufacturer
    assert "SIEMENS" in south.Manufacturer
    for keyword in ("ConvolutionKernel", "Rows", "SliceThickness", "PixelRepresentation", "KVP"):
        assert north[keyword].value != south[keyword].value
    assert {float(images(made, p, "MR")[0].MagneticFieldStrength) for p in ("P001", "P002")} == {3.0}


def test_ct_and_pet_share_a_frame_of_reference_and_mr_has_its_own(made: Cohort) -> None:
    ct, mr, pet = (images(made, "P001", m)[0].FrameOfReferenceUID for m in ("CT", "MR", "PT"))
    assert ct == pet != mr


@pytest.mark.parametrize("patient", ["P001", "P002"])
def test_pet_headers_alone_determine_suv(made: Cohort, patient: str) -> None:
    # The liver is the largest organ with uptake: its mode is at the SUV that was drawn, 2.3.
    values = []
    for ds in images(made, patient, "PT"):
        dose = ds.RadiopharmaceuticalInformationSequence[0]
        injected, began = dose.RadiopharmaceuticalStartTime, ds.SeriesTime
        seconds = sum(
            (int(began[a:b]) - int(injected[a:b])) * k for a, b, k in ((0, 2, 3600), (2, 4, 60), (4, 6, 1))
        )
        remaining = float(dose.RadionuclideTotalDose) * 0.5 ** (seconds / float(dose.RadionuclideHalfLife))
        activity = ds.pixel_array * float(ds.RescaleSlope)
        values.append(activity * float(ds.PatientWeight) * 1000 / remaining)
        assert (ds.Units, ds.DecayCorrection) == ("BQML", "START")
    counts, edges = np.histogram(np.stack(values), bins=60, range=(1.6, 3.0))
    assert edges[counts.argmax()] == pytest.approx(2.3, abs=0.08)


def test_air_fat_and_liver_have_their_hounsfield_units(made: Cohort) -> None:
    slices = images(made, "P001", "CT")
    stored = np.stack([ds.pixel_array for ds in slices]).astype(float)
    hu = np.where(stored == slices[0].PixelPaddingValue, np.nan, stored + float(slices[0].RescaleIntercept))
    counts, edges = np.histogram(hu, bins=22, range=(-130, -75))
    assert edges[counts.argmax()] == pytest.approx(-102, abs=4)
    # The right lobe fills a box 85 mm to the right of the body's axis.
    x, y = (float(v) for v in slices[24].ImagePositionPatient[:2])
    pixel = float(slices[0].PixelSpacing[0])
    column, row = round((-85 - x) / pixel), round((-150 - y) / pixel)
    assert np.median(hu[24:32, row - 6 : row + 6, column - 6 : column + 6]) == pytest.approx(106, abs=2)
    assert np.nanmin(hu) >= -1024


@pytest.mark.parametrize(("patient", "modality"), [("P001", "CT"), ("P002", "MR"), ("P002", "PT")])
def test_contours_enclose_the_voxels_that_the_truth_counts(made: Cohort, patient: str, modality: str) -> None:
    slices, rt = images(made, patient, modality), segmentation(made, patient, modality)
    first = slices[0]
    axes = np.reshape([float(v) for v in first.ImageOrientationPatient], (2, 3))
    column, row = np.meshgrid(np.arange(first.Columns), np.arange(first.Rows))
    centres = np.column_stack([column.ravel(), row.ravel()])
    by_uid = {ds.SOPInstanceUID: ds for ds in slices}
    names = {roi.ROINumber: roi.ROIName for roi in rt.StructureSetROISequence}
    for contours in rt.ROIContourSequence:
        count = 0
        for contour in contours.ContourSequence:
            image = by_uid[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            points = np.reshape([float(v) for v in contour.ContourData], (-1, 3))
            points = points - [float(v) for v in image.ImagePositionPatient]
            assert np.abs(points @ np.cross(*axes)).max() < 0.01
            in_plane = points @ axes.T / [float(first.PixelSpacing[1]), float(first.PixelSpacing[0])]
            count += int(Outline(in_plane).contains_points(centres).sum())
        assert (
            count == made.truth[patient]["lesions"][names[contours.ReferencedROINumber]][modality]["voxels"]
        )


def test_structure_sets_and_segmentations_reference_the_images_beside_them(made: Cohort) -> None:
    for patient, modality in (("P001", "CT"), ("P003", "MR")):
        slices, seg = images(made, patient, modality), segmentation(made, patient, modality)
        known = {ds.SOPInstanceUID for ds in slices}
        if seg.Modality == "SEG":
            of_series = seg.ReferencedSeriesSequence[0]
            items = of_series.ReferencedInstanceSequence
        else:
            frame = seg.ReferencedFrameOfReferenceSequence[0]
            of_series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
            items = of_series.ContourImageSequence
        assert of_series.SeriesInstanceUID == slices[0].SeriesInstanceUID
        assert {item.ReferencedSOPInstanceUID for item in items} == known


def test_a_segmentation_holds_the_voxels_that_the_truth_counts(made: Cohort) -> None:
    seg = segmentation(made, "P003", "CT")
    labels = {s.SegmentNumber: s.SegmentLabel for s in seg.SegmentSequence}
    counts = dict.fromkeys(labels.values(), 0)
    for frame, item in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        counts[labels[number]] += int(np.count_nonzero(frame))
    assert counts == {name: one["CT"]["voxels"] for name, one in made.truth["P003"]["lesions"].items()}


def test_tumours_of_two_patients_differ_in_texture(made: Cohort) -> None:
    biology = [made.truth[p]["biology"] for p in ("P001", "P002", "P003")]
    for name in ("patchiness", "patch_mm", "activity"):
        assert len({round(one[name], 3) for one in biology}) == 3


def test_a_folder_in_use_and_an_unknown_modality_are_refused(made: Cohort, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="new or empty folder"):
        cohort(made.path, progress=False)
    with pytest.raises(InputError, match="no such modality"):
        cohort(tmp_path / "x", modalities=["US"], progress=False)
    with pytest.raises(InputError, match="at least one patient"):
        cohort(tmp_path / "y", patients=0, progress=False)
    with pytest.raises(InputError, match="no phantom cohort"):
        Cohort.open(tmp_path)
