"""Parquet and CSV: exact, and saying what they are."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from gclnm.errors import StoreError


def test_csv_reads_back_the_same_to_the_last_bit(filled, recipe, row, tmp_path):
    filled.append("ct", recipe, [row("张", patient_id='0012, "x"\n')])
    path = filled.to_csv(tmp_path / "ct.csv", "ct")
    with path.open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    values = [[float(record[name]) for name in recipe.features] for record in records]
    np.testing.assert_array_equal(values, filled.table("ct")[list(recipe.features)].to_numpy())
    kept = next(record for record in records if record["sample_id"] == "张")
    assert kept["patient_id"] == '0012, "x"\n'


def test_parquet_reads_back_the_same_and_says_what_it_is(filled, recipe, tmp_path):
    path = filled.to_parquet(tmp_path / "ct.parquet", "ct", select="original_glcm_*")
    table = pd.read_parquet(path)
    expected = filled.table("ct", select="original_glcm_*")
    assert list(table) == list(expected)
    np.testing.assert_array_equal(table.iloc[:, -20:].to_numpy(), expected.iloc[:, -20:].to_numpy())
    facts = json.loads(pq.read_schema(path).metadata[b"gclnm"])
    assert facts["recipe_id"] == recipe.id
    assert facts["commit"] == filled.commit
    assert json.loads(facts["recipe"]) == json.loads(recipe.to_json())


def test_an_export_can_be_of_a_tag_and_of_some_rows(filled, recipe, row, tmp_path):
    filled.tag("v1")
    filled.append("ct", recipe, [row("c1")])
    path = filled.to_csv(tmp_path / "x.csv", "ct", at="v1", where={"rater": "X"})
    assert pd.read_csv(path)["sample_id"].tolist() == ["a1", "b1"]


def test_no_half_written_file_stays_behind(filled, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    (tmp_path / "x.csv").write_text("the old one")
    with pytest.raises(OSError, match="disk full"):
        filled.to_csv(tmp_path / "x.csv", "ct")
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
    assert (tmp_path / "x.csv").read_text() == "the old one"


def test_a_csv_is_explained_by_the_files_beside_it(filled, recipe, tmp_path):
    path = filled.to_csv(tmp_path / "made" / "here" / "ct.csv", "ct", diagnostics=True)
    columns = pd.read_csv(path.with_name("ct.columns.csv"), keep_default_na=False)
    assert columns["column"].tolist() == list(pd.read_csv(path))
    assert (columns["what"] != "").all()
    entropy = columns.set_index("column").loc["original_glcm_JointEntropy"]
    assert entropy[["unit", "image_type", "family", "ibsi_code"]].tolist() == [
        "bit",
        "original",
        "glcm",
        "TU9B",
    ]
    facts = json.loads(path.with_name("ct.recipe.json").read_text(encoding="utf-8"))
    assert (facts["set"], facts["commit"], facts["recipe_id"]) == ("ct", filled.commit, recipe.id)
    assert facts["recipe"] == json.loads(recipe.to_json())


def test_parquet_has_its_dictionary_beside_it(filled, tmp_path):
    path = filled.to_parquet(tmp_path / "ct.parquet", "ct", select="original_glcm_*")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ct.columns.csv", "ct.parquet"]
    columns = pd.read_csv(tmp_path / "ct.columns.csv")
    assert columns["column"].tolist() == list(pd.read_parquet(path))


def test_a_folder_that_cannot_be_made_is_said_plainly(filled, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot be made"):
        filled.to_csv(tmp_path / "file" / "x.csv", "ct")


def test_diagnostics_are_columns_between_coordinates_and_features(filled, recipe):
    plain, table = filled.table("ct"), filled.table("ct", diagnostics=True)
    names = [f"diagnostic_{name}" for name in recipe.diagnostics]
    left = list(plain)[: -len(recipe.features)]
    assert list(table) == [*left, *names, *recipe.features]
    assert (table[names] == 5.0).all(axis=None)
    pd.testing.assert_frame_equal(table[list(plain)], plain)
    assert list(filled.table("ct", where={"rater": "nobody"}, diagnostics=True)) == list(table)
