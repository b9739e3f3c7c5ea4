"""Assignments: who answers for what, and the acknowledgement of it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.assignments.schemas import Assignment, AssignmentPage, AssignmentQuery
from app.auth import Caller
from app.changes.service import record_change
from app.db import AnySelect, moment
from app.errors import ErrorCode, Fault, NotFound, NotYourUnit
from app.lookups import get_row
from app.paging import fetch_page
from app.problems import nearest
from app.schemas import NamedUnit
from app.tables import Assignment as AssignmentTable
from app.tables import Plan, Target, Unit
from app.targets.schemas import TargetSummary
from app.targets.views import TARGET_COLUMNS, TargetRow, TargetViews, load_views
from app.types import Role
from app.units.membership import reach
from app.units.names import resolve_unit

_Via = aliased(Unit)
_KEY = col(AssignmentTable.id)
_SHOWN: AnySelect = (
    select(
        col(AssignmentTable.unit_id),
        col(AssignmentTable.role),
        col(AssignmentTable.acknowledged_at),
        col(AssignmentTable.updated_at),
        col(Plan.code),
        col(Unit.code),
        col(Unit.name),
        col(_Via.code),
        col(_Via.name),
        *TARGET_COLUMNS,
        _KEY,
    )
    .join(Target, col(Target.id) == col(AssignmentTable.target_id))
    .join(Plan, col(Plan.id) == col(Target.plan_id))
    .join(Unit, col(Unit.id) == col(AssignmentTable.unit_id))
    .outerjoin(_Via, col(_Via.id) == col(AssignmentTable.via_id))
    .where(col(AssignmentTable.removed_at).is_(None))
)


def list_assignments(session: Session, query: AssignmentQuery) -> AssignmentPage:
    """One page of assignments, in the order in which they were made. Raises NotFound, InvalidRequest, BadCursor."""
    rows, next_cursor = fetch_page(session, _filtered(session, query), [_KEY], query)
    return AssignmentPage.of(items=_render(session, rows), next_cursor=next_cursor)


def _filtered(session: Session, query: AssignmentQuery) -> AnySelect:
    statement = _SHOWN
    if query.plan is not None:
        plan = get_row(session, Plan, query.plan, "/query/plan")
        statement = statement.where(col(Target.plan_id) == plan.id)
    if query.target is not None:
        target = get_row(session, Target, query.target, "/query/target")
        statement = statement.where(col(AssignmentTable.target_id) == target.id)
    if query.unit is not None:
        unit = resolve_unit(session, query.unit, "/query/unit")
        own = col(AssignmentTable.unit_id) == unit.id
        through = col(AssignmentTable.via_id) == unit.id
        statement = statement.where(or_(own, through) if unit.is_group else own)
    if query.role is not None:
        statement = statement.where(col(AssignmentTable.role) == query.role.value)
    if query.acknowledged is not None:
        acknowledged_at = col(AssignmentTable.acknowledged_at)
        statement = statement.where(acknowledged_at.is_not(None) if query.acknowledged else acknowledged_at.is_(None))
    if query.updated_after is not None:
        statement = statement.where(col(AssignmentTable.updated_at) > query.updated_after)
    return statement


def acknowledge_assignment(session: Session, caller: Caller, code: str) -> Assignment:
    """Note that the unit has taken notice; a second time changes nothing. Raises NotFound, NotYourUnit."""
    row = _get_locked(session, code)
    own = reach(session, caller)
    if own is not None and row.unit_id not in own:
        raise NotYourUnit(unit=code.split(":")[1], client=caller.code)
    if row.acknowledged_at is None:
        row.acknowledged_at = row.updated_at = moment(session)
        row.acknowledged_by_id = caller.client_id
        session.flush()  # what is rendered next is read from the database
        written = _shown(session, row)
        data = written.model_dump(mode="json")
        plan_id = session.get_one(Target, row.target_id).plan_id
        record_change(
            session,
            caller,
            "assignment",
            "acknowledged",
            code,
            data,
            at=row.acknowledged_at,
            plan_id=plan_id,
            unit_id=row.unit_id,
        )
        return written
    return _shown(session, row)


def _get_locked(session: Session, code: str) -> AssignmentTable:
    target, unit, role = code.split(":")
    statement = (
        select(AssignmentTable)
        .join(Target, col(Target.id) == col(AssignmentTable.target_id))
        .join(Unit, col(Unit.id) == col(AssignmentTable.unit_id))
        .where(col(Target.code) == target, col(Unit.code) == unit, col(AssignmentTable.role) == role)
        .where(col(AssignmentTable.removed_at).is_(None))
    )
    row: AssignmentTable | None = session.execute(
        statement.with_for_update(of=AssignmentTable, key_share=True)
    ).scalar_one_or_none()
    if row is None:
        near = nearest(code, _codes_of(session, target))
        named = {"resource": "assignment", "code": code}
        fault = Fault("/path/assignment", ErrorCode.unknown_reference, named, near)
        raise NotFound(fault, resource="assignment", code=code)
    return row


def _codes_of(session: Session, target: str) -> list[str]:
    statement = (
        select(col(Unit.code), col(AssignmentTable.role))
        .join(AssignmentTable, col(AssignmentTable.unit_id) == col(Unit.id))
        .join(Target, col(Target.id) == col(AssignmentTable.target_id))
        .where(col(Target.code) == target, col(AssignmentTable.removed_at).is_(None))
        .order_by(col(AssignmentTable.id))
    )
    return [f"{target}:{unit}:{role}" for unit, role in session.execute(statement)]


def _shown(session: Session, row: AssignmentTable) -> Assignment:
    return _render(session, session.execute(_SHOWN.where(col(AssignmentTable.id) == row.id)).all())[0]


def _render(session: Session, rows: Sequence[Any]) -> list[Assignment]:
    """Rows of `_SHOWN` as answers show them."""
    targets = [TargetRow(*row[9:-1]) for row in rows]
    views = load_views(session, targets)
    return [_render_one(row, target, views) for row, target in zip(rows, targets, strict=True)]


def _render_one(row: Any, target: TargetRow, views: TargetViews) -> Assignment:
    unit_id, role, acknowledged_at, updated_at, plan, code, name, via_code, via_name = row[:9]
    return Assignment.of(
        code=f"{target.code}:{code}:{role}",
        role=Role(role),
        unit=NamedUnit.of(code=code, name=name),
        via=NamedUnit.of(code=via_code, name=via_name) if via_code is not None else None,
        acknowledged_at=acknowledged_at,
        updated_at=updated_at,
        target=TargetSummary.of(**views.summary_fields(target, plan, unit_id)),
    )
