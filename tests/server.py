"""A real `zeren serve` for tests that need a process, a socket or a signal."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException

START_SECONDS = 30


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_server(
    database_url: str, port: int, *options: str, stderr: int | None = subprocess.DEVNULL, **settings: str
) -> subprocess.Popen[bytes]:
    """Start `zeren serve` on a database and wait until it answers."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZEREN_")}
    process = subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", str(port), *options],
        env=environment | {"ZEREN_DATABASE_URL": database_url} | settings,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"zeren serve ended with status {process.returncode}")
        with suppress(OSError, HTTPException):
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                connection.close()
                return process
        time.sleep(0.05)
    process.kill()
    raise RuntimeError("zeren serve did not answer")


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9, the workers too: they are in the process group that was made for them."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextmanager
def running_server(database_url: str, *options: str) -> Iterator[str]:
    """The address of a server that runs for the length of a block."""
    port = free_port()
    process = start_server(database_url, port, *options)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
