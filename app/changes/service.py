"""Every write leaves its change record here, in the transaction of the write."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import insert
from sqlmodel import Session

from app.auth import Caller
from app.db import write
from app.tables import Change

_INSERT = insert(Change)


def utc_now() -> datetime:
    """The time of a write."""
    return datetime.now(UTC)


def record_change(
    session: Session,
    caller: Caller,
    resource: str,
    verb: str,
    code: str,
    data: dict[str, object],
    *,
    at: datetime,
    plan_id: int | None = None,
    unit_id: int | None = None,
) -> None:
    """Write down that something changed: `<resource>.<verb>`, with the fields as they are now."""
    write(
        session,
        _INSERT,
        at=at,
        type=f"{resource}.{verb}",
        resource=resource,
        code=code,
        plan_id=plan_id,
        unit_id=unit_id,
        client_id=caller.client_id,
        request_id=caller.request_id,
        data=json.dumps(data, ensure_ascii=False, default=_plain),
    )


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)  # exact: a figure has at most 15 significant digits
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"no JSON form for {type(value)}")
