"""Rows to store: small, of a real recipe, with values inside the bounds of its features."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gclnm.pipeline import Row
from gclnm.recipe.recipe import Recipe
from gclnm.store.store import FeatureStore, open_store


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class RowMaker:
    """Makes rows of a recipe; the same key and inputs give the same values."""

    recipe: Recipe

    def __call__(
        self, key: str, *, inputs: str = "", failed: str = "", unread: bool = False, **coords: Any
    ) -> Row:
        table = self.recipe.feature_table()
        low = np.where(np.isfinite(table["lower"]), table["lower"], -1.0)
        high = np.where(np.isfinite(table["upper"]), table["upper"], low + 1.0)
        seed = int(digest(f"{key}{inputs}")[:8], 16)
        share = np.random.default_rng(seed).random(len(table))
        nothing = np.full(len(table), np.nan)
        return Row(
            sample_id=key,
            coords={"patient_id": f"P-{key}", "roi": "GTV", "modality": "CT", "energy_kev": None} | coords,
            status="failed" if failed else "ok",
            reason=failed,
            values=nothing if failed else low + share * (high - low),
            diagnostics=np.full(len(self.recipe.diagnostics), 5.0),
            inputs_sha256="" if unread else digest(f"inputs {key} {inputs}"),
            content_sha256="" if unread else digest(f"content {key} {inputs}"),
            history='{"image": [{"step": "rescale", "settings": {"slope": 1}}], "roi": []}',
            seconds=0.5,
        )


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return small_recipe()


def small_recipe(bin_width: float = 25.0) -> Recipe:
    return Recipe.named("ct").with_(
        prepare={"filters": {"log": None, "wavelet": None}, "discretise": {"bin_width": bin_width}}
    )


@pytest.fixture(scope="session")
def other_recipe() -> Recipe:
    return small_recipe(bin_width=10.0)


@pytest.fixture(scope="session")
def row(recipe: Recipe) -> RowMaker:
    return RowMaker(recipe)


@pytest.fixture
def store() -> FeatureStore:
    return open_store("memory://")


@pytest.fixture
def filled(store: FeatureStore, recipe: Recipe, row: RowMaker) -> FeatureStore:
    """Two patients, two readers, and one row that failed."""
    return fill(store, recipe, row)


@pytest.fixture(scope="session")
def quiet(recipe: Recipe, row: RowMaker) -> FeatureStore:
    """The same for tests that only read."""
    return fill(open_store("memory://"), recipe, row)


def fill(store: FeatureStore, recipe: Recipe, row: RowMaker) -> FeatureStore:
    rows = [
        row("a1", patient_id="A", rater="X"),
        row("a2", patient_id="A", rater="Y"),
        row("b1", patient_id="B", rater="X"),
        row("b2", patient_id="B", rater="Y", failed="unreadable: a slice is missing"),
    ]
    store.append("ct", recipe, rows)
    return store


def beside(name: str) -> Any:
    """A module of this folder that holds no tests."""
    title = f"store_{name}"
    if title not in sys.modules:
        spec = importlib.util.spec_from_file_location(title, Path(__file__).with_name(f"{name}.py"))
        sys.modules[title] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[title])
    return sys.modules[title]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An S3 server on loopback."""
    server = beside("objectstore").Server(tmp_path_factory.mktemp("s3") / "log")
    yield server
    server.close()


@pytest.fixture
def wire(server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A connection to it that can be cut; the environment names it."""
    module = beside("objectstore")
    wire = module.Wire(server.port)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in module.environment(wire.url).items():
        monkeypatch.setenv(name, value)
    yield wire
    wire.close()


@pytest.fixture
def s3(wire: Any) -> str:
    """The address of a store that is not there yet."""
    return f"s3://{beside('objectstore').BUCKET}/{uuid.uuid4().hex}"
