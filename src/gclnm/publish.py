"""Write the published contracts: JSON Schema of every table and of the recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["publish", "published"]


def published() -> dict[str, dict[str, Any]]:
    """JSON Schema by file name: one for each table, one for recipes.

    Examples
    --------
    >>> "recipe.schema.json" in published()
    True
    """
    from gclnm.recipe.recipe import Recipe
    from gclnm.schemas import TABLES

    documents = {f"{table.name}.schema.json": table.json_schema() for table in TABLES}
    documents["recipe.schema.json"] = Recipe.json_schema()
    return documents


def publish(folder: str | Path) -> list[Path]:
    """Write every schema into ``folder`` and return the files.

    The repository's own ``schemas/`` is made by this function, and a test holds it to that.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, document in sorted(published().items()):
        path = folder / name
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        paths.append(path)
    return paths
