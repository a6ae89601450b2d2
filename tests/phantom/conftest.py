"""One phantom cohort for all tests of this room: making it takes some seconds."""

from __future__ import annotations

import pytest

from gclnm.phantom import Cohort, cohort


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Patients 1 (GE, RTSTRUCT), 2 (Siemens, RTSTRUCT) and 3 (GE, SEG)."""
    return cohort(tmp_path_factory.mktemp("phantom") / "cohort", patients=3, progress=False)
