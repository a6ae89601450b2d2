"""What is wrong with a recipe, said all at once and with the path of each key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from gclnm.errors import RecipeError

__all__ = ["explain", "raise_for", "without_units"]

_NUMBER_WITH_UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s].*?)\s*")
_LENGTHS = ("spacing_mm", "sigma_mm", "shrink_to_mm")
_INTENSITIES = ("bin_width", "range", "intensity_shift")


def raise_for(problems: Sequence[str], where: str = "") -> None:
    """Raise one RecipeError for all problems; nothing when there are none."""
    if not problems:
        return
    what = "; ".join(problems)
    if len(problems) > 1:
        what = f"{len(problems)} problems: {what}"
    raise RecipeError(what, where=where, fix="Correct the recipe; `gclnm schema` writes its JSON Schema.")


def without_units(data: Mapping[str, Any], quantities: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The data with numbers for texts such as ``"25 HU"``, and a sentence for each wrong unit.

    Examples
    --------
    >>> without_units({"bin_width": "25 HU", "spacing_mm": ["1 cm"]}, ["HU"])
    ({'bin_width': 25.0, 'spacing_mm': [1.0]}, ['spacing_mm.0: the unit cm is not mm'])
    """
    problems: list[str] = []
    cleaned = _clean(data, (), (), tuple(quantities), problems)
    return cleaned, problems


def _clean(
    value: Any,
    path: tuple[str, ...],
    units: tuple[str, ...],
    quantities: tuple[str, ...],
    problems: list[str],
) -> Any:
    if isinstance(value, Mapping):
        return {
            k: _clean(v, (*path, str(k)), _units_of(str(k), quantities), quantities, problems)
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_clean(v, (*path, str(i)), units, quantities, problems) for i, v in enumerate(value)]
    if not (isinstance(value, str) and units):
        return value
    match = _NUMBER_WITH_UNIT.fullmatch(value)
    if match is None:
        return value
    if match[2].lower() in (unit.lower() for unit in units):
        return float(match[1])
    problems.append(f"{'.'.join(path)}: the unit {match[2]} is not {' or '.join(units)}")
    # The number stays, so that the unit is the only thing that is said of it.
    return float(match[1])


def _units_of(key: str, quantities: tuple[str, ...]) -> tuple[str, ...]:
    if key in _LENGTHS:
        return ("mm",)
    if key == "energies_kev":
        return ("keV",)
    if key in _INTENSITIES:
        return quantities or ("the unit of the image",)
    return ()


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One sentence for each thing that pydantic found, with the path of the key.

    Parameters
    ----------
    error
        What was raised.
    model
        The model that was built, to look up the keys it knows.
    """
    sentences: dict[str, str] = {}
    for item in error.errors(include_url=False):
        path, owner = _walk(item["loc"], model)
        sentences.setdefault(path, _sentence(item, path, owner))
    return list(sentences.values())


def _nearest(key: str, known: Sequence[str]) -> list[str]:
    """The key that was probably meant; several where they are equally near."""
    near = get_close_matches(key, known, n=3, cutoff=0.5)
    ratios = [SequenceMatcher(None, name, key).ratio() for name in near]
    return sorted(name for name, ratio in zip(near, ratios, strict=True) if ratio == ratios[0])


def _sentence(item: Any, path: str, owner: type[BaseModel] | None) -> str:
    kind = item["type"]
    if kind == "extra_forbidden":
        key = str(item["loc"][-1])
        known = list(owner.model_fields) if owner else []
        near = _nearest(key, known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known keys: {', '.join(known)}"
        return f"{path} is not a key of a recipe, {hint}"
    if kind == "missing":
        return f"{path} is missing"
    if kind == "value_error":
        return f"{path}: {item['ctx']['error']}" if path else str(item["ctx"]["error"])
    message = item["msg"].removeprefix("Input ")
    given = item.get("input")
    shown = f" (it is {given!r})" if isinstance(given, (str, int, float, bool)) or given is None else ""
    return f"{path} {message}{shown}"


def _walk(loc: Sequence[int | str], model: type[BaseModel]) -> tuple[str, type[BaseModel] | None]:
    """Dotted path of a location, without pydantic's names of union members, and the last model met."""
    path: list[str] = []
    owner: type[BaseModel] | None = model
    for index, part in enumerate(loc):
        if isinstance(part, int):
            path.append(str(part))
        elif owner is not None and part in owner.model_fields:
            path.append(part)
            if index < len(loc) - 1:
                named = owner.model_fields[part].annotation
                owner = _model_in(named, tag=str(loc[index + 1])) or _model_in(named) or owner
        elif index == len(loc) - 1 and not re.search(r"[\[(]", part):
            path.append(part)
    return ".".join(path), owner


def _model_in(annotation: Any, tag: str = "") -> type[BaseModel] | None:
    """The first model of an annotation; with ``tag``, the one whose ``method`` is called so."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if not tag or tag in _methods(annotation) else None
    return next((found for part in get_args(annotation) if (found := _model_in(part, tag))), None)


def _methods(model: type[BaseModel]) -> tuple[Any, ...]:
    method = model.model_fields.get("method")
    return get_args(method.annotation) if method else ()
