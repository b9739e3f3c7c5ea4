"""From what people call a unit to the unit: by code, name or alias, with the nearest names where none fits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from app.db import fetch
from app.errors import ErrorCode, Fault, InvalidRequest, NotFound
from app.problems import nearest
from app.schemas import NamedUnit
from app.tables import Unit, UnitAlias
from app.types import UnitKind, fold


class UnitRow(NamedTuple):
    """What is needed of a unit that a request names."""

    id: int
    code: str
    name: str
    kind: str

    @property
    def is_group(self) -> bool:
        """Whether it stands for a list of units."""
        return self.kind == UnitKind.group

    def named(self) -> NamedUnit:
        """The unit as answers name it."""
        return NamedUnit.of(code=self.code, name=self.name)


_ROW = select(col(Unit.id), col(Unit.code), col(Unit.name), col(Unit.kind)).order_by(col(Unit.code))
_BY_CODE = _ROW.where(col(Unit.code) == bindparam("code"))
_BY_KEY = _ROW.where(col(Unit.id).in_(bindparam("keys", expanding=True)))
_BY_NAME = _ROW.where(col(Unit.name_key) == bindparam("key"))
_BY_ALIAS = (
    _ROW.join(UnitAlias, col(UnitAlias.unit_id) == col(Unit.id))
    .where(col(UnitAlias.alias_key) == bindparam("key"))
    .distinct()
)


def match_units(session: Session, reference: str) -> list[UnitRow]:
    """The units a word may mean: the one with this code, else those with this name, else those with this alias."""
    key = fold(reference)
    rows = (
        fetch(session, _BY_CODE, code=reference)
        or fetch(session, _BY_NAME, key=key)
        or fetch(session, _BY_ALIAS, key=key)
    )
    return [UnitRow(*row) for row in rows]


def unit_rows(session: Session, keys: Iterable[int]) -> list[UnitRow]:
    """The units with these keys, by code."""
    return [UnitRow(*row) for row in fetch(session, _BY_KEY, keys=list(keys))]


def resolve_units(session: Session, references: Mapping[str, str]) -> dict[str, UnitRow]:
    """The units that a request names, by the pointer to each name.

    Raises InvalidRequest with every name that is unknown or ambiguous.
    """
    found: dict[str, UnitRow] = {}
    faults = []
    for pointer, reference in references.items():
        matches = match_units(session, reference)
        if len(matches) == 1:
            found[pointer] = matches[0]
        else:
            faults.append(_fault(session, pointer, reference, matches))
    if faults:
        raise InvalidRequest(*faults)
    return found


def resolve_unit(session: Session, reference: str, pointer: str) -> UnitRow:
    """The one unit that a request names. Raises InvalidRequest."""
    return resolve_units(session, {pointer: reference})[pointer]


def get_unit_row(session: Session, reference: str) -> UnitRow:
    """The unit in a path. Raises NotFound with the nearest names; InvalidRequest where the word is ambiguous."""
    matches = match_units(session, reference)
    if not matches:
        raise NotFound(_fault(session, "/path/unit", reference, []), resource="unit", code=reference)
    if len(matches) > 1:
        raise InvalidRequest(_fault(session, "/path/unit", reference, matches))
    return matches[0]


def _fault(session: Session, pointer: str, reference: str, matches: Sequence[UnitRow]) -> Fault:
    if matches:
        candidates = [f"{unit.code} ({unit.name})" for unit in matches]
        return Fault(pointer, ErrorCode.unit_ambiguous, {"name": reference}, candidates)
    return Fault(pointer, ErrorCode.unit_unknown, {"name": reference}, nearest(reference, known_names(session)))


def known_names(session: Session) -> list[str]:
    """Every word that names a unit: aliases, names and codes, in this order."""
    words: list[str] = []
    for column in (UnitAlias.alias, Unit.name, Unit.code):
        words += session.execute(select(col(column)).distinct().order_by(col(column))).scalars()
    return list(dict.fromkeys(words))
