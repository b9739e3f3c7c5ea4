"""Finding the unit that a hot path is asked about."""

from sqlalchemy import bindparam, literal, select, union_all
from sqlmodel import col

from app.hot import HotStore
from app.tables import Unit, UnitAlias
from app.types import fold
from app.units.names import UnitRow

_COLUMNS = [col(Unit.id), col(Unit.code), col(Unit.name), col(Unit.kind)]
_FOUND = union_all(
    select(*_COLUMNS, literal(0).label("rank")).where(col(Unit.code) == bindparam("code")),
    select(*_COLUMNS, literal(1)).where(col(Unit.name_key) == bindparam("name")),
    select(*_COLUMNS, literal(2))
    .join(UnitAlias, col(UnitAlias.unit_id) == col(Unit.id))
    .where(col(UnitAlias.alias_key) == bindparam("name")),
)


async def find_unit(store: HotStore, reference: str) -> UnitRow | None:
    """The one unit with this code, else name, else alias; None where there is none, or more than one."""
    rows = await store.fetch(_FOUND, code=reference, name=fold(reference))
    best = min((row[4] for row in rows), default=None)
    found = {UnitRow(*row[:4]) for row in rows if row[4] == best}
    return found.pop() if len(found) == 1 else None
