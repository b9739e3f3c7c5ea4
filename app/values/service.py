"""Values: finding those that were recorded, and their versions."""

from typing import Any

from sqlalchemy import select, union_all
from sqlmodel import Session, col

from app.db import AnySelect
from app.errors import ErrorCode, NotFound, invalid
from app.lookups import get_row
from app.paging import ListQuery, fetch_page
from app.schemas import NamedUnit
from app.tables import Client, Indicator, Plan, Target, Unit
from app.tables import Value as ValueTable
from app.tables import ValueRevision as RevisionTable
from app.types import ValueStatus, parse_period
from app.units.membership import with_members
from app.units.names import resolve_unit
from app.values.schemas import Value, ValuePage, ValueQuery, ValueRevision, ValueRevisionPage
from app.values.writing import render_value

_VERSION = (
    *("version", "value", "note", "evidence_url", "status", "reason", "recorded_at", "client_id", "request_id"),
)
_KEYS = [col(ValueTable.indicator_id), col(ValueTable.period), col(ValueTable.unit_id)]
_SHOWN: AnySelect = (
    select(ValueTable, col(Indicator.code), col(Unit.code), col(Unit.name), col(Client.code), *_KEYS)
    .join(Indicator, col(Indicator.id) == col(ValueTable.indicator_id))
    .join(Unit, col(Unit.id) == col(ValueTable.unit_id))
    .join(Client, col(Client.id) == col(ValueTable.client_id))
)


def list_values(session: Session, query: ValueQuery) -> ValuePage:
    """One page of values, by indicator, period and unit. Raises NotFound, InvalidRequest, BadCursor."""
    rows, next_cursor = fetch_page(session, _filtered(session, query), _KEYS, query)
    return ValuePage.of(items=[_render(row) for row in rows], next_cursor=next_cursor)


def _filtered(session: Session, query: ValueQuery) -> AnySelect:
    statement = _in_period(_SHOWN, query)
    if query.plan is not None:
        plan = get_row(session, Plan, query.plan, "/query/plan")
        targets = select(col(Target.id)).where(col(Target.plan_id) == plan.id)
        statement = statement.where(col(Indicator.target_id).in_(targets))
    if query.target is not None:
        target = get_row(session, Target, query.target, "/query/target")
        statement = statement.where(col(Indicator.target_id) == target.id)
    if query.indicator is not None:
        indicator = get_row(session, Indicator, query.indicator, "/query/indicator")
        statement = statement.where(col(ValueTable.indicator_id) == indicator.id)
    if query.unit is not None:
        unit = resolve_unit(session, query.unit, "/query/unit")
        statement = statement.where(col(ValueTable.unit_id).in_(with_members(session, {unit.id})))
    if query.status is not None:
        statement = statement.where(col(ValueTable.status) == query.status.value)
    if query.updated_after is not None:
        statement = statement.where(col(ValueTable.recorded_at) > query.updated_after)
    return statement


def _in_period(statement: AnySelect, query: ValueQuery) -> AnySelect:
    earliest = parse_period(query.period_from) if query.period_from is not None else None
    latest = parse_period(query.period_to) if query.period_to is not None else None
    if earliest is not None and latest is not None and latest.last_day < earliest.first_day:
        raise invalid("/query/period_to", ErrorCode.period_order)
    if earliest is not None:
        statement = statement.where(col(ValueTable.period_end) >= earliest.first_day)
    if latest is not None:
        statement = statement.where(col(ValueTable.period_end) <= latest.last_day)
    return statement


def get_value(session: Session, code: str) -> Value:
    """One value. Raises NotFound."""
    return _render(_get_shown(session, code))


def list_value_revisions(session: Session, code: str, query: ListQuery) -> ValueRevisionPage:
    """One page of the versions that a value had, oldest first. Raises NotFound, BadCursor."""
    value: ValueTable = _get_shown(session, code)[0]
    versions, before = (_versions_of(value).subquery() for _ in range(2))
    statement = (
        select(*versions.c, col(Client.code).label("client"), before.c.value.label("previous"), versions.c.version)
        .join(Client, col(Client.id) == versions.c.client_id)
        .outerjoin(before, before.c.version == versions.c.version - 1)
    )
    if query.updated_after is not None:
        statement = statement.where(versions.c.recorded_at > query.updated_after)
    rows, next_cursor = fetch_page(session, statement, [versions.c.version], query, within=code)
    return ValueRevisionPage(items=[_render_revision(row) for row in rows], next_cursor=next_cursor)


def _versions_of(value: ValueTable) -> Any:
    """All versions of a value: those before the one in force, and that one."""

    def of(table: type[ValueTable | RevisionTable]) -> AnySelect:
        key = {"indicator_id": value.indicator_id, "period": value.period, "unit_id": value.unit_id}
        columns = (col(getattr(table, name)) for name in _VERSION)
        return select(*columns).where(*(col(getattr(table, name)) == part for name, part in key.items()))

    return union_all(of(RevisionTable).where(col(RevisionTable.version) < value.version), of(ValueTable))


def _get_shown(session: Session, code: str) -> Any:
    indicator, unit, period = code.split(":")
    statement = _SHOWN.where(col(Indicator.code) == indicator, col(Unit.code) == unit, col(ValueTable.period) == period)
    row = session.execute(statement).first()
    if row is None:
        raise NotFound(resource="value", code=code)
    return row


def _render(row: Any) -> Value:
    """A row of `_SHOWN` as answers show it."""
    value, indicator, unit_code, unit_name, client = row[:5]
    unit = NamedUnit.of(code=unit_code, name=unit_name)
    return render_value(indicator, unit, value.period, value, client)


def _render_revision(row: Any) -> ValueRevision:
    return ValueRevision(
        version=row.version,
        value=row.value,
        previous_value=row.previous,
        status=ValueStatus(row.status),
        note=row.note,
        evidence_url=row.evidence_url,
        reason=row.reason,
        recorded_at=row.recorded_at,
        recorded_by=row.client,
        request_id=row.request_id,
    )
