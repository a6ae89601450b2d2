"""YAML files of recipes: read safely, without silently lost keys."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from gclnm.errors import RecipeError

__all__ = ["dump_yaml", "parse_yaml", "read_yaml"]


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            line = key_node.start_mark.line + 1
            raise RecipeError(f"the key {key!r} is given twice (again in line {line})", code="duplicate-key")
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=deep)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


# A recipe has some hundred values, ten deep. Aliases may make few bytes stand for very many.
_MOST_BYTES = 1 << 18
_MOST_VALUES = 10_000
_MOST_LEVELS = 50
_SHAPE = 'Start from a built-in recipe: gclnm.Recipe.named("ct").to_yaml().'


def parse_yaml(text: str) -> dict[str, Any]:
    """The mapping that a YAML text holds.

    Raises
    ------
    RecipeError
        When it is not YAML, not a mapping, gives a key twice, or is larger than any recipe: more than
        256 kB, 10,000 values (aliases counted as what they stand for) or 50 levels.

    Examples
    --------
    >>> parse_yaml("name: mine")
    {'name': 'mine'}
    """
    if len(text) > _MOST_BYTES:
        raise _too_large()
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            _check_size(node)
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except RecipeError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark else ""
        raise RecipeError(f"the text is not valid YAML{place}", fix=_SHAPE, code="bad-yaml") from None
    except (TypeError, ValueError, RecursionError):
        raise RecipeError("the text is not valid YAML", fix=_SHAPE, code="bad-yaml") from None
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise RecipeError("a recipe is a mapping of keys to settings", fix=_SHAPE, code="bad-yaml")
    return data


def _too_large() -> RecipeError:
    return RecipeError("the text is larger than any recipe", fix=_SHAPE, code="too-large")


def _check_size(node: yaml.Node | None) -> None:
    """Refuse what would grow beyond all measure when aliases are followed, or never end."""
    known: dict[int, tuple[int, int]] = {}
    open_: set[int] = set()

    def measure(node: yaml.Node) -> tuple[int, int]:
        """Values and levels that a node stands for."""
        if id(node) in open_:
            raise _too_large()
        if id(node) not in known:
            open_.add(id(node))
            inner = [measure(part) for part in _parts(node)]
            open_.discard(id(node))
            values = 1 + sum(size for size, _ in inner)
            levels = 1 + max((depth for _, depth in inner), default=0)
            if values > _MOST_VALUES or levels > _MOST_LEVELS:
                raise _too_large()
            known[id(node)] = values, levels
        return known[id(node)]

    if node is not None:
        measure(node)


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises
    ------
    RecipeError
        When the file cannot be read, or as `parse_yaml`.
    """
    try:
        with Path(path).open(encoding="utf-8-sig") as stream:
            text = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise RecipeError(
            "there is no such file", where=str(path), fix="Check the path.", code="no-recipe"
        ) from None
    except (OSError, UnicodeDecodeError):
        raise RecipeError(
            "the file cannot be read as text", where=str(path), fix="Check the path.", code="no-recipe"
        ) from None
    try:
        return parse_yaml(text)
    except RecipeError as error:
        raise RecipeError(error.what, where=str(path), fix=error.fix, code=error.code) from None


def dump_yaml(data: dict[str, Any]) -> str:
    """YAML of plain data, keys in the given order, lists of numbers on one line."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Safe YAML with short lists on one line."""


def _sequence(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    plain = all(isinstance(item, (str, int, float, type(None))) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=plain)


_Dumper.add_representer(list, _sequence)
