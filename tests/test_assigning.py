"""Who is assigned, as a rule over all plans and registers, and the writes that keep to it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session, col

from app.assigning import assigned_units, members_of_groups, targets_naming
from app.auth import Caller
from app.db import Database
from app.tables import Assignment, Change, Target, TargetUnit, Unit, UnitMember
from app.targets.schemas import TargetUnitInput, TargetUpdate
from app.targets.service import update_target
from app.types import Role, UnitKind
from app.units.schemas import UnitUpdate
from app.units.service import update_unit
from tests.trying import add_units, trying, undone

ROLES = [role.value for role in Role]
TARGET = "xianning-2023.68"
CALLER = Caller.command_line()

printed_units = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(ROLES)), unique=True, max_size=8)
# units 0 to 3 are groups, flattened: their members are no groups but ones without members
flat_groups = st.fixed_dictionaries({group: st.lists(st.integers(4, 8), unique=True) for group in range(4)})


class TestAssignedUnits:
    @settings(deadline=None, max_examples=300)
    @given(printed_units, flat_groups)
    def test_rule(self, printed: list[tuple[int, str]], members: Mapping[int, Sequence[int]]) -> None:
        assigned = assigned_units(printed, members)
        direct = {(unit, role) for unit, role in printed if not members.get(unit)}
        through: dict[tuple[int, str], list[int]] = {}
        for group, role in printed:
            for member in members.get(group, ()):
                through.setdefault((member, role), []).append(group)
        # nobody who is named is left out, nobody else is assigned, and direct naming wins over the first group
        assert assigned.keys() == direct | through.keys()
        assert {key for key, via in assigned.items() if via is None} == direct
        assert all(via == through[key][0] for key, via in assigned.items() if via is not None)

    def test_direct_wins_wherever_it_is_printed(self) -> None:
        members = {1: [5, 6], 2: [6, 7]}
        assert assigned_units([(1, "lead"), (2, "lead"), (5, "lead"), (5, "supporting")], members) == {
            (5, "lead"): None,
            (5, "supporting"): None,
            (6, "lead"): 1,
            (7, "lead"): 2,
        }

    def test_group_without_known_members_is_assigned_itself(self) -> None:
        assert assigned_units([(1, "lead")], {1: []}) == {(1, "lead"): None}

    def test_nothing_printed_nobody_assigned(self) -> None:
        assert assigned_units([], {1: [2]}) == {}


# four groups, each of which may hold later groups and the three units after them: no group is inside itself
nested_groups = st.fixed_dictionaries(
    {group: st.lists(st.integers(group + 1, 6), unique=True, max_size=4) for group in range(4)}
)


def leaves(group: int, members: Mapping[int, Sequence[int]]) -> list[int]:
    """The rule in its plainest words: groups give way to their members, if they have some."""
    found: list[int] = []
    for member in members[group]:
        found += leaves(member, members) if members.get(member) else [member]
    return list(dict.fromkeys(found))


class TestMembersOfGroups:
    @undone
    @given(members=nested_groups)
    def test_rule(self, database: Database, members: dict[int, list[int]]) -> None:
        with trying(database) as session:
            units = add_units(session, [UnitKind.group] * 4 + [UnitKind.school] * 3)
            session.add_all(
                UnitMember(group_id=units[group].id, member_id=units[member].id, position=place)
                for group, listed in members.items()
                for place, member in enumerate(listed)
            )
            session.flush()
            found = members_of_groups(session)
            for group in range(4):
                assert found[units[group].id] == [units[unit].id for unit in leaves(group, members)]
            assert not found.keys() & {unit.id for unit in units[4:]}

    def test_groups_inside_each_other_end(self, database: Database) -> None:
        # no request can make these rows; the walk must end all the same
        with trying(database) as session:
            one, two, school = (unit.id for unit in add_units(session, [UnitKind.group] * 2 + [UnitKind.school]))
            rows = [(one, two, 0), (two, one, 0), (two, school, 1)]
            session.add_all(UnitMember(group_id=g, member_id=m, position=p) for g, m, p in rows)
            session.flush()
            found = members_of_groups(session)
            assert found[one] == found[two] == [school]


def standing(session: Session) -> dict[tuple[str, str], str | None]:
    """The target's assignments as `(unit, role)` with the group they came through."""
    codes = dict(session.execute(select(col(Unit.id), col(Unit.code))).all())
    rows = session.execute(
        select(Assignment)
        .join(Target, col(Target.id) == col(Assignment.target_id))
        .where(col(Target.code) == TARGET, col(Assignment.removed_at).is_(None))
    ).scalars()
    return {(codes[row.unit_id], row.role): codes.get(row.via_id) for row in rows}


def wanted(session: Session) -> dict[tuple[str, str], str | None]:
    """What the rule says of the target's printed units."""
    codes = dict(session.execute(select(col(Unit.id), col(Unit.code))).all())
    printed = session.execute(
        select(col(TargetUnit.unit_id), col(TargetUnit.role))
        .join(Target, col(Target.id) == col(TargetUnit.target_id))
        .where(col(Target.code) == TARGET)
        .order_by(col(TargetUnit.position))
    ).all()
    assigned = assigned_units([tuple(one) for one in printed], members_of_groups(session))
    return {(codes[unit], role): codes.get(via) for (unit, role), via in assigned.items()}


def follow_changes(session: Session, told: dict[tuple[str, str], str | None], after: int) -> int:
    """Do to a copy what the change records tell; the answer is the number of the last one."""
    rows = session.execute(
        select(Change).where(col(Change.id) > after, col(Change.code).startswith(f"{TARGET}:")).order_by(col(Change.id))
    ).scalars()
    for row in rows:
        after = row.id
        data: dict[str, Any] = json.loads(row.data)
        key = data["unit"], data["role"]
        assert row.code == f"{TARGET}:{key[0]}:{key[1]}"
        if row.type == "assignment.created":
            assert key not in told
            told[key] = data["via"]
        elif row.type == "assignment.changed":
            assert told[key] != data["via"]
            told[key] = data["via"]
        else:
            assert row.type == "assignment.removed"
            del told[key]
    return after


steps = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.integers(1, 6), unique=True, max_size=4))
    | st.lists(st.tuples(st.integers(0, 6), st.sampled_from(ROLES)), unique=True, max_size=5),
    min_size=1,
    max_size=6,
)


class TestSyncAssignments:
    @undone
    @given(steps=steps)
    def test_assignments_and_change_records_follow_every_write(self, database: Database, steps: list[Any]) -> None:
        with trying(database) as session:
            add_units(session, [UnitKind.group] * 4 + [UnitKind.school] * 3)
            told: dict[tuple[str, str], str | None] = {}
            last = follow_changes(session, told, 0)
            assert told == standing(session)
            for step in steps:
                if isinstance(step, tuple):
                    group, members = step
                    named = [f"tried-{member}" for member in members if member > group]  # so that none is in itself
                    update_unit(session, CALLER, f"tried-{group}", UnitUpdate(members=named), None)
                else:
                    units = [TargetUnitInput(unit=f"tried-{unit}", role=Role(role)) for unit, role in step]
                    update_target(session, CALLER, TARGET, TargetUpdate(units=units), None)
                last = follow_changes(session, told, last)
                assert standing(session) == wanted(session) == told

    def test_targets_naming_counts_a_target_once(self, database: Database) -> None:
        with database.reading() as session:
            ids = dict(session.execute(select(col(Unit.code), col(Unit.id))).all())
            science, finance = ids["xianning-science-and-technology-bureau"], ids["xianning-finance-bureau"]
            both = targets_naming(session, [science, finance])
            assert len(both) == len(set(both))
            assert set(both) == {*targets_naming(session, [science]), *targets_naming(session, [finance])}
            assert targets_naming(session, []) == []
