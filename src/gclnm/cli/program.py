"""The program that commands join."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app", "report"]

app = typer.Typer(
    name="gclnm",
    help="From the DICOM of many scanners to a versioned, validated radiomics feature store.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
report = typer.Typer(help="Pages to look at.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(report, name="report")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        from gclnm import __version__

        typer.echo(__version__)
        raise typer.Exit
