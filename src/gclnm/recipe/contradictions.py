"""Settings of one recipe that contradict each other: told when it is made, before hours run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gclnm.harmonize.mr.signal import NORMALIZED, SIGNAL
from gclnm.recipe.quantity import OWN_SCALE

if TYPE_CHECKING:
    from gclnm.recipe.recipe import Recipe

__all__ = ["contradictions"]


def contradictions(recipe: Recipe) -> list[str]:
    """What could never be measured, or would silently not be done, a sentence each.

    Examples
    --------
    >>> from gclnm.recipe.recipe import Recipe
    >>> contradictions(Recipe.named("ct"))
    []
    """
    return [*_normalization(recipe), *_quantity(recipe)]


def _normalization(recipe: Recipe) -> list[str]:
    asked = [key for key in ("n4", "normalize") if getattr(recipe.harmonize.mr, key) is not None]
    if not asked:
        return []
    if not recipe.quantity:
        return [
            f"quantity is empty, so that images are taken as they are: harmonize.mr.{asked[0]} would be"
            " left out; say what is measured"
        ]
    if "normalize" in asked and recipe.quantity != (NORMALIZED,):
        return ["quantity: harmonize.mr.normalize gives values that are [normalized], and no others"]
    return []


def _quantity(recipe: Recipe) -> list[str]:
    """Settings that make another quantity of the image than the one that is measured."""
    problems = []
    measured = " or ".join(recipe.quantity)
    if recipe.prepare.normalize is not None and set(recipe.quantity) & OWN_SCALE:
        problems.append(f"prepare.normalize: {measured} has a scale of its own, which it would take away")
    if recipe.harmonize.mr.n4 is not None and set(recipe.quantity) - {SIGNAL, NORMALIZED}:
        problems.append(f"harmonize.mr.n4: is for MR signal in arbitrary units, and quantity is {measured}")
    made = recipe.harmonize.pet.quantity
    if any(name.startswith("SUV") for name in recipe.quantity) and made not in recipe.quantity:
        problems.append(f"harmonize.pet.quantity: makes {made} of PET, and quantity is {measured}")
    return problems
