"""What a run leaves on this machine is enough to compute its rows again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gclnm.cohort.extract import extract


def test_a_row_of_a_run_can_be_computed_again_without_naming_a_file(
    make_samples: Any, recipe: Any, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    samples = make_samples(2)
    run = extract(samples, recipe, client=client, progress=False)
    for sample in samples:
        found = run.store.explain(sample.sample_id, redo=True).redone
        assert found is not None
        assert (found.outcome, found.compared) == ("identical", len(recipe.features))
    assert run.store.check().ok
