"""Who asks: a bearer key becomes a `Caller`, and a scope says what that caller may do."""

import functools
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import select
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

_KEYS = (
    select(
        *(col(Key.prefix), col(Key.secret_hash), col(Key.scopes), col(Key.expires_at)),
        *(col(Client.id), col(Client.code)),
    )
    .join(Client, col(Client.id) == col(Key.client_id))
    .where(col(Key.revoked_at).is_(None), col(Client.disabled_at).is_(None))
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
        return scope in _granted(self.scopes)

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
    found, version = await store.find_versioned(_KEYS, key["prefix"])
    if found is None:
        raise _unauthenticated()
    _, secret_hash, scopes, expires_at, client_id, code = found
    if not hmac.compare_digest(secret_hash, hash_key(key[0])):
        raise _unauthenticated()
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise _unauthenticated()
    return Caller(client_id, code, _scopes(scopes), request_id.get() or ""), version


@functools.cache
def _scopes(words: str) -> frozenset[Scope]:
    return frozenset(map(Scope, words.split()))


@functools.cache
def _granted(held: frozenset[Scope]) -> frozenset[Scope]:
    return frozenset(included for scope in held for included in _INCLUDED[scope])


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
