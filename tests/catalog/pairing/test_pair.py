"""Which ROI goes with which image, and what is said about those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from gclnm.catalog.pair import pair
from gclnm.errors import InputError


def refused(samples: Any) -> dict[str, str]:
    """Code of each refusal, by name of the ROI."""
    rows = samples.unpaired[samples.unpaired["severity"] == "refused"]
    return dict(zip(rows["name"], rows["code"], strict=True))


def codes(samples: Any) -> list[str]:
    return sorted(samples.unpaired["code"])


def test_without_an_roi_the_names_are_shown_and_nothing_is_paired(make):
    make.volume("ct")
    make.roi("GTV <script>", on="ct")
    make.roi("gtv <SCRIPT>", on="ct", rs="rs2")
    samples = pair(make.catalog())
    assert len(samples) == 0
    assert "GTV <script>" in repr(samples)
    assert samples.found["rois"].tolist() == [2]
    assert "<script>" not in samples._repr_html_()


@pytest.mark.parametrize("roi", ["GTV_1", "gtv_1", " GTV_1 ", "ＧＴＶ_1", "GTV.*", "gtv_\\d", "(GTV|CTV)_1"])
def test_a_name_or_a_pattern_fits_in_full_without_case_and_width(make, roi):
    make.volume("ct")
    make.roi("GTV_1", on="ct")
    assert len(pair(make.catalog(), roi)) == 1


@pytest.mark.parametrize("roi", ["GTV", "TV_1", "_1"])
def test_a_part_of_a_name_is_no_match_and_the_nearest_names_are_shown(make, roi):
    make.volume("ct")
    make.roi("GTV_1", on="ct")
    with pytest.raises(InputError, match="'GTV_1'"):
        pair(make.catalog(), roi)


def test_a_misspelt_name_shows_the_nearest(make):
    make.volume("ct")
    for name in ("Tumour", "Aorta", "Liver"):
        make.roi(name, on="ct")
    with pytest.raises(InputError, match="Nearest names: 'Tumour'"):
        pair(make.catalog(), "Tumor")


def test_a_name_with_brackets_needs_no_escaping(make):
    make.volume("ct")
    make.roi("GTV (old", on="ct")
    assert len(pair(make.catalog(), "gtv (old")) == 1
    with pytest.raises(InputError, match="no regular expression"):
        pair(make.catalog(), "CTV (old")


@pytest.mark.parametrize(
    ("option", "near"),
    [
        ({"on": "refrence"}, "'reference'"),
        ({"prefer": "newst"}, "'newest'"),
        ({"split": "component"}, "'components'"),
        ({"rule": "center"}, "'centre'"),
        ({"modality": "CR"}, "It has CT"),
        ({"rater": 3}, "mapping"),
        ({"rater": "reader"}, "group"),
        ({"rater": "reader("}, "regular expression"),
    ],
)
def test_an_unknown_option_is_refused_with_what_it_may_be(make, option, near):
    make.volume("ct")
    make.roi("GTV", on="ct")
    with pytest.raises(InputError, match=near):
        pair(make.catalog(), "GTV", **option)


@pytest.mark.parametrize("roi", [{"aorta": "Aorta"}, {"roi": ""}, 3, {"roi": "GTV", "a b": "x"}])
def test_an_roi_argument_that_is_no_choice_is_refused(make, roi):
    make.volume("ct")
    make.roi("GTV", on="ct")
    with pytest.raises(InputError):
        pair(make.catalog(), roi)


def test_the_coordinates_come_from_the_image_and_the_user(make):
    make.volume("mr", modality="MR", field_strength_t=3.0, b_value_s_mm2=800, kernel=float("nan"))
    make.roi("GTV_Meyer", on="mr")
    coords = pair(make.catalog(), "GTV.*")[0].coords
    assert coords["roi"] == "GTV.*"
    assert (coords["modality"], coords["field_strength_t"], coords["b_value"]) == ("MR", 3.0, 800.0)
    assert (coords["kernel"], coords["energy_kev"], coords["timepoint"]) == ("", None, "")
    assert coords["paired_by"] == "reference"
    assert not any("Meyer" in str(value) for value in coords.values())


def test_the_label_of_an_roi_is_the_name_the_pattern_or_its_group(make):
    make.volume("ct")
    make.roi("GTV_Mass", on="ct")
    make.roi("GTV_Edema", on="ct")
    table = pair(make.catalog(), r"GTV_(?P<roi>\w+)").table
    assert sorted(table["roi"]) == ["edema", "mass"]
    assert set(table["roi_instance"]) == {""}
    assert pair(make.catalog(), "gtv_mass")[0].coords["roi"] == "gtv_mass"


def test_the_label_of_role_roi_is_that_of_the_same_text_alone(make):
    make.volume("ct")
    make.roi("GTV", on="ct")
    make.roi("Aorta", on="ct")
    alone = pair(make.catalog(), "GTV")[0]
    with_aorta = pair(make.catalog(), {"roi": "GTV", "aorta": "Aorta"})[0]
    assert with_aorta.sample_id == alone.sample_id
    assert with_aorta.masks["aorta"].label == 2


def test_touch_reaches_the_contours_and_only_them(make):
    make.volume("ct")
    make.roi("GTV", on="ct")
    make.roi("GTV", on="ct", rs="seg", kind="seg")
    samples = pair(make.catalog(), "GTV", rule="touch", rater={"rs": "a", "seg": "b"})
    assert [s.masks["roi"].rule for s in samples] == ["touch", "centre"]


# on="reference"


def test_the_volume_of_a_split_series_is_the_one_whose_slices_are_referenced(make):
    make.volume("b0", series_uid="dwi", split="b=0", modality="MR")
    make.volume("b800", series_uid="dwi", split="b=800", modality="MR")
    make.roi("GTV", on="b800", referenced_series_uid="dwi")
    samples = pair(make.catalog(), "GTV")
    assert [s.images["image"].volume_id for s in samples] == ["b800"]
    assert codes(samples) == ["no-roi"]


def test_slices_in_two_volumes_decide_nothing_and_both_are_named(make):
    make.volume("b0", ["x"], series_uid="dwi", split="b=0")
    make.volume("b800", ["x"], series_uid="dwi", split="b=800")
    make.roi("GTV", on=["x"])
    samples = pair(make.catalog(), "GTV")
    assert refused(samples) == {"GTV": "several-volumes"}
    assert samples.unpaired["reason"].str.contains("b=0; b=800").any()


def test_a_volume_that_holds_all_referenced_slices_goes_before_one_that_holds_some(make):
    make.volume("whole")
    make.volume("part", ["whole.0", "other"])
    make.roi("GTV", on="whole")
    assert pair(make.catalog(), "GTV")[0].images["image"].volume_id == "whole"


def test_a_cropped_series_is_found_by_the_slices_that_are_left(make):
    make.volume("ct", ["ct.0", "ct.1"])
    make.roi("GTV", on="ct")
    assert len(pair(make.catalog(), "GTV")) == 1


def test_contours_without_references_belong_to_the_series_when_it_is_one_volume(make):
    make.volume("ct", series_uid="s")
    make.roi("GTV", referenced_series_uid="s")
    assert len(pair(make.catalog(), "GTV")) == 1
    make.volume("ct2", series_uid="s")
    assert refused(pair(make.catalog(), "GTV")) == {"GTV": "several-volumes"}


def test_a_series_that_was_written_anew_with_other_slice_ids_is_found_by_its_own(make):
    make.volume("ct")
    make.roi("GTV", on=["as.it.was"], referenced_series_uid="other;ct")
    assert len(pair(make.catalog(), "GTV")) == 1


@pytest.mark.parametrize(
    ("roi", "code"),
    [
        ({"on": "absent", "referenced_series_uid": "gone"}, "missing-series"),
        ({"on": ["other"], "referenced_series_uid": "ct", "frame_uid": "moved"}, "other-frame"),
        ({}, "no-reference"),
        ({"on": "ct", "usable": False, "reason": "no contours"}, "unusable-roi"),
        ({"on": "broken"}, "unusable-image"),
        ({"on": "ct", "patient_id": "p2"}, "other-patient"),
    ],
)
def test_what_cannot_be_paired_is_listed_with_its_reason(make, roi, code):
    make.volume("ct")
    make.volume("broken", usable=False, reason="a slice is missing")
    make.roi("GTV", **roi)
    samples = pair(make.catalog(), "GTV")
    assert len(samples) == 0
    assert refused(samples) == {"GTV": code}
    row = samples.unpaired.iloc[0]
    assert row["reason"]
    assert code not in ("unusable-image",) or "a slice is missing" in row["reason"]


def test_rois_of_another_modality_are_listed_as_information(make):
    make.volume("ct")
    make.volume("pt", modality="PT")
    make.roi("GTV", on="ct")
    make.roi("GTV", on="pt", rs="rs2")
    samples = pair(make.catalog(), "GTV", modality="PET")
    assert samples.table["modality"].tolist() == ["PT"]
    assert samples.unpaired[["severity", "code"]].values.tolist() == [["info", "other-modality"]]


def test_an_image_that_does_not_say_its_modality_is_not_chosen_by_it(make):
    make.volume("ct", spacing_z_mm=1.0)
    make.volume("nifti", modality="", kind="image")
    make.labelmap("GTV", referenced_volume_id="nifti")
    assert refused(pair(make.catalog(), "GTV", modality="CT")) == {"GTV": "unknown-modality"}
    told = pair(make.catalog(), "GTV").assign(modality="pet")
    assert (told[0].coords["modality"], told[0].images["image"].modality) == ("PT", "PT")


def test_the_modality_of_a_dicom_image_is_not_the_users_to_say(make):
    make.volume("ct")
    make.roi("GTV", on="ct")
    with pytest.raises(InputError, match="header"):
        pair(make.catalog(), "GTV").assign(modality="MR")


def test_an_object_that_was_found_twice_counts_once(make):
    make.volume("ct")
    make.roi("GTV", on="ct", number=1)
    make.roi("GTV", on="ct", number=1, file="/copy/rs.dcm")
    samples = pair(make.catalog(), "GTV")
    assert len(samples) == 1
    assert len(samples.unpaired) == 0


# on="acquisition" and on="frame"


def test_one_contour_serves_every_reconstruction_of_its_acquisition_and_no_other_phase(make):
    make.volume("kev70", energy_kev=70.0)
    make.volume("kev40", energy_kev=40.0)
    make.volume("sharp", kernel="B70", acquisition_time="101010.5")
    make.volume("portal", acquisition_time="101050.0", acquisition_number="2")
    make.volume("portal-same-time", acquisition_number="2")
    make.volume("untimed", acquisition_time="", acquisition_number="")
    make.volume("other-study", study_uid="later")
    make.volume("other-frame", frame_uid="f2")
    make.roi("GTV", on="kev70")
    table = pair(make.catalog(), "GTV", on="acquisition").table
    assert dict(zip(table["volume_id"], table["paired_by"], strict=True)) == {
        "kev70": "reference",
        "kev40": "acquisition",
        "sharp": "acquisition",
    }


def test_several_volumes_of_one_acquisition_are_served_when_it_is_asked_for(make):
    make.volume("a", ["x"], series_uid="s", split="40")
    make.volume("b", ["x"], series_uid="s", split="70")
    make.roi("GTV", on=["x"])
    assert len(pair(make.catalog(), "GTV", on="acquisition")) == 2


def test_other_time_points_of_a_dynamic_series_are_other_acquisitions(make):
    make.volume("t1", temporal_position="1")
    make.volume("t2", temporal_position="2")
    make.roi("GTV", on="t1")
    assert len(pair(make.catalog(), "GTV", on="acquisition")) == 1


def test_the_frame_of_reference_is_used_only_when_asked_for(make):
    make.volume("ct")
    make.volume("pt", modality="PT", acquisition_time="120000")
    make.volume("other", frame_uid="f2")
    make.volume("of p2", patient_id="p2")
    make.roi("GTV", on="ct")
    assert len(pair(make.catalog(), "GTV")) == 1
    table = pair(make.catalog(), "GTV", on="frame").table
    assert sorted(table["volume_id"]) == ["ct", "pt"]
    assert set(table["paired_by"]) == {"frame"}
    assert pair(make.catalog(), "GTV", on="frame", modality="PT").table["volume_id"].tolist() == ["pt"]


# on="geometry" and label maps


def test_a_label_map_belongs_to_the_image_that_its_name_gives(make):
    make.volume("a")
    make.volume("b")
    make.labelmap("GTV", referenced_volume_id="b")
    samples = pair(make.catalog(), "GTV")
    assert samples.table[["volume_id", "paired_by"]].values.tolist() == [["b", "file-name"]]
    make.labelmap("LN", file="m2", referenced_volume_id="gone")
    assert refused(pair(make.catalog(), "LN")) == {"LN": "missing-image"}


def test_a_label_map_belongs_to_the_only_image_of_its_grid(make):
    make.volume("thick")
    make.volume("thin", spacing_z_mm=1.0, n_slices=12)
    make.volume("of p2", patient_id="p2")
    make.labelmap("GTV")
    samples = pair(make.catalog(), "GTV")
    assert samples.table[["volume_id", "paired_by"]].values.tolist() == [["thick", "geometry"]]


def test_two_images_of_one_grid_decide_nothing(make):
    make.volume("soft")
    make.volume("sharp", acquisition_time="111111")
    make.volume("pt", modality="PT", spacing_x_mm=2.0)
    make.labelmap("GTV")
    assert refused(pair(make.catalog(), "GTV")) == {"GTV": "several-volumes"}


@pytest.mark.parametrize(
    ("origin", "code"),
    [("2 1 3", None), ("2.5 1 3", "no-image-of-this-grid"), ("4 1 3", "no-image-of-this-grid")],
)
def test_a_cropped_label_map_must_lie_on_voxels_of_the_image(make, origin, code):
    make.volume("ct")
    make.labelmap("GTV", size="3 3 2", origin=origin)
    samples = pair(make.catalog(), "GTV", on="geometry")
    assert refused(samples).get("GTV") == code
    assert len(samples) == (code is None)


def test_contours_have_no_grid(make):
    make.volume("ct")
    make.roi("GTV", on="ct")
    assert refused(pair(make.catalog(), "GTV", on="geometry")) == {"GTV": "no-grid"}


def test_a_grid_may_be_oblique(make):
    direction = "0.8 -0.6 0 0.6 0.8 0 0 0 1"
    make.volume("mr", direction=direction)
    make.volume("straight")
    make.labelmap("GTV", direction=direction)
    assert pair(make.catalog(), "GTV").table["volume_id"].tolist() == ["mr"]


# roles


def test_other_rois_are_attached_by_role_from_the_same_structure_set_first(make):
    make.volume("ct")
    make.roi("GTV", on="ct")
    own = make.roi("Aorta", on="ct")
    make.roi("Aorta", on="ct", rs="auto")
    samples = pair(make.catalog(), {"roi": "GTV", "aorta": "Aorta"})
    assert samples[0].masks["aorta"].file == "/data/rs.dcm"
    assert own == "rs/2"
    assert codes(samples) == ["role-unused"]


def test_two_rois_for_one_role_are_not_chosen_from(make):
    make.volume("ct")
    make.roi("GTV", on="ct")
    make.roi("Aorta", on="ct")
    make.roi("Aorta wall", on="ct")
    samples = pair(make.catalog(), {"roi": "GTV", "aorta": "Aorta.*"})
    assert set(samples[0].masks) == {"roi"}
    assert refused(samples) == {"Aorta": "several-of-role", "Aorta wall": "several-of-role"}


def test_a_sample_without_its_role_is_there_and_is_listed(make):
    make.volume("a")
    make.volume("b")
    make.roi("GTV", on="a")
    make.roi("Aorta", on="a")
    make.roi("GTV", on="b", rs="rs2")
    samples = pair(make.catalog(), {"roi": "GTV", "aorta": "Aorta"})
    assert [sorted(s.masks) for s in samples] == [["aorta", "roi"], ["roi"]]
    assert codes(samples) == ["no-role"]


def test_a_label_keeps_the_rows_while_the_pattern_grows(make):
    make.volume("ct")
    make.roi("Tumor", on="ct")
    short = pair(make.catalog(), "Tumor", label="gtv")
    long = pair(make.catalog(), {"roi": "GTV.*|Tumou?r.*"}, label=" gtv ")
    assert [s.sample_id for s in short] == [s.sample_id for s in long]
    assert long.table["roi"].tolist() == ["gtv"]
    assert short.notes == long.notes == ()


def test_a_pattern_that_becomes_the_label_is_noted(make):
    make.volume("ct")
    make.roi("GTV (boost)", on="ct")
    assert "label= gives a name that stays" in pair(make.catalog(), "GTV.*").notes[0]
    assert pair(make.catalog(), "gtv (boost)").notes == ()
    assert pair(make.catalog(), "(?P<roi>GTV).*").notes == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"roi": "GTV", "label": " "}, "short text"),
        ({"label": "gtv"}, "Give roi="),
        ({"roi": "(?P<roi>GTV)", "label": "gtv"}, "Leave one of them out"),
    ],
)
def test_a_label_that_cannot_be_meant_is_refused(make, arguments, words):
    make.volume("ct")
    make.roi("GTV", on="ct")
    with pytest.raises(InputError, match=words):
        pair(make.catalog(), **arguments)


@pytest.mark.parametrize("catalog", ["folder", None, 3])
def test_what_is_no_catalog_is_refused_in_words(catalog):
    with pytest.raises(InputError, match=r"Pass what gclnm\.scan returned"):
        pair(catalog, "GTV")
