"""`import gclnm` is quick and light, and every public name can be had."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gclnm

HEAVY = (
    "pandas",
    "xarray",
    "pydicom",
    "SimpleITK",
    "distributed",
    "zarr",
    "icechunk",
    "matplotlib",
    "pandera",
)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_gclnm_loads_no_heavy_module() -> None:
    loaded = run("import gclnm, sys; print(*sys.modules)").split()
    assert not set(HEAVY) & set(loaded)


def test_importing_gclnm_takes_under_a_third_of_a_second() -> None:
    code = "import time; t = time.perf_counter(); import gclnm; print(time.perf_counter() - t)"
    assert min(float(run(code)) for _ in range(3)) < 0.3


@pytest.mark.parametrize("name", gclnm.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(gclnm, name) is not None


def test_a_misspelt_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="scann"):
        _ = gclnm.scann  # type: ignore[attr-defined]


def test_tab_completion_offers_exactly_the_public_names() -> None:
    assert set(dir(gclnm)) == set(gclnm.__all__)
