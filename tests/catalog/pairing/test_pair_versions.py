"""Readers, versions of a structure set, and several ROIs of one kind."""

from __future__ import annotations

from typing import Any

import pytest

from gclnm.catalog.pair import pair


def instances(samples: Any) -> list[tuple[str, str]]:
    table = samples.table
    return sorted(zip(table["roi_name"], table["roi_instance"], strict=True))


def refused(samples: Any) -> list[str]:
    return sorted(samples.unpaired.loc[samples.unpaired["severity"] == "refused", "code"])


def test_one_roi_has_no_instance(make):
    make.volume("ct")
    make.roi("GTV_7", on="ct", number=4)
    assert instances(pair(make.catalog(), "GTV.*")) == [("GTV_7", "")]


def test_the_number_in_which_names_differ_is_the_instance_not_the_place(make):
    make.volume("ct")
    for name in ("LN 10", "ln_2", "LN1"):
        make.roi(name, on="ct")
    assert instances(pair(make.catalog(), "LN.*")) == [("LN 10", "10"), ("LN1", "1"), ("ln_2", "2")]


def test_names_without_such_a_number_are_told_apart_by_the_roi_number(make):
    make.volume("ct")
    make.roi("GTV_Edema", on="ct", number=7)
    make.roi("GTV_Mass", on="ct", number=3)
    samples = pair(make.catalog(), "GTV.*")
    assert instances(samples) == [("GTV_Edema", "7"), ("GTV_Mass", "3")]
    assert "ROI number" in samples.notes[0]


def test_two_rois_of_one_name_are_told_apart_by_the_roi_number(make):
    make.volume("ct")
    make.roi("LN", on="ct", number=5)
    make.roi("LN", on="ct", number=6)
    assert instances(pair(make.catalog(), "LN")) == [("LN", "5"), ("LN", "6")]


def test_a_record_number_in_a_name_never_becomes_a_coordinate(make):
    make.volume("ct")
    make.roi("GTV 4711001", on="ct", number=1)
    make.roi("GTV 4711002", on="ct", number=2)
    assert instances(pair(make.catalog(), "GTV.*")) == [("GTV 4711001", "1"), ("GTV 4711002", "2")]


def test_a_group_says_the_instance_and_stays_when_rois_are_added(make):
    make.volume("ct")
    make.roi("LN_a", on="ct")
    before = pair(make.catalog(), r"LN_(?P<instance>\w)")
    make.roi("LN_B", on="ct")
    after = pair(make.catalog(), r"LN_(?P<instance>\w)")
    assert instances(after) == [("LN_B", "b"), ("LN_a", "a")]
    assert before[0].sample_id in {s.sample_id for s in after}


def test_rois_that_the_group_does_not_tell_apart_are_refused(make):
    make.volume("ct")
    make.roi("LN_1_left", on="ct")
    make.roi("LN_1_right", on="ct")
    samples = pair(make.catalog(), r"LN_(?P<instance>\d).*")
    assert len(samples) == 0
    assert refused(samples) == ["same-instance"] * 2


def test_an_instance_is_the_same_on_every_volume_of_a_patient(make):
    make.volume("arterial")
    make.volume("portal", acquisition_time="111111")
    make.roi("LN1", on="arterial")
    make.roi("LN1", on="portal", rs="rs2")
    make.roi("LN2", on="portal", rs="rs2")
    assert instances(pair(make.catalog(), "LN.*")) == [("LN1", "1"), ("LN1", "1"), ("LN2", "2")]


def two_versions(make: Any, **second: Any) -> None:
    make.volume("ct")
    make.roi("GTV", on="ct", rs="old", created="20240101", approval="APPROVED")
    make.roi("GTV", on="ct", rs="new", **{"created": "20240301", **second})


def test_an_roi_in_two_structure_sets_is_refused_and_both_are_named(make):
    two_versions(make)
    samples = pair(make.catalog(), "GTV")
    assert len(samples) == 0
    assert refused(samples) == ["several-structure-sets"] * 2
    reason, fix = samples.unpaired.loc[0, ["reason", "fix"]]
    assert "/data/old.dcm" in reason
    assert "/data/new.dcm" in reason
    assert "prefer='approved'" in fix


@pytest.mark.parametrize(("prefer", "file"), [("approved", "old"), ("newest", "new")])
def test_prefer_decides_between_versions_and_lists_the_other(make, prefer, file):
    two_versions(make)
    samples = pair(make.catalog(), "GTV", prefer=prefer)
    assert [s.masks["roi"].file for s in samples] == [f"/data/{file}.dcm"]
    assert samples.unpaired[["severity", "code"]].values.tolist() == [["info", "superseded"]]


@pytest.mark.parametrize(
    ("prefer", "second"),
    [
        ("approved", {"approval": "APPROVED"}),
        ("newest", {"created": "20240101"}),
        ("newest", {"created": ""}),
        ("newest", {"created": "235959.0"}),
    ],
)
def test_prefer_that_cannot_decide_refuses(make, prefer, second):
    two_versions(make, **second)
    assert refused(pair(make.catalog(), "GTV", prefer=prefer)) == ["several-structure-sets"] * 2


def test_the_row_of_an_roi_does_not_depend_on_the_version_taken(make):
    two_versions(make)
    old, new = (pair(make.catalog(), "GTV", prefer=prefer)[0] for prefer in ("approved", "newest"))
    assert old.sample_id == new.sample_id
    assert old.masks != new.masks


def test_a_version_counts_as_a_whole(make):
    make.volume("ct")
    for name in ("LN1", "LN2", "LN3"):
        make.roi(name, on="ct", rs="old", created="20240101")
    for name in ("LN1", "LN2"):
        make.roi(name, on="ct", rs="new", created="20240301")
    samples = pair(make.catalog(), "LN.*", prefer="newest")
    assert instances(samples) == [("LN1", "1"), ("LN2", "2")]
    assert samples.unpaired["code"].tolist() == ["superseded"] * 3


def test_nodes_in_files_of_their_own_are_no_versions(make):
    make.volume("ct")
    make.labelmap("LN1", file="ln1.nii.gz")
    make.labelmap("LN2", file="ln2.nii.gz")
    assert instances(pair(make.catalog(), "LN.*")) == [("LN1", "1"), ("LN2", "2")]


def test_different_names_in_two_structure_sets_are_refused_until_a_group_tells_them_apart(make):
    make.volume("ct")
    make.roi("GTV_Mass", on="ct", rs="a")
    make.roi("GTV_Edema", on="ct", rs="b")
    assert refused(pair(make.catalog(), "GTV.*")) == ["several-structure-sets"] * 2
    assert len(pair(make.catalog(), r"GTV_(?P<roi>\w+)")) == 2


@pytest.mark.parametrize(
    "rater",
    [
        {"old": "Ann", "new": "Bo"},
        {"/data/old.dcm": "Ann", "/data/new.dcm": "Bo"},
        {"old.dcm": "Ann", "new.dcm": "Bo"},
        {"old/1": "Ann", "new/1": "Bo"},
        lambda row: {"old": "Ann", "new": "Bo"}[row["sop_uid"]],
    ],
)
def test_readers_are_given_by_a_mapping_or_a_function(make, rater):
    two_versions(make)
    samples = pair(make.catalog(), "GTV", rater=rater)
    assert samples.table["rater"].tolist() == ["Ann", "Bo"]
    assert len({s.sample_id for s in samples}) == 2


def test_readers_are_found_by_a_pattern_in_the_name_or_the_file(make):
    make.volume("ct")
    make.roi("GTV_AB", on="ct", rs="one")
    make.roi("GTV_cd", on="ct", rs="two")
    assert pair(make.catalog(), "GTV.*", rater="_(ab|cd)$").table["rater"].tolist() == ["ab", "cd"]
    assert pair(make.catalog(), "GTV.*", rater="(?P<rater>one|two)").table["rater"].tolist() == ["one", "two"]


def test_an_roi_without_a_reader_is_refused_when_readers_are_asked_for(make):
    two_versions(make)
    samples = pair(make.catalog(), "GTV", rater={"old": "Ann"})
    assert samples.table["rater"].tolist() == ["Ann"]
    assert refused(samples) == ["no-rater"]


def test_prefer_decides_between_versions_of_one_reader(make):
    two_versions(make)
    make.roi("GTV", on="ct", rs="bo")
    samples = pair(make.catalog(), "GTV", rater={"old": "a", "new": "a", "bo": "b"}, prefer="newest")
    assert [s.masks["roi"].file for s in samples] == ["/data/new.dcm", "/data/bo.dcm"]


def test_a_node_has_the_same_instance_for_both_readers(make):
    make.volume("ct")
    make.roi("LN1", on="ct", rs="a")
    make.roi("LN_1", on="ct", rs="b")
    make.roi("LN_2", on="ct", rs="b")
    table = pair(make.catalog(), "LN.*", rater={"a": "a", "b": "b"}).table
    assert sorted(zip(table["rater"], table["roi_instance"], strict=True)) == [
        ("a", "1"),
        ("b", "1"),
        ("b", "2"),
    ]


def test_who_has_no_reader_has_an_empty_one_where_no_other_reader_drew_the_same(make):
    two_versions(make)
    make.volume("other", patient_id="p2")
    make.roi("GTV", on="other", rs="single", patient_id="p2")
    samples = pair(make.catalog(), "GTV", rater={"old": "Ann", "new": "Bo", "single": float("nan")})
    assert samples.table[["patient_id", "rater"]].values.tolist() == [["p1", "Ann"], ["p1", "Bo"], ["p2", ""]]
    assert refused(samples) == []
    assert samples.notes == ("rater= names a reader for 2 of 3 ROIs: the others have an empty rater.",)


def test_other_nodes_of_a_structure_set_without_a_reader_are_kept(make):
    make.volume("ct")
    make.roi("LN1", on="ct", rs="ann")
    make.roi("LN1", on="ct", rs="unread")
    make.roi("LN2", on="ct", rs="unread")
    samples = pair(make.catalog(), "LN.*", rater={"ann": "Ann"})
    assert sorted(zip(samples.table["rater"], samples.table["roi_name"], strict=True)) == [
        ("", "LN2"),
        ("Ann", "LN1"),
    ]
    assert refused(samples) == ["no-rater"]


def test_two_structure_sets_without_readers_stay_versions(make):
    two_versions(make)
    samples = pair(make.catalog(), "GTV", rater=lambda row: None)
    assert len(samples) == 0
    assert refused(samples) == ["several-structure-sets"] * 2
