"""The parser below `zeren serve`: however a stream of requests is cut into segments, each gets its own answer."""

import asyncio
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from app.middleware import AroundEveryRequest
from app.protocol import MOST_UNFINISHED, Protocol

OFFERS = {
    "h2c": [b"Connection: keep-alive, Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAEAAEAAAAIAAAAB"],
    "websocket": [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
}
HOST = b"Host: zeren.test"
OK = b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Sent:
    """A request of a stream."""

    method: str = "GET"
    path: str = "/x"
    body: bytes | None = None
    chunks: list[int] = field(default_factory=list)  # where the body is cut into chunks; none: a Content-Length
    offer: str | None = None

    def bytes(self) -> bytes:
        """As it goes over the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1".encode(), HOST, *OFFERS.get(self.offer or "", [])]
        if self.body is None:
            return b"\r\n".join([*lines, b"", b""])
        if not self.chunks:
            return b"\r\n".join([*lines, b"Content-Length: %d" % len(self.body), b"", self.body])
        parts = [self.body[a:b] for a, b in zip([0, *self.chunks], [*self.chunks, len(self.body)], strict=True)]
        framed = [b"%x;name=value\r\n%s\r\n" % (len(part), part) for part in parts if part]
        return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b"".join(framed) + b"0", b"Host: y", b"", b""])

    def answer(self) -> dict[str, Any]:
        """What `echo` says to it."""
        method = "GET" if self.method == "HEAD" else self.method
        body = sha256(self.body or b"").hexdigest()
        return {"method": method, "path": quote(self.path, safe="/?=&"), "hosts": ["zeren.test"], "body": body}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell what a request was."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    told = {
        "method": scope["method"],
        "path": scope["raw_path"].decode() + ("?" + scope["query_string"].decode() if scope["query_string"] else ""),
        "hosts": [value.decode() for name, value in scope["headers"] if name == b"host"],
        "body": sha256(body).hexdigest(),
    }
    content = json.dumps(told).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]})
    await send({"type": "http.response.body", "body": content})


class Wire(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.written, self.closed, self.reading = b"", False, asyncio.Event()
        self.reading.set()

    def write(self, data: Any) -> None:
        """Keep it, unless the connection is closed."""
        assert not self.closed
        self.written += data

    def close(self) -> None:
        """End it."""
        if not self.closed:
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)
        self.closed = True
        self.reading.set()

    def is_closing(self) -> bool:
        """Whether it is ended."""
        return self.closed

    def pause_reading(self) -> None:
        """Deliver nothing."""
        self.reading.clear()

    def resume_reading(self) -> None:
        """Go on."""
        self.reading.set()


async def converse(segments: list[bytes]) -> tuple[bytes, bool]:
    """What is answered to segments that come one by one, and whether the connection is closed then."""
    config = Config(AroundEveryRequest(echo), http=Protocol, ws="none", log_config=None, access_log=False)
    config.load()
    state = ServerState()
    protocol = Protocol(config, state, {})
    wire = Wire(protocol)
    protocol.connection_made(wire)
    for segment in segments:
        await asyncio.wait_for(wire.reading.wait(), 10)
        if wire.closed:
            break
        protocol.data_received(segment)
        await asyncio.sleep(0)
    for _ in range(100):  # turns of the loop: what waits then, waits for more to come
        await asyncio.sleep(0)
    written, closed = wire.written, wire.closed
    wire.close()
    await asyncio.wait_for(asyncio.gather(asyncio.sleep(0), *state.tasks), 10)
    return written, closed


def exchange(*segments: bytes) -> tuple[bytes, bool]:
    return asyncio.run(converse(list(segments)))


def answers(written: bytes, methods: list[str]) -> list[tuple[int, dict[str, Any] | None]]:
    """Statuses and bodies of answers to requests by these methods."""
    found = []
    for method in methods:
        head, _, written = written.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = 0 if method == "HEAD" else int(headers["content-length"])
        found.append((int(status.split()[1]), json.loads(written[:length]) if length else None))
        written = written[length:]
    assert written == b""
    return found


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """A stream in segments; the places are taken round its length."""
    ends = sorted({place % len(stream) for place in places} - {0})
    return [stream[a:b] for a, b in zip([0, *ends], [*ends, len(stream)], strict=True)]


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """A request as well-behaved clients send it."""
    sent = Sent(draw(st.sampled_from(["GET", "HEAD", "POST"])), draw(st.sampled_from(["/", "/a/b?c=d&e=f"])))
    if sent.method == "POST" or draw(st.booleans()):
        size = draw(st.sampled_from([0, 1, 2, 100, 70_000, 200_000]))
        sent.body = (draw(st.sampled_from(["\r\n\r\n", "GET / HTTP/1.1\r\n", "教育局"])).encode() * size)[:size]
        sent.chunks = sorted(draw(st.lists(st.integers(0, size), max_size=3)))
    sent.offer = draw(st.sampled_from([None, "h2c", "websocket"]))
    return sent


class TestSegments:
    @given(stream=st.lists(requests(), min_size=1, max_size=4), places=st.lists(st.integers(0, 10**6), max_size=12))
    @example(stream=[Sent("POST", body=b"12345", offer="h2c"), Sent()], places=list(range(300)))
    @example(stream=[Sent("POST", body=b"12345", chunks=[2], offer="h2c"), Sent(offer="h2c")], places=list(range(500)))
    def test_each_request_gets_its_answer_however_they_are_cut(self, stream: list[Sent], places: list[int]) -> None:
        written, closed = exchange(*cut(b"".join(sent.bytes() for sent in stream), places))
        found = answers(written, [sent.method for sent in stream])
        assert found == [(200, None if sent.method == "HEAD" else sent.answer()) for sent in stream]
        assert not closed

    @given(places=st.lists(st.integers(0, 10**6), max_size=12))
    @example(places=list(range(200)))
    def test_typed_chinese_is_understood_however_it_is_cut(self, places: list[int]) -> None:
        sent = Sent("POST", "/市教育局?unit=教育", "教育局".encode(), offer="h2c")
        written, _ = exchange(*cut(sent.bytes(), places))
        assert answers(written, ["POST"]) == [(200, sent.answer())]

    @given(places=st.lists(st.integers(0, 10**6), max_size=12))
    @example(places=list(range(200)))
    @pytest.mark.parametrize(
        "broken",
        [
            b"NO HTTP\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nUpgrade:a\r\nConnection:upgrade\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
        ],
    )
    def test_broken_request_is_refused_after_the_answers_to_those_before(
        self, broken: bytes, places: list[int]
    ) -> None:
        written, closed = exchange(*cut(Sent("POST", body=b"abc").bytes() + Sent().bytes() + broken, places))
        (first, second, refusal) = answers(written, ["POST", "GET", "POST"])
        assert (first, second) == ((200, Sent("POST", body=b"abc").answer()), (200, Sent().answer()))
        assert (refusal[0], (refusal[1] or {})["code"]) == (400, "bad_request")
        assert closed


class TestRefused:
    @pytest.mark.parametrize(
        "head",
        [
            b"GET /a HTTP/1.1\r\nHost: x\r\nHost: y",
            b"GET /a HTTP/1.0\r\nHost: x\r\nHost: y",
            b"GET /a HTTP/1.1",
            b"GET /a HTTP/2.0\r\nHost: x",
            b"GET /a HTTP/1.9\r\nHost: x",
            b"GET /a",
            b"PRI * HTTP/2.0",
            b"CONNECT x:443 HTTP/1.1\r\nHost: x",
            b"GET ?a HTTP/1.1\r\nHost: x",
            b"FOO /a HTTP/1.1\r\nHost: x",
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3",
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3",
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +3",
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999",
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length : 3",
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip",
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked",
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked",
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked",
            b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked",
            b"GET /a HTTP/1.1\r\nHost: x\r\nX: y\r\n z",
            b"GET /a HTTP/1.1\r\nHost: x\r\nX: y\rz",
            b"GET /a HTTP/1.1\nHost: x",
        ],
    )
    def test_what_others_may_read_otherwise_400_and_nothing_behind_it_is_served(self, head: bytes) -> None:
        for offer in (b"", b"\r\nConnection: Upgrade\r\nUpgrade: h2c"):
            written, closed = exchange(head + offer + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + OK)
            ((status, problem),) = answers(written, ["GET"])
            assert (status, (problem or {})["code"], closed) == (400, "bad_request", True)

    @pytest.mark.parametrize("size", [b"zz", b"0x3", b"-3", b"3 ", b"fffffffffffffffff", b""])
    def test_chunk_of_no_size_400(self, size: bytes) -> None:
        head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        written, closed = exchange(head, size + b"\r\nabc\r\n0\r\n\r\n" + OK)
        assert ([status for status, _ in answers(written, ["POST"])], closed) == ([400], True)

    @pytest.mark.parametrize(
        ("head", "more"),
        [
            (b"GET /", b"a"),
            (b"GET / HTTP/1.1\r\n", b"a"),
            (b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"a"),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: aaaaaaaaaaaa\r\n"),
            (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
            (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: aaaaaaaaaaaa\r\n"),
            (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a"),
        ],
    )
    def test_what_never_ends_400_after_64_kib(self, head: bytes, more: bytes) -> None:
        segment = (more * 1024)[: 1024 // len(more) * len(more)]
        written, closed = exchange(head, *[segment] * (MOST_UNFINISHED // len(segment) - 1))
        assert (written, closed) == (b"", False)
        written, closed = exchange(head, *[segment] * (MOST_UNFINISHED // len(segment) + 2))
        assert ([status for status, _ in answers(written, ["GET"])], closed) == ([400], True)
