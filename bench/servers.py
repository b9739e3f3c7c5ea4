"""The two servers of a run: the service, and the bare application beside it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.stores import CACHE, ROOT

_START_SECONDS = 30
_STOP_SECONDS = 15
SERVICE = "from app.cli import main; main()"
BASELINE = "from bench.baseline import main; main()"


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    port: int
    pid: int


@contextmanager
def running(program: str, database_url: str, **environment: str) -> Iterator[Server]:
    """Start one of the programs above on a free port, as `zeren serve` with its defaults, and stop it at the end.

    Its log goes to a file, as that of a service in use does.
    """
    port = _free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZEREN_")}
    log = CACHE / f"{'service' if program is SERVICE else 'baseline'}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", program, "serve", "--port", str(port)],
            env=kept | {"ZEREN_DATABASE_URL": database_url} | environment,
            cwd=ROOT,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            _wait_until_listening(process, port, log)
            yield Server(port, process.pid)
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Raises RuntimeError, with what the server said, where it does not come up."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"a server did not start:\n{log.read_text(errors='replace')[-4000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
