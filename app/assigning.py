"""Who is assigned: the rule that turns printed units into assignments, and the writes that keep to it.

A printed unit is assigned itself, a printed group by its members (`via` the group), and a unit named both directly and
through a group in one role is one direct assignment. A group whose members nobody has told is assigned itself, so that
its part is not lost; once it has members they take its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller
from app.changes.service import record_change
from app.tables import Assignment, Target, TargetUnit, Unit, UnitMember
from app.types import UnitKind

Printed = Sequence[tuple[int, str]]


def assigned_units(printed: Printed, members: Mapping[int, Sequence[int]]) -> dict[tuple[int, str], int | None]:
    """The assignments that printed units make: `(unit, role)` with the group each came through, None where direct.

    `printed` are `(unit, role)` in the order of the plan; `members` holds every group, with all its members.
    """
    assigned: dict[tuple[int, str], int | None] = {}
    for unit, role in printed:
        if not members.get(unit):
            assigned[unit, role] = None
    for group, role in printed:
        for member in members.get(group, ()):
            assigned.setdefault((member, role), group)
    return assigned


def members_of_groups(session: Session) -> dict[int, list[int]]:
    """Every group with its members, those of groups inside it included.

    A group inside that has no members stands for itself, so that its part is not lost.
    """
    groups = set(session.execute(select(col(Unit.id)).where(col(Unit.kind) == UnitKind.group.value)).scalars())
    direct: dict[int, list[int]] = {group: [] for group in groups}
    rows = select(col(UnitMember.group_id), col(UnitMember.member_id)).order_by(
        col(UnitMember.group_id), col(UnitMember.position)
    )
    for group, member in session.execute(rows):
        direct[group].append(member)
    return {group: _flatten(group, direct) for group in direct}


def _flatten(group: int, direct: Mapping[int, Sequence[int]]) -> list[int]:
    members: dict[int, None] = {}
    seen, waiting = {group}, list(direct[group])
    while waiting:
        unit = waiting.pop(0)
        if not direct.get(unit):
            members[unit] = None
        elif unit not in seen:
            seen.add(unit)
            waiting[:0] = direct[unit]
    return list(members)


def targets_naming(session: Session, units: Iterable[int]) -> list[int]:
    """The targets for which one of these units is printed."""
    statement = select(col(TargetUnit.target_id)).where(col(TargetUnit.unit_id).in_(list(units))).distinct()
    return list(session.execute(statement).scalars())


def sync_assignments(session: Session, caller: Caller, targets: Sequence[int], at: datetime) -> None:
    """Make the assignments of some targets what the printed units and the groups' members say.

    New ones are `created`, ones that no longer follow are `removed` but kept, each with its change record.
    """
    session.flush()  # the printed units may have been written a moment ago
    members = members_of_groups(session)
    for target in session.execute(select(Target).where(col(Target.id).in_(targets))).scalars():
        _sync_target(session, caller, target, members, at)


def _sync_target(
    session: Session, caller: Caller, target: Target, members: Mapping[int, Sequence[int]], at: datetime
) -> None:
    printed_units = select(col(TargetUnit.unit_id), col(TargetUnit.role)).where(col(TargetUnit.target_id) == target.id)
    printed = [(unit, role) for unit, role in session.execute(printed_units.order_by(col(TargetUnit.position)))]
    wanted = {} if target.removed_at is not None else assigned_units(printed, members)
    rows = session.execute(select(Assignment).where(col(Assignment.target_id) == target.id)).scalars()
    present = {(row.unit_id, row.role): row for row in rows}
    for (unit, role), via in wanted.items():
        row = present.get((unit, role))
        if row is None:
            row = Assignment(target_id=target.id, unit_id=unit, role=role, via_id=via, updated_at=at)
            _write(session, caller, target, row, "created", at)
        elif row.removed_at is not None:
            row.removed_at, row.via_id, row.acknowledged_at, row.acknowledged_by_id = None, via, None, None
            _write(session, caller, target, row, "created", at)
        elif row.via_id != via:
            row.via_id = via
            _write(session, caller, target, row, "changed", at)
    for key, row in present.items():
        if key not in wanted and row.removed_at is None:
            row.removed_at = at
            _write(session, caller, target, row, "removed", at)


def _write(session: Session, caller: Caller, target: Target, row: Assignment, verb: str, at: datetime) -> None:
    row.updated_at = at
    session.add(row)
    unit = session.get_one(Unit, row.unit_id)
    via = session.get_one(Unit, row.via_id).code if row.via_id is not None else None
    data: dict[str, object] = {"target": target.code, "unit": unit.code, "role": row.role, "via": via}
    code = f"{target.code}:{unit.code}:{row.role}"
    record_change(session, caller, "assignment", verb, code, data, at=at, plan_id=target.plan_id, unit_id=row.unit_id)
