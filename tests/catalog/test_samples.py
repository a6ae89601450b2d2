"""The list of samples: choosing, leaving out, adding what the user knows."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gclnm.catalog.pair import pair
from gclnm.catalog.samples import Samples
from gclnm.errors import InputError
from gclnm.images import MaskRef, Sample, VolumeRef


@pytest.fixture
def samples(make: Any) -> Samples:
    """Patients 7 and 12, each with a CT in two kernels and a PET."""
    for patient in ("7", "12"):
        for name, columns in {
            "soft": {"kernel": "B30", "slice_thickness_mm": 3.0},
            "sharp": {"kernel": "B70", "slice_thickness_mm": 1.0},
            "pet": {"kernel": "", "modality": "PT", "slice_thickness_mm": float("nan")},
        }.items():
            volume = make.volume(f"{name}-{patient}", patient_id=patient, **columns)
            make.roi("GTV", on=volume, rs=f"rs-{volume}", patient_id=patient)
    return pair(make.catalog(), "GTV")


def test_samples_are_a_sequence_in_natural_order_of_patients(samples):
    assert len(samples) == 6
    assert [s.coords["patient_id"] for s in samples] == ["7"] * 3 + ["12"] * 3
    assert isinstance(samples[0], Sample)
    assert isinstance(samples[1:3], Samples)
    assert list(samples[1:3]) == list(samples.samples[1:3])
    assert samples[-1] in samples


def test_the_table_has_a_row_for_each_sample_and_is_a_copy(samples):
    table = samples.table
    assert table["sample_id"].tolist() == [s.sample_id for s in samples]
    assert table["slice_thickness_mm"].dtype == np.float64
    table.loc[:, "roi"] = "spoilt"
    assert set(samples.table["roi"]) == {"GTV"}


def test_samples_show_counts_and_reasons(samples):
    left = samples.exclude("modality == 'PT'", "no <b>attenuation</b> correction")
    text = repr(left)
    assert text.startswith("Samples: 4 of 2 patients (CT 4), roi 'GTV'")
    assert "excluded: 2" in text
    assert "<b>attenuation" not in left._repr_html_()


def test_samples_can_be_sent_to_another_process(samples):
    again = pickle.loads(pickle.dumps(samples))
    assert [s.sample_id for s in again] == [s.sample_id for s in samples]


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("modality == 'CT'", 4),
        ("modality == 'CT' and slice_thickness_mm < 2", 2),
        ("patient_id == 7", 3),
        ("patient_id == '7'", 3),
        ("patient_id in [7, 12]", 6),
        ("patient_id not in (7, 3)", 3),
        ("7 < slice_thickness_mm", 0),
        ("kernel.str.startswith('B')", 4),
    ],
)
def test_a_query_is_that_of_pandas_and_patient_ids_are_text(samples, expression, count):
    assert len(samples.query(expression)) == count


def test_a_query_may_use_a_variable_of_the_callers(samples):
    wanted = ["12"]  # noqa: F841 - the expression reads it
    assert len(samples.query("patient_id in @wanted")) == 3
    assert len(samples.exclude("patient_id in @wanted", "withdrawn")) == 3


def test_a_query_may_name_values_and_a_field_strength_is_that_of_its_class(samples):
    fields = iter([1.5, 3.0] * len(samples))
    mixed = samples.assign(field_strength_t=lambda row: next(fields))
    for asked in (3.0, 3, 2.89):
        found = mixed.query(field_strength_t=asked)
        assert set(found.table["field_strength_t"]) == {3.0}
    first = mixed.table["patient_id"].iloc[0]
    both = mixed.query("field_strength_t > 1", patient_id=first, field_strength_t=1.5)
    assert set(both.table["patient_id"]) == {first}
    assert set(both.table["field_strength_t"]) == {1.5}
    with pytest.raises(InputError, match="column"):
        mixed.query(field_strength=3.0)


def test_a_misspelt_column_shows_the_nearest(samples):
    with pytest.raises(InputError, match="Nearest: modality") as error:
        samples.query("modalty == 'CT'")
    assert error.value.code == "unknown-column"
    with pytest.raises(InputError, match="kernel"):
        samples.one_per("kernal")


@pytest.mark.parametrize("expression", ["modality = 'CT'", "modality ==", "", "().__class__", "1 +"])
def test_a_condition_that_is_none_is_refused(samples, expression):
    with pytest.raises(InputError, match="condition"):
        samples.query(expression)


def test_one_per_takes_the_preferred_and_lists_the_others(samples):
    one = samples.one_per(["patient_id", "modality"], prefer={"kernel": ["B70", "B30"]})
    assert sorted(one.table["kernel"]) == ["", "", "B70", "B70"]
    assert one.excluded["kernel"].tolist() == ["B30", "B30"]
    assert "preferred by kernel" in one.excluded["reason"].iloc[0]


@pytest.mark.parametrize(("order", "kernel"), [("smallest", "B70"), ("largest", "B30")])
def test_one_per_takes_the_smallest_or_largest_and_missing_values_last(samples, order, kernel):
    one = samples.one_per("patient_id", prefer={"slice_thickness_mm": order})
    assert set(one.table["kernel"]) == {kernel}


def test_one_per_never_leaves_it_to_chance(samples):
    with pytest.raises(InputError, match="kernel \\(B30, B70\\)"):
        samples.one_per(["patient_id", "modality"])
    with pytest.raises(InputError, match="the best first"):
        samples.one_per("patient_id", prefer={"kernel": "B30"})
    with pytest.raises(InputError, match="numbers"):
        samples.one_per("patient_id", prefer={"kernel": "smallest"})


def test_exclusions_are_recorded_however_they_are_given(samples, tmp_path):
    first = samples[0].sample_id
    table = pd.DataFrame({"sample_id": [first], "reason": ["gas in the lumen"]})
    table.to_csv(tmp_path / "out.csv", index=False)
    ways: list[tuple[Any, str]] = [
        (first, "r"),
        ([first], "r"),
        (samples.table["sample_id"] == first, "r"),
        (np.asarray(samples.table["sample_id"] == first), "r"),
        (tmp_path / "out.csv", ""),
        (str(tmp_path / "out.csv"), "kept if the list has none"),
    ]
    for where, reason in ways:
        left = samples.exclude(where, reason)
        assert len(left) == 5
        assert left.excluded["sample_id"].tolist() == [first]
    assert left.excluded["reason"].tolist() == ["gas in the lumen"]
    assert len(left.exclude(tmp_path / "out.csv")) == 5


@pytest.mark.parametrize(
    ("where", "reason"), [(["0" * 24], "r"), ([True], "r"), ("modality == 'CT'", ""), ("none.csv", "r")]
)
def test_an_exclusion_that_cannot_be_meant_is_refused(samples, where, reason):
    with pytest.raises(InputError):
        samples.exclude(where, reason)


def test_an_exclusion_list_for_other_samples_is_refused(samples, tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("sample_id,reason\nffffffffffffffffffffffff,gas\n")
    with pytest.raises(InputError, match="none of the 1 sample_ids"):
        samples.exclude(path)
    path.write_text("sample;reason\n")
    with pytest.raises(InputError, match="no column sample_id"):
        samples.exclude(path)


def test_time_points_are_assigned_by_value_function_or_table(samples, tmp_path):
    assert set(samples.assign(timepoint="baseline").table["timepoint"]) == {"baseline"}
    by_rule = samples.assign(timepoint=lambda row: "early" if row["modality"] == "PT" else "late")
    assert by_rule.table["timepoint"].tolist().count("early") == 2
    (tmp_path / "t.csv").write_text("patient_id,timepoint,arm\n07,x,A\n7,first,B\n12,second,A\n")
    with_table = samples.with_coords(tmp_path / "t.csv")
    assert with_table.query("patient_id == 7").table["timepoint"].tolist() == ["first"] * 3
    assert with_table.query("arm == 'A'").table["patient_id"].unique().tolist() == ["12"]
    assert "1 row of the table is about no sample" in with_table.notes[0]


def test_numbers_of_a_table_match_ids_that_are_text(samples):
    table = pd.DataFrame({"patient_id": [7.0, 12.0], "age": [61, 70]})
    joined = samples.with_coords(table)
    assert joined.query("age > 65").table["patient_id"].unique().tolist() == ["12"]


def test_an_assigned_time_point_is_no_part_of_the_key(samples):
    again = samples.assign(timepoint="baseline")
    assert [s.sample_id for s in again] == [s.sample_id for s in samples]
    assert again.table["roi_name"].tolist() == ["GTV"] * 6
    changed = samples.assign(rater="ann")
    assert not {s.sample_id for s in changed} & {s.sample_id for s in samples}
    assert changed.table["roi_name"].tolist() == ["GTV"] * 6


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"patient_id": ["7", "7"], "timepoint": ["a", "b"]}, "two rows"),
        ({"patient_id": ["x"], "timepoint": ["a"]}, "no sample matches"),
        ({"timepoint": ["a"]}, "whom a row is about"),
        ({"patient_id": ["7"]}, "what is new"),
    ],
)
def test_a_table_that_cannot_be_joined_is_refused(samples, table, words):
    with pytest.raises(InputError, match=words):
        samples.with_coords(pd.DataFrame(table))


@pytest.mark.parametrize(
    "coordinate", [{"sample_id": "x"}, {"volume_id": "x"}, {"energy_kev": "high"}, {"note": ["list"]}]
)
def test_what_is_no_coordinate_is_refused(samples, coordinate):
    with pytest.raises(InputError):
        samples.assign(**coordinate)


def test_samples_are_added_and_never_doubled(samples):
    ct, pt = samples.query("modality == 'CT'"), samples.query("modality == 'PT'")
    assert len(ct + pt) == 6
    with pytest.raises(InputError, match="twice"):
        ct + samples


def test_two_rows_of_one_key_are_refused_naming_what_would_tell_them_apart():
    image = VolumeRef("v", "dicom", ("a",))
    who = {"patient_id": "p", "roi": "GTV"}
    a = Sample({"image": image}, {"roi": MaskRef("rtstruct", "one.dcm", 1)}, {**who, "timepoint": "1"})
    b = Sample({"image": image}, {"roi": MaskRef("rtstruct", "two.dcm", 1)}, {**who, "timepoint": "2"})
    with pytest.raises(InputError, match="timepoint, mask: give them a roi_instance") as error:
        Samples((a, b))
    assert error.value.code == "duplicate-sample"
    assert "'p'" in str(error.value)
    assert "'p'" not in error.value.reason


def test_nothing_is_a_list_of_samples_too():
    empty = Samples()
    assert len(empty) == 0
    assert len(empty.table) == 0
    assert repr(empty) == "Samples: none"
    assert "none" in empty._repr_html_()


def test_exclusions_of_a_whole_study_are_taken_by_a_part_of_it(samples, tmp_path):
    ids = samples.query("modality == 'CT'").ids[:1] + samples.query("modality == 'PT'").ids[:1]
    path = tmp_path / "out.csv"
    path.write_text("sample_id;reason\n" + "".join(f"{key};spills, a lot\n" for key in ids))
    left = samples.query("modality == 'CT'").exclude(path)
    assert (len(left), left.excluded["reason"].tolist()) == (3, ["spills, a lot"])
    assert left.notes == ("1 of 2 sample_ids of the exclusions are not among these samples.",)
    assert samples.exclude(path).notes == ()


def test_a_condition_that_excludes_nothing_is_refused_with_the_values_there_are(samples):
    with pytest.raises(InputError, match="modality: CT 4, PT 2") as error:
        samples.exclude("modality == 'MR'", "no MR")
    assert error.value.code == "no-match"
    with pytest.raises(InputError, match="1 to 3, 2 empty"):
        samples.exclude("slice_thickness_mm > 5", "thick")


def test_a_query_without_a_match_says_what_there_is(samples):
    none = samples.query("kernel == 'B40' and modality == 'CT'")
    assert len(none) == 0
    assert "kernel: B70 2, B30 2, (empty) 2; modality: CT 4, PT 2" in repr(none)
    assert none.query("modality == 'CT'").notes == none.notes


@pytest.mark.parametrize(
    "expression", ["modality == 'PET'", 'modality == "pet"', "modality in ['MRI', 'PET']"]
)
def test_modalities_are_understood_in_conditions_as_in_pairing(samples, expression):
    assert set(samples.query(expression).table["modality"]) == {"PT"}
    assert len(samples.exclude(expression, "PET is another study")) == 4


def test_samples_without_a_modality_say_so_until_it_is_stated(make):
    make.volume("image", kind="image", modality="")
    make.roi("GTV", on="image")
    samples = pair(make.catalog(), "GTV")
    assert "1 sample has no modality" in repr(samples)
    assert "note" not in repr(samples.assign(modality="CT"))
