"""Walks through the register: into groups, out to the groups around, and down to descendants."""

from collections.abc import Iterable

from sqlalchemy import Select, bindparam, select
from sqlmodel import Session, col

from app.auth import Caller
from app.statements import among, fetch
from app.tables import ClientUnit, Unit, UnitMember
from app.types import Scope

# one step of a walk: from units to those next to them
_MEMBERS = select(col(UnitMember.member_id)).where(among(col(UnitMember.group_id)))
_GROUPS = select(col(UnitMember.group_id)).where(among(col(UnitMember.member_id)))
_CHILDREN = select(col(Unit.id)).where(among(col(Unit.parent_id)))
_OWN = select(col(ClientUnit.unit_id)).where(col(ClientUnit.client_id) == bindparam("client"))


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
    return {row[0] for row in fetch(session, _OWN, client=caller.client_id)}


def reach(session: Session, caller: Caller, own: set[int] | None = None) -> set[int] | None:
    """The units a caller may speak for: its own, their members and descendants; None for all of them (`admin`).

    `own` spares a question where its own units are known.
    """
    if Scope.admin in caller.scopes:
        return None
    return _walk(session, own if own is not None else own_units(session, caller), _MEMBERS, _CHILDREN)


def _walk(session: Session, start: Iterable[int], *steps: Select[int]) -> set[int]:
    found = set(start)
    waiting = found
    while waiting:
        following = {row[0] for step in steps for row in fetch(session, step, keys=list(waiting))}
        waiting = following - found
        found = found | waiting
    return found
