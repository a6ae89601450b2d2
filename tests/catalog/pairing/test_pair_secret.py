"""Pairing in a catalog that was scanned with a secret: what names say is keyed, what the user says is not."""

from __future__ import annotations

import re

import pandas as pd
import pytest
import SimpleITK

import gclnm
from gclnm.catalog.pair import pair
from gclnm.catalog.scanning.identifiers import Identifiers

KEYED = Identifiers("secret")


def catalog_of(make):
    catalog = make.catalog()
    catalog.identifiers = KEYED
    return catalog


def test_a_number_out_of_names_is_keyed_and_the_same_in_every_structure_set(make):
    ct = make.volume("ct")
    for rs in ("a", "b"):
        for name in ("LN 7", "LN 12"):
            make.roi(name, on=ct, rs=rs)
    samples = pair(catalog_of(make), "LN.*", label="ln", rater={"a.dcm": "A", "b.dcm": "B"})
    found = samples.table.groupby("rater")["roi_instance"].apply(sorted)
    assert found["A"] == found["B"]
    assert all(re.fullmatch("[0-9a-f]{8}", word) for word in found["A"])
    assert len(set(found["A"])) == 2


def test_a_group_of_the_users_gives_the_number_in_clear(make):
    ct = make.volume("ct")
    for name in ("LN 7", "LN 12"):
        make.roi(name, on=ct)
    samples = pair(catalog_of(make), r"LN (?P<instance>\d+)", label="ln")
    assert sorted(samples.table["roi_instance"]) == ["12", "7"]


def test_an_roi_number_stays_as_it_is(make):
    ct = make.volume("ct")
    make.roi("GTV Mass", on=ct, number=3)
    make.roi("GTV Edema", on=ct, number=5)
    assert sorted(pair(catalog_of(make), "GTV.*", label="gtv").table["roi_instance"]) == ["3", "5"]


def test_one_roi_alone_has_no_instance(make):
    make.roi("GTV 4", on=make.volume("ct"))
    assert pair(catalog_of(make), "GTV.*", label="gtv").table["roi_instance"].tolist() == [""]


def test_readers_are_found_by_uids_as_they_stand_in_the_files(make):
    ct = make.volume("ct")
    for uid in ("1.2.3", "1.2.4"):
        make.roi("GTV", on=ct, rs=KEYED.uid(uid), file=f"/data/{uid}.dcm")
    samples = pair(catalog_of(make), "GTV", rater={"1.2.3": "ann", "1.2.4": "bob"})
    assert sorted(samples.table["rater"]) == ["ann", "bob"]


@pytest.fixture
def images(tmp_path):
    """An image and a mask in a folder, and the same outside it."""
    image = SimpleITK.Image(8, 8, 8, SimpleITK.sitkInt16)
    mask = SimpleITK.Image(8, 8, 8, SimpleITK.sitkUInt8)
    mask[2:5, 2:5, 2:5] = 1
    for folder in ("in/Wang", "out/Wang"):
        (tmp_path / folder).mkdir(parents=True)
        SimpleITK.WriteImage(image, str(tmp_path / folder / "ct.nii"))
        SimpleITK.WriteImage(mask, str(tmp_path / folder / "ct_mask.nii"))
    return tmp_path


@pytest.mark.parametrize("place", ["in", "out"])
def test_patients_and_files_of_a_manifest_are_keyed(images, place):
    catalog = gclnm.scan(images / "in", patient_key="secret", progress=False)
    folder = images / place / "Wang"
    row = {"image": str(folder / "ct.nii"), "mask": str(folder / "ct_mask.nii"), "patient_id": "Wang"}
    samples = pair(catalog, manifest=pd.DataFrame([row]))
    known = pair(catalog, manifest=pd.DataFrame([{**row, "patient_id": KEYED.patient("Wang")}]))
    assert samples.table["patient_id"].tolist() == [KEYED.patient("Wang")]
    assert samples.ids == known.ids
    # Without a column the folder's name would be the patient.
    del row["patient_id"]
    alone = pair(catalog, manifest=pd.DataFrame([row]))
    assert re.fullmatch("[0-9a-f]{16}", alone.table["patient_id"][0])
    plain = pair(gclnm.scan(images / "in", progress=False), manifest=pd.DataFrame([row]))
    assert plain.table["volume_id"][0] != alone.table["volume_id"][0]


def test_a_series_of_a_manifest_is_found_by_its_uid_in_the_files(tmp_path):
    made = gclnm.phantom.cohort(tmp_path / "m", patients=1, modalities=["PT"], workers=1, progress=False)
    plain = gclnm.scan(made.dicom, progress=False)
    keyed = gclnm.scan(made.dicom, patient_key="secret", progress=False)
    row = {"image": plain.volumes["series_uid"][0], "mask": plain.segmentations["segmentation_id"][0]}
    samples = pair(keyed, manifest=pd.DataFrame([row]))
    assert samples.table["series_uid"].tolist() == keyed.volumes["series_uid"].tolist()
    assert samples.table["study_uid"][0] == KEYED.uid(plain.volumes["study_uid"][0])
