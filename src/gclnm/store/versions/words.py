"""Settings, steps and numbers of a row in words, read off the recipe that the set keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["code_changes", "engine_steps", "number", "recipe_changes", "setting_lines"]

# What keeps numbers and does not make them.
KEEPERS = ("zarr", "icechunk")

# Said elsewhere in an explanation, or not a choice about numbers.
LEFT_OUT = ("name", "description", "engine")
# What is known comes in the order in which it is done; other keys follow.
ORDER = ("modality", "quantity", "harmonize", "prepare", "compute")
STEPS = ("normalize", "resample", "crop", "resegment", "filters", "discretise", "texture")


def setting_lines(recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every setting of a stored recipe as pairs of part and words.

    It goes by the stored JSON alone, with the keys of a recipe file, so that a recipe of an older
    version, with other keys, is still shown whole.

    Examples
    --------
    >>> prepare = {"resample": {"spacing_mm": [1.0, 1.0, 3.0], "interpolator": "bspline"}, "crop": None}
    >>> setting_lines({"name": "ct", "quantity": ["HU"], "prepare": prepare})
    [('quantity', 'HU'), ('resample', 'spacing_mm 1, 1, 3; interpolator bspline'), ('crop', 'no')]
    """
    found: list[tuple[str, str]] = []
    for key, value in _ordered(recipe, ORDER):
        if key in LEFT_OUT or value in ({}, ""):
            continue
        if key in ("prepare", "compute") and isinstance(value, Mapping):
            found += [line for part, own in _ordered(value, STEPS) for line in _part(part, own)]
        else:
            found.append((key, _words(value)))
    return found


def _ordered(settings: Mapping[str, Any], first: tuple[str, ...]) -> list[tuple[str, Any]]:
    keys = [key for key in first if key in settings]
    return [(key, settings[key]) for key in dict.fromkeys([*keys, *settings])]


def _part(name: str, value: Any) -> list[tuple[str, str]]:
    if name == "filters" and isinstance(value, Mapping):
        return [(f"filter {kind}", _words(own) or "yes") for kind, own in value.items() if own is not None]
    return [] if value == [] else [(name, _words(value))]


def _words(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_words(own)}" for key, own in value.items() if own is not None)
    if isinstance(value, list | tuple):
        return ", ".join("open" if own is None else _words(own) for own in value)
    return number(value) if isinstance(value, int | float) else str(value)


def number(value: float) -> str:
    """A number to be read by people: whole ones in full, others to six figures.

    Examples
    --------
    >>> number(3.26999999999998), number(1234567.0), number(0.00012345678)
    ('3.27', '1234567', '0.000123457')
    """
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else f"{value:.6g}"


def engine_steps(recipe: Mapping[str, Any], diagnostics: Mapping[str, float]) -> list[str]:
    """What the recipe's steps did to this ROI, in the order of the engine, as far as it was counted.

    Examples
    --------
    >>> counted = {"voxels_native": 60.0, "voxels_resampled": 480.0, "grey_levels": 23.0}
    >>> engine_steps({"prepare": {"resample": {}, "crop": None, "discretise": {}}}, counted)
    ['resample: the ROI of 60 voxels as scanned has 480', 'discretise: 23 grey levels']
    """
    prepare = recipe.get("prepare") or {}
    n = {name: number(value) for name, value in diagnostics.items()}
    sentences = (
        ("normalize", (), "the whole image was scaled"),
        (
            "resample",
            ("voxels_native", "voxels_resampled"),
            "the ROI of {voxels_native} voxels as scanned has {voxels_resampled}",
        ),
        ("crop", (), "the image was cut around the ROI"),
        (
            "resegment",
            ("voxels_resampled", "voxels_analysed"),
            "{voxels_analysed} of {voxels_resampled} voxels stayed in the ROI",
        ),
        ("discretise", ("grey_levels",), "{grey_levels} grey levels"),
    )
    return [
        f"{step}: {sentence.format(**n)}"
        for step, needed, sentence in sentences
        if diagnostics and prepare.get(step) is not None and all(name in n for name in needed)
    ]


def recipe_changes(before: Mapping[str, Any], after: Mapping[str, Any], most: int = 8) -> list[str]:
    """Settings that differ between two stored recipes; their names and descriptions do not count.

    Examples
    --------
    >>> recipe_changes({"name": "a", "prepare": {"crop": 25}}, {"name": "b", "prepare": {"crop": 10}})
    ['prepare.crop: 25 -> 10']
    """
    old, new = _flat(before), _flat(after)
    keys = [key for key in sorted({*old, *new} - {"name", "description"}) if old.get(key) != new.get(key)]
    shown = [f"{key}: {_json(old, key)} -> {_json(new, key)}" for key in keys[:most]]
    return shown + ([f"{len(keys) - most} more settings"] if len(keys) > most else [])


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    parts = (_flat(item, f"{path}.{key}" if path else str(key)) for key, item in value.items())
    return {key: item for part in parts for key, item in part.items()}


def _json(flat: Mapping[str, Any], key: str) -> str:
    return json.dumps(flat[key], ensure_ascii=False) if key in flat else "absent"


def code_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Software that makes numbers, where its versions differ; nothing is said of what is not recorded.

    Examples
    --------
    >>> code_changes({"numpy": "2.0", "zarr": "3.0"}, {"numpy": "2.1", "zarr": "3.1"})
    ['numpy 2.0 -> 2.1']
    """
    if not before or not after:
        return []
    names = [name for name in dict.fromkeys([*before, *after]) if name not in KEEPERS]
    return [
        f"{name} {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    ]
