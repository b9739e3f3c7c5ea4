"""What happens around every request: HEAD, headers that every answer carries, one log line, and the last catch."""

import logging
import re
import time
from asyncio import CancelledError

from anyio import move_on_after
from fastapi import FastAPI, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InternalError
from app.problems import problem_response

access_log = logging.getLogger("zeren.access")
log = logging.getLogger("zeren")
MOST_DRAINED, DRAIN_SECONDS = 64_000_000, 10
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    # the documentation page needs its inline script; nothing may come from elsewhere
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
}


class AroundEveryRequest:
    """HEAD is answered as GET without the body; every answer gets the safe headers; every request one log line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method, began, status = scope["method"], time.perf_counter(), 500
        if method == "HEAD":
            scope["method"] = "GET"

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            milliseconds = round((time.perf_counter() - began) * 1000, 1)
            caller = scope.get("state", {}).get("caller")
            facts = {"method": method, "path": scope["path"], "status": status, "milliseconds": milliseconds}
            access_log.info("request", extra=facts | {"client": caller.code if caller is not None else None})


class DrainRefused:
    """Reads what is left of a refused request's body before the answer ends the connection.

    A client that is still sending would meet a reset instead of the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # a client that waits for leave to send its body needs none for a refusal
        unread = Headers(scope=scope).get("expect", "").lower() != "100-continue"

        async def receive_and_note() -> Message:
            nonlocal unread
            message = await receive()
            unread = message.get("more_body", False)
            return message

        async def drain_and_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                left = MOST_DRAINED
                with move_on_after(DRAIN_SECONDS):
                    while unread and left > 0:
                        left -= len((await receive_and_note()).get("body", b""))
            await send(message)

        await self.app(scope, receive_and_note, drain_and_send)


class CatchEverything:
    """What no handler expected becomes the one 500, told in full in the log and in nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = False

        async def notice_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, notice_start)
        except (CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # the panics of libraries in Rust are no Exceptions
            if scope["type"] != "http" or started:
                raise
            log.exception("unexpected error")
            response = problem_response(Request(scope), InternalError())
            await response(scope, receive, send)


def add_middleware(app: FastAPI) -> None:
    """Wrap an application; the last one added is the outermost."""
    app.add_middleware(CatchEverything)
    app.add_middleware(DrainRefused)
    app.add_middleware(AroundEveryRequest)


def is_request_id(text: str) -> bool:
    """Whether a caller's `X-Request-ID` is harmless enough to be kept and written to logs."""
    return re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text) is not None
