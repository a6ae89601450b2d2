"""A recipe in a few lines: what its terminal and notebook views show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gclnm.recipe.recipe import Recipe

__all__ = ["summary"]


def summary(recipe: Recipe) -> list[tuple[str, str]]:
    """What a recipe does, as pairs of what and how.

    Examples
    --------
    >>> from gclnm.recipe.recipe import Recipe
    >>> dict(summary(Recipe.named("ct")))["voxels"]
    '1 x 1 x 1 mm, linear'
    """
    prepare, grey = recipe.prepare, recipe.prepare.discretise
    quantity = " or ".join(recipe.quantity) or "any quantity"
    types = [*prepare.filters.enabled, *(["native"] if recipe.quantities.chosen else [])]
    return [
        ("images", f"{recipe.modality or 'any modality'}, {quantity}"),
        ("voxels", _voxels(recipe)),
        ("range", _kept(recipe)),
        ("grey levels", f"width {grey.bin_width:g}" if grey.bin_width else f"{grey.bin_count} levels"),
        ("plane", recipe.compute.texture.plane),
        ("features", f"{len(recipe.features)} on {', '.join(types)}"),
        ("engine", recipe.engine),
        ("id", recipe.id[:12]),
    ]


def _voxels(recipe: Recipe) -> str:
    step = recipe.prepare.resample
    if step is None:
        return "as they are"
    spacing = " x ".join(f"{s:g}" if s else "own" for s in step.spacing_mm)
    return f"{spacing} mm, {step.interpolator}"


def _kept(recipe: Recipe) -> str:
    step = recipe.prepare.resegment
    if step is None:
        return "all"
    parts = []
    if step.range is not None:
        parts.append(" to ".join("open" if v is None else f"{v:g}" for v in step.range))
    if step.sigma is not None:
        parts.append(f"within {step.sigma:g} sd of the mean")
    return " and ".join(parts)
