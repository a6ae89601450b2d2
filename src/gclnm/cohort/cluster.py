"""A local Dask cluster that works from scripts, notebooks and tests alike, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from distributed import Client, Scheduler
from distributed.deploy.spec import ProcessInterface, SpecCluster

from gclnm.cohort.interrupt import CtrlC
from gclnm.errors import ClusterError, InputError

__all__ = ["Workers", "local_workers", "users_workers"]

START_SECONDS = 60.0
# A cluster of the user's may lose all workers for a while, as a queue gives and takes machines.
NO_WORKER_SECONDS = 300.0
# A scheduler that is stopped, or cut off, keeps its connections and never answers.
ANSWER_SECONDS = 10.0
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    ),
    "1",
)
# Dask tells glibc to hand memory back at once (64 KiB). Every image then comes as fresh pages: 15 % more
# processor time, measured. These are the values that glibc itself arrives at; others ignore them.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(64 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
# Nobody looks at the profile that workers take of themselves a hundred times a second (5 % measured).
DASK = {"DASK_LOGGING__DISTRIBUTED": "critical", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
# A worker holds a few kB of results: there is nothing to spill, and one that waits for memory to be given
# back, while the allocator keeps it, waits for ever. The nanny ends it at the limit.
DASK |= {f"DASK_DISTRIBUTED__WORKER__MEMORY__{part}": "False" for part in ("TARGET", "SPILL", "PAUSE")}


class _Worker(ProcessInterface):  # type: ignore[misc]
    """One worker (with the nanny that restarts it) in a process of its own.

    It is started by command line, so the user's script is not imported again: no main guard is
    needed. It has its own process group, so that Ctrl-C reaches the client only, which then stops
    the workers in order. When the client is killed, the worker ends by itself.
    """

    def __init__(
        self,
        scheduler: str,
        options: dict[str, Any],
        log: IO[bytes],
        started: list[subprocess.Popen[bytes]],
        name: Any = None,
    ) -> None:
        super().__init__(name=name)
        self.command = [sys.executable, "-m", "dask", "spec", scheduler, "--spec"]
        self.command.append(json.dumps({"cls": "gclnm.cohort.nanny.Guard", "opts": options}))
        self.log, self.started = log, started
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        # What libraries print in a worker goes to a file: read only when no worker comes up.
        self.process = subprocess.Popen(
            self.command,
            env={**ALLOCATOR, **os.environ, **ONE_THREAD, **DASK},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            **group,
        )
        self.started.append(self.process)
        await super().start()

    async def close(self) -> None:
        if self.process is not None:
            _end(self.process)
            self.process = None
        await super().close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a nanny and its worker; both may already be gone."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()
    process.wait()


def _end_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            _end(process)


class Workers:
    """Where tasks are computed: a Dask client, and whether results can still come.

    Parameters
    ----------
    processes
        Worker processes that this process has started; none for a user's cluster.
    """

    def __init__(self, client: Client, processes: Callable[[], Sequence[subprocess.Popen[bytes]]] = tuple):
        self.client = client
        self._processes = processes
        self._seen = time.monotonic()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> concurrent.futures.Future[Any]:
        """A future that is done when the result is in this process; nothing comes from Dask's cache.

        Results are fetched in Dask's own thread, those that are ready together. Asking each future for
        its result instead costs two changes of thread per task, one after the other.
        """
        future = self.client.submit(function, *arguments, pure=False)
        return asyncio.run_coroutine_threadsafe(_fetched(future), self.client.loop.asyncio_loop)

    def size(self) -> int:
        """Number of worker threads; at least 1, as a cluster may still grow."""
        return max(1, self._threads())

    def alive(self) -> bool:
        """Whether results can still come.

        Where we started the workers, one of their processes lives; and in the last five minutes the
        scheduler has answered and has had a worker.
        """
        processes = self._processes()
        if self.client.status != "running" or (processes and not any(p.poll() is None for p in processes)):
            return False
        if self._threads():
            self._seen = time.monotonic()
        return time.monotonic() - self._seen < NO_WORKER_SECONDS

    def answers(self) -> bool:
        """Whether the scheduler says anything when it is asked."""
        return self._ask() is not None

    def _threads(self) -> int:
        return sum((self._ask() or {}).values())

    def _ask(self) -> dict[str, int] | None:
        """Threads by worker; None when the scheduler does not answer in time, or goes away meanwhile."""
        try:
            return dict(self.client.nthreads(callback_timeout=ANSWER_SECONDS))
        except Exception:  # The status will say what it is.
            return None


async def _fetched(future: Any) -> Any:
    return await future


@contextlib.contextmanager
def local_workers(number: int) -> Iterator[Workers]:
    """``number`` processes of one thread each, on this machine, until the block ends.

    pyradiomics and SimpleITK hold Python's lock, so only processes help; the libraries' own threads
    are set to one. Each worker may use its share of the machine's memory and is restarted when it
    takes more. The scheduler lives in a thread of this process. There is no dashboard.

    Raises
    ------
    ClusterError
        When no worker comes up within a minute; ``where`` holds the errors it printed.
    """
    with contextlib.ExitStack() as stack:
        # Dask's client waits a minute for an answer when it is left half made or half closed.
        closing = CtrlC(patient=True)
        stack.push(closing)
        log = stack.enter_context(tempfile.TemporaryFile())
        started: list[subprocess.Popen[bytes]] = []
        stack.callback(_end_all, started)
        stack.enter_context(_quiet())
        with CtrlC(patient=True) as starting:
            # Empty at first: workers are started when the block that stops them is entered already.
            made = SpecCluster(**_specification(number, log, started), silence_logs=False)
            cluster = stack.enter_context(made)
            cluster.scale(number)
            client = stack.enter_context(Client(cluster, set_as_default=False))
            stack.callback(closing.__enter__)
            pool = Workers(client, lambda: [w.process for w in cluster.workers.values() if w.process])
            ready = _first_worker(pool, starting.asked)
        if not ready:
            log.seek(0)
            raise ClusterError(
                "no local worker could be started",
                where=_errors(log.read().decode(errors="replace")),
                fix="Pass a Dask client of your own: client=distributed.Client(processes=False) starts none.",
                code="no-workers",
            )
        yield pool


@contextlib.contextmanager
def users_workers(client: Client) -> Iterator[Workers]:
    """The workers of a user's own client, which stays open.

    Raises
    ------
    InputError
        When the client is an asynchronous one.
    ClusterError
        When the scheduler does not answer, or workers lack gclnm or have another version of it.
    """
    if client.asynchronous:
        raise InputError("the Dask client is asynchronous", fix="Pass Client(...) without asynchronous=True.")
    workers = Workers(client)
    if not workers.answers():
        raise ClusterError(
            "the Dask scheduler does not answer",
            fix="See that it runs and can be reached from here, or start it anew.",
            code="cluster-lost",
        )
    _check_versions(client)
    with _quiet():
        yield workers


def _first_worker(pool: Workers, stop: Callable[[], bool]) -> bool:
    """Wait until a worker has registered; not when all have ended, or for more than a minute."""
    until = time.monotonic() + START_SECONDS
    while not pool._threads():
        if stop() or not pool.alive() or time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _errors(printed: str) -> str:
    """The error lines of what a worker printed, each once; the end of it where there are none."""
    lines = re.findall(r"^[\w.]*(?:Error|Exception): .*$", printed, flags=re.MULTILINE)
    return "; ".join(dict.fromkeys(lines)) or printed.strip()[-500:]


def _specification(workers: int, log: IO[bytes], started: list[subprocess.Popen[bytes]]) -> dict[str, Any]:
    from distributed.worker_memory import parse_memory_limit

    host = "127.0.0.1"
    options = {
        "host": host,
        "nthreads": 1,
        "memory_limit": parse_memory_limit("auto", 1, workers, logger=logging.getLogger("distributed")),
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
        "death_timeout": START_SECONDS,
        "client": os.getpid(),
    }
    scheduler = {
        "host": host,
        "port": 0,
        "dashboard": False,
        "dashboard_address": f"{host}:0",
        # The schedule itself gives a task that killed its worker a second chance, alone.
        "allowed_failures": 0,
        # A C function that holds Python's lock for minutes stops the heartbeat; the nanny knows better.
        "worker_ttl": None,
    }
    worker = {"cls": _Worker, "options": {"options": options, "log": log, "started": started}}
    return {
        "worker": worker,
        "scheduler": {"cls": Scheduler, "options": scheduler},
        "name": "gclnm",
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Dask's loggers, in this process, say nothing that is not critical; restored afterwards."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    before = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(distributed|dask|tornado)\b")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _check_versions(client: Client) -> None:
    from gclnm._version import __version__

    try:
        found = set(client.run(installed_version).values())
    except Exception as error:
        raise ClusterError(
            "the workers of this Dask cluster cannot import gclnm",
            where=type(error).__name__,
            fix="Install the same gclnm there as here.",
            code="workers-differ",
        ) from error
    if found - {__version__}:
        raise ClusterError(
            f"this process has gclnm {__version__}, the workers have {', '.join(sorted(found))}",
            fix="Install the same version in both: numbers may differ between versions.",
            code="workers-differ",
        )


def installed_version() -> str:
    """The version of gclnm in the process that is asked."""
    from gclnm._version import __version__

    return __version__
