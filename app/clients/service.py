"""Clients, the systems that call, and their keys."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller, mint_key
from app.changes.service import record_change
from app.db import moment
from app.errors import Conflict, NotFound
from app.tables import Client, ClientUnit, Key, Unit
from app.types import Scope


@dataclass(frozen=True)
class KeyFacts:
    """What may be told of a key; its secret is known to its owner alone."""

    prefix: str
    client: str
    scopes: list[str]
    units: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def create_key(
    session: Session,
    caller: Caller,
    client_code: str,
    scopes: Collection[Scope],
    units: Sequence[int] = (),
    expires_at: datetime | None = None,
) -> str:
    """A new key for a client, which is made if it is new, and bound to these units beside those it has.

    The answer is the key's text; it cannot be had again.
    """
    at = moment(session)
    client = session.execute(select(Client).where(col(Client.code) == client_code)).scalar_one_or_none()
    if client is None:
        client = Client(code=client_code, name=client_code, created_at=at)
        session.add(client)
        session.flush()  # keys and units need the client's key
        record_change(session, caller, "client", "created", client_code, {"code": client_code}, at=at)
    named = _bind(session, client, units)
    minted = mint_key()
    held = " ".join(sorted(set(scopes)))
    session.add(
        Key(
            client_id=client.id,
            prefix=minted.prefix,
            secret_hash=minted.secret_hash,
            scopes=held,
            created_at=at,
            expires_at=expires_at,
        )
    )
    data: dict[str, object] = {"client": client_code, "scopes": held, "units": named, "expires_at": expires_at}
    record_change(session, caller, "key", "created", minted.prefix, data, at=at)
    return minted.text


def _bind(session: Session, client: Client, units: Sequence[int]) -> list[str]:
    """Let a client speak for these units too; the answer is their codes."""
    present = select(col(ClientUnit.unit_id)).where(col(ClientUnit.client_id) == client.id)
    new = set(units) - set(session.execute(present).scalars())
    session.add_all(ClientUnit(client_id=client.id, unit_id=unit) for unit in sorted(new))
    codes = select(col(Unit.code)).where(col(Unit.id).in_(units)).order_by(col(Unit.code))
    return list(session.execute(codes).scalars())


def list_keys(session: Session) -> list[KeyFacts]:
    """All keys, revoked ones included, by client and age."""
    units: dict[int, list[str]] = {}
    bound = select(col(ClientUnit.client_id), col(Unit.name)).join(Unit, col(Unit.id) == col(ClientUnit.unit_id))
    for client_id, name in session.execute(bound.order_by(col(Unit.code))):
        units.setdefault(client_id, []).append(name)
    rows = session.execute(
        select(Key, col(Client.code))
        .join(Client, col(Client.id) == col(Key.client_id))
        .order_by(col(Client.code), col(Key.id))
    )
    return [
        KeyFacts(
            prefix=key.prefix,
            client=client,
            scopes=key.scopes.split(),
            units=units.get(key.client_id, []),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )
        for key, client in rows
    ]


def revoke_key(session: Session, caller: Caller, prefix: str) -> None:
    """End a key for good, named by the part between its underscores. Raises NotFound, Conflict where it has ended."""
    key = session.execute(select(Key).where(col(Key.prefix) == prefix).with_for_update()).scalar_one_or_none()
    if key is None:
        raise NotFound(resource="key", code=prefix)
    if key.revoked_at is not None:
        raise Conflict(constraint=f"key {prefix} is revoked already")
    key.revoked_at = moment(session)
    record_change(session, caller, "key", "revoked", prefix, {"revoked_at": key.revoked_at}, at=key.revoked_at)
