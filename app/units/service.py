"""Units: the register of organisations and groups."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlmodel import Session, col

from app.assigning import sync_assignments, targets_naming
from app.auth import Caller
from app.changes.service import record_change, refuse_stale
from app.db import AnySelect, contains, moment, only_writer, replace_rows
from app.errors import AlreadyExists, ErrorCode, Fault, InvalidRequest, invalid
from app.paging import fetch_page
from app.schemas import NamedUnit
from app.tables import Unit as UnitTable
from app.tables import UnitAlias, UnitMember
from app.types import UnitKind, fold
from app.units.membership import with_descendants, with_groups_around, with_members
from app.units.names import get_unit_row, resolve_unit, resolve_units
from app.units.schemas import Unit, UnitCreate, UnitPage, UnitQuery, UnitUpdate


def list_units(session: Session, query: UnitQuery) -> UnitPage:
    """One page of units, by code."""
    statement = _filtered(session, select(UnitTable, col(UnitTable.code)), query)
    rows, next_cursor = fetch_page(session, statement, [col(UnitTable.code)], query)
    return UnitPage.of(items=_render(session, [row[0] for row in rows]), next_cursor=next_cursor)


def _filtered(session: Session, statement: AnySelect, query: UnitQuery) -> AnySelect:
    if query.kind is not None:
        statement = statement.where(col(UnitTable.kind) == query.kind.value)
    if query.region_code is not None:
        statement = statement.where(col(UnitTable.region_code) == query.region_code)
    if query.parent is not None:
        parent = resolve_unit(session, query.parent, "/query/parent")
        statement = statement.where(col(UnitTable.parent_id) == parent.id)
    if query.group is not None:
        group = resolve_unit(session, query.group, "/query/group")
        members = select(col(UnitMember.member_id)).where(col(UnitMember.group_id) == group.id)
        statement = statement.where(col(UnitTable.id).in_(members))
    if query.q is not None:
        alias = select(col(UnitAlias.unit_id)).where(contains(col(UnitAlias.alias_key), query.q))
        statement = statement.where(or_(contains(col(UnitTable.name_key), query.q), col(UnitTable.id).in_(alias)))
    if query.updated_after is not None:
        statement = statement.where(col(UnitTable.updated_at) > query.updated_after)
    return statement


def get_unit(session: Session, reference: str) -> Unit:
    """The unit with this code, name or alias. Raises NotFound."""
    row = get_unit_row(session, reference)
    return _render(session, [session.get_one(UnitTable, row.id)])[0]


def create_unit(session: Session, caller: Caller, body: UnitCreate) -> Unit:
    """A new unit. Raises AlreadyExists, InvalidRequest."""
    only_writer(session, UnitTable)  # before anything else is locked
    if session.execute(select(col(UnitTable.id)).where(col(UnitTable.code) == body.code)).first():
        raise AlreadyExists(Fault("/code", ErrorCode.already_exists, {"value": body.code}), value=body.code)
    unit = UnitTable(code=body.code, name=body.name, name_key="", kind=body.kind, updated_at=moment(session))
    session.add(unit)
    _apply(session, unit, body.model_dump(exclude={"code"}))
    return _written(session, caller, unit, "created")


def update_unit(session: Session, caller: Caller, unit_code: str, body: UnitUpdate, if_match: str | None) -> Unit:
    """Change some fields of a unit; a group's new members are assigned at once.

    Raises NotFound, PreconditionFailed, InvalidRequest.
    """
    if body.model_fields_set & {"parent", "members"}:
        only_writer(session, UnitTable)  # two that each are right could close a ring together
    unit = session.get_one(UnitTable, get_unit_row(session, unit_code).id, with_for_update={"key_share": True})
    before = _render(session, [unit])[0]
    refuse_stale(session, "unit", before, if_match)
    _apply(session, unit, body.model_dump(exclude_unset=True))
    after = _render(session, [unit])[0]
    if after == before:
        return before
    unit.updated_at = moment(session)
    if (after.members, after.kind) != (before.members, before.kind):
        around = with_groups_around(session, {unit.id})
        # who names one of these groups for a target at this very time holds a key share of it by the foreign key:
        # that writer is waited for, or waits
        locked = select(col(UnitTable.id)).where(col(UnitTable.id).in_(around)).order_by(col(UnitTable.id))
        session.execute(locked.with_for_update())
        sync_assignments(session, caller, targets_naming(session, around), unit.updated_at)
    return _written(session, caller, unit, "changed")


def _apply(session: Session, unit: UnitTable, fields: Mapping[str, Any]) -> None:
    """Give a unit some fields' new values. Raises InvalidRequest."""
    for name in ("name", "kind", "region_code", "usci", "valid_from", "valid_to"):
        if name in fields:
            setattr(unit, name, fields[name])
    unit.name_key = fold(unit.name)
    if unit.valid_from is not None and unit.valid_to is not None and unit.valid_to < unit.valid_from:
        raise invalid("/valid_to", ErrorCode.date_order)
    if fields.get("usci") is not None:
        _refuse_taken_usci(session, unit)
    session.flush()  # aliases, members and the parent's check need the unit's key
    if "parent" in fields:
        _set_parent(session, unit, fields["parent"])
    if "aliases" in fields:
        _set_aliases(session, unit, fields["aliases"])
    if "members" in fields:
        _set_members(session, unit, fields["members"])
    session.flush()  # what is asked and rendered next is read from the database
    if unit.kind != UnitKind.group and _members_of(session, [unit.id]):
        raise invalid("/kind", ErrorCode.not_a_group)


def _refuse_taken_usci(session: Session, unit: UnitTable) -> None:
    taken = select(col(UnitTable.id)).where(col(UnitTable.usci) == unit.usci, col(UnitTable.code) != unit.code)
    if session.execute(taken).first():
        raise AlreadyExists(Fault("/usci", ErrorCode.already_exists, {"value": unit.usci}), value=unit.usci)


def _set_parent(session: Session, unit: UnitTable, reference: str | None) -> None:
    unit.parent_id = None
    if reference is not None:
        parent = resolve_unit(session, reference, "/parent")
        if parent.id in with_descendants(session, {unit.id}):
            raise invalid("/parent", ErrorCode.parent_cycle, unit=unit.code)
        unit.parent_id = parent.id


def _set_aliases(session: Session, unit: UnitTable, aliases: Sequence[str]) -> None:
    keys = [fold(alias) for alias in aliases]
    faults = [
        Fault(f"/aliases/{place}", ErrorCode.alias_repeated, {"name": aliases[place]})
        for place, key in enumerate(keys)
        if keys.index(key) < place
    ]
    if faults:
        raise InvalidRequest(*faults)
    present = session.execute(select(UnitAlias).where(col(UnitAlias.unit_id) == unit.id)).scalars().all()
    wanted = [
        UnitAlias(unit_id=unit.id, alias=alias, alias_key=key, position=place)
        for place, (alias, key) in enumerate(zip(aliases, keys, strict=True))
    ]
    replace_rows(session, present, wanted)


def _set_members(session: Session, unit: UnitTable, references: Sequence[str]) -> None:
    if references and unit.kind != UnitKind.group:
        raise invalid("/members", ErrorCode.not_a_group)
    named = resolve_units(session, {f"/members/{place}": name for place, name in enumerate(references)})
    faults, seen = [], set()
    for pointer, member in named.items():
        if member.id in seen:
            faults.append(Fault(pointer, ErrorCode.unit_repeated, {"unit": member.code}))
        if unit.id in with_members(session, {member.id}):
            faults.append(Fault(pointer, ErrorCode.group_cycle, {"unit": unit.code}))
        seen.add(member.id)
    if faults:
        raise InvalidRequest(*faults)
    present = session.execute(select(UnitMember).where(col(UnitMember.group_id) == unit.id)).scalars().all()
    wanted = [
        UnitMember(group_id=unit.id, member_id=member.id, position=place) for place, member in enumerate(named.values())
    ]
    replace_rows(session, present, wanted)


def _written(session: Session, caller: Caller, unit: UnitTable, verb: str) -> Unit:
    """The unit as it is now, with its change recorded."""
    session.flush()
    written = _render(session, [unit])[0]
    data = written.model_dump(mode="json")
    record_change(session, caller, "unit", verb, unit.code, data, at=unit.updated_at, unit_id=unit.id)
    return written


def _render(session: Session, units: Sequence[UnitTable]) -> list[Unit]:
    """Rows as answers show them, with one query for each list inside."""
    keys = [unit.id for unit in units]
    members = _members_of(session, keys)
    aliases: dict[int, list[str]] = {}
    alias_rows = select(col(UnitAlias.unit_id), col(UnitAlias.alias)).where(col(UnitAlias.unit_id).in_(keys))
    for unit_id, alias in session.execute(alias_rows.order_by(col(UnitAlias.position))):
        aliases.setdefault(unit_id, []).append(alias)
    parents = {unit.parent_id for unit in units if unit.parent_id is not None}
    parent_rows = select(col(UnitTable.id), col(UnitTable.code), col(UnitTable.name)).where(
        col(UnitTable.id).in_(parents)
    )
    named = {key: NamedUnit(code=code, name=name) for key, code, name in session.execute(parent_rows)}
    return [
        Unit(
            code=unit.code,
            name=unit.name,
            kind=UnitKind(unit.kind),
            region_code=unit.region_code,
            usci=unit.usci,
            parent=named.get(unit.parent_id) if unit.parent_id is not None else None,
            aliases=aliases.get(unit.id, []),
            members=members.get(unit.id, []),
            valid_from=unit.valid_from,
            valid_to=unit.valid_to,
            updated_at=unit.updated_at,
        )
        for unit in units
    ]


def _members_of(session: Session, groups: Sequence[int]) -> dict[int, list[NamedUnit]]:
    statement = (
        select(col(UnitMember.group_id), col(UnitTable.code), col(UnitTable.name))
        .join(UnitTable, col(UnitTable.id) == col(UnitMember.member_id))
        .where(col(UnitMember.group_id).in_(groups))
        .order_by(col(UnitMember.group_id), col(UnitMember.position))
    )
    members: dict[int, list[NamedUnit]] = {}
    for group, code, name in session.execute(statement):
        members.setdefault(group, []).append(NamedUnit(code=code, name=name))
    return members
