"""The hot path of assignments: pages by any of their filters, joined from the stored documents of their targets."""

import functools
import json
from collections.abc import Callable
from itertools import chain
from typing import Any

from fastapi import Request, Response
from sqlalchemy import (
    BigInteger,
    Boolean,
    Dialect,
    Integer,
    TypeDecorator,
    bindparam,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.assignments.own_latest import own_latest
from app.assignments.schemas import AssignmentQuery
from app.auth import Caller
from app.columns import UtcTime
from app.db import AnySelect, Database
from app.derived import TargetDocument
from app.paging import cut_page, page_json, quick_keys, quick_query
from app.statements import dialect_of
from app.tables import Assignment, Plan, Target, Unit
from app.units.hot import find_unit

_KEY = col(Assignment.id)
_Via = aliased(Unit)


class _Instant(TypeDecorator[str]):
    """An instant as JSON."""

    impl = UtcTime
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], str]:  # noqa: ARG002
        """How a stored instant becomes the words of an answer."""
        return _written_by(dialect.name)


@functools.cache
def _written_by(engine: str) -> Callable[[Any], str]:
    """As `UtcTime` reads what an engine stores; a page has few different ones."""
    read = UtcTime().result_processor(dialect_of(engine), None)
    assert read is not None  # noqa: S101 - it is needed on both engines

    @functools.lru_cache(10_000)
    def written(stored: Any) -> str:
        at = read(stored)
        return "null" if at is None else f'"{at.isoformat().replace("+00:00", "Z")}"'

    return written


_SHOWN: AnySelect = (
    select(
        col(TargetDocument.code),
        col(Unit.code),
        col(Unit.name),
        col(_Via.code),
        col(_Via.name),
        col(Assignment.role),
        type_coerce(col(Assignment.acknowledged_at), _Instant),
        type_coerce(col(Assignment.updated_at), _Instant),
        func.coalesce(col(TargetDocument.template), col(TargetDocument.document)),
        own_latest(col(TargetDocument.own), col(Assignment.unit_id)),
        _KEY,
    )
    .join(TargetDocument, col(TargetDocument.target_id) == col(Assignment.target_id))
    .join(Unit, col(Unit.id) == col(Assignment.unit_id))
    .outerjoin(_Via, col(_Via.id) == col(Assignment.via_id))
    .where(col(Assignment.removed_at).is_(None))
    .order_by(_KEY)
    .limit(bindparam("limit", type_=Integer))
)
_FILTERS: dict[str, Any] = {
    "plan": col(TargetDocument.plan_id)
    == select(col(Plan.id)).where(col(Plan.code) == bindparam("plan")).scalar_subquery(),
    "target": col(Assignment.target_id)
    == select(col(Target.id)).where(col(Target.code) == bindparam("target")).scalar_subquery(),
    "unit": col(Assignment.unit_id) == bindparam("unit", type_=BigInteger),
    "group": or_(
        col(Assignment.unit_id) == bindparam("group", type_=BigInteger),
        col(Assignment.via_id) == bindparam("group", type_=BigInteger),
    ),
    "role": col(Assignment.role) == bindparam("role"),
    "acknowledged": col(Assignment.acknowledged_at).is_not(None) == bindparam("acknowledged", type_=Boolean),
    "updated_after": col(Assignment.updated_at) > bindparam("updated_after", type_=UtcTime),
    "after": bindparam("after", type_=BigInteger) < _KEY,
}


async def list_assignments(request: Request, _caller: Caller) -> Response | None:
    """A page of assignments; the past, and a page without any, is left: it may be for a name that is not known."""
    query = quick_query(request, AssignmentQuery)
    if query is None or not _is_served_by_an_index(query):
        return None
    database: Database = request.app.state.database
    asked = query.model_dump(exclude={"limit", "cursor", "as_of"}, exclude_none=True)
    if query.unit is not None:
        unit = await find_unit(database.hot, asked.pop("unit"))
        if unit is None:
            return None
        asked["group" if unit.is_group else "unit"] = unit.id
    if query.cursor is not None:
        after = quick_keys(query, [_KEY])
        if after is None:
            return None
        (asked["after"],) = after
    rows = await database.hot.fetch(_page(frozenset(asked)), limit=query.limit + 1, **asked)
    if not rows:
        return None
    rows, next_cursor = cut_page(rows, 1, query)
    return Response(page_json(map(_item, rows), next_cursor), media_type="application/json")


def _is_served_by_an_index(query: AssignmentQuery) -> bool:
    """Whether no more is looked at than is found, or little more: the event loop waits for nothing longer."""
    others = (query.plan, query.role, query.acknowledged, query.updated_after)
    return query.unit is not None or query.target is not None or all(other is None for other in others)


@functools.cache
def _page(filters: frozenset[str]) -> AnySelect:
    return _SHOWN.where(*(_FILTERS[name] for name in sorted(filters)))


def _item(row: Any) -> bytes:
    """An assignment in JSON, as `Assignment` is written."""
    target, unit, name, via, via_name, role, acknowledged_at, updated_at, document, own, _ = row
    through = f'{{"code":"{via}","name":{_quoted(via_name)}}}' if via is not None else "null"
    head = (
        f'{{"code":"{target}:{unit}:{role}","role":"{role}","unit":{{"code":"{unit}","name":{_quoted(name)}}},'
        f'"via":{through},"acknowledged_at":{acknowledged_at},"updated_at":{updated_at},"target":'
    )
    if own is not None:
        parts = document.split(b"\0")
        document = b"".join(chain.from_iterable(zip(parts, [*own, b""], strict=True)))
    # the fields of a target alone, which are not in its summary, come last
    return b"%b%b}}" % (head.encode(), document[: document.rindex(b',"label":')])


@functools.lru_cache(10_000)
def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
