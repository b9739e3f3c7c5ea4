"""Walks through the register: into groups, out to the groups around, and down to descendants."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller
from app.tables import ClientUnit, Unit, UnitMember
from app.types import Scope

_Edge = tuple[object, object]
_MEMBERS: _Edge = (UnitMember.group_id, UnitMember.member_id)
_GROUPS: _Edge = (UnitMember.member_id, UnitMember.group_id)
_CHILDREN: _Edge = (Unit.parent_id, Unit.id)


def with_members(session: Session, units: Iterable[int]) -> set[int]:
    """Units and everything in them at any depth, inner groups included."""
    return _walk(session, units, _MEMBERS)


def with_groups_around(session: Session, units: Iterable[int]) -> set[int]:
    """Units and all groups they are in, at any depth."""
    return _walk(session, units, _GROUPS)


def with_descendants(session: Session, units: Iterable[int]) -> set[int]:
    """Units and all units below them."""
    return _walk(session, units, _CHILDREN)


def own_units(session: Session, caller: Caller) -> set[int]:
    """The units a client is bound to, themselves only."""
    rows = session.execute(select(col(ClientUnit.unit_id)).where(col(ClientUnit.client_id) == caller.client_id))
    return set(rows.scalars())


def reach(session: Session, caller: Caller) -> set[int] | None:
    """The units a caller may speak for: its own, their members and descendants; None for all of them (`admin`)."""
    if Scope.admin in caller.scopes:
        return None
    return _walk(session, own_units(session, caller), _MEMBERS, _CHILDREN)


def _walk(session: Session, start: Iterable[int], *edges: _Edge) -> set[int]:
    found = set(start)
    waiting = found
    while waiting:
        following: set[int] = set()
        for here, there in edges:
            rows = session.execute(select(col(there)).where(col(here).in_(waiting)))
            following |= set(rows.scalars())
        waiting = following - found
        found = found | waiting
    return found
