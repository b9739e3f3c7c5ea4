"""Every write leaves its change record here, in the transaction of the write."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from app.auth import Caller
from app.bulk import insert_many
from app.errors import PreconditionFailed
from app.etags import etag_listed, etag_of
from app.statements import among, fetch
from app.tables import Change, Client

_RECORDED_AS = {"indicator": ["indicator", "goal"]}  # a goal's changes bear its indicator's code
_LAST_WRITER = (
    select(col(Client.code))
    .select_from(Change)
    .outerjoin(Client, col(Client.id) == col(Change.client_id))
    .where(among(col(Change.resource), "resources"), col(Change.code) == bindparam("code"))
    .order_by(col(Change.id).desc())
    .limit(1)
)


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
    text = json.dumps(data, ensure_ascii=False, default=_plain)
    record_changes(session, [caller], resource, at, [(verb, code, text, plan_id, unit_id)])


def record_changes(
    session: Session,
    callers: Sequence[Caller],
    resource: str,
    at: datetime,
    changes: Sequence[tuple[str, str, str, int | None, int | None]],
) -> None:
    """Write down many changes of one kind of thing, each by its caller: verb, code, data as JSON, plan, unit."""
    if not changes:
        return
    verbs, codes, data, plans, units = zip(*changes, strict=True)
    count = len(changes)
    columns: dict[str, Sequence[Any]] = {
        "at": [at] * count,
        "type": [f"{resource}.{verb}" for verb in verbs],
        "resource": [resource] * count,
        "code": codes,
        "plan_id": plans,
        "unit_id": units,
        "client_id": [caller.client_id for caller in callers],
        "request_id": [caller.request_id for caller in callers],
        "data": data,
    }
    insert_many(session, Change, columns)


def refuse_stale(session: Session, resource: str, current: BaseModel, if_match: str | None) -> None:
    """Raises PreconditionFailed, with who wrote it last, when `If-Match` does not name the resource as it stands."""
    if if_match is None:
        return
    etag = etag_of(current.model_dump_json().encode())
    if not etag_listed(etag, if_match):
        shown = current.model_dump(mode="json")
        rows = fetch(session, _LAST_WRITER, resources=_RECORDED_AS.get(resource, [resource]), code=shown["code"])
        by = rows[0][0] if rows and rows[0][0] is not None else "-"
        raise PreconditionFailed(headers={"ETag": etag}, current=shown, etag=etag, by=by)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)  # exact: a figure has at most 15 significant digits
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"no JSON form for {type(value)}")
