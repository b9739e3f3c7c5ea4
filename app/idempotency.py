"""Sending again safely: the answer to a write is kept under its `Idempotency-Key`, for whoever sends the write again.

It is kept in the transaction of the write, so there is never the one without the other. A refusal leaves nothing:
what was wrong can be mended and sent under the same key.
"""

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import Request, Response
from sqlalchemy import bindparam, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from app.auth import Caller
from app.db import hardly_waiting
from app.errors import ErrorCode, IdempotencyKeyInUse, IdempotencyKeyReused, invalid
from app.statements import fetch
from app.tables import IdempotencyKey
from app.types import Json

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
# 1 to 255 visible characters: a string of RFC 8941, or bare where no character means something to such headers
KEY_PATTERN = r'^([!#-+\--:<-\[\]-~]{1,255}|"([!#-\[\]-~]|\\["\\]){1,255}")$'
MOST_CLEARED = 10  # expired answers that one write clears away: more than it adds, and too few to be felt

_OF_KEY = (col(IdempotencyKey.client_id) == bindparam("of_client"), col(IdempotencyKey.key) == bindparam("of_key"))
_FORGET = delete(IdempotencyKey).where(*_OF_KEY)
_FORGET_EXPIRED = _FORGET.where(col(IdempotencyKey.created_at) <= bindparam("expired"))
_CLAIM = {
    "postgresql": postgresql.insert(IdempotencyKey).on_conflict_do_nothing().returning(col(IdempotencyKey.key)),
    "sqlite": sqlite.insert(IdempotencyKey).on_conflict_do_nothing().returning(col(IdempotencyKey.key)),
}
_KEPT = select(
    col(IdempotencyKey.fingerprint),
    col(IdempotencyKey.status),
    col(IdempotencyKey.headers),
    col(IdempotencyKey.body),
).where(*_OF_KEY)
_KEEP = update(IdempotencyKey).where(*_OF_KEY)
# who clears away waits for nobody: what another one is clearing is passed over
_EXPIRED = (
    select(col(IdempotencyKey.client_id), col(IdempotencyKey.key))
    .where(col(IdempotencyKey.created_at) <= bindparam("expired"))
    .order_by(col(IdempotencyKey.created_at))
    .limit(MOST_CLEARED)
    .with_for_update(skip_locked=True)
)
_CLEAR = delete(IdempotencyKey).where(
    tuple_(col(IdempotencyKey.client_id), col(IdempotencyKey.key)).in_(bindparam("keys", expanding=True))
)


@dataclass(frozen=True)
class KeyedRequest:
    """A request that bears a key: whose it is, what it asks for, and how long its answer is kept."""

    client_id: int
    key: str
    asked: tuple[str, ...]
    body: bytes
    kept_for: timedelta

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of all that makes it another request: method, path, query, body, its type and that of the answer."""
        found = hashlib.sha256(json.dumps(self.asked).encode())
        found.update(self.body)
        return found.hexdigest()

    @property
    def place(self) -> Json:
        """Where its answer is kept, as parameters of the statements above."""
        return {"of_client": self.client_id, "of_key": self.key}


_keyed: ContextVar[KeyedRequest | None] = ContextVar("keyed_request", default=None)
_running: dict[tuple[str, int, str], object] = {}


def read_key(request: Request) -> str | None:
    """The key that a request bears, without its quotes. Raises InvalidRequest for one that is malformed or repeated."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1 or not re.fullmatch(KEY_PATTERN, given[0]):
        raise invalid(f"/header/{HEADER}", ErrorCode.idempotency_key_invalid)
    key = given[0]
    return re.sub(r"\\(.)", r"\1", key[1:-1]) if key.startswith('"') else key


@contextmanager
def keyed(request: Request, key: str | None, body: bytes) -> Iterator[None]:
    """Serve a request under its key, if it bears one. Raises IdempotencyKeyInUse while the same key is being served."""
    if key is None:
        yield
        return
    caller: Caller = request.state.caller
    assert caller.client_id is not None  # noqa: S101 - only the command line is no client
    headers = (request.headers.get(name, "") for name in ("content-type", "accept"))
    asked = (request.method, request.url.path, request.url.query, *headers)
    kept_for = timedelta(hours=request.app.state.settings.idempotency_hours)
    # in this process it is known at once; of other processes the database tells, below
    name, mine = (request.app.state.database.url, caller.client_id, key), object()
    if _running.setdefault(name, mine) is not mine:
        raise _in_use()
    token = _keyed.set(KeyedRequest(caller.client_id, key, asked, body, kept_for))
    try:
        yield
    finally:
        _keyed.reset(token)
        del _running[name]


def answered_once(endpoint: Callable[..., Any], status: int) -> Callable[..., Any]:
    """A route function that answers a keyed request as it did the first time; `status` is what it answers by default.

    It runs inside the transaction that wraps it. A dry run leaves nothing, so it takes no notice of a key.
    """

    @functools.wraps(endpoint)
    def run(*, session: Session, **arguments: Any) -> Any:
        request = _keyed.get()
        if request is None or any(getattr(argument, "dry_run", False) for argument in arguments.values()):
            return endpoint(session=session, **arguments)
        kept = _claim(session, request)
        if kept is not None:
            return kept
        answer = _rendered(endpoint(session=session, **arguments), status, arguments)
        _keep(session, request, answer)
        return answer

    return run


def _claim(session: Session, request: KeyedRequest) -> Response | None:
    """Take the key for this transaction; where it is taken, the answer that was given then."""
    now = datetime.now(UTC)
    new: Json = {"status": 0, "headers": "", "body": b"", "created_at": now}
    new |= {"client_id": request.client_id, "key": request.key, "fingerprint": request.fingerprint}
    connection = session.connection()
    # another process that is serving the key holds its row until it commits
    with hardly_waiting(session, _in_use()):
        connection.execute(_FORGET_EXPIRED, request.place | {"expired": now - request.kept_for})
        if connection.execute(_CLAIM[connection.dialect.name], new).first() is not None:
            return None
    found = fetch(session, _KEPT, **request.place)
    if not found:  # its time ran out between the two questions, and another host has cleared it away
        raise _in_use()
    fingerprint, status, headers, body = found[0]
    if fingerprint != request.fingerprint:
        raise IdempotencyKeyReused(key=request.key)
    answer = Response(body, status)
    for name, value in json.loads(headers):
        answer.headers.append(name, value)
    answer.headers[REPLAYED] = "true"
    return answer


def _rendered(answer: Any, status: int, arguments: Mapping[str, Any]) -> Response:
    """What a route function returns as the bytes that are sent, made as the framework makes them."""
    if isinstance(answer, Response):
        return answer
    injected = next((one for one in arguments.values() if isinstance(one, Response)), Response())
    content = answer.model_dump_json(by_alias=True)
    rendered = Response(content, injected.status_code or status, media_type="application/json")
    rendered.raw_headers.extend(header for header in injected.raw_headers if header[0] != b"content-length")
    return rendered


def _keep(session: Session, request: KeyedRequest, answer: Response) -> None:
    connection = session.connection()
    if answer.status_code >= 300:
        connection.execute(_FORGET, request.place)  # a refusal that was returned, not raised
        return
    headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
    content: Json = {"status": answer.status_code, "headers": json.dumps(headers), "body": bytes(answer.body)}
    connection.execute(_KEEP, request.place | content)
    # last of all, so that nobody who needs one of these rows waits long
    expired = fetch(session, _EXPIRED, expired=datetime.now(UTC) - request.kept_for)
    if expired:
        connection.execute(_CLEAR, {"keys": [tuple(row) for row in expired]})


def _in_use() -> IdempotencyKeyInUse:
    return IdempotencyKeyInUse(headers={"Retry-After": "1"})
