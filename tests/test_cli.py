"""The command line: exit codes, sentences on stderr, tables on stdout, no traceback."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gclnm import cli
from gclnm.phantom import cohort


@dataclass(frozen=True)
class Shown:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def gclnm(*arguments: object) -> Shown:
    """Run the command line in this process: a process of its own for each test takes minutes."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["gclnm", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    return Shown(int(end.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def dicom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PET of two patients: one with RTSTRUCT of a GE, one of a Siemens scanner."""
    folder = tmp_path_factory.mktemp("cli") / "cohort"
    return cohort(folder, patients=2, modalities=["PT"], workers=1, progress=False).dicom


@pytest.fixture(scope="module")
def store(dicom: Path) -> Path:
    """A store with the PET features of both tumours."""
    folder = dicom.parent.parent / "features.icechunk"
    done = gclnm("extract", dicom, "--roi", "GTV", "--recipe", "pet", "--store", folder, "--workers", 1, "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 done, 0 skipped, 0 failed" in done.stdout
    return folder


COMMANDS = (
    *("scan", "report contours", "extract", "read", "log", "tag", "tags", "diff", "explain"),
    *("check", "merge", "link", "compact", "export", "put-table", "demo", "schema"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = gclnm(*command.split(), "--help")
    assert shown.returncode == 0
    assert f"  gclnm {command}" in shown.stdout.split("Example", 1)[1]
    assert "\x1b" not in shown.stdout


def test_scan_shows_tables_and_writes_them(dicom: Path, tmp_path: Path) -> None:
    shown = gclnm("scan", dicom, "--quiet", "--out", tmp_path / "tables")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Discovery MI" in shown.stdout
    assert "Problems: none" in shown.stdout
    volumes = pd.read_csv(tmp_path / "tables" / "volumes.csv")
    assert sorted(volumes["patient_id"]) == ["P001", "P002"]


def test_a_secret_in_the_environment_keys_the_patients(
    dicom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = gclnm("scan", dicom, "--quiet", "--out", tmp_path / "plain")
    monkeypatch.setenv("GCLNM_PATIENT_KEY", "a secret of the ward")
    keyed = gclnm("scan", dicom, "--quiet", "--out", tmp_path / "keyed")
    assert (plain.returncode, keyed.returncode) == (0, 0)
    before, after = (pd.read_csv(tmp_path / name / "volumes.csv", dtype=str) for name in ("plain", "keyed"))
    for column in ("patient_id", "study_uid", "series_uid"):
        assert not set(before[column]) & set(after[column])
    assert after["patient_id"].nunique() == before["patient_id"].nunique()


def test_a_scan_that_finds_no_volume_says_so_by_its_exit_code(tmp_path: Path) -> None:
    shown = gclnm("scan", tmp_path, "-q")
    assert shown.returncode == 1
    assert "empty-folder" in shown.stdout


def test_a_second_extraction_has_nothing_to_do(dicom: Path, store: Path) -> None:
    again = gclnm("extract", dicom, "-r", "GTV", "--recipe", "pet", "-s", store, "-q")
    assert again.returncode == 0
    assert "0 done, 2 skipped" in again.stdout
    everything = gclnm(
        "extract", dicom, "-r", "GTV", "--recipe", "pet", "-s", store, "--workers", 1, "--verify", "-q"
    )
    assert everything.returncode == 0
    assert "0 done, 2 skipped" in everything.stdout


def test_every_command_is_here_and_in_the_how_to() -> None:
    """A command without help, or one that the page does not name, is one that nobody finds."""
    shown = gclnm("--help").stdout.split("Commands:")[1]
    found = {line.split()[0] for line in shown.splitlines() if line.startswith("  ") and line[2] != " "}
    assert found == {command.split()[0] for command in COMMANDS}
    page = (Path(__file__).parents[1] / "docs" / "howto" / "commandline.md").read_text("utf-8")
    assert [command for command in COMMANDS if f"gclnm {command} " not in page] == []


def test_a_progress_bar_is_on_stderr_and_results_are_on_stdout(dicom: Path, tmp_path: Path) -> None:
    shown = gclnm("report", "contours", dicom, "-r", "GTV", "-o", tmp_path / "c.html")
    assert "drawing contours" in shown.stderr
    assert "drawing contours" not in shown.stdout
    assert (tmp_path / "c.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_failed_rows_are_shown_and_give_exit_code_1(dicom: Path, tmp_path: Path) -> None:
    (recipe := tmp_path / "hu.yaml").write_text(
        "name: hu\nmodality: PT\nquantity: HU\ncompute: {shape: [Sphericity]}\n", "utf-8"
    )
    shown = gclnm(
        "extract", dicom, "-r", "GTV", "--recipe", recipe, "-s", tmp_path / "s", "--workers", 1, "-q"
    )
    assert shown.returncode == 1, shown.stderr
    assert "2 failed" in shown.stdout
    assert "P001" in shown.stdout.split("Failed")[1]


def test_an_exclusion_list_of_the_contour_page_is_taken(dicom: Path, store: Path, tmp_path: Path) -> None:
    import gclnm as library

    samples = library.pair(library.scan(dicom, progress=False), "GTV")
    (tmp_path / "exclusions.csv").write_text(
        f'sample_id,reason\r\n{samples[0].sample_id},"spills, a lot"\r\n', "utf-8"
    )
    shown = gclnm(
        "extract", dicom, "-r", "GTV", "--recipe", "pet", "-s", store, "-q",
        "--exclude", tmp_path / "exclusions.csv",
    )  # fmt: skip
    assert shown.returncode == 0
    assert "0 done, 1 skipped" in shown.stdout


def test_log_and_read_show_what_is_in_the_store(store: Path, tmp_path: Path) -> None:
    history = gclnm("log", store)
    assert (history.returncode, history.stderr) == (0, "")
    assert "pet: 2 rows added" in history.stdout
    sets = gclnm("read", store)
    assert sets.stdout.splitlines()[1].split()[:3] == ["pet", "2", "0"]
    rows = gclnm("read", store, "pet")
    assert rows.stdout.startswith("2 rows x 117 features\n")
    for name in ("t.csv", "t.parquet"):
        assert gclnm("read", store, "pet", "-o", tmp_path / name).returncode == 0
    table = pd.read_csv(tmp_path / "t.csv")
    assert len(table) == 2
    value = table["original_firstorder_Mean"]
    assert value.equals(pd.read_parquet(tmp_path / "t.parquet")["original_firstorder_Mean"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scan", "/no/such/folder"], "no such file or folder"),
        (["read", "{store}", "nope"], "It has pet"),
        (["read", "{store}", "pet", "-o", "t.xlsx"], ".csv or .parquet"),
        (["read", "{store}", "pet", "--at", "no-tag"], "no-tag"),
        (["log", "{dicom}"], "{dicom}"),
        (["extract", "{dicom}", "-r", "GVT", "--recipe", "pet", "-s", "{tmp}/s", "-q"], "'GTV'"),
        (["extract", "{dicom}", "-r", "GTV", "--recipe", "pett", "-s", "{tmp}/s", "-q"], "Did you mean pet"),
        (["extract", "{dicom}", "--roi", "GTV"], "Missing option"),
        (["scan", "{dicom}", "--outt", "x"], "No such option"),
        (["demo", "--path", "{dicom}", "-q"], "new or empty folder"),
    ],
)
def test_mistakes_are_a_sentence_on_stderr_with_exit_code_2(
    arguments: list[str], words: str, store: Path, dicom: Path, tmp_path: Path
) -> None:
    places = {"store": str(store), "dicom": str(dicom), "tmp": str(tmp_path)}
    shown = gclnm(*(text.format(**places) for text in arguments))
    assert shown.returncode == 2
    assert words.format(**places) in shown.stderr
    assert "Traceback" not in shown.stderr


def test_the_unexpected_is_short_and_says_how_to_see_more(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys, gclnm.publish; from gclnm import cli\n"
        "def broken(folder): raise ZeroDivisionError('secret path')\n"
        "gclnm.publish.publish = broken\nsys.argv = ['gclnm', 'schema']\ncli.main()"
    )

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={**os.environ, **more},
            check=False,
        )

    short = run()
    assert short.returncode == 3
    assert short.stderr.startswith("gclnm: unexpected ZeroDivisionError. Set GCLNM_DEBUG=1")
    assert len(short.stderr.splitlines()) == 1
    assert "Traceback" in run(GCLNM_DEBUG="1").stderr


def test_the_installed_program_ends_with_the_same_codes(tmp_path: Path) -> None:
    for arguments, code in ((["scan", str(tmp_path), "-q"], 1), (["scan", "/no/such/folder"], 2)):
        shown = subprocess.run(
            [sys.executable, "-m", "gclnm.cli", *arguments], capture_output=True, check=False
        )
        assert shown.returncode == code, shown.stderr


def test_schema_writes_the_published_contracts(tmp_path: Path) -> None:
    shown = gclnm("schema", tmp_path / "schemas")
    assert shown.returncode == 0
    assert (tmp_path / "schemas" / "recipe.schema.json").is_file()


def test_without_a_command_help_is_shown_and_with_version_the_version() -> None:
    from gclnm import __version__

    assert "Commands:" in gclnm().stdout + gclnm().stderr
    assert gclnm("--version").stdout.strip() == __version__


def test_a_list_of_the_whole_study_is_taken_for_one_modality(dicom: Path, tmp_path: Path) -> None:
    import gclnm as library

    samples = library.pair(library.scan(dicom, progress=False), "GTV", label="gtv")
    path = tmp_path / "exclusions.csv"
    path.write_text(f"sample_id;reason\n{samples[0].sample_id};spills\n{'f' * 24};of another modality\n")
    page = (
        "report",
        "contours",
        dicom,
        "-r",
        "GTV|Tumou?r",
        "--label",
        "gtv",
        "-o",
        tmp_path / "c.html",
        "-q",
    )
    shown = gclnm(*page, "--exclude", path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "excluded: 1" in shown.stdout
    path.write_text(f"sample_id,reason\n{'f' * 24},of another study\n")
    assert gclnm(*page, "--exclude", path).returncode == 2


def test_sentences_of_the_library_are_said_in_the_words_of_the_shell(dicom: Path, tmp_path: Path) -> None:
    shown = gclnm("report", "contours", dicom, "-r", "GTV.*", "-o", tmp_path / "c.html", "-q")
    assert "--label gives a name that stays" in shown.stdout
    assert ".unpaired" not in shown.stdout
    wrong = gclnm("report", "contours", dicom, "-r", "GVT", "-o", tmp_path / "c.html", "-q")
    assert wrong.stderr.startswith("gclnm: --roi 'GVT': no ROI has this name")
    assert "gclnm scan shows all" in wrong.stderr
    other = gclnm("report", "contours", dicom, "-r", "GTV", "--modality", "CT", "-o", tmp_path / "c", "-q")
    assert other.stderr.startswith("gclnm: --modality CT: the catalog has no image of this modality")
    missing = gclnm("log", tmp_path / "none")
    assert missing.returncode == 2
    assert "mode=" not in missing.stderr


@pytest.fixture
def copy(store: Path, tmp_path: Path) -> Path:
    """The store, to be changed."""
    return Path(shutil.copytree(store, tmp_path / "copy.icechunk"))


def test_a_tag_is_given_shown_and_never_moves(copy: Path) -> None:
    assert gclnm("tags", copy).stdout == "no tags yet\n"
    given = gclnm("tag", copy, "submission-1")
    assert given.returncode == 0
    commit = given.stdout.split(" -> ")[1].strip()
    assert gclnm("tags", copy).stdout.splitlines()[1].split()[:2] == ["submission-1", commit]
    again = gclnm("tag", copy, "submission-1")
    assert again.returncode == 2
    assert "never moves" in again.stderr


def test_what_differs_between_two_versions(copy: Path, dicom: Path, tmp_path: Path) -> None:
    start = gclnm("log", copy).stdout.splitlines()[-1].split()[2]
    shown = gclnm("diff", copy, start, "-o", tmp_path / "rows.csv")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "pet" in shown.stdout
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert rows["change"].tolist() == ["added", "added"]
    tag = gclnm("tag", copy, "now")
    assert "nothing differs" in gclnm("diff", copy, "now").stdout, tag.stderr


def test_the_way_of_one_row_and_computing_it_again(store: Path, dicom: Path, tmp_path: Path) -> None:
    gclnm("read", store, "pet", "-o", tmp_path / "t.csv")
    key = pd.read_csv(tmp_path / "t.csv")["sample_id"][0]
    told = gclnm("explain", store, key, "pet", "--feature", "original_firstorder_Mean")
    assert (told.returncode, told.stderr) == (0, "")
    assert "SUVbw" in told.stdout
    assert key in told.stdout
    redone = gclnm("explain", store, key, "--redo")
    assert redone.returncode == 0, redone.stdout
    assert "identical" in redone.stdout
    assert gclnm("explain", store, "0" * 24).returncode == 2


def test_a_whole_store_is_clean_and_a_damaged_one_gives_exit_code_1(copy: Path) -> None:
    for options in ([], ["--quick"]):
        clean = gclnm("check", copy, *options)
        assert (clean.returncode, clean.stderr) == (0, "")
        assert "no problems" in clean.stdout
    largest = max((copy / "chunks").iterdir(), key=lambda file: file.stat().st_size)
    largest.unlink()
    damaged = gclnm("check", copy)
    assert damaged.returncode == 1
    assert "Traceback" not in damaged.stdout + damaged.stderr


def test_stores_are_merged_compacted_and_deposited(
    copy: Path, store: Path, dicom: Path, tmp_path: Path
) -> None:
    new = tmp_path / "study.icechunk"
    shown = gclnm("merge", new, store, "--where", "patient_id == 'P001'")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "pet: 1 row added" in shown.stdout
    (tmp_path / "names.csv").write_text("patient_id,new_id\nP001,B1\nP002,B2\n", "utf-8")
    assert gclnm("merge", tmp_path / "other", store, "--patients", tmp_path / "names.csv").returncode == 0
    assert "B2" in gclnm("read", tmp_path / "other", "pet").stdout
    both = gclnm("merge", new, store, "--patients", tmp_path / "names.csv", "--same-patients")
    assert both.returncode == 2
    (tmp_path / "names.csv").write_text("old,new\nP001,B1\n", "utf-8")
    wrong = gclnm("merge", new, store, "--patients", tmp_path / "names.csv")
    assert wrong.returncode == 2
    assert "patient_id and new_id" in wrong.stderr
    assert "rewritten in commit" in gclnm("compact", copy, "pet").stdout
    assert gclnm("compact", copy, "pet").stdout == "pet: is so already\n"
    deposit = gclnm("export", copy, tmp_path / "deposit", "--set", "pet")
    assert (deposit.returncode, deposit.stderr) == (0, "")
    assert (tmp_path / "deposit" / "SHA256SUMS").is_file()
    assert gclnm("export", copy, tmp_path / "deposit").returncode == 2


def test_a_clinical_table_is_stored_and_joined(copy: Path, tmp_path: Path) -> None:
    clinical = tmp_path / "clinical.csv"
    clinical.write_bytes("住院号,病理N分期,亚型\nP001,阴性,1\nP002,阳性,2\nP009,阳性,1\n".encode("gb18030"))
    shown = gclnm(
        "put-table", copy, "clinical", clinical,
        "--column", "住院号=patient_id", "--column", "病理N分期=pN", "--column", "亚型=subtype",
        "--value", "pN:阴性=0", "--value", "pN:阳性=1", "--text", "subtype",
    )  # fmt: skip
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Only in the table: P009" in shown.stdout
    assert "clinical" in gclnm("read", copy).stdout.split("Tables")[1]
    assert "pN" in gclnm("read", copy, "pet", "--table", "clinical").stdout
    out = tmp_path / "joined.csv"
    assert gclnm("read", copy, "pet", "--table", "clinical", "--diagnostics", "-o", out).returncode == 0
    joined = pd.read_csv(out, dtype={"subtype": str})
    assert joined["pN"].tolist() == [0, 1]
    assert joined["subtype"].tolist() == ["1", "2"]
    assert any(name.startswith("diagnostic_") for name in joined)
    wrong = gclnm("put-table", copy, "clinical", clinical, "--value", "pN=1")
    assert wrong.returncode == 2
    assert "name:cell=meaning" in wrong.stderr


def test_a_second_export_is_held_back_and_linked_by_its_csv(
    copy: Path, dicom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pydicom

    again, twins = tmp_path / "again", tmp_path / "twins.csv"
    for file in sorted(path for path in (dicom / "P001").rglob("*") if path.is_file()):
        ds = pydicom.dcmread(file)
        for element in ds.iterall():
            if element.VR == "UI" and str(element.value).startswith("2.25."):
                element.value = f"{element.value[:-4]}4321"[:64]
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.PatientID = "other"
        again.mkdir(exist_ok=True)
        ds.save_as(again / file.name)
    line = ("extract", again, "-r", "GTV", "--recipe", "pet", "-s", copy, "--workers", 1, "-q")
    held = gclnm(*line, "--twins", twins)
    assert held.returncode == 1, held.stderr
    assert "other = P001" in held.stdout
    assert "give it to --same-as" in held.stdout
    assert "run.twins" not in held.stdout
    assert pd.read_csv(twins)["patient_id"].tolist() == ["other"]
    linked = gclnm(*line, "--same-as", twins)
    assert (linked.returncode, linked.stderr) == (0, "")
    assert "0 done, 1 skipped, 0 failed" in linked.stdout
    assert gclnm(*line).returncode == 0
    missing = gclnm(*line, "--same-as", tmp_path / "none.csv")
    assert missing.returncode == 2
    assert missing.stderr.startswith("gclnm: --same-as")


def test_what_a_merge_holds_back_is_shown_written_linked_or_called_different(
    store: Path, tmp_path: Path
) -> None:
    """The rows of one hospital under the patient ids and UIDs of another one."""
    import gclnm as library

    theirs = library.open_store(tmp_path / "theirs")
    rows = second_export(library.open_store(store, mode="r"))
    theirs.append("pet", "pet", rows)
    del theirs
    linked, apart, twins = tmp_path / "linked", tmp_path / "apart", tmp_path / "twins.csv"
    for study in (linked, apart):
        assert gclnm("merge", study, store).returncode == 0
    held = gclnm("merge", linked, tmp_path / "theirs", "--twins", twins)
    assert (held.returncode, held.stderr) == (0, "")
    assert "gclnm link STORE pet twins.csv" in held.stdout
    assert "merged.twins" not in held.stdout
    assert "Held back" in held.stdout
    assert pd.read_csv(twins)["patient_id"].tolist() == ["other-P001", "other-P002"]
    assert "linked in commit" in gclnm("link", linked, "pet", twins).stdout
    assert gclnm("link", linked, "pet", twins).stdout == "pet: is so already\n"
    assert "2 samples linked" in gclnm("log", linked).stdout
    different = gclnm("merge", apart, tmp_path / "theirs", "--distinct", rows[0].sample_id)
    assert "Held back" in different.stdout
    assert library.open_store(apart, mode="r").read("pet").sizes["sample"] == 3


def second_export(store: Any) -> list[Any]:
    from gclnm.pipeline import Row

    group = store._repository.root(store.commit)["sets/pet"]
    values, diagnostics = group["value"][:], group["diagnostic"][:]
    return [
        Row(
            sample_id=f"{at}" * 24,
            coords={"patient_id": f"other-{patient}", "series_uid": f"1.{at}", "roi": "GTV"},
            status="ok",
            reason="",
            values=values[at],
            diagnostics=diagnostics[at],
            inputs_sha256=f"{at}" * 64,
            content_sha256=str(group["content_sha256"][at]),
        )
        for at, patient in enumerate(group["patient_id"][:])
    ]


def test_a_merge_says_what_to_do_in_words_of_the_shell(store: Path, tmp_path: Path) -> None:
    study, names = tmp_path / "study", tmp_path / "names.csv"
    word = gclnm("merge", study, store, "--patients", "same")
    assert word.returncode == 2
    assert "--same-patients" in word.stderr
    names.write_text("patient_id,new_id\nP001,B1\nP002,B2\n", "utf-8")
    gclnm("merge", study, store, "--patients", names)
    forgotten = gclnm("merge", study, store)
    assert forgotten.returncode == 2
    assert "--patients with a CSV of {'P001': 'B1', 'P002': 'B2'}" in forgotten.stderr
    assert "patients=" not in forgotten.stderr
