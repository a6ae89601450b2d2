"""The command line: exit codes, sentences on stderr, tables on stdout, no traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

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


@pytest.mark.parametrize("command", ["scan", "extract", "log", "read", "demo", "schema", "report contours"])
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
    assert rows.stdout.startswith("2 rows x 107 features\n")
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
