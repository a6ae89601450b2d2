"""Recipes: every choice between a file and a feature, named, frozen and shareable."""

from gclnm.recipe.recipe import Recipe

__all__ = ["Recipe"]
