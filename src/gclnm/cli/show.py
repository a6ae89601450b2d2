"""Tables on stdout, and as files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["show", "write"]

ROWS_SHOWN = 20


def write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    typer.echo(f"wrote {path}")


def show(title: str, table: pd.DataFrame, columns: Sequence[str], limit: int | None = ROWS_SHOWN) -> None:
    """Print some columns of a table; in a terminal lines end at its edge, in a pipe they are whole."""
    if title:
        typer.echo(f"\n{title}" + (": none" if not len(table) else ""))
    if not len(table):
        return
    shown = table if limit is None else table.head(limit)
    texts = {name: [_cell(value) for value in shown[name]] for name in columns if name in shown}
    texts = {name: cells for name, cells in texts.items() if any(cells)}
    wide = {name: max(len(name), *(len(cell) for cell in cells)) for name, cells in texts.items()}
    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    rows = [list(texts), *zip(*texts.values(), strict=True)]
    for row in rows:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, wide.values(), strict=True)).rstrip()
        typer.echo(line if edge is None or len(line) <= edge else line[: edge - 1] + "…")
    if len(table) > len(shown):
        typer.echo(f"... and {len(table) - len(shown)} more")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return " ".join(str(value).split()) if value is not None else ""
