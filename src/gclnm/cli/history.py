"""The history of a store: its commits, tags, differences, and the way of one row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gclnm.cli.options import At, SetName, StoreUrl
from gclnm.cli.program import app
from gclnm.cli.show import show, write

__all__ = ["diff", "explain", "log", "tag", "tags"]


@app.command()
def log(store: StoreUrl) -> None:
    """Show the history of a store, newest commit first.

    \b
    Example:
      gclnm log features.icechunk
    """
    import gclnm

    history = gclnm.open_store(store, mode="r").log()
    if not len(history):
        typer.echo("no commits yet")
        return
    history = history.assign(time=history["time"].dt.strftime("%Y-%m-%d %H:%M"))
    show("", history, ("time", "commit", "tags", "what", "message"), limit=None)


@app.command()
def tag(
    store: StoreUrl,
    name: Annotated[str, typer.Argument(help="Name of the tag.", show_default=False)],
) -> None:
    """Give the newest commit a name for ever after: a tag never moves.

    \b
    Example:
      gclnm tag features.icechunk submission-1
    """
    import gclnm

    typer.echo(f"{name} -> {gclnm.open_store(store).tag(name)}")


@app.command()
def tags(store: StoreUrl) -> None:
    """Show the tags of a store.

    \b
    Example:
      gclnm tags features.icechunk
    """
    import gclnm

    found = gclnm.open_store(store, mode="r").tags()
    if not len(found):
        typer.echo("no tags yet")
        return
    found = found.assign(time=found["time"].dt.strftime("%Y-%m-%d %H:%M"))
    show("", found, ("tag", "commit", "time"), limit=None)


@app.command()
def diff(
    store: StoreUrl,
    a: Annotated[str, typer.Argument(help="Tag, commit or date.", show_default=False)],
    b: Annotated[str | None, typer.Argument(help="Another one; the newest by default.")] = None,
    name: Annotated[str | None, typer.Option("--set", help="One set only.", show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the rows as CSV.", show_default=False)
    ] = None,
) -> None:
    """Show what differs between two versions: which rows and features, and why.

    \b
    Examples:
      gclnm diff features.icechunk submission-1
      gclnm diff features.icechunk submission-1 2026-03-01 --set ct -o rows.csv
    """
    import gclnm

    found = gclnm.open_store(store, mode="r").diff(a, b, name)
    typer.echo(repr(found))
    if out is not None:
        write(found.rows, out)


@app.command()
def explain(
    store: StoreUrl,
    sample_id: Annotated[str, typer.Argument(help="The row's key.", show_default=False)],
    name: SetName = None,
    feature: Annotated[str | None, typer.Option(help="A feature: its value and meaning too.")] = None,
    at: At = None,
    redo: Annotated[
        bool, typer.Option("--redo", help="Compute the row again from its files, and compare.")
    ] = False,
) -> None:
    """Tell the way of one row: images, settings, steps, versions, commits.

    With --redo, exit code 1: the row was not computed again, or is another one now.

    \b
    Examples:
      gclnm explain features.icechunk 17f393dff6298d32af80bd34
      gclnm explain features.icechunk 17f393dff6298d32af80bd34 ct --feature original_glcm_Contrast
      gclnm explain features.icechunk 17f393dff6298d32af80bd34 --redo
    """
    import gclnm

    found = gclnm.open_store(store, mode="r").explain(sample_id, name, feature=feature, at=at, redo=redo)
    typer.echo(repr(found))
    if found.redone is not None and found.redone.outcome != "identical":
        raise typer.Exit(1)
