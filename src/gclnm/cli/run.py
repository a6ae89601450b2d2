"""The program: its commands in order, and errors as a sentence and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from gclnm.cli.program import app
from gclnm.cli.words import in_words_of_the_shell
from gclnm.errors import GclnmError

# Commands are listed in the order in which their modules join the program.
# isort: off
from gclnm.cli import images
from gclnm.cli import features
from gclnm.cli import history
from gclnm.cli import stores
from gclnm.cli import making
# isort: on

__all__ = ["app", "main"]

COMMANDS = (images, features, history, stores, making)
HOW_TO_SEE = "Set GCLNM_DEBUG=1 to see where, and please report it."


def main() -> None:
    """Run the command line; errors are a sentence on stderr and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if os.environ.get("GCLNM_DEBUG"):
        app()
        return
    try:
        app()
    except GclnmError as error:
        typer.echo(f"gclnm: {in_words_of_the_shell(str(error))}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        typer.echo(f"gclnm: {error.strerror or type(error).__name__}{where}", err=True)
        sys.exit(2)
    except Exception as error:
        typer.echo(f"gclnm: unexpected {type(error).__name__}. {HOW_TO_SEE}", err=True)
        sys.exit(3)
