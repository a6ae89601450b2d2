"""The README's example runs as it stands, and what the pages print is of this version."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from gclnm.recipe import Recipe

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_readmes_example_runs_and_gives_a_table(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_readme", ROOT / "docs" / "make_readme.py")
    assert spec is not None
    assert spec.loader is not None
    make_readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_readme)
    names = make_readme.run(make_readme.example((ROOT / "README.md").read_text("utf-8")), tmp_path)
    assert len(names["last"]) == len(names["ct"])
    assert names["figure"].get_axes()


def test_the_readmes_output_is_of_the_recipe_as_it_is_now() -> None:
    shown = re.findall(r"recipe ([0-9a-f]{12})\b", (ROOT / "README.md").read_text("utf-8"))
    assert set(shown) == {Recipe.named("ct").id[:12]}, "run docs/make_readme.py"


def test_the_page_of_numbers_is_filled() -> None:
    lines = (ROOT / "docs" / "numbers.md").read_text("utf-8").splitlines()
    waiting = [number for number, line in enumerate(lines, 1) if line.strip() == "EVIDENCE"]
    assert not waiting, "put in what benchmarks/evidence.py prints"
