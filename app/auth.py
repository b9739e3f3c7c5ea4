"""Who asks: a bearer key becomes a `Caller`, and a scope says what that caller may do."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import bindparam, select
from sqlmodel import col

from app.errors import Forbidden, Unauthenticated
from app.hot import HotStore
from app.request_ids import request_id
from app.tables import Client, Key
from app.types import Scope

_KEY = re.compile(r"zrn_(?P<prefix>[0-9a-f]{10})_[0-9a-f]{40}")
_INCLUDED = {
    Scope.read: {Scope.read},
    Scope.report: {Scope.read, Scope.report},
    Scope.review: {Scope.read, Scope.review},
    Scope.admin: set(Scope),
}

_KEY_OF_PREFIX = (
    select(col(Key.secret_hash), col(Key.scopes), col(Key.expires_at), col(Client.id), col(Client.code))
    .join(Client, col(Client.id) == col(Key.client_id))
    .where(col(Key.prefix) == bindparam("prefix"), col(Key.revoked_at).is_(None), col(Client.disabled_at).is_(None))
)


@dataclass(frozen=True)
class Caller:
    """Who a request or a command speaks for; `client_id` is None for the command line."""

    client_id: int | None
    code: str
    scopes: frozenset[Scope]
    request_id: str

    def may(self, scope: Scope) -> bool:
        """Whether the caller has a scope, itself or in a wider one."""
        return any(scope in _INCLUDED[held] for held in self.scopes)

    @classmethod
    def command_line(cls) -> "Caller":
        """The person at the server's own keyboard, who may do everything."""
        return cls(None, "command-line", frozenset({Scope.admin}), secrets.token_hex(16))


@dataclass(frozen=True)
class MintedKey:
    """A new key: the text goes to its owner once, prefix and hash into the database."""

    text: str
    prefix: str
    secret_hash: str


def mint_key() -> MintedKey:
    """A random key of 160 bits, `zrn_<prefix>_<secret>`."""
    prefix = secrets.token_hex(5)
    text = f"zrn_{prefix}_{secrets.token_hex(20)}"
    return MintedKey(text, prefix, hash_key(text))


def hash_key(text: str) -> str:
    """SHA-256 of a key; a slow hash would guard nothing, since the key is random and long."""
    return hashlib.sha256(text.encode()).hexdigest()


async def authenticate(store: HotStore, authorization: str | None) -> tuple[Caller, object]:
    """The caller whose key stands in an `Authorization` header, and the version of the database that knew it.

    Raises Unauthenticated for a missing, unknown, expired or revoked key, without saying which.
    """
    scheme, _, text = (authorization or "").partition(" ")
    key = _KEY.fullmatch(text.strip())
    if scheme.lower() != "bearer" or key is None:
        raise _unauthenticated()
    rows, version = await store.fetch_versioned(_KEY_OF_PREFIX, prefix=key["prefix"])
    if not rows:
        raise _unauthenticated()
    secret_hash, scopes, expires_at, client_id, code = rows[0]
    if not hmac.compare_digest(secret_hash, hash_key(key[0])):
        raise _unauthenticated()
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise _unauthenticated()
    caller = Caller(client_id, code, frozenset(map(Scope, scopes.split())), request_id.get() or "")
    return caller, version


def _unauthenticated() -> Unauthenticated:
    return Unauthenticated(headers={"WWW-Authenticate": 'Bearer realm="zeren"'})


def require(caller: Caller, scope: Scope) -> None:
    """Refuse a caller who lacks a scope. Raises Forbidden."""
    if not caller.may(scope):
        held = " ".join(sorted(caller.scopes))
        raise Forbidden(
            headers={"WWW-Authenticate": f'Bearer realm="zeren", error="insufficient_scope", scope="{scope}"'},
            scope=scope.value,
            scopes=held,
        )


def get_caller(request: Request) -> Caller:
    """The caller that the route has authenticated before it read the body."""
    caller: Caller = request.state.caller
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]
