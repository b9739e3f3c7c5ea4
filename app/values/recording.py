"""Recording a value: whose figure it is, whether it may be written, and the write with its history.

Statements are built once and carry columns, no mapped objects: this is the path that every office takes, often.
"""

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session, col

from app.auth import Caller
from app.changes.service import record_change, utc_now
from app.db import fetch, write
from app.errors import ErrorCode, NotYourUnit, StaleVersion, UnitNotAssigned, invalid
from app.lookups import get_row
from app.schemas import NamedUnit
from app.tables import Assignment, Client, Indicator, LatestValue, Plan, Target, ValueRevision
from app.tables import Value as ValueTable
from app.types import Frequency, Json, Period, ValueStatus, parse_period
from app.units.membership import own_units, reach
from app.units.names import UnitRow, resolve_unit, unit_rows
from app.values.schemas import Value, ValueCreate


class Subject(NamedTuple):
    """The indicator that a figure is for, with what its target and plan demand."""

    id: int
    code: str
    frequency: str | None
    target_id: int
    target: str
    plan_id: int
    starts_on: date
    ends_on: date


class Current(NamedTuple):
    """The value in force, and who wrote it."""

    value: Decimal
    note: str | None
    evidence_url: str | None
    status: str
    version: int
    recorded_at: datetime
    client_id: int
    client: str


# the lock makes all writers of one indicator queue: the version that is read is the one that is replaced
_SUBJECT = (
    select(
        col(Indicator.id),
        col(Indicator.code),
        col(Indicator.frequency),
        col(Target.id),
        col(Target.code),
        col(Plan.id),
        col(Plan.starts_on),
        col(Plan.ends_on),
    )
    .join(Target, col(Target.id) == col(Indicator.target_id))
    .join(Plan, col(Plan.id) == col(Target.plan_id))
    .where(col(Indicator.code) == bindparam("code"))
    .where(col(Indicator.removed_at).is_(None), col(Target.removed_at).is_(None))
    .with_for_update(of=Indicator, key_share=True)
)
_ANSWERING = select(col(Assignment.unit_id)).where(
    col(Assignment.target_id) == bindparam("target"), col(Assignment.removed_at).is_(None)
)
_OF_KEY = (
    col(ValueTable.indicator_id) == bindparam("of_indicator"),
    col(ValueTable.period) == bindparam("of_period"),
    col(ValueTable.unit_id) == bindparam("of_unit"),
)
_CURRENT = (
    select(
        col(ValueTable.value),
        col(ValueTable.note),
        col(ValueTable.evidence_url),
        col(ValueTable.status),
        col(ValueTable.version),
        col(ValueTable.recorded_at),
        col(ValueTable.client_id),
        col(Client.code),
    )
    .join(Client, col(Client.id) == col(ValueTable.client_id))
    .where(*_OF_KEY)
)
_INSERT, _UPDATE = insert(ValueTable), update(ValueTable).where(*_OF_KEY)
_INSERT_REVISION = insert(ValueRevision)
_OF_LATEST = (
    col(LatestValue.indicator_id) == bindparam("of_indicator"),
    col(LatestValue.unit_id) == bindparam("of_unit"),
)
_LATEST_END = select(col(LatestValue.period_end)).where(*_OF_LATEST)
_INSERT_LATEST, _UPDATE_LATEST = insert(LatestValue), update(LatestValue).where(*_OF_LATEST)


def record_value(session: Session, caller: Caller, body: ValueCreate) -> tuple[Value, bool]:
    """Write a figure down, and tell whether it is the first for its indicator, unit and period.

    The same figure again changes nothing; another one is a new version, and the one before stays as a revision.
    Raises NotFound, NotYourUnit, UnitNotAssigned, StaleVersion, InvalidRequest.
    """
    subject = _get_subject(session, body.indicator)
    unit = _unit_of(session, caller, subject, body.unit)
    period = _checked_period(subject, body.period)
    key = {"of_indicator": subject.id, "of_period": period.text, "of_unit": unit.id}
    current = next((Current(*row) for row in fetch(session, _CURRENT, **key)), None)
    if current is not None and _says_the_same(caller, body, current):
        return _shown(subject, unit, period, current), False
    _refuse_stale_version(body, current, subject, unit, period)
    at = utc_now()
    written = _write(session, caller, body, key, period, current, at)
    shown = _shown(subject, unit, period, written)
    data = shown.model_dump(mode="json")
    keys: Json = {"at": at, "plan_id": subject.plan_id, "unit_id": unit.id}
    record_change(session, caller, "value", "submitted", shown.code, data, **keys)
    return shown, current is None


def _get_subject(session: Session, code: str) -> Subject:
    rows = fetch(session, _SUBJECT, code=code)
    if not rows:
        get_row(session, Indicator, code, "/indicator")  # says what is nearest, unless it has just been restored
        return _get_subject(session, code)
    return Subject(*rows[0])


def _unit_of(session: Session, caller: Caller, subject: Subject, reference: str | None) -> UnitRow:
    """The unit whose figure it is, if the caller may speak for it and it answers for the target."""
    answering = {row[0] for row in fetch(session, _ANSWERING, target=subject.target_id)}
    if reference is None:
        return _only_unit(session, caller, subject, answering)
    unit = resolve_unit(session, reference, "/unit")
    own = reach(session, caller)
    if own is not None and unit.id not in own:
        raise NotYourUnit(unit=unit.name, client=caller.code)
    if unit.id not in answering:
        raise UnitNotAssigned(unit=unit.name, target=subject.target)
    return unit


def _only_unit(session: Session, caller: Caller, subject: Subject, answering: Collection[int]) -> UnitRow:
    """The one unit that the caller can mean: of its own units, else of those below them, the only one that answers."""
    own, within = own_units(session, caller), reach(session, caller)
    candidates = own.intersection(answering) or (set(answering) if within is None else within.intersection(answering))
    if own and not candidates:
        names = "、".join(unit.name for unit in unit_rows(session, own))
        raise UnitNotAssigned(unit=names, target=subject.target)
    units = unit_rows(session, candidates)
    if len(units) != 1:
        raise invalid("/unit", ErrorCode.unit_needed, [unit.code for unit in units])
    return units[0]


def _checked_period(subject: Subject, text: str) -> Period:
    period = parse_period(text)
    if period is None:
        raise invalid("/period", ErrorCode.period_invalid)
    if subject.frequency is not None and period.frequency != subject.frequency:
        form = _form(Frequency(subject.frequency), period.last_day)
        params = {"indicator": subject.code, "frequency": subject.frequency, "form": form}
        raise invalid("/period", ErrorCode.period_wrong_frequency, [form], **params)
    if period.first_day < subject.starts_on or period.last_day > subject.ends_on:
        starts_on, ends_on = subject.starts_on, subject.ends_on
        raise invalid("/period", ErrorCode.period_outside_plan, starts_on=starts_on, ends_on=ends_on)
    return period


def _form(frequency: Frequency, day: date) -> str:
    """The period of a frequency that a day lies in: `2023-Q2` for a quarter and 15 June."""
    forms = {
        Frequency.year: "",
        Frequency.half_year: f"-H{(day.month + 5) // 6}",
        Frequency.quarter: f"-Q{(day.month + 2) // 3}",
        Frequency.month: f"-{day.month:02}",
        Frequency.day: f"-{day.month:02}-{day.day:02}",
    }
    return f"{day.year:04}{forms[frequency]}"


def _says_the_same(caller: Caller, body: ValueCreate, current: Current) -> bool:
    """Whether the value stands already as it is sent.

    With `expected_version`, only where it was meant to follow or to be this version: a retry of the very write whose
    answer was lost.
    """
    if (body.value, body.note, body.evidence_url) != (current.value, current.note, current.evidence_url):
        return False
    retried = current.version - 1 if current.client_id == caller.client_id else None
    return body.expected_version in (None, current.version, retried)


def _refuse_stale_version(
    body: ValueCreate, current: Current | None, subject: Subject, unit: UnitRow, period: Period
) -> None:
    version = current.version if current is not None else 0
    if body.expected_version is None or body.expected_version == version:
        return
    raise StaleVersion(
        current=_shown(subject, unit, period, current).model_dump(mode="json") if current is not None else None,
        expected=body.expected_version,
        version=version,
        by=current.client if current is not None else "-",
    )


def _write(
    session: Session,
    caller: Caller,
    body: ValueCreate,
    key: Json,
    period: Period,
    current: Current | None,
    at: datetime,
) -> Current:
    """Make what was sent the next version of a value, and keep that version for good."""
    assert caller.client_id is not None  # noqa: S101 - only requests record values
    version = current.version + 1 if current is not None else 1
    status = ValueStatus.submitted.value
    new = Current(body.value, body.note, body.evidence_url, status, version, at, caller.client_id, caller.code)
    content: Json = new._asdict()
    del content["client"]
    named: Json = {"indicator_id": key["of_indicator"], "period": period.text, "unit_id": key["of_unit"]}
    if current is None:
        write(session, _INSERT, **named, **content, period_end=period.last_day)
    else:
        write(session, _UPDATE, **key, **content)
    write(session, _INSERT_REVISION, **named, **content, request_id=caller.request_id)
    _keep_latest(session, key, named | {"period_end": period.last_day, "value": body.value, "recorded_at": at})
    return new


def _keep_latest(session: Session, key: Json, newest: Json) -> None:
    """Of periods that end on one day, the one recorded last is the newest."""
    place = {"of_indicator": key["of_indicator"], "of_unit": key["of_unit"]}
    found = fetch(session, _LATEST_END, **place)
    if not found:
        write(session, _INSERT_LATEST, **newest)
    elif found[0][0] <= newest["period_end"]:
        write(session, _UPDATE_LATEST, **place, **newest)


def _shown(subject: Subject, unit: UnitRow, period: Period, current: Current) -> Value:
    return render_value(subject.code, unit.named(), period.text, current, current.client)


def render_value(indicator: str, unit: NamedUnit, period: str, row: Any, client: str) -> Value:
    """A value as answers show it, from a row with its columns."""
    return Value.of(
        code=f"{indicator}:{unit.code}:{period}",
        indicator=indicator,
        unit=unit,
        period=period,
        value=row.value,
        status=ValueStatus(row.status),
        version=row.version,
        note=row.note,
        evidence_url=row.evidence_url,
        recorded_at=row.recorded_at,
        recorded_by=client,
    )
