"""Values: recording a figure, and finding those that were recorded."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller
from app.changes.service import record_change, utc_now
from app.db import AnySelect
from app.errors import ErrorCode, NotFound, NotYourUnit, StaleVersion, UnitNotAssigned, invalid
from app.lookups import get_row
from app.paging import ListQuery, fetch_page
from app.schemas import NamedUnit
from app.tables import Assignment, Client, Indicator, LatestValue, Plan, Target, Unit
from app.tables import Value as ValueTable
from app.tables import ValueRevision as RevisionTable
from app.types import Frequency, Json, Period, ValueStatus, parse_period
from app.units.membership import own_units, reach
from app.units.names import UnitRow, resolve_unit
from app.values.schemas import Value, ValueCreate, ValuePage, ValueQuery, ValueRevision, ValueRevisionPage

_KEYS = [col(ValueTable.indicator_id), col(ValueTable.period), col(ValueTable.unit_id)]
_SHOWN: AnySelect = (
    select(ValueTable, col(Indicator.code), col(Unit.code), col(Unit.name), col(Client.code), *_KEYS)
    .join(Indicator, col(Indicator.id) == col(ValueTable.indicator_id))
    .join(Unit, col(Unit.id) == col(ValueTable.unit_id))
    .join(Client, col(Client.id) == col(ValueTable.client_id))
)
_FORMS = {
    Frequency.year: "2023",
    Frequency.half_year: "2023-H1",
    Frequency.quarter: "2023-Q2",
    Frequency.month: "2023-06",
    Frequency.day: "2023-06-15",
}


def list_values(session: Session, query: ValueQuery) -> ValuePage:
    """One page of values, by indicator, period and unit. Raises NotFound, InvalidRequest, BadCursor."""
    rows, next_cursor = fetch_page(session, _filtered(session, query), _KEYS, query)
    return ValuePage.model_construct(items=[_render(row) for row in rows], next_cursor=next_cursor)


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
        statement = statement.where(col(ValueTable.unit_id) == unit.id)
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
    statement = (
        select(RevisionTable, col(Client.code), col(RevisionTable.version))
        .join(Client, col(Client.id) == col(RevisionTable.client_id))
        .where(
            col(RevisionTable.indicator_id) == value.indicator_id,
            col(RevisionTable.period) == value.period,
            col(RevisionTable.unit_id) == value.unit_id,
        )
    )
    if query.updated_after is not None:
        statement = statement.where(col(RevisionTable.recorded_at) > query.updated_after)
    rows, next_cursor = fetch_page(session, statement, [col(RevisionTable.version)], query)
    return ValueRevisionPage(items=[_render_revision(row[0], row[1]) for row in rows], next_cursor=next_cursor)


def _get_shown(session: Session, code: str) -> Any:
    indicator, unit, period = code.split(":")
    statement = _SHOWN.where(col(Indicator.code) == indicator, col(Unit.code) == unit, col(ValueTable.period) == period)
    row = session.execute(statement).first()
    if row is None:
        raise NotFound(resource="value", code=code)
    return row


def record_value(session: Session, caller: Caller, body: ValueCreate) -> tuple[Value, bool]:
    """Write a figure down, and tell whether it is the first for its indicator, unit and period.

    The same figure again changes nothing; another one is a new version, and the one before stays as a revision.
    Raises NotFound, NotYourUnit, UnitNotAssigned, StaleVersion, InvalidRequest.
    """
    # the lock makes all writers of one indicator queue: the version read below is the one that is replaced
    indicator = get_row(session, Indicator, body.indicator, "/indicator", lock=True)
    target = session.get_one(Target, indicator.target_id)
    unit = _unit_of(session, caller, target, body.unit)
    period = _checked_period(session, indicator, target, body.period)
    current = session.get(ValueTable, (indicator.id, period.text, unit.id))
    if current is not None and _says_the_same(caller, body, current):
        return _shown(session, current), False
    _refuse_stale_version(session, body, current)
    at = utc_now()
    row = _write(session, caller, body, (indicator.id, period, unit.id), current, at)
    _keep_latest(session, row)
    written = _shown(session, row)
    data = written.model_dump(mode="json")
    record_change(
        session, caller, "value", "submitted", written.code, data, at=at, plan_id=target.plan_id, unit_id=unit.id
    )
    return written, current is None


def _unit_of(session: Session, caller: Caller, target: Target, reference: str | None) -> UnitRow:
    """The unit whose figure it is, if the caller may speak for it and it answers for the target."""
    assigned = select(col(Assignment.unit_id)).where(
        col(Assignment.target_id) == target.id, col(Assignment.removed_at).is_(None)
    )
    answering = set(session.execute(assigned).scalars())
    if reference is None:
        return _only_unit(session, caller, answering)
    unit = resolve_unit(session, reference, "/unit")
    own = reach(session, caller)
    if own is not None and unit.id not in own:
        raise NotYourUnit(unit=unit.name, client=caller.code)
    if unit.id not in answering:
        raise UnitNotAssigned(unit=unit.name, target=target.code)
    return unit


def _only_unit(session: Session, caller: Caller, answering: set[int]) -> UnitRow:
    """The one unit that the caller can mean: of its own units, else of those below them, the only one that answers."""
    own = reach(session, caller)
    candidates = own_units(session, caller) & answering or (answering if own is None else own & answering)
    rows = select(col(Unit.id), col(Unit.code), col(Unit.name), col(Unit.kind)).where(col(Unit.id).in_(candidates))
    units = [UnitRow(*row) for row in session.execute(rows.order_by(col(Unit.code)))]
    if len(units) != 1:
        raise invalid("/unit", ErrorCode.unit_needed, [unit.code for unit in units])
    return units[0]


def _checked_period(session: Session, indicator: Indicator, target: Target, text: str) -> Period:
    period = parse_period(text)
    if period is None:
        raise invalid("/period", ErrorCode.period_invalid)
    frequency = indicator.frequency
    if frequency is not None and period.frequency != frequency:
        form = _FORMS[Frequency(frequency)]
        params = {"indicator": indicator.code, "frequency": frequency, "form": form}
        raise invalid("/period", ErrorCode.period_wrong_frequency, [form], **params)
    plan = session.get_one(Plan, target.plan_id)
    if period.first_day < plan.starts_on or period.last_day > plan.ends_on:
        raise invalid("/period", ErrorCode.period_outside_plan, starts_on=plan.starts_on, ends_on=plan.ends_on)
    return period


def _says_the_same(caller: Caller, body: ValueCreate, current: ValueTable) -> bool:
    """Whether the value stands already as it is sent.

    With `expected_version`, only where it was meant to follow or to be this version: a retry of the very write whose
    answer was lost.
    """
    if (body.value, body.note, body.evidence_url) != (current.value, current.note, current.evidence_url):
        return False
    retried = current.version - 1 if current.client_id == caller.client_id else None
    return body.expected_version in (None, current.version, retried)


def _refuse_stale_version(session: Session, body: ValueCreate, current: ValueTable | None) -> None:
    version = current.version if current is not None else 0
    if body.expected_version is None or body.expected_version == version:
        return
    stands = _shown(session, current) if current is not None else None
    raise StaleVersion(
        current=stands.model_dump(mode="json") if stands is not None else None,
        expected=body.expected_version,
        version=version,
        by=stands.recorded_by if stands is not None else "-",
    )


def _write(
    session: Session,
    caller: Caller,
    body: ValueCreate,
    key: tuple[int, Period, int],
    current: ValueTable | None,
    at: datetime,
) -> ValueTable:
    """Make what was sent the next version of a value, and keep that version for good."""
    assert caller.client_id is not None  # noqa: S101 - only requests record values
    indicator_id, period, unit_id = key
    content: Json = {
        "indicator_id": indicator_id,
        "period": period.text,
        "unit_id": unit_id,
        "version": current.version + 1 if current is not None else 1,
        "value": body.value,
        "note": body.note,
        "evidence_url": body.evidence_url,
        "status": ValueStatus.submitted.value,
        "recorded_at": at,
        "client_id": caller.client_id,
    }
    row = session.merge(ValueTable(**content, period_end=period.last_day))
    session.flush()  # the revision points to the value
    session.add(RevisionTable(**content, request_id=caller.request_id))
    return row


def _keep_latest(session: Session, row: ValueTable) -> None:
    """Of periods that end on one day, the one recorded last is the newest."""
    latest = session.get(LatestValue, (row.indicator_id, row.unit_id))
    if latest is None or latest.period_end <= row.period_end:
        fields = ("indicator_id", "unit_id", "period", "period_end", "value", "recorded_at")
        session.merge(LatestValue(**{name: getattr(row, name) for name in fields}))


def _shown(session: Session, row: ValueTable) -> Value:
    own = (col(ValueTable.indicator_id), row.indicator_id), (col(ValueTable.period), row.period)
    statement = _SHOWN.where(*(column == key for column, key in own), col(ValueTable.unit_id) == row.unit_id)
    return _render(session.execute(statement).one())


def _render(row: Any) -> Value:
    """A row of `_SHOWN` as answers show it."""
    value, indicator, unit_code, unit_name, client = row[:5]
    return Value.model_construct(
        code=f"{indicator}:{unit_code}:{value.period}",
        indicator=indicator,
        unit=NamedUnit.model_construct(code=unit_code, name=unit_name),
        period=value.period,
        value=value.value,
        status=ValueStatus(value.status),
        version=value.version,
        note=value.note,
        evidence_url=value.evidence_url,
        recorded_at=value.recorded_at,
        recorded_by=client,
    )


def _render_revision(row: RevisionTable, client: str) -> ValueRevision:
    return ValueRevision(
        version=row.version,
        value=row.value,
        status=ValueStatus(row.status),
        note=row.note,
        evidence_url=row.evidence_url,
        recorded_at=row.recorded_at,
        recorded_by=client,
        request_id=row.request_id,
    )
