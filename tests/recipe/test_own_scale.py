"""Recipes that would change the quantity they measure are refused at once."""

from __future__ import annotations

from typing import Any

import pytest

from gclnm.errors import RecipeError
from gclnm.recipe import Recipe

SCALED = {"prepare__normalize": {"scale": 100}}


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("mr-adc", SCALED, "prepare.normalize: 1e-6 mm2/s has a scale of its own"),
        ("ct-iodine", SCALED, "prepare.normalize: mg/mL has a scale of its own"),
        ("pet", SCALED, "prepare.normalize: SUVbw has a scale of its own"),
        ("mr-adc", {"harmonize__mr__n4": {}}, "harmonize.mr.n4: is for MR signal in arbitrary units"),
        (
            "pet",
            {"harmonize__pet__quantity": "SUVlbm"},
            "harmonize.pet.quantity: makes SUVlbm of PET, and quantity is SUVbw",
        ),
        ("pet", {"quantity": ["SUVlbm"]}, "makes SUVbw of PET, and quantity is SUVlbm"),
    ],
)
def test_what_changes_the_measured_quantity_is_refused(
    name: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.named(name).with_(**changes)
    assert words in caught.value.what
    assert "problems" not in caught.value.what


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("mr-t1", SCALED),
        ("ct", SCALED),
        ("mr-t1", {"harmonize__mr__n4": {}}),
        ("pet", {"quantity": ["SUVlbm"], "harmonize__pet__quantity": "SUVlbm"}),
        ("pet", {"quantity": ["SUVbw", "SUVlbm"]}),
    ],
)
def test_signal_may_be_normalized_and_suv_of_another_kind_asked_for(
    name: str, changes: dict[str, Any]
) -> None:
    assert Recipe.named(name).with_(**changes).name == name
