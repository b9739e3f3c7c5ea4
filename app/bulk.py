"""Many rows at once: keys as a table to join with, and plain rows into a table.

Both go past the parts of SQLAlchemy that work row by row: for ten thousand rows those cost more than the database does.
"""

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Dialect,
    FromClause,
    Insert,
    Text,
    Update,
    bindparam,
    cast,
    func,
    literal_column,
    make_url,
    select,
)
from sqlmodel import Session

_SQL_TYPES: dict[type, Any] = {int: BigInteger, str: Text}
Key = tuple[Any, ...]


class KeySet:
    """The shape of many keys of one kind, by the names and Python types of their parts."""

    def __init__(self, **parts: type) -> None:
        self.parts = parts

    def table(self, dialect: str) -> FromClause:
        """The keys as a table with a column for each part."""
        if dialect == "postgresql":
            arrays = [cast(bindparam(f"keys_{name}"), ARRAY(_SQL_TYPES[kind])) for name, kind in self.parts.items()]
            return func.unnest(*arrays).table_valued(*self.parts, name="keys").render_derived()
        row = func.json_each(bindparam("keys")).table_valued("value", name="key").c.value
        places = enumerate(self.parts)
        return select(
            *(func.json_extract(row, literal_column(f"'$[{place}]'")).label(name) for place, name in places)
        ).subquery("keys")

    def parameters(self, dialect: str, keys: Sequence[Key]) -> dict[str, Any]:
        """The parameters that fill the table."""
        if dialect == "postgresql":
            return {f"keys_{name}": [key[place] for key in keys] for place, name in enumerate(self.parts)}
        return {"keys": json.dumps(keys)}


def fetch_keyed(session: Session, build: Callable[[FromClause], Any], keyset: KeySet, keys: Sequence[Key]) -> list[Any]:
    """The rows of a statement that `build` makes of the table of keys; it is built once for each engine."""
    if not keys:
        return []
    dialect = session.get_bind().dialect.name
    return list(session.connection().execute(_built(build, keyset, dialect), keyset.parameters(dialect, keys)).all())


@functools.cache
def _built(build: Callable[[FromClause], Any], keyset: KeySet, dialect: str) -> Any:
    return build(keyset.table(dialect))


def write_many(session: Session, statement: Insert | Update, columns: Mapping[str, Sequence[Any]]) -> None:
    """Run a write once for each row; `columns` are the rows' values, by the statement's parameters.

    A parameter has the type of the column of its name; that of a condition is called `of_<column>`.
    """
    if not columns or not next(iter(columns.values())):
        return
    text, order, binders = _compiled(statement, tuple(columns), session.get_bind().dialect.name)
    bound = {name: _bound(binders[name], values) if name in binders else values for name, values in columns.items()}
    session.connection().exec_driver_sql(text, list(zip(*(bound[name] for name in order), strict=True)))


_DIALECTS = {
    "sqlite": make_url("sqlite://").get_dialect()(paramstyle="qmark"),  # type: ignore[call-arg]
    "postgresql": make_url("postgresql+psycopg://").get_dialect()(paramstyle="format"),  # type: ignore[call-arg]
}


@functools.cache
def _compiled(
    statement: Insert | Update, names: tuple[str, ...], engine: str
) -> tuple[str, list[str], dict[str, Callable[[Any], Any]]]:
    """A statement's text, the order of its parameters, and how values become what the driver takes."""
    dialect = _DIALECTS[engine]
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    columns = {name: statement.table.c[name.removeprefix("of_")] for name in names}
    binders = {name: bind for name, column in columns.items() if (bind := _binder(column, dialect)) is not None}
    return str(compiled), list(compiled.positiontup or ()), binders


def _binder(column: ColumnElement[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _bound(bind: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
    """Values as the driver takes them; the days and times of many rows are few."""
    done: dict[Any, Any] = {}
    found = []
    for value in values:
        if value not in done:
            done[value] = bind(value)
        found.append(done[value])
    return found
