"""Folders and files that are missing, cut, double or of somebody else: the message, and nothing lost."""

from __future__ import annotations

import shutil

import pydicom
import pytest
from pydicom.uid import generate_uid

import gclnm
from gclnm.errors import InputError

SOUND = {"P002"}


def test_a_sound_cohort_has_no_problem_at_all(tree, way):
    outcome = way(tree.path)
    assert outcome.catalog.problems.empty
    assert outcome.ok == {"P001", *SOUND}
    assert outcome.samples.unpaired.empty


def test_an_empty_folder(tmp_path, say):
    catalog = gclnm.scan(tmp_path, progress=False)
    (problem,) = catalog.problems.to_dict("records")
    say(problem["what"])
    assert (problem["what"], problem["where"]) == ("the folder holds no file", str(tmp_path))
    with pytest.raises(InputError) as caught:
        gclnm.pair(catalog, roi="GTV")
    say(caught.value)
    assert "no ROI" in str(caught.value)
    with pytest.raises(InputError) as caught:
        gclnm.extract(gclnm.pair(catalog), "ct")
    say(caught.value)
    assert "no samples" in str(caught.value)


def test_a_folder_without_any_image(tmp_path, say):
    (tmp_path / "notes.txt").write_text("nothing")
    catalog = gclnm.scan(tmp_path, progress=False)
    (problem,) = catalog.problems.to_dict("records")
    say(f"{problem['what']}. {problem['fix']}")
    assert "of 1 file none is an image" in problem["what"]
    assert "Check the path" in problem["fix"]


def test_a_missing_folder(tmp_path, say):
    with pytest.raises(InputError) as caught:
        gclnm.scan(tmp_path / "dicmo")
    say(caught.value)
    for word in ("dicmo", "no such file or folder"):
        assert word in str(caught.value)


@pytest.mark.parametrize("kept", [0, 600, -1000], ids=["empty", "header", "pixels"])
def test_a_truncated_image(tree, way, say, kept):
    file = tree.images()[3]
    file.write_bytes(file.read_bytes()[:kept])
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    refusal = outcome.refusal()
    say(f"{refusal['reason']} {refusal['fix']}")
    assert "1 slice is missing" in refusal["reason"]
    assert refusal["fix"]
    told = outcome.catalog.problems[outcome.catalog.problems["where"] == str(file)]
    (problem,) = told.to_dict("records")
    say(f"{problem['code']}: {problem['what']}. {problem['fix']}")
    assert problem["severity"] in ("error", "warning")
    assert problem["fix"]


@pytest.mark.parametrize("patient", ["P001", "P003"], ids=["rtstruct", "seg"])
@pytest.mark.parametrize("part", [0.2, 0.98])
def test_a_truncated_segmentation(request, way, say, patient, part):
    tree = request.getfixturevalue("tree" if patient == "P001" else "seg_tree")
    file = tree.rois(patient)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * part)])
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    problems = outcome.catalog.problems
    (problem,) = problems[problems["where"].str.contains(str(file), regex=False)].to_dict("records")
    say(f"{problem['code']}: {problem['what']}. {problem['fix']}")
    assert problem["fix"]
    image = outcome.refusal(patient, kind="volume")
    assert image["code"] == "no-roi"


def test_a_file_that_is_cut_after_the_scan_is_a_failed_row(tree, recipe, client, say):
    samples = gclnm.pair(gclnm.scan(tree.path, progress=False), roi="GTV")
    file = tree.images()[3]
    file.write_bytes(file.read_bytes()[:-1000])
    tree.images("P002")[0].unlink()
    run = gclnm.extract(samples, recipe, client=client, progress=False)
    assert run.done == 0
    reasons = dict(zip(run.failed["patient_id"], run.failed["reason"], strict=True))
    say(reasons)
    assert "cut" in reasons["P001"] or "truncated" in reasons["P001"]
    assert "file" in reasons["P002"]
    assert not any(str(tree.path) in reason for reason in reasons.values())


def test_a_missing_slice(tree, way, say):
    tree.images()[4].unlink()
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    refusal, problem = outcome.refusal(), outcome.problem("missing-slice")
    say(f"{refusal['reason']}. {refusal['fix']}")
    assert "missing" in refusal["reason"]
    assert (problem["patient_id"], problem["severity"]) == ("P001", "warning")
    assert problem["fix"]


def test_a_duplicated_slice(tree, way, say):
    file = tree.images()[4]
    tree.change(file, lambda ds: setattr(ds, "SOPInstanceUID", generate_uid()), file.with_name("IM9999"))
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    refusal, problem = outcome.refusal(), outcome.problem("duplicate-slice")
    say(f"{refusal['reason']}. {refusal['fix']}")
    assert "several slices lie at one position" in refusal["reason"]
    assert problem["fix"]


def test_a_cd_copy_beside_the_original(tree, way, say):
    shutil.copytree(tree.path / "P001", tree.path / "CD" / "IMAGES")
    outcome = way(tree.path)
    assert outcome.ok == {"P001", *SOUND}
    assert len(outcome.samples) == 2
    told = outcome.catalog.problems
    say(told["what"].tolist())
    assert set(told["code"]) == {"copy"}
    assert set(told["severity"]) == {"info"}
    copies = len(tree.images()) + 1
    assert outcome.catalog.counts["copy"] == copies


def test_an_rtstruct_whose_series_is_not_there(tree, way, say):
    for file in tree.images():
        file.unlink()
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    refusal, problem = outcome.refusal(), outcome.problem("missing-series")
    say(f"{refusal['reason']}. {refusal['fix']}")
    assert "not in the catalog" in refusal["reason"]
    assert "Add" in refusal["fix"]
    assert problem["where"] == str(tree.rois())


def test_a_patient_id_that_two_persons_share(tree, way, say):
    for patient, (sex, born) in {"P001": ("F", "19010203"), "P002": ("M", "19020304")}.items():
        person = {"PatientID": "P001", "PatientSex": sex, "PatientBirthDate": born}
        for file in (*tree.images(patient), tree.rois(patient)):
            tree.change(file, lambda ds, person=person: ds.update(person))
    outcome = way(tree.path)
    problem = outcome.problem("shared-patient-id")
    say(f"{problem['what']}. {problem['fix']}")
    assert "shared by persons of differing sex and birth date" in problem["what"]
    assert (problem["severity"], problem["patient_id"]) == ("error", "P001")
    assert "19010203" not in str(outcome.catalog.problems.to_dict())
    assert len(outcome.store.table("ct")) == 2


def test_an_empty_patient_id(tree, way, say):
    for file in (*tree.images(), tree.rois()):
        tree.change(file, lambda ds: ds.update({"PatientID": ""}))
    outcome = way(tree.path)
    problem = outcome.problem("empty-patient-id")
    say(f"{problem['what']}. {problem['fix']}")
    assert "have no patient id" in problem["what"]
    assert problem["severity"] == "error"
    assert outcome.ok == {"", *SOUND}


def test_two_patients_without_an_id_stay_two_rows(tree, way):
    for patient in ("P001", "P002"):
        for file in (*tree.images(patient), tree.rois(patient)):
            tree.change(file, lambda ds: ds.update({"PatientID": ""}))
    outcome = way(tree.path)
    assert len(outcome.samples) == 2
    assert outcome.run.done == 2


def test_an_image_and_its_contours_under_two_patient_ids(tree, way, say):
    tree.change(tree.rois(), lambda ds: ds.update({"PatientID": "X77"}))
    outcome = way(tree.path)
    assert outcome.ok == SOUND
    refusal = outcome.refusal("X77")
    say(f"{refusal['reason']}. {refusal['fix']}")
    assert "another patient id" in refusal["reason"]
    assert "patient_key" in refusal["fix"]


def test_a_manifest_of_files_that_do_not_exist(tree, recipe, client, tmp_path, say):
    table = tmp_path / "pairs.csv"
    table.write_text(
        "image,mask,label,roi\n"
        f"dicom/P001/CT,{tree.rois().relative_to(tmp_path)},1,tumour\n"
        "dicom/P009/CT,gone.nii.gz,1,tumour\n"
        "dicom/P002/CT,gone.nii.gz,1,tumour\n"
        ",gone.nii.gz,1,tumour\n"
    )
    catalog = gclnm.scan(tree.path, progress=False)
    samples = gclnm.pair(catalog, manifest=table)
    told = samples.unpaired
    for row in told.to_dict("records"):
        say(f"{row['id']}: {row['reason']}. {row['fix']}")
    assert len(samples) == 1
    assert sorted(told["code"]) == ["missing-image", "missing-mask", "no-image"]
    assert told["id"].str.startswith("row ").all()
    assert gclnm.extract(samples, recipe, client=client, progress=False).done == 1
    with pytest.raises(InputError) as caught:
        gclnm.pair(catalog, manifest=tmp_path / "pears.csv")
    say(caught.value)
    assert "pears.csv" in str(caught.value)


def test_a_manifest_without_the_columns_it_needs(tree, tmp_path, say):
    table = tmp_path / "pairs.csv"
    table.write_text("images,masks\na,b\n")
    with pytest.raises(InputError) as caught:
        gclnm.Samples.from_table(table)
    say(caught.value)
    assert "no column image and mask" in str(caught.value)


def test_a_file_with_odd_values_in_its_header(tree, way):
    def odd(ds):
        ds["SliceThickness"]._value = "three"
        ds.add_new("PatientAge", "AS", "about forty")
        ds.add_new("AcquisitionTime", "TM", "noon")

    with pydicom.config.disable_value_validation():
        for file in tree.images():
            tree.change(file, odd)
    assert way(tree.path).ok == {"P001", *SOUND}
