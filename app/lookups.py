"""From a code on the wire to its row, with the nearest codes where there is none."""

import functools
from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlmodel import Session, col

from app.errors import ErrorCode, Fault, NotFound
from app.problems import nearest
from app.tables import Import, Indicator, Plan, Section, Target

Coded = TypeVar("Coded", Plan, Section, Target, Indicator, Import)
_MOST_CANDIDATES = 2000
_RESOURCES: dict[type[object], str] = {
    Plan: "plan",
    Section: "section",
    Target: "target",
    Indicator: "indicator",
    Import: "import",
}


def get_row(session: Session, table: type[Coded], code: str, pointer: str, *, lock: bool = False) -> Coded:
    """The row with a code; with `lock` no other writer changes it before this transaction ends.

    Raises NotFound, at the place of the request where the code stands, for a code that is unknown or removed.
    """
    row: Coded | None = session.execute(_by_code(table, lock=lock), {"code": code}).scalar_one_or_none()
    if row is None:
        raise not_found(table, code, pointer, nearest(code, _candidates(session, table, code)))
    return row


def not_found(table: type[Coded], code: str, pointer: str, near: Sequence[str]) -> NotFound:
    """The refusal of a code that no row has, with the nearest ones."""
    resource = _RESOURCES[table]
    fault = Fault(pointer, ErrorCode.unknown_reference, {"resource": resource, "code": code}, near)
    return NotFound(fault, resource=resource, code=code)


@functools.cache
def _by_code(table: type[Coded], *, lock: bool) -> Select[Coded]:
    statement = select(table).where(col(table.code) == bindparam("code"), *_present(table))
    return statement.with_for_update(key_share=True) if lock else statement


def _candidates(session: Session, table: type[Coded], code: str) -> list[str]:
    statement = select(col(table.code)).where(*_present(table)).order_by(col(table.code)).limit(_MOST_CANDIDATES)
    beginning = code.rpartition(".")[0]
    if beginning:
        alike = list(session.execute(statement.where(col(table.code).startswith(beginning, autoescape=True))).scalars())
        if alike:
            return alike
    return list(session.execute(statement).scalars())


def _present(table: type[Coded]) -> list[ColumnElement[bool]]:
    """What keeps removed rows out; an indicator goes with its target."""
    removed_at = getattr(table, "removed_at", None)
    conditions: list[ColumnElement[bool]] = [] if removed_at is None else [col(removed_at).is_(None)]
    if table is Indicator:
        targets = select(col(Target.id)).where(col(Target.removed_at).is_(None))
        conditions.append(col(Indicator.target_id).in_(targets))
    return conditions
