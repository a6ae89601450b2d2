"""A changed override is a changed input: the row is computed again, and the store says why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gclnm
from gclnm import pipeline
from gclnm.cohort.extract import extract
from gclnm.images import Sample


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))


def with_weight(samples: list[Sample], kg: float) -> list[Sample]:
    return [replace(sample, overrides={"weight_kg": kg}) for sample in samples]


def test_another_weight_replaces_the_rows_and_the_difference_is_called_overrides(
    make_samples: Any, recipe: Any, client: Any
) -> None:
    store = gclnm.open_store("memory://")
    samples = make_samples(2)

    def run(given: list[Sample]) -> tuple[int, int]:
        made = extract(given, recipe, store=store, client=client, progress=False)
        return made.done, made.skipped

    assert run(samples) == (2, 0)
    before = store.commit
    assert run(with_weight(samples, 70.0)) == (2, 0)
    assert run(with_weight(samples, 70.0)) == (0, 2)
    changed = store.diff(before, store.commit)
    assert {row["because"] for row in changed.rows.to_dict("records")} == {"overrides"}
    assert run(with_weight(samples, 71.0)) == (2, 0)
    assert run(samples) == (2, 0)


def test_the_history_names_the_facts_that_were_supplied_not_their_values(
    make_samples: Any, recipe: Any
) -> None:
    samples = make_samples(1)
    plain, heavy = pipeline.run([*samples, *with_weight(samples, 71.25)], recipe)
    steps = json.loads(heavy.history)["image"]
    assert {"step": "override", "note": "supplied by the user: weight_kg"} in steps
    assert "71.25" not in heavy.history
    assert plain.inputs_sha256 != heavy.inputs_sha256
    assert plain.content_sha256 == heavy.content_sha256
    assert set(json.loads(heavy.history)["inputs"]) - set(json.loads(plain.history)["inputs"]) == {
        "overrides:image"
    }


def test_loading_a_sample_gives_the_facts_that_the_user_supplied(make_samples: Any) -> None:
    case = gclnm.load(with_weight(make_samples(1), 70.0)[0])
    assert case.image.facts["weight_kg"] == 70.0
    assert case.image.facts["overridden"] == "weight_kg"
