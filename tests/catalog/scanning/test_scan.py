"""A folder of DICOM to a catalog: what must be found, told apart, and said."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

import gclnm
from gclnm.catalog.catalog import Catalog
from gclnm.catalog.scan import scan
from gclnm.errors import InputError
from gclnm.schemas.problems import PROBLEMS
from gclnm.schemas.segmentations import SEGMENTATIONS
from gclnm.schemas.volumes import SERIES, VOLUMES


def codes(catalog: Catalog) -> list[str]:
    return catalog.problems["code"].tolist()


def test_a_series_becomes_one_validated_row(tmp_path, write_series):
    paths = write_series(tmp_path)
    catalog = scan(tmp_path, progress=False)
    for table, frame in (
        (VOLUMES, catalog.volumes),
        (SERIES, catalog.series),
        (SEGMENTATIONS, catalog.segmentations),
        (PROBLEMS, catalog.problems),
    ):
        assert list(frame) == list(table.names)
        table.validate(frame)
    (row,) = catalog.volumes.to_dict("records")
    assert (row["columns"], row["rows"], row["n_slices"]) == (6, 4, 5)
    assert [row[f"spacing_{axis}_mm"] for axis in "xyz"] == [0.75, 0.5, 3.0]
    assert (row["usable"], row["reason"], row["flags"], row["orientation"]) == (True, "", "", "axial")
    assert catalog.volume_ref(row["volume_id"]).files == tuple(str(path) for path in paths)
    assert catalog.n_files == 5
    assert len(catalog.instances) == 5
    assert codes(catalog) == []


def test_slices_are_sorted_by_place_and_not_by_name(tmp_path, write_slice):
    heights = {"a": 6.0, "b": 0.0, "c": 3.0}
    for name, z in heights.items():
        write_slice(tmp_path / name, z)
    catalog = scan(tmp_path, progress=False)
    ref = catalog.volume_ref(catalog.volumes["volume_id"][0])
    assert [Path(file).name for file in ref.files] == ["b", "c", "a"]


def test_files_without_extension_and_without_preamble_are_read(tmp_path, write_series):
    for path in write_series(tmp_path):
        bare = path.read_bytes()[132:]
        path.unlink()
        path.with_suffix("").write_bytes(bare)
    catalog = scan(tmp_path, progress=False)
    assert catalog.volumes["n_slices"].tolist() == [5]


def test_a_missing_slice_is_reported_and_not_interpolated(tmp_path, write_series):
    write_series(tmp_path, n=8, skip=(3,))
    catalog = scan(tmp_path, progress=False)
    (row,) = catalog.volumes.to_dict("records")
    assert not row["usable"]
    assert row["flags"] == "missing-slice"
    assert "1 slice is missing" in row["reason"]
    assert row["spacing_z_mm"] == 3.0
    assert codes(catalog) == ["missing-slice"]


@pytest.mark.parametrize("kept", [40, 200, -10, -1])
def test_a_truncated_file_is_listed_and_leaves_a_hole(tmp_path, write_series, kept):
    paths = write_series(tmp_path)
    paths[2].write_bytes(paths[2].read_bytes()[:kept])
    catalog = scan(tmp_path, progress=False)
    errors = catalog.problems[catalog.problems["severity"] == "error"]
    assert errors["where"].tolist() == [str(paths[2])]
    assert not catalog.volumes["usable"].any()
    assert catalog.counts["unreadable"] == 1


def test_a_truncated_compressed_file_is_noticed(tmp_path, data):
    source = sorted((data("abdomen") / "ge_ls16_rle_transcoded").glob("*.dcm"))[0]
    (tmp_path / "whole.dcm").write_bytes(source.read_bytes())
    (tmp_path / "cut.dcm").write_bytes(source.read_bytes()[:-100])
    catalog = scan(tmp_path, progress=False)
    assert catalog.problems.query("code == 'truncated'")["where"].tolist() == [str(tmp_path / "cut.dcm")]
    assert catalog.volumes["n_slices"].tolist() == [1]


def test_a_cd_copy_of_a_study_counts_once(tmp_path, write_series):
    write_series(tmp_path / "study")
    shutil.copytree(tmp_path / "study", tmp_path / "cd" / "IMAGES")
    catalog = scan(tmp_path, progress=False)
    assert catalog.volumes["n_slices"].tolist() == [5]
    assert catalog.volumes["usable"].all()
    assert codes(catalog) == ["copy"]
    assert catalog.problems["severity"].tolist() == ["info"]
    assert catalog.counts["copy"] == 5


def test_the_same_position_twice_with_other_identity_is_a_duplicate(tmp_path, write_series, write_slice):
    write_series(tmp_path)
    write_slice(tmp_path / "again.dcm", 6.0, InstanceNumber=3)
    (row,) = scan(tmp_path, progress=False).volumes.to_dict("records")
    assert row["flags"] == "duplicate-slice"
    assert not row["usable"]


def test_other_files_are_counted_and_not_problems(tmp_path, write_series, write_slice):
    write_series(tmp_path)
    (tmp_path / "notes.txt").write_text("PatientID")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / ".hidden").write_text("x")
    write_slice(tmp_path / "report.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", Modality="SR")
    catalog = scan(tmp_path, progress=False)
    assert catalog.counts["not DICOM"] == 2
    assert catalog.counts["other DICOM"] == 1
    assert codes(catalog) == []
    assert len(catalog.volumes) == 1


def test_a_missing_folder_is_an_error_and_an_empty_one_a_problem(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        scan(tmp_path / "nowhere")
    catalog = scan(tmp_path)
    assert codes(catalog) == ["empty-folder"]
    assert "holds no file" in repr(catalog)
    (tmp_path / "a.txt").write_text("x")
    assert codes(scan(tmp_path, progress=False)) == ["no-image"]


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_link_loops_end_and_linked_folders_are_followed(tmp_path, write_series):
    write_series(tmp_path / "elsewhere")
    root = tmp_path / "root"
    root.mkdir()
    (root / "loop").symlink_to(root)
    (root / "dangling").symlink_to(tmp_path / "gone")
    (root / "data").symlink_to(tmp_path / "elsewhere")
    catalog = scan(root, progress=False)
    assert catalog.volumes["n_slices"].tolist() == [5]


def test_ids_shared_by_two_persons_and_empty_ids_are_errors(tmp_path, write_series):
    write_series(tmp_path / "a", PatientSex="M", PatientBirthDate="19500101")
    write_series(tmp_path / "b", PatientSex="F", PatientBirthDate="19600101", SeriesInstanceUID="1.2.5")
    write_series(tmp_path / "c", PatientID="", SeriesInstanceUID="1.2.6")
    catalog = scan(tmp_path, progress=False)
    assert sorted(codes(catalog)) == ["empty-patient-id", "shared-patient-id"]
    (what,) = catalog.problems.query("code == 'shared-patient-id'")["what"]
    assert what.endswith("differing sex and birth date")


def test_names_and_birth_dates_reach_neither_tables_nor_cache(tmp_path, write_series, monkeypatch):
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    write_series(tmp_path / "d", PatientName="Doe^Jane", PatientBirthDate="19481231")
    catalog = scan(tmp_path / "d", progress=False)
    tables = "".join(t.to_csv() for t in (catalog.volumes, catalog.problems, catalog.series))
    kept = b"".join(file.read_bytes() for file in (tmp_path / "cache").iterdir())
    assert kept
    for secret in ("Doe", "19481231"):
        assert secret not in tables
        assert secret.encode() not in kept


def test_patient_keys_replace_ids_everywhere(tmp_path, write_series, write_rtstruct):
    write_series(tmp_path, PatientIdentityRemoved="NO")
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": 2})
    hashed = hmac.new(b"pepper", b"P1", hashlib.sha256).hexdigest()[:16]
    cases = [(None, "P1"), ({"P1": "A"}, "A"), (str.lower, "p1"), ("pepper", hashed)]
    for key, expected in cases:
        catalog = scan(tmp_path, patient_key=key, progress=False)
        for table in (catalog.volumes, catalog.segmentations, catalog.series):
            assert set(table["patient_id"]) == {expected}
        assert ("not-deidentified" in codes(catalog)) == (key is None)
    with pytest.raises(InputError, match="does not have a patient"):
        scan(tmp_path, patient_key={"P2": "B"}, progress=False)
    with pytest.raises(InputError, match="must return text"):
        scan(tmp_path, patient_key=lambda _: 5, progress=False)


def test_a_structure_set_gives_a_row_per_roi(tmp_path, write_series, write_rtstruct):
    paths = write_series(tmp_path)
    sops = tuple(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in paths)
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": 3, "empty": 0}, sop_uids=sops)
    catalog = scan(tmp_path, progress=False)
    gtv, empty = catalog.segmentations.to_dict("records")
    assert (gtv["name"], gtv["number"], gtv["n_contours"], gtv["usable"]) == ("GTV", 1, 3, True)
    assert (gtv["approval"], gtv["created"]) == ("APPROVED", "20200131101112.000000")
    assert gtv["referenced_series_uid"] == catalog.volumes["series_uid"][0]
    assert gtv["segmentation_id"] == f"{gtv['sop_uid']}/1"
    assert catalog.referenced(gtv["segmentation_id"]) == frozenset(sops)
    assert catalog.mask_ref(gtv["segmentation_id"]).label == 1
    assert (empty["usable"], empty["reason"]) == (False, "the ROI has no contours")
    assert codes(catalog) == ["unusable-roi"]


def test_points_are_no_contours(tmp_path, write_series, write_rtstruct):
    write_series(tmp_path)
    write_rtstruct(tmp_path / "rs.dcm", {"marker": 2}, geometric_type="POINT")
    (row,) = scan(tmp_path, progress=False).segmentations.to_dict("records")
    assert "no closed contour" in row["reason"]


def test_a_structure_set_of_a_series_that_is_not_there_is_a_problem(tmp_path, write_series, write_rtstruct):
    write_series(tmp_path)
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": 3}, series_uid="9.9.9", sop_uids=("9.9.9.1",))
    catalog = scan(tmp_path, progress=False)
    assert codes(catalog) == ["missing-series"]
    assert catalog.segmentations["usable"].all()


def test_two_rois_of_one_name_and_copies_of_a_structure_set(tmp_path, write_series, write_rtstruct):
    write_series(tmp_path)
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": 3, "GTV#2": 1})
    shutil.copy(tmp_path / "rs.dcm", tmp_path / "rs2.dcm")
    catalog = scan(tmp_path, progress=False)
    assert catalog.segmentations["name"].tolist() == ["GTV", "GTV"]
    assert catalog.segmentations["segmentation_id"].is_unique
    assert codes(catalog) == ["copy"]


def saved_again(source: Path, target: Path, **changes: object) -> None:
    """The same object, with the same SOP instance UID, as other software would save it."""
    dataset = pydicom.dcmread(source)
    dataset.file_meta.ImplementationVersionName = "OTHER"
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    target.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(target, dataset, enforce_file_format=True)


def test_a_structure_set_exported_again_is_a_copy(tmp_path, write_series, write_rtstruct):
    write_series(tmp_path)
    saved_again(write_rtstruct(tmp_path / "rs.dcm", {"GTV": 3}), tmp_path / "cd" / "rs.dcm")
    assert (tmp_path / "rs.dcm").read_bytes() != (tmp_path / "cd" / "rs.dcm").read_bytes()
    catalog = scan(tmp_path, progress=False)
    assert len(catalog.segmentations) == 1
    assert codes(catalog) == ["copy"]


def test_a_structure_set_edited_under_its_uid_is_another_and_both_are_named(
    tmp_path, write_series, write_rtstruct
):
    write_series(tmp_path)
    original = write_rtstruct(tmp_path / "rs.dcm", {"GTV": 3, "LN": 2})
    edited = pydicom.dcmread(original).ROIContourSequence
    edited[0].ContourSequence[0].ContourData = [0, 0, 0, 2, 0, 0, 2, 2, 0]
    saved_again(original, tmp_path / "new.dcm", ROIContourSequence=edited)
    shutil.copy(tmp_path / "new.dcm", tmp_path / "new_again.dcm")
    catalog = scan(tmp_path, progress=False)
    assert sorted(codes(catalog)) == ["copy", "same-uid", "same-uid"]
    rois = catalog.segmentations
    assert len(rois) == 4
    assert rois["segmentation_id"].is_unique
    assert rois["sop_uid"].nunique() == 1
    samples = gclnm.pair(catalog, "GTV")
    assert len(samples) == 0
    reason = samples.unpaired["reason"].iloc[0]
    assert "rs.dcm" in reason
    assert "new" in reason
    ids = set(rois["segmentation_id"])
    original.rename(tmp_path / "zz.dcm")
    assert set(scan(tmp_path, progress=False).segmentations["segmentation_id"]) == ids
    by_file = {"zz.dcm": "Ann", "new.dcm": "Bo", "new_again.dcm": "Bo"}
    read = gclnm.pair(scan(tmp_path, progress=False), "GTV", rater=by_file)
    assert read.table["rater"].tolist() == ["Ann", "Bo"]


def test_an_image_elsewhere_under_the_uid_of_another_is_no_copy(tmp_path, write_series):
    first, *_ = write_series(tmp_path)
    saved_again(first, tmp_path / "moved" / "0.dcm", ImagePositionPatient=[1.0, 0.0, 0.0])
    catalog = scan(tmp_path, progress=False)
    assert codes(catalog) == ["same-uid"]
    assert catalog.volumes["n_slices"].tolist() == [5]


def test_unknown_ids_are_refused_in_words(tmp_path, write_series):
    write_series(tmp_path)
    catalog = scan(tmp_path, progress=False)
    with pytest.raises(InputError, match="no such volume"):
        catalog.volume_ref("x")
    with pytest.raises(InputError, match="no such segmentation"):
        catalog.referenced("x")


def test_hostile_names_are_escaped_in_html(tmp_path, write_series, write_rtstruct):
    write_series(tmp_path)
    write_rtstruct(tmp_path / "rs.dcm", {"<script>alert(1)</script>": 0})
    html = scan(tmp_path, progress=False)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_problems_come_first_in_what_a_catalog_shows(tmp_path, write_series):
    write_series(tmp_path, n=8, skip=(3,))
    lines = repr(scan(tmp_path, progress=False)).splitlines()
    assert lines[0] == "Catalog of 1 patient, 1 volume, 0 ROIs"
    assert lines[1].startswith("  warning: missing-slice")
    assert any("1 not usable" in line for line in lines)


def test_no_uid_at_all_still_makes_one_volume(tmp_path, write_series):
    for path in write_series(tmp_path):
        dataset = pydicom.dcmread(path)
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "SOPClassUID"):
            setattr(dataset, keyword, "")
        dataset.save_as(path)
    catalog = scan(tmp_path, progress=False)
    assert catalog.volumes["n_slices"].tolist() == [5]
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    shutil.copytree(tmp_path, moved)
    again = scan(moved, progress=False)
    assert again.volumes["volume_id"].tolist() == catalog.volumes["volume_id"].tolist()


@pytest.mark.slow
def test_a_plain_script_without_a_main_guard_scans_in_processes(tmp_path, write_series):
    for k in range(40):
        write_series(tmp_path / str(k), n=10, SeriesInstanceUID=f"1.2.3.{k}")
    script = tmp_path / "script.py"
    script.write_text(
        f"import gclnm\ncatalog = gclnm.scan({str(tmp_path)!r}, progress=False)\n"
        "print(len(catalog.volumes), bool(catalog.volumes.usable.all()))\n"
    )
    env = os.environ | {"GCLNM_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["40", "True"], done.stderr


def test_scan_is_a_public_name():
    assert gclnm.scan is scan
