"""The limit to compare with: a bare Starlette application that has every answer in memory.

It answers the very bytes that the service answered for the same requests, and is served by the very `zeren serve`,
so that both have the same server, parser and settings. It asks no database, knows no caller and writes nothing.
"""

import base64
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.cli import main as zeren

ANSWERS = "BENCH_ANSWERS"  # names the file of answers


@dataclass(frozen=True)
class Answer:
    """What the service answered for a request: method, URL (as sent), status, ETag and body."""

    method: str
    url: str
    status: int
    etag: str
    body: str

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        return base64.b64decode(self.body)


def write_answers(path: Path, answers: list[Answer]) -> None:
    """Keep answers for the application, which is another process."""
    path.write_text(json.dumps([asdict(answer) for answer in answers]))


def create_app() -> Starlette:
    """The application with the answers of the file that `BENCH_ANSWERS` names."""
    answers = [Answer(**facts) for facts in json.loads(Path(os.environ[ANSWERS]).read_text())]
    found = {one.url.encode(): (one.content, one.etag.encode()) for one in answers if one.method == "GET"}
    content, status = next(((one.content, one.status) for one in answers if one.method == "POST"), (b"", 204))

    etags = {etag: {"ETag": etag.decode()} for _, etag in found.values()}

    def answer(scope: Any, url: bytes) -> Response:
        body, etag = found[url]
        for name, value in scope["headers"]:
            if name == b"if-none-match" and value == etag:
                return Response(status_code=304, headers=etags[etag])
        return Response(body, media_type="application/json", headers=etags[etag])

    async def of_query(request: Request) -> Response:
        scope = request.scope
        return answer(scope, scope["raw_path"] + b"?" + scope["query_string"])

    async def of_path(request: Request) -> Response:
        return answer(request.scope, request.scope["raw_path"])

    async def of_body(request: Request) -> Response:
        await request.body()
        return Response(content, status, media_type="application/json")

    return Starlette(
        routes=[
            Route("/api/v1/assignments", of_query),
            Route("/api/v1/targets", of_query),
            Route("/api/v1/targets/{target}", of_path),
            Route("/api/v1/values", of_body, methods=["POST"]),
        ]
    )


def main() -> None:
    """Run `zeren serve`, but with this application in the place of the service."""
    serve = uvicorn.run

    def serve_this(_service: str, **settings: Any) -> None:
        serve("bench.baseline:create_app", **settings)

    uvicorn.run = serve_this  # type: ignore[assignment]
    zeren()
