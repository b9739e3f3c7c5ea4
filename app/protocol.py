"""The HTTP protocol of `zeren serve`: uvicorn on httptools, kind to those who type, one shape for every refusal."""

import asyncio
import logging
import re
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.errors import BadRequest
from app.messages import Language
from app.middleware import ON_EVERY_ANSWER
from app.problems import PROBLEM_MEDIA_TYPE, make_problem
from app.request_ids import new_request_id

MOST_UNFINISHED = 65_536  # bytes of a head, or between two parts of a body, before the parser can tell what they are
log = logging.getLogger("zeren.protocol")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


class Pairing:
    """A transport that sends two writes as one: uvicorn writes an answer's head and then its body.

    To send is what a small answer costs most, and to be woken twice what costs its reader. Nothing is held back when
    the event loop turns to something else.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] = []
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send this with what was written before, or hold it until there is more, or a moment."""
        self._held.append(data)
        if len(self._held) == 1:
            asyncio.get_running_loop().call_soon(self._send)
        else:
            self._send()

    def close(self) -> None:
        """Send what is left, and end the connection."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._held:
            held, self._held = self._held, []
            if not self.is_closing():
                self._transport.writelines(held)


class Protocol(HttpToolsProtocol):
    """One connection.

    The parser is fast and has few opinions. What is added: `?unit=市教育局` as people type it is taken for its
    percent-encoding; an offer to change the protocol is declined and the request served (Java's HttpClient makes one
    with every request); what the standard forbids, and what never ends, is refused; a refusal is a problem like any
    other and comes after the answers to the requests before it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._between = True  # two requests, or before the first
        self._in_head = False
        self._in_first_line = True  # what comes next begins a request, or goes on with its first line
        self._hosts = 0
        self._offered = False
        self._progress = False  # the parser has told of a head or a part of a body
        self._unfinished = 0
        self._refused: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self.transport = Pairing(transport)  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Bytes from the network, cut anywhere."""
        self._unset_keepalive_if_required()
        if self._refused is not None:
            return
        if self._in_first_line:
            data = self._without_chinese(data)
        self._progress = False
        try:
            self._parse(data)
        except HttpParserError as error:
            self._refuse(str(error.__context__ or error))
            return
        self._in_first_line |= self._between
        self._unfinished = 0 if self._progress else self._unfinished + len(data)
        if self._unfinished > MOST_UNFINISHED:
            self._refuse("too long")

    def _without_chinese(self, data: bytes) -> bytes:
        """Percent-encode what stands in the first line; that of a request whose beginning came with another's end
        is left as it is, since nobody types those."""
        line, end, rest = data.partition(b"\n")
        self._in_first_line = not end
        return data if line.isascii() else _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], line) + end + rest

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as offer:
                # this parser takes the body for the other protocol's; a new one reads the request without the offer
                data = data[offer.args[0] :]
                head = self._head_without_offer()
                self.parser = HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
                self.parser.feed_data(head)
            else:
                return

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                value = b",".join(one for one in value.split(b",") if one.strip().lower() != b"upgrade")
            lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        """The parser found the first byte of a request."""
        self._between, self._in_head, self._hosts, self._offered = False, True, 0, False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser found a header, or a trailer: those nobody here asks for."""
        if not self._in_head:
            return
        name, value = name.lower(), value.rstrip(b" \t")
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            raise ValueError("unknown Transfer-Encoding")
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The parser found the end of a head. Raises ValueError for what it should not have taken."""
        self._progress = True
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise ValueError("unknown version")
        if self._hosts != 1 and (version == "1.1" or self._hosts):
            raise ValueError(f"{self._hosts} Host headers")
        if version == "1.0" and any(name == b"transfer-encoding" for name, _ in self.headers):
            raise ValueError("Transfer-Encoding in HTTP/1.0")
        if self.parser.get_method() == b"CONNECT":
            raise ValueError("no proxy")
        if self.parser.should_upgrade():
            self._offered = True
        else:
            super().on_headers_complete()
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        """The parser found a part of a body."""
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The parser found the end of a request."""
        if self._offered:
            return
        self._between = self._progress = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is sent; the next may begin, or the refusal that waits for its turn."""
        last = not self.pipeline
        super().on_response_complete()
        if self._refused is not None and last and not self.transport.is_closing():
            self.send_400_response(self._refused)

    def _refuse(self, reason: str) -> None:
        """Read no more; answer when the requests before the broken one are answered."""
        self._refused = reason
        in_body = not self._in_head and not self._between
        if in_body and self.pipeline:
            self.pipeline.popleft()  # the broken one itself, which has not begun
        elif self.cycle is None or self.cycle.response_complete or in_body:
            self.send_400_response(reason)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP, unless an answer is on its way already, and end the connection."""
        request_id = new_request_id()
        log.info("no HTTP: %s", msg, extra={"status": HTTPStatus.BAD_REQUEST, "request_id": request_id})
        body = make_problem(BadRequest(), Language.zh, "", request_id).model_dump_json().encode()
        headers = [
            *self.server_state.default_headers,
            *ON_EVERY_ANSWER,
            (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        running = self.cycle is not None and not self.cycle.response_complete
        if not (running and self.cycle.response_started):
            lines = [b"%s: %s\r\n" % header for header in headers]
            self.transport.write(b"".join([STATUS_LINE[HTTPStatus.BAD_REQUEST], *lines, b"\r\n", body]))
        if running:
            self.cycle.disconnected = True  # what it may still send would be taken for another answer
            self.cycle.message_event.set()
        self.transport.close()
