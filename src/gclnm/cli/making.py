"""Things to try and to build on: a made cohort, and the published schemas."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from gclnm.cli.options import Quiet
from gclnm.cli.program import app
from gclnm.cli.show import show

__all__ = ["demo", "schema"]


@app.command()
def demo(
    path: Annotated[Path | None, typer.Option(help="Folder to work in; ./gclnm-demo by default.")] = None,
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the folder afterwards.")] = True,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core by default.")] = None,
    quiet: Quiet = False,
) -> None:
    """Make a small DICOM cohort (CT, MR, PET), go the main way on it, show what is in the store.

    \b
    Examples:
      gclnm demo
      gclnm demo --path /tmp/try --no-keep
    """
    from gclnm import demo as play

    fresh = path is None or not path.exists()
    made = play.run(path, workers=workers, progress=not quiet, tell=typer.echo)
    show("In the store", made.store.sets(), ("set", "rows", "failed", "features", "recipe_id"))
    show(f"Tumours, as of tag '{play.TAG}'", made.tumours, tuple(made.tumours.columns))
    typer.echo(f"\n{sum(made.seconds.values()):.0f} s in all.")
    if keep:
        typer.echo("In a notebook:\n\n" + "\n".join(f"    {line}" for line in made.code.splitlines()))
        typer.echo(f"\nLook at {made.path / 'contours.html'} in a browser.")
    elif fresh:
        shutil.rmtree(made.path)
    if any(len(one.failed) for one in made.extractions.values()):
        raise typer.Exit(1)


@app.command()
def schema(
    folder: Annotated[Path, typer.Argument(help="Folder to write into.")] = Path("schemas"),
) -> None:
    """Write the JSON Schema of the recipe and of every table.

    \b
    Example:
      gclnm schema schemas/
    """
    from gclnm.publish import publish

    for written in publish(folder):
        typer.echo(str(written))
