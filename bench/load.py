"""The load generator, a process of its own: `python -m bench.load` reads a `Task` as JSON and writes a `Result`.

It keeps some connections open, and on each sends the next request as soon as the last one is answered. Requests are
bytes made beforehand and answers are only measured, not parsed, so that the server and not this process is the limit.
Only this machine is ever asked, for a bounded time and with a bounded number of requests.
"""

import asyncio
import json
import os
import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import uvloop

FIGURE = b"@@@@@@@@@@@@"  # in a request, stands for a figure of as many characters, another one each time
_MOST_REQUESTS = 1_000_000
_DRAIN_SECONDS = 30
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Task:
    """What to send, where to, and for how long."""

    port: int
    server: int  # its process id, to read what CPU time it takes
    requests: list[str]
    connections: int
    seconds: float
    warm_up: float
    first: int  # which request, and which figure, to begin with


@dataclass(frozen=True)
class Result:
    """What was measured. `sent` counts every request that was answered, those of the warm-up too."""

    sent: int
    seconds: float
    latencies: list[float]
    server_cpu: float | None
    own_cpu: float


class LoadError(RuntimeError):
    """An answer that is no success: a fast error is no result."""


class Load:
    """One task under way, shared by its connections."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.requests = [request.encode() for request in task.requests]
        self.latencies: list[float] = []
        self.sent = 0
        self.began = self.ends = 0.0
        self.over = asyncio.get_running_loop().create_future()
        self.open = 0
        self._numbers = iter(range(task.first, task.first + _MOST_REQUESTS))

    def next_request(self) -> bytes | None:
        """What to send next; None when the time is over."""
        number = next(self._numbers, None) if time.perf_counter() < self.ends else None
        if number is None:
            return None
        request = self.requests[number % len(self.requests)]
        return request.replace(FIGURE, b"%.6f" % (10_000 + number / 1e6)) if FIGURE in request else request

    async def run(self) -> Result:
        """Send requests until the time is over and the last answer is there."""
        loop, task = asyncio.get_running_loop(), self.task
        self.began = time.perf_counter() + task.warm_up
        self.ends = self.began + task.seconds
        self.open = task.connections
        for _ in range(task.connections):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", task.port)
        async with asyncio.timeout(task.warm_up + task.seconds + _DRAIN_SECONDS):
            (server_cpu, own_cpu), _ = await asyncio.gather(self._measure_cpu(), self.over)
        return Result(self.sent, task.seconds, self.latencies, server_cpu, own_cpu)

    async def _measure_cpu(self) -> tuple[float | None, float]:
        """The CPU time that the server and this process take between warm-up and end."""
        await asyncio.sleep(self.began - time.perf_counter())
        server, own = cpu_seconds(self.task.server), time.process_time()
        await asyncio.sleep(self.ends - time.perf_counter())
        server_after = cpu_seconds(self.task.server)
        spent = server_after - server if server is not None and server_after is not None else None
        return spent, time.process_time() - own

    def note_answer(self, sent_at: float) -> None:
        """Count an answer; it is measured if it came after the warm-up and before the end."""
        now = time.perf_counter()
        self.sent += 1
        if self.began <= now <= self.ends:
            self.latencies.append(now - sent_at)

    def note_end(self, error: Exception | None) -> None:
        """A connection has no more to do, or failed."""
        self.open -= 1
        if self.over.done():
            return
        if error is not None:
            self.over.set_exception(error)
        elif self.open == 0:
            self.over.set_result(None)


class Connection(asyncio.Protocol):
    """One kept-alive connection that sends a request as soon as the last one is answered."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.received = b""
        self.expected = 0
        self.sent_at = 0.0
        self.busy = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        request = self.load.next_request()
        if request is None:
            self._end(None)
            return
        self.received, self.expected = b"", 0
        self.sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer; most come in one."""
        self.received += data
        if not self.expected:
            self.expected = whole_length(self.received)
        if not self.expected or len(self.received) < self.expected:
            return
        if self.received[9:10] != b"2":
            self._end(LoadError(self.received.decode(errors="replace")[:4000]))
            return
        self.load.note_answer(self.sent_at)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed: an error, unless all is done."""
        if self.busy:
            self._end(LoadError(f"the server closed the connection: {exc}"))

    def _end(self, error: Exception | None) -> None:
        self.busy = False
        self.transport.close()
        self.load.note_end(error)


def whole_length(received: bytes) -> int:
    """How long an answer is with its head, as soon as the head is there; 0 before. Raises LoadError."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return 0
    length = _LENGTH.search(received, 0, end)
    if length is None:
        raise LoadError(f"an answer without Content-Length: {received[:end].decode(errors='replace')}")
    return end + 4 + int(length[1])


def cpu_seconds(pid: int) -> float | None:
    """The CPU time a process has taken, all its threads together; None where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # a name in parentheses may hold anything
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _main() -> None:
    result = await Load(Task(**json.load(sys.stdin))).run()
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    try:
        uvloop.run(_main())
    except LoadError as error:
        sys.exit(str(error))
