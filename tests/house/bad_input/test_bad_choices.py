"""What users type: names, recipes, stores and conditions that are wrong, and scripts as people write them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import gclnm
from gclnm.errors import GclnmError, InputError, RecipeError, StoreError
from gclnm.recipe.recipe import Recipe


@pytest.fixture(scope="module")
def catalog(whole):
    return gclnm.scan(whole, progress=False)


@pytest.fixture(scope="module")
def run(catalog, recipe, client, tmp_path_factory):
    """One extraction into a store on disk, which the tests below only read."""
    store = gclnm.open_store(tmp_path_factory.mktemp("store") / "f.icechunk")
    samples = gclnm.pair(catalog, roi="GTV")
    made = gclnm.extract(samples, recipe, store=store, client=client, progress=False)
    store.tag("first")
    return made


@pytest.mark.parametrize(
    ("roi", "words"),
    [("GTV1", ["'GTV1'", "GTV"]), ("GTV(", ["GTV("]), ("tumor", ["tumor", "GTV", "LN_1"])],
)
def test_a_wrong_roi_name_shows_those_that_are_there(catalog, say, roi, words):
    with pytest.raises(InputError) as caught:
        gclnm.pair(catalog, roi=roi)
    say(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"modality": "CTA"}, ["CTA", "It has CT"]),
        ({"modality": "MR"}, ["MR", "It has CT"]),
        ({"on": "refrence"}, ["Did you mean 'reference'?"]),
        ({"prefer": "latest"}, ["approved", "newest"]),
        ({"rule": "center"}, ["Did you mean 'centre'?"]),
    ],
)
def test_a_wrong_option_of_pair(catalog, say, options, words):
    with pytest.raises(InputError) as caught:
        gclnm.pair(catalog, roi="GTV", **options)
    say(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_misspelt_column_and_a_condition_that_is_none(catalog, say):
    samples = gclnm.pair(catalog, roi="GTV")
    with pytest.raises(InputError) as caught:
        samples.query("patientid == 'P001'")
    say(caught.value)
    assert "patient_id" in str(caught.value)
    with pytest.raises(InputError) as caught:
        samples.query("patient_id = 'P001'")
    say(caught.value)
    assert "cannot be understood" in str(caught.value)
    with pytest.raises(InputError) as caught:
        samples.one_per("pateint_id")
    say(caught.value)
    assert "patient_id" in str(caught.value)


def test_a_patient_id_as_a_number(tree, recipe, client):
    for patient, number in {"P001": "12", "P002": "007"}.items():
        for file in (*tree.images(patient), tree.rois(patient)):
            tree.change(file, lambda ds, number=number: ds.update({"PatientID": number}))
    samples = gclnm.pair(gclnm.scan(tree.path, progress=False), roi="GTV")
    assert len(samples.query("patient_id == 12")) == 1
    assert len(samples.query("patient_id in [12, 13]")) == 1
    assert samples.table["patient_id"].tolist() == ["007", "12"]
    run = gclnm.extract(samples.query("patient_id == 12"), recipe, client=client, progress=False)
    assert len(run.store.table("ct", where={"patient_id": 12})) == 1
    assert len(run.store.table("ct", where="patient_id == 12")) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prepare__resmaple": {}}, ["prepare.resmaple", "resample"]),
        ({"prepare__discretise__binwidth": 25}, ["prepare.discretise.binwidth", "bin_width"]),
        (
            {"prepare__resample": {"spacing_mm": ["1 cm", "10 mm", 10]}},
            ["prepare.resample.spacing_mm.0: the unit cm is not mm. "],
        ),
        ({"prepare__discretise": {"bin_width": "25 SUV"}}, ["bin_width", "SUV", "HU"]),
        ({"prepare__discretise": {"bin_width": -25}}, ["prepare.discretise.bin_width", "greater than 0"]),
        ({"prepare__resegment": {"range": [100, -100]}}, ["prepare.resegment", "range", "-100 is not above"]),
        ({"compute__glcm": ["JointEntropi"]}, ["JointEntropi", "JointEntropy"]),
        ({"engine": "pyradiomcs"}, ["pyradiomcs", "pyradiomics"]),
    ],
)
def test_a_recipe_with_a_mistake_names_the_key(say, changes, words):
    with pytest.raises(RecipeError) as caught:
        Recipe.named("ct").with_(**changes)
    say(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.fix


def test_a_recipe_file_with_three_mistakes_names_all(tmp_path, catalog, say):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nprepare:\n  resample: {spacing: 1}\ncompute: {glmc: all}\nengin: x\n")
    with pytest.raises(RecipeError) as caught:
        gclnm.extract(gclnm.pair(catalog, roi="GTV"), path)
    say(caught.value)
    for word in ("mine.yaml", "spacing_mm", "glcm", "engine", "4 problems"):
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ["name: [", "just words", "", "name: !!python/object:os.system {}"])
def test_a_recipe_file_that_is_no_recipe(tmp_path, say, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        Recipe.from_yaml(path)
    say(" ".join(str(caught.value).split()))
    assert "mine.yaml" in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("name", ["ctt", "CT", "nowhere.yaml"])
def test_an_unknown_recipe(name, say):
    with pytest.raises(GclnmError) as caught:
        Recipe.of(name)
    say(caught.value)
    assert name in str(caught.value)
    assert caught.value.fix


def test_a_recipe_that_changed_under_an_existing_set(run, catalog, recipe, say):
    samples = gclnm.pair(catalog, roi="GTV")
    other = recipe.with_(prepare__discretise__bin_width=20)
    with pytest.raises(StoreError) as caught:
        gclnm.extract(samples, other, store=run.store)
    say(caught.value)
    assert "'ct'" in str(caught.value) or "set ct" in str(caught.value)
    for word in ("replace=True", "name="):
        assert word in str(caught.value)
    assert len(run.store.table("ct")) == 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda store: store.read("cct"), ["'cct'", "It has ct"]),
        (lambda store: store.read("ct", select="original_glcm_JointEntrpy"), ["original_glcm_JointEntropy"]),
        (lambda store: store.read("ct", at="frist"), ["frist", "first"]),
        (lambda store: store.table("ct", where="patientid == 'P001'"), ["patientid", "patient_id"]),
        (lambda store: store.explain("abc"), ["abc"]),
        (lambda store: store.tag("first"), ["first"]),
    ],
)
def test_reading_what_a_store_does_not_have(run, say, call, words):
    with pytest.raises(GclnmError) as caught:
        call(run.store)
    say(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.fix


def test_a_path_that_is_no_store(run, catalog, recipe, tmp_path, say):
    samples = gclnm.pair(catalog, roi="GTV")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.csv").write_text("a,b")
    for path in (tmp_path / "results", tmp_path / "results" / "table.csv"):
        with pytest.raises(StoreError) as caught:
            gclnm.extract(samples, recipe, store=path)
        say(caught.value)
        assert str(path) in str(caught.value)
        assert caught.value.fix
    assert (tmp_path / "results" / "table.csv").read_text() == "a,b"
    with pytest.raises(StoreError) as caught:
        gclnm.open_store(tmp_path / "gone", mode="r")
    say(caught.value)
    assert "no store" in str(caught.value)


def test_a_store_of_a_newer_format(tmp_path, say):
    import icechunk
    import zarr

    from gclnm.store.layout import FORMAT_KEY

    gclnm.open_store(tmp_path / "f")
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(tmp_path / "f")))
    session = repository.writable_session("main")
    zarr.open_group(session.store, mode="a").attrs[FORMAT_KEY] = 99
    session.commit("from the future")
    with pytest.raises(StoreError) as caught:
        gclnm.open_store(tmp_path / "f")
    say(caught.value)
    for word in ("newer", "Upgrade gclnm"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("samples", "words"),
    [([], ["no samples", "unpaired"]), (["P001"], ["sample"]), ("GTV", ["sample"])],
)
def test_extract_without_samples(samples, words, say):
    with pytest.raises(InputError) as caught:
        gclnm.extract(samples, "ct")
    say(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scan", "{tmp}/nowhere"], ["nowhere", "no such file or folder"]),
        (["extract", "{dicom}", "-r", "GTV", "--recipe", "ctt", "-s", "{tmp}/s"], ["ctt", "ct-2d"]),
        (["extract", "{dicom}", "-r", "tumor", "--recipe", "ct", "-s", "{tmp}/s"], ["tumor", "GTV"]),
        (["extract", "{dicom}", "-r", "GTV", "--recipe", "pet", "-s", "{tmp}/s"], ["PT", "It has CT"]),
        (["read", "{tmp}/s", "ct"], ["no store"]),
        (["read", "{store}", "cct"], ["cct", "It has ct"]),
        (["log", "{dicom}"], ["not a store"]),
    ],
)
def test_the_command_line_says_it_in_a_sentence(whole, run, tmp_path, say, arguments, words):
    places = {"tmp": str(tmp_path), "dicom": str(whole), "store": run.store.url}
    line = [text.format(**places) for text in arguments]
    done = _python(["-m", "gclnm.cli", *line, *(["-q"] if line[0] in ("scan", "extract") else [])], tmp_path)
    say(done.stderr)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def _python(arguments, folder):
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"GCLNM_CACHE": str(folder / "cache")},
        check=False,
    )


def test_a_plain_script_without_a_main_guard_works(tree, tmp_path, say):
    import shutil

    # More than 300 files, so that headers are read in processes too.
    for copy in range(4):
        shutil.copytree(tree.path / "P001", tree.path / f"CD{copy}")
    for number in range(150):
        (tree.path / f"note{number}.txt").write_text("x")
    script = tmp_path / "script.py"
    script.write_text(
        "import gclnm\n"
        f"catalog = gclnm.scan({str(tree.path)!r}, progress=False)\n"
        "samples = gclnm.pair(catalog, roi='GTV')\n"
        "recipe = gclnm.Recipe.named('ct').with_(prepare__filters={'log': None, 'wavelet': None})\n"
        f"run = gclnm.extract(samples, recipe, store={str(tmp_path / 's')!r}, workers=2, progress=False)\n"
        "print(catalog.n_files > 300, len(samples), run.done, len(run.failed))\n"
    )
    done = _python([str(script)], tmp_path)
    say(done.stdout + done.stderr)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "True 2 2 0"
