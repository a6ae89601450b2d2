"""What restarts a local worker that has died, and ends with the process that has started it."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import psutil
from distributed import Nanny
from tornado.ioloop import PeriodicCallback

__all__ = ["Guard"]

LOOK_MS = 1000


class Guard(Nanny):  # type: ignore[misc]
    """A Dask nanny that ends, with its worker, within a second or two of the client.

    Dask's own starts another worker when the scheduler is lost, which waits a minute for it.

    Parameters
    ----------
    client
        The process in which the client and the scheduler live.
    """

    def __init__(self, *arguments: Any, client: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._client = psutil.Process(client)
        # Dask starts the callbacks it knows when its worker is up; this one also looks before.
        self._looking = PeriodicCallback(self._look, LOOK_MS)
        self._looking.start()

    def _look(self) -> None:
        if self._client.is_running() and self._client.status() != psutil.STATUS_ZOMBIE:
            return
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        os._exit(1)
