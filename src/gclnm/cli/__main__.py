"""``python -m gclnm.cli``."""

from gclnm.cli import main

main()
