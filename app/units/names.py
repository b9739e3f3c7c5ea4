"""From what people call a unit to the unit: by code, name or alias, with the nearest names where none fits."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session, col

from app.db import AnySelect
from app.errors import ErrorCode, Fault, InvalidRequest, NotFound
from app.problems import nearest
from app.schemas import NamedUnit
from app.statements import among, fetch
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


UNIT_COLUMNS = [col(getattr(Unit, name)) for name in UnitRow._fields]
_ROW: AnySelect = select(*UNIT_COLUMNS).order_by(col(Unit.code))
_BY_KEY = _ROW.where(among(col(Unit.id)))
_BY_CODE = _ROW.add_columns(col(Unit.code)).where(among(col(Unit.code)))
_BY_NAME = _ROW.add_columns(col(Unit.name_key)).where(among(col(Unit.name_key)))
_BY_ALIAS = (
    _ROW.add_columns(col(UnitAlias.alias_key))
    .join(UnitAlias, col(UnitAlias.unit_id) == col(Unit.id))
    .where(among(col(UnitAlias.alias_key)))
    .distinct()
)
_CHUNK = 5000


def match_all(session: Session, references: Collection[str]) -> dict[str, list[UnitRow]]:
    """The units that each word may mean: the one with this code, else those of this name, else those of this alias."""
    found = _having(session, _BY_CODE, {reference: reference for reference in references})
    for statement in (_BY_NAME, _BY_ALIAS):
        found |= _having(session, statement, {name: fold(name) for name in references if name not in found})
    return {reference: found.get(reference, []) for reference in references}


def _having(session: Session, statement: AnySelect, keys: Mapping[str, str]) -> dict[str, list[UnitRow]]:
    """The units with each of some keys, in the statement's last column; words without any are left out."""
    rows: dict[str, list[UnitRow]] = {}
    wanted = list(dict.fromkeys(keys.values()))
    for start in range(0, len(wanted), _CHUNK):
        for *row, key in fetch(session, statement, keys=wanted[start : start + _CHUNK]):
            rows.setdefault(key, []).append(UnitRow(*row))
    return {reference: rows[key] for reference, key in keys.items() if key in rows}


def unit_rows(session: Session, keys: Iterable[int]) -> list[UnitRow]:
    """The units with these keys, by code."""
    return [UnitRow(*row) for row in fetch(session, _BY_KEY, keys=list(keys))]


def units_with_codes(session: Session, codes: Iterable[str]) -> dict[str, UnitRow]:
    """The units with these codes, by code; unknown ones are left out."""
    found = _having(session, _BY_CODE, {code: code for code in codes})
    return {code: unit for code, (unit,) in found.items()}


def resolve_units(session: Session, references: Mapping[str, str]) -> dict[str, UnitRow]:
    """The units that a request names, by the pointer to each name.

    Raises InvalidRequest with every name that is unknown or ambiguous.
    """
    found: dict[str, UnitRow] = {}
    faults = []
    all_matches = match_all(session, set(references.values()))
    for pointer, reference in references.items():
        matches = all_matches[reference]
        if len(matches) == 1:
            found[pointer] = matches[0]
        else:
            faults.append(unit_fault(pointer, reference, matches, known_names(session)))
    if faults:
        raise InvalidRequest(*faults)
    return found


def resolve_unit(session: Session, reference: str, pointer: str) -> UnitRow:
    """The one unit that a request names. Raises InvalidRequest."""
    return resolve_units(session, {pointer: reference})[pointer]


def get_unit_row(session: Session, reference: str) -> UnitRow:
    """The unit in a path. Raises NotFound with the nearest names; InvalidRequest where the word is ambiguous."""
    matches = match_all(session, {reference})[reference]
    if len(matches) == 1:
        return matches[0]
    fault = unit_fault("/path/unit", reference, matches, known_names(session))
    if matches:
        raise InvalidRequest(fault)
    raise NotFound(fault, resource="unit", code=reference)


def unit_fault(pointer: str, reference: str, matches: Sequence[UnitRow], names: Sequence[str]) -> Fault:
    """What is wrong with a word that means no unit, or several; `names` are those that could have been meant."""
    if matches:
        candidates = [f"{unit.code} ({unit.name})" for unit in matches]
        return Fault(pointer, ErrorCode.unit_ambiguous, {"name": reference}, candidates)
    return Fault(pointer, ErrorCode.unit_unknown, {"name": reference}, nearest(reference, names))


def known_names(session: Session) -> list[str]:
    """Every word that names a unit: aliases, names and codes, in this order."""
    words: list[str] = []
    for column in (UnitAlias.alias, Unit.name, Unit.code):
        words += session.execute(select(col(column)).distinct().order_by(col(column))).scalars()
    return list(dict.fromkeys(words))
