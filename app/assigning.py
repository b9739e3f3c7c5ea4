"""Who is assigned: the rule that turns printed units into assignments, and the writes that keep to it.

A printed unit is assigned itself, a printed group by its members (`via` the group), and a unit named both directly and
through a group in one role is one direct assignment. A group whose members nobody has told is assigned itself, so that
its part is not lost; once it has members they take its place.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    # locked in one order: who changes what is printed for one of them at this very time is waited for, or waits
    locked = select(Target).where(col(Target.id).in_(targets)).order_by(col(Target.id))
    rows = session.execute(locked.with_for_update(key_share=True)).scalars().all()
    members = members_of_groups(session)
    printed = _printed(session, targets)
    present: dict[int, dict[tuple[int, str], Assignment]] = {}
    for row in session.execute(select(Assignment).where(col(Assignment.target_id).in_(targets))).scalars():
        present.setdefault(row.target_id, {})[row.unit_id, row.role] = row
    changes: list[tuple[Target, Assignment, str]] = []
    for target in rows:
        wanted = {} if target.removed_at is not None else assigned_units(printed.get(target.id, ()), members)
        for row, verb in _differences(target, wanted, present.get(target.id, {}), at):
            row.updated_at = at
            session.add(row)
            changes.append((target, row, verb))
    _record(session, caller, changes, at)


def _printed(session: Session, targets: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    statement = (
        select(col(TargetUnit.target_id), col(TargetUnit.unit_id), col(TargetUnit.role))
        .where(col(TargetUnit.target_id).in_(targets))
        .order_by(col(TargetUnit.target_id), col(TargetUnit.position))
    )
    printed: dict[int, list[tuple[int, str]]] = {}
    for target, unit, role in session.execute(statement):
        printed.setdefault(target, []).append((unit, role))
    return printed


def _differences(
    target: Target,
    wanted: Mapping[tuple[int, str], int | None],
    present: Mapping[tuple[int, str], Assignment],
    at: datetime,
) -> Iterator[tuple[Assignment, str]]:
    """The assignments of one target that must change, changed, each with what happened to it."""
    for (unit, role), via in wanted.items():
        row = present.get((unit, role))
        if row is None:
            yield Assignment(target_id=target.id, unit_id=unit, role=role, via_id=via, updated_at=at), "created"
        elif row.removed_at is not None:
            row.removed_at, row.via_id, row.acknowledged_at, row.acknowledged_by_id = None, via, None, None
            yield row, "created"
        elif row.via_id != via:
            row.via_id = via
            yield row, "changed"
    for key, row in present.items():
        if key not in wanted and row.removed_at is None:
            row.removed_at = at
            yield row, "removed"


def _record(session: Session, caller: Caller, changes: Sequence[tuple[Target, Assignment, str]], at: datetime) -> None:
    named = {key for _, row, _ in changes for key in (row.unit_id, row.via_id)}
    statement = select(col(Unit.id), col(Unit.code)).where(col(Unit.id).in_(named))
    codes: dict[int | None, str] = dict(session.execute(statement).all())
    for target, row, verb in changes:
        unit = codes[row.unit_id]
        data: dict[str, object] = {"target": target.code, "unit": unit, "role": row.role, "via": codes.get(row.via_id)}
        code = f"{target.code}:{unit}:{row.role}"
        plan_id, unit_id = target.plan_id, row.unit_id
        record_change(session, caller, "assignment", verb, code, data, at=at, plan_id=plan_id, unit_id=unit_id)
