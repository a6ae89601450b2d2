"""The README's example runs as it stands."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

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
