"""Which units a client may speak for: its own, their members, and all below them."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller
from app.clients.service import create_key
from app.db import Database
from app.tables import Client, UnitMember
from app.types import Scope, UnitKind
from app.units.membership import own_units, reach, with_descendants, with_groups_around, with_members
from tests.trying import add_units, trying, undone

UNITS = 7
edges = st.sets(st.tuples(st.integers(0, UNITS - 1), st.integers(0, UNITS - 1)).filter(lambda edge: edge[0] != edge[1]))
parents = st.lists(st.none() | st.integers(0, UNITS - 1), min_size=UNITS, max_size=UNITS).map(
    lambda above: [None if parent == unit else parent for unit, parent in enumerate(above)]
)


def closure(start: set[int], edges: set[tuple[int, int]]) -> set[int]:
    """All that can be reached, in the plainest words."""
    while True:
        more = {there for here, there in edges if here in start} - start
        if not more:
            return start
        start = start | more


def caller_of(session: Session, code: str, units: set[int], scope: Scope) -> Caller:
    create_key(session, Caller.command_line(), code, [scope], sorted(units))
    session.flush()
    client_id = session.execute(select(col(Client.id)).where(col(Client.code) == code)).scalar_one()
    return Caller(client_id, code, frozenset({scope}), "")


class TestReach:
    @undone
    @given(members=edges, above=parents, own=st.sets(st.integers(0, UNITS - 1), max_size=3))
    def test_rule(
        self, database: Database, members: set[tuple[int, int]], above: list[int | None], own: set[int]
    ) -> None:
        """Members and units below, at any depth and in any mixture, even where the register runs in a ring."""
        with trying(database) as session:
            units = add_units(session, [UnitKind.group] * UNITS)
            ids = [unit.id for unit in units]
            for unit, parent in zip(units, above, strict=True):
                unit.parent_id = None if parent is None else ids[parent]
            session.add_all(UnitMember(group_id=ids[g], member_id=ids[m], position=0) for g, m in members)
            session.flush()
            below = {(parent, unit) for unit, parent in enumerate(above) if parent is not None}

            def places(found: set[int]) -> set[int]:
                return {ids.index(key) for key in found}

            keys = {ids[unit] for unit in own}
            assert places(with_members(session, keys)) == closure(own, members)
            assert places(with_groups_around(session, keys)) == closure(own, {(m, g) for g, m in members})
            assert places(with_descendants(session, keys)) == closure(own, below)
            caller = caller_of(session, "somebody", keys, Scope.report)
            assert own_units(session, caller) == keys
            assert places(reach(session, caller) or set()) == closure(own, members | below)

    def test_admin_speaks_for_all(self, database: Database) -> None:
        with trying(database) as session:
            assert reach(session, caller_of(session, "boss", set(), Scope.admin)) is None
            assert reach(session, caller_of(session, "nobody", set(), Scope.report)) == set()
