"""Servers of a run: each a process of its own, started and stopped, and asked only on this machine."""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from bench.machine import memory
from bench.stores import CACHE, ROOT

_START_SECONDS = 60
_STOP_SECONDS = 15
_OFTEN = 0.005


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    name: str
    port: int
    pid: int
    start_seconds: float  # until it answered the first request
    idle: int | None  # bytes of memory it then had


@contextmanager
def running(name: str, command: Callable[[int], Sequence[str]], **environment: str) -> Iterator[Server]:
    """Start a server with the command for a free port, and stop it at the end.

    Its log goes to a file, as that of a service in use does.
    """
    port = _free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZEREN_")}
    log = CACHE / f"{name}.log"
    with log.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            command(port), env=kept | environment, cwd=ROOT, stdout=out, stderr=out, start_new_session=True
        )
        try:
            if not _wait_until_answering(process, port):
                raise RuntimeError(f"{name} did not start:\n{log.read_text(errors='replace')[-4000:]}")
            yield Server(name, port, process.pid, time.perf_counter() - began, memory(process.pid))
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_answering(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Whether it came up; what it answers to `/livez` does not matter."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/livez")
            connection.getresponse().read()
            return True
        connection.close()
        time.sleep(_OFTEN)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
