"""Facts that a user's table supplies: matched to samples, checked, and named when they fit nobody."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gclnm.catalog.memory import fingerprints
from gclnm.catalog.pair import pair
from gclnm.catalog.places import Places
from gclnm.catalog.samples import Samples
from gclnm.errors import InputError
from gclnm.harmonize import OVERRIDES


@pytest.fixture
def samples(make: Any) -> Samples:
    """Patients 7 and 12, each with two PET series."""
    for patient in ("7", "12"):
        for name in ("first", "second"):
            volume = make.volume(f"{name}-{patient}", patient_id=patient, modality="PT")
            make.roi("GTV", on=volume, rs=f"rs-{volume}", patient_id=patient)
    return pair(make.catalog(), "GTV")


def supplied(samples: Samples) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for sample in samples:
        found.setdefault(str(sample.coords["patient_id"]), []).append(dict(sample.overrides))
    return found


def test_a_row_of_a_patient_is_about_all_his_samples_and_an_empty_cell_leaves_the_header(samples):
    table = pd.DataFrame({"patient_id": [7, 12], "weight_kg": [70, 81.5], "sex": ["f", ""]})
    assert supplied(samples.override(table)) == {
        "7": [{"weight_kg": 70.0, "sex": "F"}] * 2,
        "12": [{"weight_kg": 81.5}] * 2,
    }


def test_a_csv_of_a_spreadsheet_says_the_same_and_times_are_clock_times(samples, tmp_path: Path):
    path = tmp_path / "facts.csv"
    path.write_text("patient_id;series_uid;injection_clock_s\n7;first-7;13:05:30\n", encoding="utf-8")
    made = samples.override(path)
    assert supplied(made)["7"] == [{"injection_clock_s": 47130.0}, {}]
    assert "overridden: injection_clock_s of 1 samples" in repr(made)


def test_a_second_table_adds_and_corrects(samples):
    once = samples.override(pd.DataFrame({"patient_id": ["7"], "weight_kg": [70], "dose_bq": [3e8]}))
    twice = once.override(pd.DataFrame({"patient_id": ["7"], "weight_kg": [71]}))
    assert supplied(twice)["7"] == [{"weight_kg": 71.0, "dose_bq": 3e8}] * 2


def test_overrides_are_no_part_of_the_key_but_travel_with_the_sample(samples, tmp_path: Path):
    made = samples.override(pd.DataFrame({"patient_id": ["7"], "weight_kg": [70]}))
    assert made.ids == samples.ids
    again = pickle.loads(pickle.dumps(made))
    assert supplied(again) == supplied(made)
    places = Places(tmp_path / "places.sqlite")
    places.keep((sample, "ab") for sample in made)
    kept = [places.sample(key) for key in made.ids]
    assert [dict(sample.overrides) for sample in kept if sample] == [dict(s.overrides) for s in made]


def test_what_the_machine_remembers_of_files_depends_on_the_overrides(samples, tmp_path: Path):
    file = tmp_path / "0.dcm"
    file.write_bytes(b"x")
    from dataclasses import replace

    first = samples[0]
    image = replace(first.images["image"], files=(str(file),))
    mask = replace(first.masks["roi"], file=str(file))
    plain = replace(first, images={"image": image}, masks={"roi": mask})
    light, heavy = (replace(plain, overrides={"weight_kg": kg}) for kg in (70.0, 71.0))
    prints = [fingerprints([sample])[plain.sample_id] for sample in (plain, light, heavy, plain)]
    assert len(set(prints)) == 3
    assert prints[0] == prints[3]


def test_patients_of_the_table_that_are_not_there_are_named(samples):
    made = samples.override(pd.DataFrame({"patient_id": ["7", "70"], "weight_kg": [70, 70]}))
    assert made.notes[-1] == "1 rows of the overrides are about no sample, by patient_id: 70."
    with pytest.raises(InputError, match="no sample matches"):
        samples.override(pd.DataFrame({"patient_id": ["70"], "weight_kg": [70]}))


def test_a_column_that_is_no_fact_is_refused_with_the_nearest(samples):
    with pytest.raises(InputError, match="no fact to override") as caught:
        samples.override(pd.DataFrame({"patient_id": ["7"], "weight": [70]}))
    assert "Did you mean weight_kg?" in caught.value.fix
    assert caught.value.code == "unknown-override"


@pytest.mark.parametrize(
    ("column", "value"),
    [("weight_kg", "70000"), ("weight_kg", "seventy"), ("sex", "X"), ("dose_bq", "370"), ("dose_bq", "nan")],
)
def test_a_value_that_cannot_be_is_refused_with_whom_it_is_about(samples, column, value):
    table = pd.DataFrame({"patient_id": ["12", "7"], column: [value, ""]})
    with pytest.raises(InputError, match="1 values of the table cannot be used") as caught:
        samples.override(table)
    assert f"12: {column} is " in caught.value.where
    assert caught.value.code == "bad-override"


def test_all_wrong_values_are_told_at_once(samples):
    table = pd.DataFrame({"patient_id": ["7", "12"], "weight_kg": [0, 1e4], "sex": ["M", "?"]})
    with pytest.raises(InputError, match="3 values"):
        samples.override(table)


def test_every_fact_that_may_be_overridden_says_what_it_is_and_what_is_plausible():
    for name, fact in OVERRIDES.items():
        assert fact.meaning, name
        assert bool(fact.words) != (fact.low < fact.high), name
