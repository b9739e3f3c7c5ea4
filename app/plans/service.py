"""Plans and their sections."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.auth import Caller
from app.changes.service import record_change, refuse_stale
from app.counting import recount
from app.db import moment
from app.errors import ErrorCode, Fault, ValuesOutsidePlan, invalid
from app.lookups import get_row
from app.paging import ListQuery, fetch_page
from app.plans.schemas import Plan, PlanPage, PlanQuery, PlanUpdate, Section, SectionPage
from app.tables import Indicator, Target, Value
from app.tables import Plan as PlanTable
from app.tables import Section as SectionTable
from app.types import ValueStatus, parse_period


def list_plans(session: Session, query: PlanQuery) -> PlanPage:
    """One page of plans, by code."""
    statement = select(PlanTable, col(PlanTable.code))
    if query.year is not None:
        statement = statement.where(col(PlanTable.year) == query.year)
    if query.region_code is not None:
        statement = statement.where(col(PlanTable.region_code) == query.region_code)
    if query.updated_after is not None:
        statement = statement.where(col(PlanTable.updated_at) > query.updated_after)
    rows, next_cursor = fetch_page(session, statement, [col(PlanTable.code)], query)
    return PlanPage(items=[render_plan(row[0]) for row in rows], next_cursor=next_cursor)


def get_plan(session: Session, code: str) -> Plan:
    """One plan. Raises NotFound."""
    return render_plan(get_row(session, PlanTable, code, "/path/plan"))


def render_plan(plan: PlanTable) -> Plan:
    """A row as answers show it."""
    return Plan.model_validate(plan, from_attributes=True)


def update_plan(session: Session, caller: Caller, code: str, body: PlanUpdate, if_match: str | None) -> Plan:
    """Change some fields of a plan; which values count follows at once.

    Raises NotFound, PreconditionFailed, ValuesOutsidePlan, InvalidRequest.
    """
    plan = get_row(session, PlanTable, code, "/path/plan", lock=True)
    before = render_plan(plan)
    refuse_stale(session, "plan", before, if_match)
    after = before.model_copy(update=body.model_dump(exclude_unset=True))
    if after == before:
        return before
    if after.ends_on < after.starts_on:
        raise invalid("/ends_on" if "ends_on" in body.model_fields_set else "/starts_on", ErrorCode.date_order)
    indicators = lock_indicators(session, plan.id)
    if (after.starts_on, after.ends_on) != (before.starts_on, before.ends_on):
        _refuse_values_outside(session, plan.id, after)
    for name in body.model_fields_set:
        setattr(plan, name, getattr(body, name))
    plan.updated_at = moment(session)
    session.flush()  # the counting, and what is rendered next, are read from the database
    if after.approval_required != before.approval_required:
        recount(session, indicators)
    written = render_plan(plan)
    data = written.model_dump(mode="json")
    record_change(session, caller, "plan", "changed", plan.code, data, at=plan.updated_at, plan_id=plan.id)
    return written


def lock_indicators(session: Session, plan_id: int) -> Sequence[int]:
    """The keys of a plan's indicators, none of which gets a value or a fellow before this transaction ends."""
    for table, inside in (
        (Target, col(Target.plan_id) == plan_id),
        (Indicator, col(Indicator.target_id).in_(select(col(Target.id)).where(col(Target.plan_id) == plan_id))),
    ):
        # in the order of all who lock several: who records a value or adds an indicator is waited for, or waits
        statement = select(col(table.id)).where(inside).order_by(col(table.id)).with_for_update(key_share=True)
        keys: Sequence[int] = session.execute(statement).scalars().all()
    return keys


def _refuse_values_outside(session: Session, plan_id: int, plan: Plan) -> None:
    """Raises ValuesOutsidePlan, with the nearest days that would do, where values have periods outside a plan's days.

    Withdrawn values, and those of indicators that are gone, do not stand in the way.
    """
    statement = (
        select(col(Value.period), func.count())
        .join(Indicator, col(Indicator.id) == col(Value.indicator_id))
        .join(Target, col(Target.id) == col(Indicator.target_id))
        .where(col(Target.plan_id) == plan_id, col(Value.status) != ValueStatus.withdrawn.value)
        .where(col(Indicator.removed_at).is_(None), col(Target.removed_at).is_(None))
        .group_by(col(Value.period))
    )
    found = [(period, count) for text, count in session.execute(statement) if (period := parse_period(text))]
    early = {period: count for period, count in found if period.first_day < plan.starts_on}
    late = {period: count for period, count in found if period.last_day > plan.ends_on}
    faults = []
    if early:
        needed = min(period.first_day for period in early)
        faults.append(_outside("/starts_on", plan, sum(early.values()), needed))
    if late:
        needed = max(period.last_day for period in late)
        faults.append(_outside("/ends_on", plan, sum(late.values()), needed))
    if faults:
        count = sum((early | late).values())
        raise ValuesOutsidePlan(*faults, count=count, starts_on=plan.starts_on, ends_on=plan.ends_on)


def _outside(pointer: str, plan: Plan, count: int, needed: date) -> Fault:
    params = {"count": count, "starts_on": plan.starts_on, "ends_on": plan.ends_on}
    return Fault(pointer, ErrorCode.values_outside_plan, params, [needed.isoformat()])


def list_sections(session: Session, plan_code: str, query: ListQuery) -> SectionPage:
    """One page of a plan's headings, in the order of the document. Raises NotFound."""
    plan = get_row(session, PlanTable, plan_code, "/path/plan")
    parent = aliased(SectionTable)
    statement = (
        select(SectionTable, col(parent.code), col(SectionTable.position), col(SectionTable.id))
        .outerjoin(parent, col(parent.id) == col(SectionTable.parent_id))
        .where(col(SectionTable.plan_id) == plan.id, col(SectionTable.removed_at).is_(None))
    )
    if query.updated_after is not None:
        statement = statement.where(col(SectionTable.updated_at) > query.updated_after)
    keys = [col(SectionTable.position), col(SectionTable.id)]
    rows, next_cursor = fetch_page(session, statement, keys, query, within=plan.code)
    items = [
        Section(
            code=section.code,
            plan=plan.code,
            parent=parent_code,
            heading=section.heading,
            position=section.position,
            line=section.line,
            updated_at=section.updated_at,
        )
        for section, parent_code in (row[:2] for row in rows)
    ]
    return SectionPage(items=items, next_cursor=next_cursor)
