"""Changes of a recipe: mappings are merged, and settings that exclude each other replace each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gclnm.prepare.settings import Settings

__all__ = ["merged", "plain"]


def plain(value: Any) -> Any:
    """Settings as a mapping; other values as they are."""
    return value.model_dump(mode="json") if isinstance(value, Settings) else value


def merged(base: Any, change: Any) -> Any:
    """What a change makes of settings.

    Examples
    --------
    >>> merged({"bin_width": 10.0, "origin": "minimum"}, {"bin_count": 32})
    {'bin_count': 32}
    """
    if not isinstance(change, Mapping) or not isinstance(base, Mapping):
        return change
    result = dict(base)
    if "bin_width" in change or "bin_count" in change:
        result.pop("bin_width", None)
        result.pop("bin_count", None)
    if "bin_count" in change:
        result.pop("origin", None)
    for key, value in change.items():
        new, old = plain(value), result.get(key)
        # Another method of normalization has other settings.
        replaced = key == "normalize" and _method(new) not in (None, _method(old))
        result[key] = new if replaced else merged(old, new)
    return result


def _method(settings: Any) -> Any:
    return settings.get("method") if isinstance(settings, Mapping) else None
