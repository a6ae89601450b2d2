"""The schemas in the repository are those of the code."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from gclnm.publish import publish, published

FOLDER = Path(__file__).parents[2] / "schemas"


def test_the_published_schemas_have_not_drifted_from_the_code() -> None:
    on_disk = {path.name: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
    assert on_disk == published(), "run: gclnm schema schemas"


@pytest.mark.parametrize("name", sorted(published()))
def test_each_document_is_valid_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(published()[name])


def test_publish_writes_every_document(tmp_path: Path) -> None:
    assert {path.name for path in publish(tmp_path)} == set(published())
