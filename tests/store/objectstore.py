"""An S3 server on loopback (moto's, in memory) and a wire to it that breaks when it is told to."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

BUCKET = "gclnm"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """moto's S3 server as a process of its own; what it holds ends with it."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        self.url = f"http://127.0.0.1:{self.port}"
        until = time.monotonic() + 90
        while not self._make_bucket():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"moto's server did not start: {log.read_text()[-500:]}")
            time.sleep(0.1)

    def _make_bucket(self) -> bool:
        request = urllib.request.Request(f"{self.url}/{BUCKET}", method="PUT", data=b"")
        try:
            with urllib.request.urlopen(request, timeout=10):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def stall(self) -> None:
        """Answer nothing more, as a machine that hangs."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def close(self) -> None:
        self.go_on()
        self.process.kill()
        self.process.wait()


class Wire:
    """A TCP proxy in front of a server: connections are dropped, refused, or lose their answer."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._guard = threading.Lock()
        self.cut = False
        # Told of every piece that a client sends; True lets it through and drops the answer to it.
        self.loses_answer: Callable[[bytes], bool] = lambda piece: False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                if self._door.fileno() == -1:
                    return
                continue
            try:
                if self.cut:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self._guard:
                self._pairs.add(pair)
            lost = threading.Event()
            threading.Thread(target=self._pump, args=(pair, client, server, lost, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(pair, server, client, lost, False), daemon=True).start()

    def _pump(
        self,
        pair: tuple[socket.socket, socket.socket],
        source: socket.socket,
        sink: socket.socket,
        lost: threading.Event,
        asking: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                if asking and self.loses_answer(piece):
                    lost.set()
                if not asking and lost.is_set():
                    break
                sink.sendall(piece)
        self._end(pair)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._guard:
            self._pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def drop(self) -> None:
        """End every connection there is now."""
        with self._guard:
            pairs = list(self._pairs)
        for pair in pairs:
            self._end(pair)

    def close(self) -> None:
        self.cut = True
        self._door.close()
        self.drop()


def environment(url: str) -> dict[str, str]:
    """What tells a process of the server: the usual variables, with keys that mean nothing."""
    return {
        "AWS_ACCESS_KEY_ID": "gclnm-test",
        "AWS_SECRET_ACCESS_KEY": "no-secret-at-all",
        "AWS_ENDPOINT_URL": url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
