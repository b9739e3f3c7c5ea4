"""Matching the names that a document prints with the register of units."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from sqlalchemy import select
from sqlmodel import Session, col

from app.imports.findings import Finding
from app.imports.outline import Outline, PrintedUnit
from app.problems import nearest
from app.tables import Unit, UnitAlias
from app.types import UnitKind, fold
from app.units.names import known_names


@dataclass(frozen=True)
class Register:
    """The units by folded name, or alias where none has it as name, and the groups whose members nobody has told."""

    by_name: Mapping[str, frozenset[str]]
    keys: Mapping[str, int]
    empty_groups: frozenset[str]
    names: list[str]

    def code_of(self, name: str) -> str | None:
        """The code of the one unit that has this name; None for none or several."""
        codes = self.by_name.get(fold(name), frozenset())
        return next(iter(codes)) if len(codes) == 1 else None


def load_register(session: Session, members: Mapping[int, list[int]]) -> Register:
    """The register as it stands; `members` are all groups with their members."""
    by_name: dict[str, set[str]] = {}
    by_alias: dict[str, set[str]] = {}
    keys: dict[str, int] = {}
    empty = set()
    by_key: dict[int, str] = {}
    units = select(col(Unit.id), col(Unit.code), col(Unit.name_key), col(Unit.kind))
    for key, code, name_key, kind in session.execute(units):
        keys[code], by_key[key] = key, code
        by_name.setdefault(name_key, set()).add(code)
        if kind == UnitKind.group and not members.get(key):
            empty.add(code)
    for key, alias_key in session.execute(select(col(UnitAlias.unit_id), col(UnitAlias.alias_key))):
        by_alias.setdefault(alias_key, set()).add(by_key[key])
    frozen = {name: frozenset(codes) for name, codes in (by_alias | by_name).items()}
    return Register(frozen, keys, frozenset(empty), known_names(session))


def register_findings(outline: Outline, register: Register) -> Iterator[Finding]:
    """What is uncertain about the units of a document: one finding for each place."""
    near = cache(lambda name: tuple(nearest(name, register.names)))
    for item in outline.items:
        for unit in item.units:
            codes = register.by_name.get(fold(unit.name), frozenset())
            if not codes:
                yield _about(unit, "unit_unknown", near(unit.name))
            elif len(codes) > 1:
                yield _about(unit, "unit_ambiguous", tuple(sorted(codes)))
            elif codes <= register.empty_groups:
                yield _about(unit, "group_members_unknown", ())


def _about(unit: PrintedUnit, code: str, suggestions: tuple[str, ...]) -> Finding:
    place = {"line": unit.line, "start": unit.start, "end": unit.end, "text": unit.name}
    return Finding("warning", code, **place, params={"name": unit.name}, suggestions=suggestions)  # type: ignore[arg-type]
