"""The demo goes the main way, and a second time finds nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

import gclnm
from gclnm import demo
from gclnm.errors import InputError


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[demo.Demo, list[str]]:
    """A demo of one patient, and what it told."""
    told: list[str] = []
    folder = tmp_path_factory.mktemp("demo") / "here"
    return demo.run(folder, patients=1, progress=False, tell=told.append), told


def test_every_step_is_told_with_its_time(played: tuple[demo.Demo, list[str]]) -> None:
    made, told = played
    assert [line.split()[0] for line in told] == ["make", "scan", "pair", "look", "ct", "mr-t2", "pet"]
    assert list(made.seconds) == [line.split()[0] for line in told]
    assert all(line.endswith(" s") and len(line) < 80 for line in told)


def test_three_sets_are_in_the_store_and_none_failed(played: tuple[demo.Demo, list[str]]) -> None:
    made, _ = played
    sets = made.store.sets().set_index("set")
    assert sets["rows"].to_dict() == {"ct": 2, "mr-t2": 2, "pet": 2}
    assert sets["failed"].sum() == 0


def test_the_printed_lines_open_it(played: tuple[demo.Demo, list[str]]) -> None:
    made, _ = played
    names: dict[str, object] = {}
    exec(made.code, names)  # our own lines
    assert len(gclnm.open_store(made.path / "features.icechunk", mode="r").table("pet", at="demo")) == 2


def test_the_tumour_has_the_volume_and_uptake_that_are_true_of_it(
    played: tuple[demo.Demo, list[str]],
) -> None:
    made, _ = played
    truth = gclnm.phantom.Cohort.open(made.path / "cohort").truth["P001"]
    (row,) = made.tumours.to_dict("records")
    voxel_ml = (420 / 256) ** 2 * 2.5 / 1000
    assert row["volume_ml"] == pytest.approx(truth["lesions"]["GTV"]["CT"]["voxels"] * voxel_ml, rel=0.02)
    assert row["mean_hu"] == pytest.approx(90, abs=10)
    # Partial volume takes some of it.
    assert 0.7 < row["mean_suv"] / (8.0 * truth["biology"]["activity"]) < 1.05


def test_a_second_demo_computes_nothing(played: tuple[demo.Demo, list[str]]) -> None:
    made, _ = played
    again = demo.run(made.path, patients=1, progress=False)
    assert [one.done for one in again.extractions.values()] == [0, 0, 0]
    assert len(again.store.tags()) == 1


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "thesis.docx").write_text("x")
    with pytest.raises(InputError, match="new or empty folder"):
        demo.run(tmp_path, progress=False)
