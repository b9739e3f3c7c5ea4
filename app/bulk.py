"""Many rows at once: keys as a table to join with, and plain rows into a table.

Both go past the parts of SQLAlchemy that work row by row: for ten thousand rows those cost more than the database does.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

from app.statements import Convert, Prepared, connection_of, converted, dialect_of, prepared, run
from app.tables import metadata

_SQL_TYPES: dict[type, Any] = {int: BigInteger, str: Text}
Key = tuple[Any, ...]
Columns = Mapping[str, Sequence[Any]]


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

    def match(self, table: type[SQLModel], keys: FromClause) -> ColumnElement[bool]:
        """Whether a row of a table has one of the keys; its columns are called as their parts."""
        return and_(*(getattr(table, name) == keys.c[name] for name in self.parts))

    def parameters(self, dialect: str, keys: Sequence[Key]) -> dict[str, Any]:
        """The parameters that fill the table."""
        if dialect == "postgresql":
            return {f"keys_{name}": [key[place] for key in keys] for place, name in enumerate(self.parts)}
        return {"keys": json.dumps(keys)}


def fetch_keyed(
    session: Session, build: Callable[[FromClause], Any], keyset: KeySet, keys: Sequence[Key]
) -> Sequence[Any]:
    """The rows of a statement that `build` makes of the table of keys; it is built once for each engine."""
    return ask_keyed(session, build, keyset, keys)()


def ask_keyed(
    session: Session, build: Callable[[FromClause], Any], keyset: KeySet, keys: Sequence[Key]
) -> Callable[[], Sequence[Any]]:
    """What gives the rows of such a statement, to be called later; see `app.statements.ask`."""
    if not keys:
        return list
    asked, found = _run_keyed(session, build, keyset, keys)
    return lambda: asked.read(found.fetchall())


def run_keyed(session: Session, build: Callable[[FromClause], Any], keyset: KeySet, keys: Sequence[Key]) -> None:
    """Run a statement that `build` makes of the table of keys, and that has no rows to give."""
    if keys:
        _run_keyed(session, build, keyset, keys)


def _run_keyed(
    session: Session, build: Callable[[FromClause], Any], keyset: KeySet, keys: Sequence[Key]
) -> tuple[Prepared, Any]:
    connection = connection_of(session)
    engine = connection.dialect.name
    asked = _built(build, keyset, engine)
    return asked, run(connection, asked.text, asked.arguments(keyset.parameters(engine, keys)))


@functools.cache
def _built(build: Callable[[FromClause], Any], keyset: KeySet, engine: str) -> Prepared:
    asked = prepared(build(keyset.table(engine)), engine)
    return asked._replace(text=_in_binary(asked.text, engine))


def _in_binary(text: str, engine: str) -> str:
    """A statement whose lists travel in binary: as text, every quote in them would be escaped."""
    return text.replace("%s", "%b") if engine == "postgresql" else text


def insert_many(session: Session, table: type[SQLModel], columns: Columns) -> None:
    """Insert rows, given as the values of each column."""
    _write(session, table, {}, columns)


def update_many(session: Session, table: type[SQLModel], keys: Columns, columns: Columns) -> None:
    """Change the rows with some keys, each to its own values; both are given as the values of each column."""
    _write(session, table, keys, columns)


def upsert_many(
    session: Session, table: type[SQLModel], keys: Columns, columns: Columns, rank: tuple[str, ...]
) -> None:
    """Insert rows, or put each in the place of the one that has its key, unless that ranks above it.

    `rank` are the columns which together tell what ranks above what.
    """
    _write(session, table, keys, columns, rank)


def _write(
    session: Session, table: type[SQLModel], keys: Columns, columns: Columns, rank: tuple[str, ...] = ()
) -> None:
    values = {f"of_{name}": found for name, found in keys.items()} | dict(columns)
    if not values or not next(iter(values.values())):
        return
    connection = connection_of(session)
    engine = connection.dialect.name
    written = _compiled(metadata.tables[str(table.__tablename__)], tuple(keys), tuple(columns), rank, engine)
    if engine == "postgresql":
        run(connection, written.text, [list(values[name]) for name in written.order])
        return
    for name, bind in written.binders.items():
        values[name] = converted(bind, values[name])
    rows = zip(*(values[name] for name in written.order), strict=True)
    run(connection, written.text, list(rows), many=True)


class _Written(NamedTuple):
    """A write's text, the order of its parameters, and how the values of some become what the driver takes."""

    text: str
    order: list[str]
    binders: Mapping[str, Convert]


def _insert(table: Table, given: Mapping[str, Any], engine: str) -> Any:
    if engine == "postgresql":
        return postgresql.insert(table).from_select(list(given), select(*given.values()))
    return sqlite.insert(table).values(given)


@functools.cache
def _compiled(
    table: Table, keys: tuple[str, ...], names: tuple[str, ...], rank: tuple[str, ...], engine: str
) -> _Written:
    """SQLite runs a write once for each row, PostgreSQL once for all: that way each is many times as fast."""
    dialect = dialect_of(engine)
    types = {name: table.c[name.removeprefix("of_")].type for name in (*(f"of_{key}" for key in keys), *names)}
    if engine == "postgresql":
        arrays = [cast(bindparam(name), ARRAY(kind.dialect_impl(dialect))) for name, kind in types.items()]
        rows = func.unnest(*arrays).table_valued(*types, name="rows").render_derived()
        given = {name: rows.c[name] for name in types}
    else:
        given = {name: bindparam(name, type_=kind) for name, kind in types.items()}
    statement: Any
    if keys and not rank:
        same = (table.c[key] == given[f"of_{key}"] for key in keys)
        statement = update(table).values({name: given[name] for name in names}).where(*same)
    else:
        statement = _insert(table, {name.removeprefix("of_"): value for name, value in given.items()}, engine)
    if rank:
        new = statement.excluded
        above = tuple_(*(new[name] for name in rank)) >= tuple_(*(table.c[name] for name in rank))
        statement = statement.on_conflict_do_update(index_elements=keys, set_={n: new[n] for n in names}, where=above)
    compiled = statement.compile(dialect=dialect)
    found = {name: kind.dialect_impl(dialect).bind_processor(dialect) for name, kind in types.items()}
    binders = {name: bind for name, bind in found.items() if bind is not None}
    return _Written(_in_binary(str(compiled), engine), list(compiled.positiontup or ()), binders)
