"""The load generator, a process of its own: `python -m bench.load` reads a `Task` as JSON and writes a `Result`.

It keeps some connections open, and on each sends the next request as soon as the last one is answered. Requests are
bytes made beforehand, answers are counted and not parsed, and nothing but `poll` stands between the sockets and this
loop, so that the server and not this process is the limit.
Only this machine is ever asked, for a bounded time and with a bounded number of requests.
"""

import json
import re
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field

from bench.machine import cpu_seconds

FIGURE = b"@@@@@@@@@@@@"  # in a request, stands for a figure of as many characters, another one each time
_MOST_REQUESTS = 1_000_000
_DRAIN_SECONDS = 30
_MOST_BYTES = 1 << 18  # taken from a connection at once
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


@dataclass(frozen=True)
class Task:
    """What to send, where to, and for how long."""

    port: int
    server: int  # its process id, to read what CPU time it takes
    database: int | None  # that of its database, where that is a process
    requests: list[str]
    connections: int
    seconds: float
    warm_up: float
    first: int  # which request, and which figure, to begin with
    status: str = "2"  # how the status of each answer must begin
    posts: list[str] = field(default_factory=list)  # sent beside the others, one after another
    posts_a_second: float = 0


@dataclass(frozen=True)
class Result:
    """What was measured. `sent` and `posted` count all that was answered, in the warm-up too."""

    sent: int
    posted: int
    seconds: float
    latencies: list[float]
    server_cpu: float | None
    database_cpu: float | None
    own_cpu: float


class LoadError(RuntimeError):
    """An answer that is not the one expected: a fast error is no result."""


class Connection:
    """One kept-alive connection."""

    _buffer = bytearray(_MOST_BYTES)  # of all: what is in it is looked at before the next one's answer

    def __init__(self, port: int, status: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._status = status.encode()
        self._begun = b""  # a head that has not come whole
        self._left = 0  # bytes of the answer that have not come; -1 before its head, -2 where chunks follow

    def send(self, request: bytes) -> None:
        """Send a request; the last one is answered."""
        self._begun, self._left = b"", -1
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what has come, and say whether the answer is whole. Raises LoadError."""
        buffer = self._buffer
        count = self.socket.recv_into(buffer)
        if not count:
            raise LoadError("the server closed the connection")
        if self._left > 0:
            self._left -= count
        elif self._left == -1:
            if self._begun or buffer.find(b"\r\n\r\n", 0, count) < 0:
                self._begun += buffer[:count]
                if b"\r\n\r\n" not in self._begun:
                    return False
                self._left = self._left_after(self._begun, len(self._begun))
            else:
                self._left = self._left_after(buffer, count)
        if self._left == -2:  # the server sends the last chunk by itself, or at the end of what it sends
            return buffer[:count].endswith(b"0\r\n\r\n")
        return self._left == 0

    def _left_after(self, received: bytes | bytearray, count: int) -> int:
        """How much of an answer is to come yet, of which the head and perhaps more is there."""
        end = received.find(b"\r\n\r\n") + 4
        if not received.startswith(self._status, 9):
            raise LoadError(received[:count].decode(errors="replace")[:4000])
        if received.startswith(b"304", 9):
            return end - count
        length = _LENGTH.search(received, 0, end)
        if length is not None:
            return end + int(length[1]) - count
        if _CHUNKED.search(received, 0, end) is None:
            raise LoadError(f"an answer without a length: {received[:end].decode(errors='replace')}")
        return -2


class Load:
    """One task under way."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._requests = self._drawn(task.requests, task.first)
        self._posts = self._drawn(task.posts, task.first)
        self._latencies: list[float] = []
        self._sent = self._posted = 0
        self._spent: list[tuple[float | None, float | None, float]] = []  # CPU time, at the begin and at the end

    @staticmethod
    def _drawn(texts: list[str], first: int) -> Iterator[bytes]:
        """Requests by turns, each figure another one."""
        requests = [text.encode() for text in texts]
        for number in range(first, first + _MOST_REQUESTS):
            request = requests[number % len(requests)]
            yield request.replace(FIGURE, b"%.6f" % (10_000 + number / 1e6)) if FIGURE in request else request

    def run(self) -> Result:
        """Send requests until the time is over and the last answer is there. Raises LoadError."""
        with ExitStack() as stack:
            return self._run(stack)

    def _run(self, stack: ExitStack) -> Result:
        task = self.task
        began = time.perf_counter() + task.warm_up
        ends = began + task.seconds
        milestones = [began, ends, ends + _DRAIN_SECONDS]
        poster = Poster(self._posts, task, self._connect(stack)) if task.posts else None
        busy = {one.socket.fileno(): one for one in (self._connect(stack) for _ in range(task.connections))}
        for connection in busy.values():
            connection.send(next(self._requests))
        polled = select.poll()
        for number in (*busy, *([poster.number] if poster is not None else [])):
            polled.register(number, select.POLLIN)
        while busy:
            now = time.perf_counter()
            if now >= milestones[0]:
                del milestones[0]
                self._note_cpu(over=not milestones)
                continue
            due = min(milestones[0], poster.turn(now)) if poster is not None and now < ends else milestones[0]
            for number, _ in polled.poll(max(1.0, (due - now) * 1000)):
                if poster is not None and number == poster.number:
                    poster.take()
                elif busy[number].receive() and not self._go_on(busy[number], began, ends):
                    polled.unregister(number)
                    del busy[number]
        if len(milestones) > 1:
            self._note_cpu(over=False)
        return self._result(poster.finish() if poster is not None else 0)

    def _connect(self, stack: ExitStack) -> Connection:
        connection = Connection(self.task.port, self.task.status)
        stack.enter_context(closing(connection.socket))
        return connection

    def _go_on(self, connection: Connection, began: float, ends: float) -> bool:
        """Note an answer, if it came in time, and send the next request; False when the time is over."""
        now = time.perf_counter()
        self._sent += 1
        if began <= now <= ends:
            self._latencies.append(now - connection.sent_at)
        if now >= ends:
            return False
        connection.send(next(self._requests))
        return True

    def _note_cpu(self, *, over: bool) -> None:
        """Note what was taken until now. Raises LoadError where the time for the last answers is over as well."""
        if over:
            raise LoadError(f"some requests were not answered in {_DRAIN_SECONDS} s")
        database = self.task.database
        of_database = cpu_seconds(database) if database is not None else None
        self._spent.append((cpu_seconds(self.task.server), of_database, time.process_time()))

    def _result(self, posted: int) -> Result:
        before, after = self._spent
        server, database, own = (
            end - begin if begin is not None and end is not None else None
            for begin, end in zip(before, after, strict=True)
        )
        assert own is not None
        return Result(self._sent, posted, self.task.seconds, self._latencies, server, database, own)


class Poster:
    """A client that posts at a steady pace on a connection of its own, as long as answers come in time."""

    def __init__(self, posts: Iterator[bytes], task: Task, connection: Connection) -> None:
        self._posts = posts
        self._every = 1 / task.posts_a_second
        self._connection = connection
        self._due = time.perf_counter()
        self._waiting = False
        self._posted = 0
        self.number = self._connection.socket.fileno()

    def turn(self, now: float) -> float:
        """Post if it is time, and say when to be asked again."""
        if self._waiting:
            return now + self._every
        if now >= self._due:
            self._connection.send(next(self._posts))
            self._waiting = True
            self._due += self._every
        return self._due

    def take(self) -> None:
        """Take what has come of an answer."""
        if self._connection.receive():
            self._waiting = False
            self._posted += 1

    def finish(self) -> int:
        """Wait for the last answer; how many were posted."""
        self._connection.socket.settimeout(_DRAIN_SECONDS)
        while self._waiting:
            self.take()
        return self._posted


def main() -> None:
    """Do the task of the standard input."""
    result = Load(Task(**json.load(sys.stdin))).run()
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    try:
        main()
    except LoadError as error:
        sys.exit(str(error))
