"""What happens around every request: its id, HEAD, headers of every answer, a log line, and the last catch."""

import logging
import time
from asyncio import CancelledError

from anyio import move_on_after
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InternalError
from app.logs import log_request
from app.problems import problem_response
from app.request_ids import request_id, request_id_of

log = logging.getLogger("zeren")
MOST_DRAINED, DRAIN_SECONDS = 64_000_000, 10
ON_EVERY_ANSWER = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    # the documentation page needs its inline script; nothing may come from elsewhere
    (
        b"content-security-policy",
        b"; ".join(
            [
                b"default-src 'self'",
                b"img-src 'self' data:",
                b"script-src 'self' 'unsafe-inline'",
                b"style-src 'self' 'unsafe-inline'",
                b"frame-ancestors 'none'",
            ]
        ),
    ),
]
_NAMES = frozenset(name for name, _ in ON_EVERY_ANSWER)
_BODY = frozenset([b"content-length", b"transfer-encoding"])


class AroundEveryRequest:
    """One layer, and no more than is needed of it: this is paid for by the smallest request.

    HEAD is answered as GET without the body; every answer has the safe headers and its request's id; every request
    leaves one log line; what no handler expected becomes the one 500, told in full in the log and in nothing else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, method, status = time.perf_counter(), scope["method"], 0
        sent = dict(scope["headers"])
        own_id = request_id_of(sent)
        request_id.set(own_id)
        if method == "HEAD":
            scope = {**scope, "method": "GET"}  # the server must go on to know that it was HEAD
        if not _BODY.isdisjoint(sent):
            receive, send = draining(sent, receive, send)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*with_safe_headers(message["headers"]), (b"x-request-id", own_id.encode())]
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except (CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # the panics of libraries in Rust are no Exceptions
            if status:
                raise
            log.exception("unexpected error")
            await problem_response(Request(scope), InternalError())(scope, receive, answer)
        finally:
            caller = scope.get("state", {}).get("caller")
            client = caller.code if caller is not None else None
            log_request(own_id, method, scope["path"], status or 500, time.perf_counter() - began, client)


def with_safe_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """An answer's headers and the safe ones; what a route has set itself stays."""
    names = {name for name, _ in headers}
    if _NAMES.isdisjoint(names):
        return [*headers, *ON_EVERY_ANSWER]
    return [*headers, *(header for header in ON_EVERY_ANSWER if header[0] not in names)]


def draining(headers: dict[bytes, bytes], receive: Receive, send: Send) -> tuple[Receive, Send]:
    """`receive` and `send` of a request with a body: what is left of it is read before a refusal is sent.

    A client that is still sending would meet a reset instead of the answer where the answer ends the connection. It
    does so where the rest is not read: the server could not tell the body from the next request.
    """
    unread = True
    # a client that waits for leave to send its body needs none for a refusal
    asks_for_leave = headers.get(b"expect", b"").lower() == b"100-continue"

    async def receive_and_note() -> Message:
        nonlocal unread, asks_for_leave
        asks_for_leave = False
        message = await receive()
        unread = message.get("more_body", False)
        return message

    async def drain_and_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] >= 400 and not asks_for_leave:
                left = MOST_DRAINED
                with move_on_after(DRAIN_SECONDS):
                    while unread and left > 0:
                        left -= len((await receive_and_note()).get("body", b""))
            if asks_for_leave or (unread and message["status"] >= 400):
                message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return receive_and_note, drain_and_send
