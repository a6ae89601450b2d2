"""Parquet and CSV: exact, and saying what they are."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest


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
