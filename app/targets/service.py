"""Targets: finding them, and changing what a plan says of one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_, select
from sqlmodel import Session, col

from app.assigning import sync_assignments
from app.auth import Caller
from app.changes.service import record_change, refuse_stale
from app.db import AnySelect, contains, moment, replace_rows
from app.errors import ErrorCode, Fault, InvalidRequest
from app.lookups import get_row
from app.paging import fetch_page
from app.tables import Assignment, Plan, Section, TargetUnit
from app.tables import Target as TargetTable
from app.targets.schemas import Target, TargetPage, TargetQuery, TargetUnitInput, TargetUpdate
from app.targets.views import render_targets
from app.types import Role, fold
from app.units.names import resolve_unit, resolve_units

_KEYS = [col(TargetTable.plan_id), col(TargetTable.position), col(TargetTable.id)]


def list_targets(session: Session, query: TargetQuery) -> TargetPage:
    """One page of targets, in the order of their plans. Raises NotFound, InvalidRequest, BadCursor."""
    statement = select(TargetTable, *_KEYS).where(col(TargetTable.removed_at).is_(None))
    rows, next_cursor = fetch_page(session, _filtered(session, statement, query), _KEYS, query)
    return TargetPage.of(items=render_targets(session, [row[0] for row in rows]), next_cursor=next_cursor)


def _filtered(session: Session, statement: AnySelect, query: TargetQuery) -> AnySelect:
    if query.plan is not None:
        plan = get_row(session, Plan, query.plan, "/query/plan")
        statement = statement.where(col(TargetTable.plan_id) == plan.id)
    if query.section is not None:
        section = get_row(session, Section, query.section, "/query/section")
        statement = statement.where(col(TargetTable.section_id).in_(_sections_inside(session, section)))
    if query.unit is not None:
        unit = resolve_unit(session, query.unit, "/query/unit")
        statement = statement.where(_answered_by(unit.id, query.role))
    elif query.role is not None:
        printed = exists().where(
            col(TargetUnit.target_id) == col(TargetTable.id), col(TargetUnit.role) == query.role.value
        )
        statement = statement.where(printed)
    if query.q is not None:
        statement = statement.where(contains(col(TargetTable.search_text), query.q))
    if query.updated_after is not None:
        statement = statement.where(col(TargetTable.updated_at) > query.updated_after)
    return statement


def _answered_by(unit_id: int, role: Role | None) -> ColumnElement[bool]:
    assigned = select(col(Assignment.target_id)).where(
        col(Assignment.unit_id) == unit_id, col(Assignment.removed_at).is_(None)
    )
    printed = select(col(TargetUnit.target_id)).where(col(TargetUnit.unit_id) == unit_id)
    if role is not None:
        assigned = assigned.where(col(Assignment.role) == role.value)
        printed = printed.where(col(TargetUnit.role) == role.value)
    return or_(col(TargetTable.id).in_(assigned), col(TargetTable.id).in_(printed))


def _sections_inside(session: Session, section: Section) -> list[int]:
    rows = session.execute(
        select(col(Section.id), col(Section.parent_id)).where(col(Section.plan_id) == section.plan_id)
    )
    parents = dict(rows.all())
    inside = {section.id}
    while True:
        below = {key for key, parent in parents.items() if parent in inside and key not in inside}
        if not below:
            return sorted(inside)
        inside |= below


def get_target(session: Session, code: str) -> Target:
    """One target. Raises NotFound."""
    return render_targets(session, [get_row(session, TargetTable, code, "/path/target")])[0]


def update_target(session: Session, caller: Caller, code: str, body: TargetUpdate, if_match: str | None) -> Target:
    """Change a target's words, day or units; assignments follow at once.

    Raises NotFound, PreconditionFailed, InvalidRequest.
    """
    target = get_row(session, TargetTable, code, "/path/target", lock=True)
    before = render_targets(session, [target])[0]
    refuse_stale(session, "target", before, if_match)
    at = moment(session)
    fields = body.model_fields_set
    if "statement" in fields:
        reword(target, body.statement)
    if "due_on" in fields:
        target.due_on = body.due_on
    if "units" in fields:
        set_units(session, target, _resolved(session, body.units))
        sync_assignments(session, caller, [target.id], at)
    session.flush()  # what is rendered next is read from the database
    if render_targets(session, [target])[0] == before:
        return before
    return written_target(session, caller, target, "changed", at)


def reword(target: TargetTable, statement: str) -> None:
    """Give a target other words, and the folded form that searches look in."""
    target.statement, target.search_text = statement, fold(statement)


def _resolved(session: Session, units: Sequence[TargetUnitInput]) -> list[tuple[int, Role]]:
    found = resolve_units(session, {f"/units/{place}/unit": unit.unit for place, unit in enumerate(units)})
    printed = [(found[f"/units/{place}/unit"].id, unit.role) for place, unit in enumerate(units)]
    faults = [
        Fault(f"/units/{place}", ErrorCode.unit_repeated, {"unit": units[place].unit})
        for place, one in enumerate(printed)
        if printed.index(one) < place
    ]
    if faults:
        raise InvalidRequest(*faults)
    return printed


def set_units(session: Session, target: TargetTable, printed: Sequence[tuple[int, Role]]) -> None:
    """Make these `(unit, role)`, in this order, the units printed for a target."""
    present = session.execute(select(TargetUnit).where(col(TargetUnit.target_id) == target.id)).scalars().all()
    replace_rows(session, present, _printed_rows(target, printed))


def add_units(session: Session, target: TargetTable, printed: Sequence[tuple[int, Role]]) -> None:
    """Print units for a target that has none so far."""
    session.add_all(_printed_rows(target, printed))


def _printed_rows(target: TargetTable, printed: Sequence[tuple[int, Role]]) -> list[TargetUnit]:
    return [
        TargetUnit(target_id=target.id, unit_id=unit, role=role.value, position=place)
        for place, (unit, role) in enumerate(printed)
    ]


def written_target(session: Session, caller: Caller, target: TargetTable, verb: str, at: datetime) -> Target:
    """The target as it is now, with its time and its change recorded."""
    return record_targets(session, caller, [(target, verb)], at)[0]


def record_targets(
    session: Session, caller: Caller, written: Sequence[tuple[TargetTable, str]], at: datetime
) -> list[Target]:
    """Targets as they are now, each with its time and, under its verb, its change recorded."""
    for target, _ in written:
        target.updated_at = at
    session.flush()  # what is rendered next is read from the database
    shown = render_targets(session, [target for target, _ in written])
    for (target, verb), one in zip(written, shown, strict=True):
        data = one.model_dump(mode="json")
        record_change(session, caller, "target", verb, target.code, data, at=at, plan_id=target.plan_id)
    return shown
