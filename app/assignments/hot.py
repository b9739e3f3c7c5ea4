"""The hot path of assignments: pages by any of their filters, joined from the stored documents of their targets."""

import functools
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fastapi import Request, Response
from sqlalchemy import BigInteger, Boolean, Dialect, Integer, Text, TypeDecorator, bindparam, or_, select, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import col

from app.assignments.schemas import AssignmentQuery
from app.auth import Caller
from app.columns import UtcTime
from app.db import AnySelect, Database
from app.derived import TargetDocument
from app.paging import cut_page, keys_before, page_json, quick_query
from app.tables import Assignment, Plan, Target, Unit
from app.targets.documents import newest_json, with_latest
from app.types import FIGURE_SCALE
from app.units.hot import find_unit

_KEY = col(Assignment.id)
_Via = aliased(Unit)


class _Instant(TypeDecorator[str]):
    """An instant as JSON; a page has few different ones."""

    impl = UtcTime
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], str]:
        """How a stored instant becomes the words of an answer."""
        read = UtcTime().result_processor(dialect, coltype)
        assert read is not None  # noqa: S101 - it is needed on both engines

        @functools.lru_cache(10_000)
        def written(stored: Any) -> str:
            at = read(stored)
            return "null" if at is None else f'"{at.isoformat().replace("+00:00", "Z")}"'

        return written


class _OwnLatest(TypeDecorator[dict[str, bytes]]):
    """A unit's own newest values as JSON, by the codes of the indicators; None where none is asked for."""

    impl = Text
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], dict[str, bytes] | None]:  # noqa: ARG002
        """How the array of code, period and figure is read."""
        scale = FIGURE_SCALE if dialect.name == "sqlite" else 1

        def read(stored: str | None) -> dict[str, bytes] | None:
            if stored is None:
                return None
            found = json.loads(stored, parse_float=Decimal, parse_int=Decimal)
            return {code: newest_json(period, value and value / scale) for code, period, value in found}

        return read


class _own_latest(FunctionElement[dict[str, bytes]]):  # noqa: N801 - reads as the SQL function that it is
    """The newest values that a unit itself has of the indicators in a document's `own`."""

    type = _OwnLatest()
    inherit_cache = True


@compiles(_own_latest, "sqlite")
def _in_sqlite(element: _own_latest, compiler: SQLCompiler, **options: Any) -> str:
    own, unit = (compiler.process(part, **options) for part in element.clauses)
    found = "json_group_array(json_array(own.key, latest.period, latest.value))"
    return _looked_up(own, unit, found, f"json_each({own})", "own.value")


@compiles(_own_latest, "postgresql")
def _in_postgresql(element: _own_latest, compiler: SQLCompiler, **options: Any) -> str:
    own, unit = (compiler.process(part, **options) for part in element.clauses)
    found = "json_agg(json_build_array(own.key, latest.period, latest.value))"
    return _looked_up(own, unit, found, f"json_each_text({own}::json)", "own.value::bigint")


def _looked_up(own: str, unit: str, found: str, indicators: str, key: str) -> str:
    latest = f"latest_values AS latest ON latest.indicator_id = {key} AND latest.unit_id = {unit}"
    return f"CASE WHEN {own} IS NOT NULL THEN (SELECT {found} FROM {indicators} AS own LEFT JOIN {latest}) END"  # noqa: S608 - all are SQLAlchemy's words and ours


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
        col(TargetDocument.document),
        _own_latest(col(TargetDocument.own), col(Assignment.unit_id)),
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
    if query is None:
        return None
    database: Database = request.app.state.database
    asked = query.model_dump(exclude={"limit", "cursor", "as_of"}, exclude_none=True)
    if query.unit is not None:
        unit = await find_unit(database.hot, asked.pop("unit"))
        if unit is None:
            return None
        asked["group" if unit.is_group else "unit"] = unit.id
    if query.cursor is not None:
        (asked["after"],) = keys_before(query, [_KEY])
    rows = await database.hot.fetch(_page(frozenset(asked)), limit=query.limit + 1, **asked)
    if not rows:
        return None
    rows, next_cursor = cut_page(rows, 1, query)
    return Response(page_json(map(_item, rows), next_cursor), media_type="application/json")


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
    for code, latest in (own or {}).items():
        document = with_latest(document, code, latest)
    # the fields of a target alone, which are not in its summary, come last
    return b"%b%b}}" % (head.encode(), document[: document.rindex(b',"label":')])


@functools.lru_cache(10_000)
def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
