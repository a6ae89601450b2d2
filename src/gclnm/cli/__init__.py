"""The command line: the main way for people who are not in a notebook.

Exit codes: 0 done; 1 done, but some rows failed, nothing was found or a store is damaged; 2 a mistake in
what was asked for; 3 something unexpected; 130 stopped by Ctrl-C.
"""

from gclnm.cli.run import app, main

__all__ = ["app", "main"]
