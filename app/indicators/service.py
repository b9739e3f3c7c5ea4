"""Indicators and their goals."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.auth import Caller
from app.changes.service import record_change, refuse_stale
from app.db import AnySelect, moment
from app.errors import ErrorCode, Fault, StaleVersion, ValuesOfOtherPeriods, invalid
from app.indicators.schemas import (
    Goal,
    GoalCreate,
    GoalPage,
    Indicator,
    IndicatorCreate,
    IndicatorPage,
    IndicatorQuery,
    IndicatorUpdate,
    Quality,
)
from app.lookups import get_row
from app.paging import ListQuery, fetch_page
from app.tables import Assignment, Client, Plan, Target, Value
from app.tables import Goal as GoalTable
from app.tables import Indicator as IndicatorTable
from app.tables import LatestValue as Newest
from app.targets.schemas import LatestValue
from app.targets.views import GOAL_IN_FORCE, NEWEST, latest_value
from app.types import Comparator, Frequency, IndicatorKind, ValueStatus, parse_period
from app.units.names import resolve_unit

Facts = dict[str, str | None]
_KEYS = [col(IndicatorTable.target_id), col(IndicatorTable.ordinal)]
_SHOWN: AnySelect = (
    select(IndicatorTable, GoalTable, col(Target.code), col(Newest.period), col(Newest.value), *_KEYS)
    .join(Target, col(Target.id) == col(IndicatorTable.target_id))
    .join(GoalTable, GOAL_IN_FORCE)
    .outerjoin(Newest, NEWEST)
    .where(col(IndicatorTable.removed_at).is_(None), col(Target.removed_at).is_(None))
)
_Previous = aliased(GoalTable)
_GOALS: AnySelect = (
    select(GoalTable, _Previous, col(Client.code), col(GoalTable.version))
    .outerjoin(
        _Previous,
        and_(
            col(_Previous.indicator_id) == col(GoalTable.indicator_id),
            col(_Previous.version) == col(GoalTable.version) - 1,
        ),
    )
    .outerjoin(Client, col(Client.id) == col(GoalTable.client_id))
)


def list_indicators(session: Session, query: IndicatorQuery) -> IndicatorPage:
    """One page of indicators, in the order of their targets. Raises NotFound, InvalidRequest, BadCursor."""
    rows, next_cursor = fetch_page(session, _filtered(session, query), _KEYS, query)
    return IndicatorPage.of(items=[_render(row) for row in rows], next_cursor=next_cursor)


def _filtered(session: Session, query: IndicatorQuery) -> AnySelect:
    statement = _SHOWN
    if query.plan is not None:
        plan = get_row(session, Plan, query.plan, "/query/plan")
        statement = statement.where(col(Target.plan_id) == plan.id)
    if query.target is not None:
        target = get_row(session, Target, query.target, "/query/target")
        statement = statement.where(col(IndicatorTable.target_id) == target.id)
    if query.unit is not None:
        unit = resolve_unit(session, query.unit, "/query/unit")
        assigned = select(col(Assignment.target_id)).where(col(Assignment.removed_at).is_(None))
        assigned = assigned.where((col(Assignment.unit_id) == unit.id) | (col(Assignment.via_id) == unit.id))
        statement = statement.where(col(IndicatorTable.target_id).in_(assigned))
    if query.updated_after is not None:
        statement = statement.where(col(IndicatorTable.updated_at) > query.updated_after)
    return statement


def get_indicator(session: Session, code: str) -> Indicator:
    """One indicator. Raises NotFound."""
    return _shown(session, get_row(session, IndicatorTable, code, "/path/indicator"))


def create_indicator(session: Session, caller: Caller, body: IndicatorCreate) -> Indicator:
    """A new indicator with its first goal. Raises NotFound, InvalidRequest."""
    target = get_row(session, Target, body.target, "/target", lock=True)
    _check_goal(body.comparator, body.goal, body.goal_to)
    at = moment(session)
    fields = body.model_dump(exclude={"target", "goal", "goal_to"})
    fields["quality"] = merge_quality(None, fields["quality"])
    row = add_indicator(session, caller, target, body.goal, body.goal_to, at, fields)
    return written_indicator(session, caller, row, "created", at)


def add_indicator(
    session: Session,
    caller: Caller,
    target: Target,
    goal: Decimal,
    goal_to: Decimal | None,
    at: datetime,
    fields: Mapping[str, Any],
) -> IndicatorTable:
    """A row for a new indicator with its first goal and the next code of its target; removed ones keep theirs."""
    highest = select(func.max(IndicatorTable.ordinal)).where(col(IndicatorTable.target_id) == target.id)
    ordinal = (session.execute(highest).scalar() or 0) + 1
    code = f"{target.code}.{ordinal}"
    row = IndicatorTable(target_id=target.id, ordinal=ordinal, code=code, goal_version=1, updated_at=at, **fields)
    session.add(row)
    session.flush()  # the goal needs the indicator's key
    _add_goal_row(session, caller, row, goal, goal_to, at)
    return row


def _check_goal(comparator: str, goal: Decimal, goal_to: Decimal | None) -> None:
    """Raises InvalidRequest where a range has one end, another comparator two, or the ends are in the wrong order."""
    if _has_two_ends(comparator) != (goal_to is not None):
        raise invalid("/goal_to", ErrorCode.goal_to_needed)
    if goal_to is not None and goal_to <= goal:
        raise invalid("/goal_to", ErrorCode.goal_order)


def _has_two_ends(comparator: str) -> bool:
    return comparator == Comparator.range


def update_indicator(
    session: Session, caller: Caller, code: str, body: IndicatorUpdate, if_match: str | None
) -> Indicator:
    """Change some fields of an indicator.

    Raises NotFound, PreconditionFailed, ValuesOfOtherPeriods, InvalidRequest.
    """
    row = get_row(session, IndicatorTable, code, "/path/indicator", lock=True)
    before = _shown(session, row)
    refuse_stale(session, "indicator", before, if_match)
    if "comparator" in body.model_fields_set and _has_two_ends(body.comparator) != (before.goal_to is not None):
        raise invalid("/comparator", ErrorCode.goal_to_needed)
    fields = body.model_dump(exclude_unset=True)
    if fields.get("frequency") not in (None, before.frequency):
        _refuse_other_periods(session, row, fields["frequency"])
    if "quality" in fields:
        fields["quality"] = merge_quality(row.quality, fields["quality"])
    for name, value in fields.items():
        setattr(row, name, value)
    session.flush()  # what is rendered next is read from the database
    if _shown(session, row) == before:
        return before
    at = moment(session)
    if row.comparator != before.comparator:
        add_goal(session, caller, row, before.goal, before.goal_to, at, None, None)  # the figures ask for other values
    return written_indicator(session, caller, row, "changed", at)


def _refuse_other_periods(session: Session, row: IndicatorTable, frequency: Frequency) -> None:
    """Raises ValuesOfOtherPeriods where values stand that could not be corrected any more; withdrawn ones may go."""
    statement = select(col(Value.period)).where(
        col(Value.indicator_id) == row.id, col(Value.status) != ValueStatus.withdrawn.value
    )
    periods = (parse_period(text) for text in session.execute(statement.order_by(col(Value.period))).scalars())
    other = [period.text for period in periods if period is not None and period.frequency != frequency]
    if other:
        params = {"count": len(other), "period": other[0], "frequency": frequency.value}
        fault = Fault("/frequency", ErrorCode.values_of_other_periods, params)
        raise ValuesOfOtherPeriods(fault, count=len(other), period=other[0], frequency=frequency.value)


def merge_quality(stands: Facts | None, patch: Facts | None) -> Facts | None:
    """Quality facts with a patch of them: those it does not name stay, null removes one; None where none is left.

    RFC 7396, but that facts which are not known stand as null.
    """
    if patch is None:
        return None
    merged = dict.fromkeys(Quality.model_fields) | (stands or {}) | patch
    return merged if any(fact is not None for fact in merged.values()) else None


def list_goals(session: Session, code: str, query: ListQuery) -> GoalPage:
    """One page of the revisions of an indicator's goal, oldest first. Raises NotFound, BadCursor."""
    row = get_row(session, IndicatorTable, code, "/path/indicator")
    statement = _GOALS.where(col(GoalTable.indicator_id) == row.id)
    if query.updated_after is not None:
        statement = statement.where(col(GoalTable.recorded_at) > query.updated_after)
    rows, next_cursor = fetch_page(session, statement, [col(GoalTable.version)], query, within=code)
    return GoalPage.of(items=[_render_goal(code, *found[:3]) for found in rows], next_cursor=next_cursor)


def revise_goal(session: Session, caller: Caller, code: str, body: GoalCreate) -> tuple[Goal, bool]:
    """A new goal for an indicator, and whether it is new: the same revision sent again changes nothing.

    Raises NotFound, StaleVersion, InvalidRequest.
    """
    row = get_row(session, IndicatorTable, code, "/path/indicator", lock=True)
    current = session.get_one(GoalTable, (row.id, row.goal_version))
    comparator = body.comparator or row.comparator
    sent = (comparator, body.goal, body.goal_to)
    stands_so = (row.comparator, current.goal, current.goal_to)
    said_why = (body.reason, body.document_number) == (current.reason, current.document_number)
    if sent == stands_so and said_why:
        return _shown_goal(session, row, row.goal_version), False
    if body.expected_version is not None and body.expected_version != row.goal_version:
        stands = _shown_goal(session, row, row.goal_version)
        raise StaleVersion(
            current=stands.model_dump(mode="json"),
            expected=body.expected_version,
            version=stands.version,
            by=stands.recorded_by or "-",
        )
    _check_goal(comparator, body.goal, body.goal_to)
    if sent == stands_so:
        raise invalid("/goal", ErrorCode.goal_unchanged)
    at = moment(session)
    other = comparator != row.comparator
    row.comparator = comparator
    goal = add_goal(session, caller, row, body.goal, body.goal_to, at, body.reason, body.document_number)
    if other:
        written_indicator(session, caller, row, "changed", at)  # the comparator is a field of both
    return goal, True


def add_goal(
    session: Session,
    caller: Caller,
    row: IndicatorTable,
    goal: Decimal,
    goal_to: Decimal | None,
    at: datetime,
    reason: str | None,
    document_number: str | None,
) -> Goal:
    """Put a new goal in force, with the indicator's comparator; the ones before it stay as history.

    Its change is recorded.
    """
    row.goal_version += 1
    row.updated_at = at
    _add_goal_row(session, caller, row, goal, goal_to, at, reason, document_number)
    session.flush()  # what is rendered next is read from the database
    written = _shown_goal(session, row, row.goal_version)
    data = written.model_dump(mode="json")
    record_change(session, caller, "goal", "revised", row.code, data, at=at, plan_id=_plan_of(session, row))
    return written


def _add_goal_row(
    session: Session,
    caller: Caller,
    row: IndicatorTable,
    goal: Decimal,
    goal_to: Decimal | None,
    at: datetime,
    reason: str | None = None,
    document_number: str | None = None,
) -> None:
    added = GoalTable(
        indicator_id=row.id,
        version=row.goal_version,
        goal=goal,
        goal_to=goal_to,
        reason=reason,
        document_number=document_number,
        recorded_at=at,
        client_id=caller.client_id,
        request_id=caller.request_id,
        comparator=row.comparator,
    )
    session.add(added)


def written_indicator(session: Session, caller: Caller, row: IndicatorTable, verb: str, at: datetime) -> Indicator:
    """The indicator as it is now, with its time and its change recorded."""
    row.updated_at = at
    session.flush()  # what is rendered next is read from the database
    written = _shown(session, row)
    data = written.model_dump(mode="json")
    record_change(session, caller, "indicator", verb, row.code, data, at=at, plan_id=_plan_of(session, row))
    return written


def _plan_of(session: Session, row: IndicatorTable) -> int:
    return session.get_one(Target, row.target_id).plan_id


def _shown(session: Session, row: IndicatorTable) -> Indicator:
    return _render(session.execute(_SHOWN.where(col(IndicatorTable.id) == row.id)).one())


def _render(row: Any) -> Indicator:
    """A row of `_SHOWN` as answers show it."""
    return _render_one(row[0], row[1], row[2], latest_value(row[3], row[4]))


def _render_one(row: IndicatorTable, goal: GoalTable, target: str, latest: LatestValue | None) -> Indicator:
    return Indicator.of(
        code=row.code,
        target=target,
        name=row.name,
        measure=row.measure,
        comparator=Comparator(row.comparator),
        kind=IndicatorKind(row.kind),
        goal=goal.goal,
        goal_to=goal.goal_to,
        goal_version=row.goal_version,
        baseline=row.baseline,
        each_member=row.each_member,
        frequency=Frequency(row.frequency) if row.frequency is not None else None,
        quality=Quality.of(**row.quality) if row.quality is not None else None,
        latest=latest,
        text=row.text,
        line=row.line,
        start=row.start,
        end=row.end,
        updated_at=row.updated_at,
    )


def _shown_goal(session: Session, row: IndicatorTable, version: int) -> Goal:
    statement = _GOALS.where(col(GoalTable.indicator_id) == row.id, col(GoalTable.version) == version)
    return _render_goal(row.code, *session.execute(statement).one()[:3])


def _render_goal(indicator: str, goal: GoalTable, previous: GoalTable | None, client: str | None) -> Goal:
    """A row of `_GOALS` as answers show it."""
    return Goal.of(
        indicator=indicator,
        version=goal.version,
        goal=goal.goal,
        goal_to=goal.goal_to,
        previous_goal=previous.goal if previous is not None else None,
        previous_goal_to=previous.goal_to if previous is not None else None,
        comparator=Comparator(goal.comparator),
        previous_comparator=Comparator(previous.comparator) if previous is not None else None,
        reason=goal.reason,
        document_number=goal.document_number,
        recorded_at=goal.recorded_at,
        recorded_by=client,
        request_id=goal.request_id,
    )
