"""What every test may use: the shared reference data, where it is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says what else the machine does; pytest-timeout bounds every test.
settings.register_profile("gclnm", deadline=None)
settings.load_profile("gclnm")

Data = Callable[[str], Path]


@pytest.fixture(scope="session")
def data() -> Data:
    """A folder of the reference data that GCLNM_DATA points to, or a skip that says why."""

    def folder(name: str) -> Path:
        root = os.environ.get("GCLNM_DATA")
        if not root:
            pytest.skip("needs the reference data: set GCLNM_DATA to their folder")
        path = Path(root) / name
        if not path.exists():
            pytest.skip(f"the reference data have no folder {name!r}")
        return path

    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests neither use nor fill the user's cache of headers."""
    os.environ["GCLNM_CACHE"] = str(tmp_path_factory.mktemp("cache"))
