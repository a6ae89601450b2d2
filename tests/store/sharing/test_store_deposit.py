"""A deposit: the same numbers under new names, nothing of the store's ids, files that check themselves."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pandas as pd
import pytest

from gclnm.errors import InputError, StoreError
from gclnm.recipe.recipe import Recipe
from gclnm.store.sharing.pseudonyms import Guard, Pseudonyms, is_date, ordinals
from gclnm.store.store import open_store

UID = "1.2.826.0.1.3680043.8.498."


@pytest.fixture(scope="module")
def store(recipe, other_recipe, row):
    """Two sets of three patients of two hospitals, a clinical table, a tag, and a row after it."""
    store = open_store("memory://")
    about = {
        "HOSP-0007": {"rater": "Dr Weiss", "centre": "Sankt Anna", "timepoint": "2021-03-04"},
        "HOSP-0012": {"rater": "Dr Braun", "centre": "Sankt Anna", "timepoint": "2020-12-24"},
        "ALT-3": {"rater": "Dr Weiss", "centre": "Charite", "timepoint": "2019-01-01"},
    }
    rows = []
    for number, (patient, coords) in enumerate(about.items()):
        uids = {"study_uid": f"{UID}{number}.1", "series_uid": f"{UID}{number}.2"}
        coords = {
            **coords,
            **uids,
            "arm": "A",
            "accession": f"ACCNO{number}",
            "place": f"seen {UID}{number}.3",
        }
        rows.append(row(f"raw-sample-{number}", patient_id=patient, **coords))
    later = rows[0].coords | {"timepoint": "2022-08-09", "roi_instance": "GTV Frau Huber"}
    rows.append(row("raw-sample-9", **later))
    failed = row("raw-sample-8", patient_id="HOSP-0007", failed="unreadable: gone")
    store.append("ct", recipe, [*rows, failed])
    store.append("fine", other_recipe, rows[:2])
    table = pd.DataFrame(
        {
            "patient_id": ["HOSP-0007", "HOSP-0012", "ALT-3", "NOBODY-1"],
            "pN": ["N0", "N1", "N2", "N0"],
            "age": [61, 48, 70, 33],
            "code": ["see HOSP-0012", "", "", ""],
        }
    )
    store.put_table("clinical", table)
    store.tag("submission-1")
    store.append("ct", recipe, [row("raw-sample-later", patient_id="HOSP-0012")])
    return store


@pytest.fixture(scope="module")
def deposit(store, tmp_path_factory):
    return store.export(tmp_path_factory.mktemp("paper") / "deposit", at="submission-1")


def read(deposit, name):
    table = pd.read_csv(deposit.folder / f"{name}.csv", dtype=str, keep_default_na=False)
    numbers = [key for key in table if key.startswith(("original_", "diagnostic_")) or key == "age"]
    return table.assign(**{key: [float(cell or "nan") for cell in table[key]] for key in numbers})


def test_a_deposit_has_the_files_that_its_readme_names(deposit, store):
    parts = [f"{name}{end}" for name in ("ct", "fine", "tables/clinical") for end in (".csv", ".parquet")]
    parts += ["ct.columns.csv", "fine.columns.csv", "tables/clinical.columns.csv"]
    parts += ["ct.recipe.yaml", "fine.recipe.yaml", "versions.json", "README.md"]
    assert sorted(deposit.files.file) == sorted(parts)
    readme = (deposit.folder / "README.md").read_text(encoding="utf-8")
    assert f"version 'submission-1' (commit {store.tags().commit[0]})" in readme
    assert "4 rows of 3 patients, 107 features.\n  Rows that are not here: 1 failed.\n" in readme
    assert "2 rows of 2 patients, 107 features.\n  Recipe" in readme
    for name in ("ct", "fine"):
        attrs = store.read(name).attrs
        assert f"Recipe `{attrs['recipe_name']}`, id `{attrs['recipe_id']}`: `{name}.recipe.yaml`" in readme
    assert "clinical data of these patients, 3 rows." in readme


def test_rows_that_a_condition_leaves_out_are_counted_and_those_of_tables_too(store, tmp_path):
    made = store.export(tmp_path / "part", sets="ct", where="patient_id == 'HOSP-0012'")
    readme = (made.folder / "README.md").read_text(encoding="utf-8")
    assert "2 rows of 1 patient, 107 features.\n  Rows that are not here: 1 failed, 3 left out" in readme
    assert f"from commit {store.commit} of" in readme
    assert "clinical data of these patients, 1 row." in readme
    rows = made.left_out[made.left_out["column"] == ""]
    said = "3 rows of patients who have no row in the deposit"
    assert rows[["of", "why"]].values.tolist() == [["tables/clinical", said]]
    assert f"left out of tables/clinical: {said}" in repr(made)


def test_a_sample_that_counts_as_another_one_is_counted_in_the_readme(recipe, row, tmp_path):
    store = open_store("memory://")
    store.append("ct", recipe, [row("a"), row("b")])
    store.link("ct", {"b": "a"})
    made = store.export(tmp_path / "d")
    readme = (made.folder / "README.md").read_text(encoding="utf-8")
    assert f"from commit {store.commit} of a feature store" in readme
    assert "Rows that are not here: 1 the same as another sample." in readme


def test_pseudonyms_are_written_when_asked_and_never_into_the_deposit(deposit, tmp_path):
    path = deposit.pseudonyms_to_csv(tmp_path / "own" / "who.csv")
    table = pd.read_csv(path, dtype=str)
    assert dict(zip(table["patient_id"], table["pseudonym"], strict=True)) == deposit.pseudonyms
    assert list(table) == ["patient_id", "pseudonym"]
    before = sorted(deposit.folder.rglob("*"))
    for inside in (deposit.folder / "who.csv", deposit.folder / "tables" / ".." / "who.csv"):
        with pytest.raises(InputError, match="would be part of the deposit"):
            deposit.pseudonyms_to_csv(inside)
    assert sorted(deposit.folder.rglob("*")) == before


def test_numbers_are_the_stores_to_the_last_bit(deposit, store):
    data = store.read("ct", at="submission-1")
    stored = {row.tobytes() for row in data["value"].values}
    names = [str(name) for name in data["feature"].values]
    for table in (read(deposit, "ct"), pd.read_parquet(deposit.folder / "ct.parquet")):
        assert {row.tobytes() for row in table[names].to_numpy()} == stored
        assert (table["diagnostic_voxels_native"] == 5).all()


def test_no_id_uid_name_or_date_of_the_store_is_in_the_deposit(deposit, store):
    """Parquet is compressed, so that its cells are searched, not its bytes alone."""
    text = [path.read_bytes().decode("latin-1") for path in deposit.folder.rglob("*") if path.is_file()]
    for path in deposit.folder.rglob("*.parquet"):
        text.append(pd.read_parquet(path).to_csv())
    whole = "".join(text)
    secrets = [*store.keys("ct").sample_id, *store.keys("ct").inputs_sha256, UID, *deposit.pseudonyms]
    secrets += [
        "NOBODY",
        "Weiss",
        "Braun",
        "Anna",
        "Charite",
        "ACCNO",
        "Huber",
        "2021-03-04",
        "2020-12-24",
        "2022",
    ]
    secrets += [store._repository.root(store.commit).attrs["store_id"], "raw-sample"]
    assert [secret for secret in secrets if secret and secret in whole] == []
    assert "unreadable" not in whole


def test_pseudonyms_are_the_same_in_all_files_and_known_in_memory_only(deposit, store):
    assert set(deposit.pseudonyms) == {"HOSP-0007", "HOSP-0012", "ALT-3"}
    assert "HOSP-0007" not in repr(deposit)
    new = deposit.pseudonyms["HOSP-0007"]
    ages = read(deposit, "tables/clinical").set_index("patient_id").age
    assert ages[new] == 61
    assert len(ages) == 3
    ct, fine = (read(deposit, name).set_index("sample_id") for name in ("ct", "fine"))
    assert set(fine.index) < set(ct.index)
    assert (ct.patient_id[fine.index] == fine.patient_id).all()
    original = store.table("ct", at="submission-1")
    assert (ct.patient_id == new).sum() == (original.patient_id == "HOSP-0007").sum() == 2


def test_two_deposits_of_one_state_have_other_pseudonyms(deposit, store, tmp_path):
    again = store.export(tmp_path / "again", at="submission-1")
    assert not set(again.pseudonyms.values()) & set(deposit.pseudonyms.values())


def test_readers_hospitals_and_instances_are_codes_and_dates_are_ordinals(deposit):
    ct = read(deposit, "ct")
    assert set(ct.rater) == {"R1", "R2"}
    assert set(ct.centre) == {"C1", "C2"}
    assert sorted(ct.roi_instance) == ["", "", "", "I1"]
    of = ct[ct.patient_id == deposit.pseudonyms["HOSP-0007"]]
    assert of.set_index("roi_instance", drop=False).timepoint["I1"] == "T2"
    assert sorted(ct.timepoint) == ["T1", "T1", "T1", "T2"]
    assert set(ct.arm) == {"A"}


def test_what_stays_out_is_named_with_its_reason(deposit):
    found = {(row.of, row.column): row.why for row in deposit.left_out.itertuples()}
    assert found["ct", "accession"] == "its name says that it holds an identifier, a place or a date"
    assert found["ct", "place"] == "it holds UIDs"
    assert found["tables/clinical", "code"] == "it holds ids of the store"
    assert "left out of ct: place (it holds UIDs)" in repr(deposit)
    assert "<table" in deposit._repr_html_()


def test_the_dictionary_says_what_every_column_is(deposit):
    about = pd.read_csv(deposit.folder / "ct.columns.csv").set_index("column")
    assert about.index.tolist() == read(deposit, "ct").columns.tolist()
    entropy = about.loc["original_firstorder_Entropy"]
    assert (entropy.unit, entropy.ibsi_code, entropy.lower) == ("bit", "TLU2", 0)
    assert about.what[["patient_id", "rater"]].str.contains("Pseudonym|Code").all()
    clinical = pd.read_csv(deposit.folder / "tables" / "clinical.columns.csv").set_index("column")
    assert clinical.kind.to_dict() == {"patient_id": "key", "pN": "text", "age": "number"}


def test_the_recipe_of_a_deposit_is_the_one_that_was_computed(deposit, recipe, other_recipe):
    assert Recipe.from_yaml(deposit.folder / "ct.recipe.yaml").id == recipe.id
    assert Recipe.from_yaml(deposit.folder / "fine.recipe.yaml").id == other_recipe.id


def test_the_software_stands_with_the_rows_it_computed(deposit):
    facts = json.loads((deposit.folder / "versions.json").read_text())
    assert [part["rows"] for part in facts["sets"]["ct"]] == [4]
    assert facts["sets"]["ct"][0]["versions"]["numpy"] == np.__version__


def test_the_checksums_can_be_checked(deposit):
    check = ["sha256sum", "-c", "SHA256SUMS"]
    done = subprocess.run(check, cwd=deposit.folder, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK") == len(deposit.files)
    path = deposit.folder / "README.md"
    text = path.read_bytes()
    path.write_bytes(text + b"x")
    assert subprocess.run(check, cwd=deposit.folder, capture_output=True).returncode
    path.write_bytes(text)


def test_a_condition_and_names_of_sets_say_what_is_exported(store, tmp_path):
    made = store.export(tmp_path / "one", where="patient_id == 'ALT-3'", sets="ct")
    assert list(made.pseudonyms) == ["ALT-3"]
    assert len(read(made, "tables/clinical")) == 1
    assert not (made.folder / "fine.csv").exists()
    with pytest.raises(InputError, match="there is no row to export"):
        store.export(tmp_path / "none", where="patient_id == 'nobody'")
    assert not (tmp_path / "none").exists()


def test_what_only_a_store_needs_stays_out_even_when_a_condition_names_it(store, tmp_path):
    made = store.export(tmp_path / "deposit", where="inputs_sha256 != '' and revision >= 1 and origin == ''")
    columns = set(read(made, "ct"))
    assert not columns & {"revision", "inputs_sha256", "origin", "study_uid", "series_uid", "current"}
    assert {"sample_id", "patient_id", "roi", "modality"} <= columns


def test_a_folder_that_is_not_empty_is_refused(store, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="the folder for the deposit is not empty"):
        store.export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    store.export(tmp_path / "empty")


def test_a_deposit_that_fails_leaves_nothing_behind(store, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gclnm.store.sharing.deposit._checksums", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.export(tmp_path / "deposit")
    assert list(tmp_path.iterdir()) == []


def test_merged_rows_are_listed_with_the_software_of_their_origin(recipe, row, tmp_path, monkeypatch):
    import gclnm.store.write as write

    theirs = open_store("memory://")
    real = write.versions()
    with monkeypatch.context() as patch:
        patch.setattr(write, "versions", lambda: real | {"numpy": "1.0"})
        theirs.append("ct", recipe, [row("b1")])
    ours = open_store("memory://")
    ours.append("ct", recipe, [row("a1"), row("a2")])
    ours.merge(theirs)
    made = ours.export(tmp_path / "deposit")
    found = json.loads((made.folder / "versions.json").read_text())["sets"]["ct"]
    assert {part["versions"]["numpy"]: part["rows"] for part in found} == {np.__version__: 2, "1.0": 1}


def test_a_number_that_is_a_day_is_a_date():
    guard = Guard(["P-100"])
    assert guard.why_not("x", [20210304.0, float("nan"), 20201224.0]) == "it holds dates"
    assert guard.why_not("x", [20210304.0, 5.0]) == ""
    assert guard.why_not("x", [float("nan")]) == ""
    assert guard.why_not("x", ["P-100", "b"]) == "it holds ids of the store"
    assert guard.why_not("x", ["P-1000", "II"]) == ""
    assert guard.why_not("tumour_update", ["a"]) == ""
    assert is_date("on 4.3.2021") is False or is_date("2021/3/4")


def test_ordinals_follow_days_and_not_letters():
    found = ordinals({"A": ["2021-10-01", "2021-9-30", ""], "B": ["20211001 post", "2021-10-01 pre"]})
    assert (found["A", "2021-9-30"], found["A", "2021-10-01"]) == ("T1", "T2")
    assert found["B", "20211001 post"] != found["B", "2021-10-01 pre"]
    assert len(set(ordinals({"A": ["20211001", "2021-10-01", "2021年10月1日"]}).values())) == 1


def test_a_day_of_a_patient_has_one_number_in_all_files(recipe, other_recipe, row, tmp_path):
    store = open_store("memory://")
    days = {"s0": "2020-01-01", "s1": "2021-06-01", "s2": "2022-01-01"}
    rows = [row(key, patient_id="PAT-1", timepoint=day) for key, day in days.items()]
    store.append("ct", recipe, rows)
    store.append("fine", other_recipe, rows[1:])
    made = store.export(tmp_path / "deposit")
    ct, fine = (read(made, name).set_index("sample_id").timepoint for name in ("ct", "fine"))
    assert sorted(ct) == ["T1", "T2", "T3"]
    assert sorted(fine) == ["T2", "T3"]
    assert (ct[fine.index] == fine).all()


@pytest.mark.parametrize(
    "value",
    [
        1234567.0,
        42.0e3,
        "病人1234567号",
        "x1234567y",
        "１２３４５６７",
        "Li-1234567",
        "编号hosp-01到",
        "P17 liver",
        "42000",
    ],
)
def test_ids_are_found_as_numbers_in_chinese_and_among_letters(value):
    guard = Guard(["1234567", "0042000", "HOSP-01", "P17", "7"])
    assert guard.why_not("x", ["b", value]) == "it holds ids of the store"
    assert guard.too_short == ("7",)
    assert guard.why_not("x", ["P1", "P170", "12345678", 42.5, 7.0]) == ""


def test_a_deposit_says_what_it_did_not_look_for_and_how_cells_are_to_be_read(recipe, row, tmp_path):
    store = open_store("memory://")
    store.append("ct", recipe, [row("sample-1", patient_id="7", roi="=cmd|calc", centre="A")])
    table = pd.DataFrame(
        {"patient_id": ["7"], "centre": ["Charite"], "grp": ["sample-1"], "医院名": ["协和"]}
    )
    maps = {"centre": {"Charite": "A"}, "grp": {"sample-1": "x"}}
    store.put_table("c", table, keys=("patient_id", "centre"), values=maps)
    made = store.export(tmp_path / "deposit")
    assert made.not_looked_for == ("7",)
    assert "1 id is too short to be looked for" in repr(made)
    readme = (made.folder / "README.md").read_text(encoding="utf-8")
    assert "too short to be told from other words were not looked for" in readme
    assert "no names of" not in readme
    assert "for a formula" in readme
    told = (made.folder / "tables" / "c.columns.csv").read_text(encoding="utf-8")
    assert "Charite" not in told
    assert "sample-1" not in told
    assert "医院名" not in told


def test_a_new_name_is_never_one_that_the_store_has(monkeypatch):
    given = iter(["aaaaaaaa", "bbbbbbbb"])
    monkeypatch.setattr("gclnm.store.sharing.pseudonyms.secrets.token_hex", lambda _: next(given))
    assert Pseudonyms(["Paaaaaaaa"]).patient("x") == "Pbbbbbbbb"
