"""Statements that are built once and run often, past SQLAlchemy's machinery for running them.

A statement is put into an engine's words once, with the functions that turn its parameters into what the driver takes
and its columns back; after that the driver is asked directly, on the connection that the session's transaction has.
On the hot paths that machinery costs ten times what the database does.
"""

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Connection, Dialect, Text, bindparam, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import BigInteger, Boolean, TypeDecorator, TypeEngine
from sqlmodel import Session

from app.past import AnySelect, as_of

Convert = Callable[[Any], Any]
_FIGURES = (int, Decimal)
_DRIVERS = {
    "sqlite": ("sqlite", "qmark"),
    "postgresql": ("postgresql+psycopg", "format"),
    "asyncpg": ("postgresql+psycopg", "numeric_dollar"),
}


@functools.cache
def dialect_of(engine: str) -> Dialect:
    """How an engine, or the other driver of PostgreSQL, writes statements; only what is asked for is loaded."""
    driver, style = _DRIVERS[engine]
    return make_url(f"{driver}://").get_dialect()(paramstyle=style)  # type: ignore[call-arg]


class _Keys(TypeDecorator[Any]):
    """The parameter of `among`: a list to PostgreSQL, a JSON array to SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: TypeEngine[Any]) -> None:
        super().__init__()
        self.kind = kind

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that an engine has for it."""
        return Text() if dialect.name == "sqlite" else ARRAY(self.kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The keys as the engine takes them."""
        return json.dumps(list(value), ensure_ascii=False) if dialect.name == "sqlite" else list(value)


class among(FunctionElement[bool]):  # noqa: N801 - reads as the operator that it is
    """Whether a column is one of the keys in a parameter; the statement stays the same however many they are."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: Any, name: str = "keys") -> None:
        kind = BigInteger() if column.type.python_type is int else Text()
        super().__init__(column, bindparam(name, type_=_Keys(kind)))

    def self_group(self, against: Any = None) -> "among":  # noqa: ARG002 - SQLAlchemy's
        """Itself: a condition already. SQLAlchemy would compare it with 1 on SQLite, and no index would serve it."""
        return self


@compiles(among, "sqlite")
def _among_in_sqlite(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"  # noqa: S608 - both parts are SQLAlchemy's


@compiles(among, "postgresql")
def _among_in_postgresql(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} = ANY({keys})"


def converted(convert: Convert, values: Sequence[Any]) -> list[Any]:
    """Values of a column in another form; the days and times of many rows are few, unlike figures."""
    if isinstance(values[0], _FIGURES):
        return [convert(value) for value in values]
    distinct = set(values)
    done = {value: convert(value) for value in distinct}
    return [done[value] for value in values]


class Prepared(NamedTuple):
    """A statement in an engine's words: its text, its parameters in order, and how values go in and come out."""

    text: str
    names: Sequence[str]
    writers: Mapping[str, Convert]
    readers: Sequence[tuple[int, Convert]]
    constants: Mapping[str, Any]

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The parameters as the driver takes them."""
        given = {**self.constants, **parameters}
        for name, convert in self.writers.items():
            given[name] = convert(given[name])
        return [given[name] for name in self.names]

    def read(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """Rows of the driver with our types in them, made column by column."""
        if not rows or not self.readers:
            return rows
        columns: list[Any] = list(zip(*rows, strict=True))
        for place, convert in self.readers:
            columns[place] = converted(convert, columns[place])
        return list(zip(*columns, strict=True))


@functools.cache
def prepared(statement: Any, engine: str) -> Prepared:
    """A statement for an engine. It is kept for good: only for statements that are built once."""
    dialect = dialect_of(engine)
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    names = list(compiled.positiontup or ())
    binds = {name: compiled.binds[name] for name in names}
    writers = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in binds.items()}
    constants = {name: bind.effective_value for name, bind in binds.items() if not bind.required}
    kinds = [column.type for column in getattr(statement, "selected_columns", ())]
    readers = [kind.dialect_impl(dialect).result_processor(dialect, None) for kind in kinds]
    return Prepared(
        str(compiled),
        names,
        {name: writer for name, writer in writers.items() if writer is not None},
        [(place, reader) for place, reader in enumerate(readers) if reader is not None],
        constants,
    )


@functools.cache
def _in_the_past(statement: AnySelect, engine: str) -> AnySelect:
    return as_of(statement, engine)


def connection_of(session: Session) -> Connection:
    """The connection of a session's transaction; SQLAlchemy, which checks much each time, is asked for it once."""
    # a savepoint begins when its connection is asked for: so it is asked for once within each
    transaction = session.get_nested_transaction() or session.get_transaction()
    kept: tuple[Any, Connection] | None = session.info.get("connection")
    if kept is not None and kept[0] is transaction:
        return kept[1]
    connection = session.connection()
    session.info["connection"] = session.get_nested_transaction() or session.get_transaction(), connection
    return connection


def fetch(session: Session, statement: AnySelect, **parameters: Any) -> Sequence[Any]:
    """The rows of a statement that was built once, with `bindparam`s and `among`; columns only, no mapped objects."""
    return ask(session, statement, **parameters)()


def ask(session: Session, statement: AnySelect, **parameters: Any) -> Callable[[], Sequence[Any]]:
    """What gives the rows of such a statement, to be called later: in a block of `sent_together`, that saves a wait."""
    connection = connection_of(session)
    engine = connection.dialect.name
    if "as_of" in session.info:
        statement = _in_the_past(statement, engine)
        parameters["as_of"] = session.info["as_of"]
    asked = prepared(statement, engine)
    found = run(connection, asked.text, asked.arguments(parameters))
    return lambda: asked.read(found.fetchall())


@contextmanager
def sent_together(session: Session) -> Iterator[None]:
    """A block whose statements PostgreSQL gets one after another, without a wait for the answer to each.

    Only for what goes through this module: SQLAlchemy wants each answer at once. What is wrong with one of them is
    raised by another one or at the end of the block. Elsewhere there is no way to the database that takes time.
    """
    connection = connection_of(session)
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except Exception as error:
        wrapped = _wrapped(connection, error, "", ())
        if wrapped is None:
            raise
        raise wrapped from error


def run(connection: Connection, text: str, parameters: Sequence[Any], *, many: bool = False) -> Any:
    """Have the driver run a statement's text in the transaction of a connection; the answer is the driver's cursor.

    `many`: once for each of the parameters. Raises what SQLAlchemy would raise.
    """
    driver: Any = connection.connection.driver_connection
    try:
        if many:
            return driver.cursor().executemany(text, parameters)
        return driver.execute(text, parameters)
    except Exception as error:
        wrapped = _wrapped(connection, error, text, parameters)
        if wrapped is None:
            raise
        raise wrapped from error


def _wrapped(connection: Connection, error: Exception, text: str, parameters: Any) -> DBAPIError | None:
    """A driver's error as SQLAlchemy tells it, None for any other; a connection that is lost is given up."""
    dialect = connection.dialect
    base = dialect.loaded_dbapi.Error
    if not isinstance(error, base):
        return None
    lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if lost:
        connection.invalidate(error)
    found = DBAPIError.instance(text, parameters, error, base, connection_invalidated=lost, dialect=dialect)
    assert isinstance(found, DBAPIError)  # noqa: S101 - it is one for every driver's error
    return found
