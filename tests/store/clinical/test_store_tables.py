"""Clinical tables: put, versioned, matched to the images' patients, joined on read, exported."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from gclnm.catalog.scanning.patients import key_function
from gclnm.errors import InputError, StoreError
from gclnm.store.clinical.tables import read_table, table_names
from gclnm.store.store import open_store

MAPS = {"pN": {"阴性": 0, "阳性": 1}}


def clinical(**columns):
    return pd.DataFrame({"patient_id": ["A", "B", "Z"], "age": [61, 48, 70]} | columns)


@pytest.fixture
def numbered(store, recipe, row):
    """Patients as hospitals number them."""
    ids = ["007", "12", "0300"]
    store.append("ct", recipe, [row(f"s{key}", patient_id=key, roi="GTV") for key in ids])
    return store


def test_a_table_is_read_back_as_it_was_put(filled):
    report = filled.put_table("clinical", clinical(sex=["女", "男", "男"]))
    table = filled.get_table("clinical")
    assert table.to_dict("list") == {
        "patient_id": ["A", "B", "Z"],
        "age": [61.0, 48.0, 70.0],
        "sex": ["女", "男", "男"],
    }
    assert table["age"].dtype == np.float64
    assert type(table["sex"][0]) is str
    assert report.commit == filled.commit
    assert (report.rows, report.matched) == (3, 2)
    listed = filled.tables()
    assert listed.values.tolist() == [["clinical", "patient_id", 3, 2, filled.commit]]


def test_ids_unmatched_on_either_side_are_returned(filled):
    report = filled.put_table("clinical", clinical().iloc[[0, 2]])
    assert report.only_in_table == ("Z",)
    assert report.only_in_sets == ("B",)
    assert "1 is only in the table (.only_in_table): Z" in repr(report)


def test_a_table_put_again_is_a_new_version_and_the_same_content_is_no_commit(filled):
    first = filled.put_table("clinical", clinical()).commit
    filled.tag("submission-1")
    assert filled.put_table("clinical", clinical().iloc[::-1]).commit is None
    assert filled.commit == first
    second = filled.put_table("clinical", clinical(age=[62, 48, 70])).commit
    assert filled.get_table("clinical")["age"].tolist() == [62, 48, 70]
    assert filled.get_table("clinical", at="submission-1")["age"].tolist() == [61, 48, 70]
    assert filled.tables()["commit"].tolist() == [second]
    assert filled.tables(at="submission-1")["commit"].tolist() == [first]
    read = filled.read("ct", tables="clinical", at="submission-1")
    assert read["age"].values.tolist() == [61, 61, 48]


def test_the_log_says_that_a_table_was_stored(filled):
    filled.put_table("clinical", clinical())
    newest = filled.log().iloc[0]
    assert newest["what"].startswith("clinical: table stored, ")
    assert newest["set"] == ""


def test_columns_are_renamed_and_chosen_and_what_is_not_listed_is_left_out(filled):
    frame = clinical(病理N分期=["阴性", "阳性", None], 姓名=["甲", "乙", "丙"])
    report = filled.put_table("clinical", frame, columns={"病理N分期": "pN"}, values=MAPS)
    assert filled.get_table("clinical").columns.tolist() == ["patient_id", "pN"]
    assert report.left_out == ("age", "姓名")
    np.testing.assert_array_equal(filled.get_table("clinical")["pN"], [0, 1, np.nan])
    told = report.columns.set_index("column").loc["pN"]
    assert told.to_dict() == {
        "header": "病理N分期",
        "kind": "number",
        "values": "阴性=0, 阳性=1",
        "missing": 1,
        "spellings": "",
    }
    known = filled.get_table("clinical").attrs["columns"][1]
    assert known["header"] == "病理N分期"
    assert known["values"] == [["阴性", 0], ["阳性", 1]]


def test_another_map_is_another_version_even_where_the_numbers_agree(filled):
    one = clinical(pN=["阴性", "阴性", "阴性"])
    two = clinical(pN=["neg", "neg", "neg"])
    filled.put_table("clinical", one, values=MAPS)
    assert filled.put_table("clinical", two, values={"pN": {"neg": 0}}).commit


def test_neither_the_name_of_the_file_nor_left_out_columns_enter_the_store(filled, tmp_path):
    path = tmp_path / "secret-hospital.csv"
    clinical(姓名=["甲某", "乙某", "丙某"]).to_csv(path, index=False)
    filled.put_table("clinical", path, columns=["age"])
    root = filled._repository.root(filled.commit)
    frame, about = read_table(root, "clinical")
    everything = f"{about} {frame.to_csv()} {filled.log().to_csv()}"
    assert "secret" not in everything
    assert "姓名" not in everything
    assert "甲某" not in everything
    assert len(about["source_sha256"]) == 64
    assert table_names(root) == ["clinical"]


# --- keys


def test_rows_of_one_key_are_refused_and_named(filled):
    twice = pd.concat([clinical(), clinical().iloc[[1]]])
    before = filled.commit
    with pytest.raises(InputError, match="2 rows of the table share their key") as found:
        filled.put_table("clinical", twice)
    assert "'B'" in found.value.where
    assert "'B'" not in found.value.reason
    assert filled.commit == before


def test_two_spellings_of_one_patient_share_a_key(numbered):
    frame = pd.DataFrame({"patient_id": ["１２", "12"], "age": [1, 2]})
    with pytest.raises(InputError, match="share their key") as found:
        numbered.put_table("clinical", frame)
    assert "'１２'" in found.value.where


def test_a_table_may_be_keyed_by_other_coordinates_too(store, recipe, row):
    rows = [
        row("a", patient_id="A", roi="GTV", timepoint="baseline"),
        row("b", patient_id="A", roi="GTV", timepoint="week 4"),
        row("c", patient_id="B", roi="GTV", timepoint="baseline"),
    ]
    store.append("ct", recipe, rows)
    frame = pd.DataFrame(
        {"patient_id": ["A", "A", "B"], "time": ["pre", "mid", "mid"], "CEA": [3.5, 2.0, 9.0]}
    )
    store.put_table(
        "blood",
        frame,
        keys=("patient_id", "timepoint"),
        columns={"time": "timepoint", "CEA": "CEA"},
        values={"timepoint": {"pre": "baseline", "mid": "week 4"}},
    )
    data = store.read("ct", tables=["blood"])
    found = dict(zip(data["sample_id"].values, data["CEA"].values, strict=True))
    assert found["a"] == 3.5
    assert found["b"] == 2.0
    assert np.isnan(found["c"])


def test_numbers_are_keys_where_images_have_numbers(store, recipe, row):
    store.append("ct", recipe, [row("a", patient_id="A", energy_kev=70.0)])
    frame = pd.DataFrame({"patient_id": ["A"], "energy_kev": ["70"], "dose": [8.0]})
    store.put_table("dose", frame, keys=("patient_id", "energy_kev"))
    assert store.read("ct", tables="dose")["dose"].values.tolist() == [8.0]
    with pytest.raises(InputError, match="a key holds text"):
        store.put_table("dose", frame.assign(energy_kev="high"), keys=("patient_id", "energy_kev"))


@pytest.mark.parametrize(
    "keys", [("roi",), (), ("patient_id", "patient_id"), ("patient_id", "sample_id"), ("patient_id", "x y")]
)
def test_keys_are_coordinates_with_the_patient_among_them(filled, keys):
    with pytest.raises(InputError, match="keys= cannot be these"):
        filled.put_table("clinical", clinical(), keys=keys)


def test_without_the_key_the_likely_column_is_named(filled):
    frame = clinical().rename(columns={"patient_id": "住院号"})
    with pytest.raises(InputError, match=r"no column patient_id.*columns=\{'住院号': 'patient_id'"):
        filled.put_table("clinical", frame)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "表", "x" * 65, None])
def test_a_table_cannot_have_every_name(filled, name):
    with pytest.raises(InputError, match="cannot have this name"):
        filled.put_table(name, clinical())


def test_an_unknown_table_names_those_there_are(filled):
    with pytest.raises(StoreError, match="It has none yet"):
        filled.get_table("clinical")
    filled.put_table("clinical", clinical())
    with pytest.raises(StoreError, match=r"no clinical table 'klinical'\. It has clinical"):
        filled.read("ct", tables=["klinical"])
    assert open_store("memory://").tables().columns.tolist() == ["name", "keys", "rows", "columns", "commit"]


# --- patients


def test_what_a_spreadsheet_does_to_ids_is_undone(numbered):
    frame = pd.DataFrame({"patient_id": [7.0, 12.0, 300.0], "age": [61, 48, 70]})
    report = numbered.put_table("clinical", frame)
    assert numbered.get_table("clinical")["patient_id"].tolist() == ["007", "0300", "12"]
    assert report.only_in_table == report.only_in_sets == ()
    assert numbered.read("ct", tables="clinical")["age"].values.tolist() == [61, 70, 48]


@pytest.mark.parametrize(
    "key", ["a secret", lambda patient_id: f"X{patient_id[::-1]}", {"007": "P1", "12": "P2"}]
)
def test_ids_are_keyed_like_those_of_the_images(store, recipe, row, key):
    made = key_function(key)
    store.append("ct", recipe, [row(f"s{n}", patient_id=made(n)) for n in ("007", "12")])
    frame = pd.DataFrame({"patient_id": [7, 12], "age": [61, 48]})
    report = store.put_table("clinical", frame, patient_key=key)
    assert report.only_in_table == report.only_in_sets == ()
    table = store.get_table("clinical").set_index("patient_id")["age"]
    assert table.to_dict() == {made("007"): 61, made("12"): 48}


def test_an_unmatched_id_is_keyed_before_it_is_stored(store, recipe, row):
    made = key_function("a secret")
    store.append("ct", recipe, [row("s", patient_id=made("12"))])
    report = store.put_table(
        "clinical", pd.DataFrame({"patient_id": ["12", "99"], "age": [1, 2]}), patient_key="a secret"
    )
    assert report.only_in_table == ("99",)
    assert set(store.get_table("clinical")["patient_id"]) == {made("12"), made("99")}


def test_a_table_of_other_ids_than_the_images_is_refused_before_a_real_id_is_stored(store, recipe, row):
    store.append("ct", recipe, [row("s", patient_id=key_function("a secret")("12"))])
    before = store.commit
    with pytest.raises(InputError, match="no patient of the table has an image") as found:
        store.put_table("clinical", pd.DataFrame({"patient_id": ["12"], "age": [1]}))
    assert "patient_key" in found.value.fix
    assert store.commit == before


def test_a_table_may_come_before_the_images(store):
    report = store.put_table("clinical", clinical())
    assert report.only_in_table == ("A", "B", "Z")


def test_a_patient_of_replaced_rows_alone_is_none_of_the_set(store, recipe, row):
    store.append("ct", recipe, [row("a", patient_id="A"), row("b", patient_id="typo")])
    store.append("ct", recipe, [row("b", patient_id="B", inputs="new")])
    assert store.put_table("clinical", clinical()).only_in_sets == ()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["A", None, " "], "2 rows have no patient"),
        (["A", "B", "1.2E+11"], "lost digits"),
        ([1.0, 2.0, 123456789012345678.0], "lost digits"),
    ],
)
def test_rows_whose_patient_is_unknown_are_refused(filled, cells, words):
    with pytest.raises(InputError, match=words):
        filled.put_table("clinical", pd.DataFrame({"patient_id": cells, "age": [1, 2, 3]}))


# --- joins


def test_rows_carry_what_the_table_says_of_their_patient(filled, recipe):
    filled.put_table("clinical", clinical(sex=["女", "男", "男"]).iloc[[0, 2]])
    data = filled.read("ct", tables=["clinical"])
    assert data["sample_id"].values.tolist() == ["a1", "a2", "b1"]
    np.testing.assert_array_equal(data["age"].values, [61, 61, np.nan])
    assert data["sex"].values.tolist() == ["女", "女", ""]
    table = filled.table("ct", tables="clinical")
    assert table["sex"].tolist() == ["女", "女", ""]
    assert table.columns.tolist()[-len(recipe.features) :] == list(recipe.features)
    assert "age" not in filled.read("ct").coords


def test_rows_are_chosen_by_clinical_columns_too(filled):
    filled.put_table("clinical", clinical(pN=[0, 1, 1]))

    def chosen(where):
        return filled.read("ct", tables="clinical", where=where)["sample_id"].values.tolist()

    assert chosen("pN == 1") == ["b1"]
    assert chosen("pN == 0 and rater == 'Y'") == ["a2"]
    assert chosen("(rater == 'X') & (age > 50)") == ["a1"]
    assert chosen({"pN": 0, "rater": "X"}) == ["a1"]
    assert chosen("pN == 1 and status in ['ok', 'failed']") == ["b1", "b2"]
    assert chosen("(pN == 1) & (status == 'failed')") == ["b2"]
    assert chosen("pN == 1 or rater == 'Y'") == ["a2", "b1"]
    assert chosen("age > 100") == []
    with pytest.raises(InputError, match="not a condition"):
        chosen("pN = 1")
    with pytest.raises(InputError, match="pN"):
        filled.read("ct", where="pN == 1")


def test_a_cube_has_the_clinical_columns_along_the_patients(filled):
    filled.put_table("clinical", clinical())
    cube = filled.read("ct", dims=("patient_id", "rater"), tables="clinical")
    assert cube["age"].dims == ("patient_id",)
    assert cube["age"].values.tolist() == [61, 48]


def test_two_tables_are_joined_at_once(filled):
    filled.put_table("clinical", clinical())
    filled.put_table("blood", pd.DataFrame({"patient_id": ["A"], "CEA": [3.5]}))
    data = filled.read("ct", tables=["clinical", "blood"])
    assert data["age"].values.tolist() == [61, 61, 48]
    np.testing.assert_array_equal(data["CEA"].values, [3.5, 3.5, np.nan])


def test_one_name_means_one_thing(filled, recipe):
    with pytest.raises(InputError, match="coordinates of the images") as found:
        filled.put_table("clinical", clinical(centre=["x", "y", "z"], value=[1, 2, 3]))
    assert "'centre', 'value'" in found.value.where
    filled.put_table("clinical", clinical())
    filled.put_table("other", clinical())
    with pytest.raises(StoreError, match="columns of the clinical table 'other' already") as clash:
        filled.read("ct", tables=["clinical", "other"])
    assert clash.value.where == "age"
    feature = recipe.features[0]
    filled.put_table("odd", clinical(**{feature: [1, 2, 3]}), columns=[feature])
    with pytest.raises(StoreError, match="already"):
        filled.read("ct", tables="odd")


def test_a_table_that_fits_no_row_is_refused_not_joined_as_nothing(store, recipe, row):
    store.put_table("clinical", clinical())
    store.append("ct", recipe, [row("x", patient_id="X")])
    with pytest.raises(StoreError, match="no row of the set has a row"):
        store.read("ct", tables="clinical")
    assert store.read("ct", tables="clinical", where="roi == 'none'").sizes["sample"] == 0


def test_a_key_that_the_rows_do_not_have_is_named(filled):
    filled.put_table("blood", clinical(visit=["1", "1", "1"]), keys=("patient_id", "visit"))
    with pytest.raises(StoreError, match="no coordinate visit"):
        filled.read("ct", tables="blood")


def test_an_export_says_what_clinical_columns_are(filled, tmp_path):
    filled.put_table(
        "clinical", clinical(N=["阴性", "阳性", "阳性"]), columns={"N": "pN", "age": "age"}, values=MAPS
    )
    path = filled.to_csv(tmp_path / "ct.csv", "ct", tables="clinical")
    assert pd.read_csv(path)["pN"].tolist() == [0, 0, 1]
    told = pd.read_csv(tmp_path / "ct.columns.csv").set_index("column")
    assert told.loc["pN", "kind"] == "clinical"
    assert told.loc["pN", "what"] == "Clinical table clinical, column N: 阴性=0, 阳性=1."
    assert told.loc["roi", "kind"] == "coordinate"
    assert json.loads((tmp_path / "ct.recipe.json").read_text("utf-8"))["tables"] == "clinical"
    filled.to_parquet(tmp_path / "ct.parquet", "ct", tables="clinical")
    assert pd.read_parquet(tmp_path / "ct.parquet")["age"].tolist() == [61, 61, 48]


def test_reports_show_themselves_without_html_of_the_table(filled):
    report = filled.put_table(
        "clinical",
        clinical(病理=["a", "b", "c"]),
        columns={"病理": "x"},
        values={"x": {"a": "<b>", "b": "1", "c": "2"}},
    )
    shown = report._repr_html_()
    assert "<b>" not in shown.replace("<b>clinical</b>", "")
    assert "&lt;b&gt;" in shown
    assert "2 patients have images" in repr(report)
