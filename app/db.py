"""Engines and transactions: the only place that commits.

One request is one transaction. Readers see one state of the database from their first to their last statement;
writers on SQLite queue for one connection, so that none of them ever waits inside the database and gives up.
"""

import functools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from sqlalchemy import (
    ColumnElement,
    Engine,
    Insert,
    PrimaryKeyConstraint,
    Select,
    UniqueConstraint,
    Update,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped
from sqlmodel import Session, SQLModel

from app.tables import metadata
from app.types import fold

T = TypeVar("T")
BUSY_SECONDS = 10
AnySelect = Select[*tuple[Any, ...]]


class Database:
    """The engines for reading and for writing, and the sessions on them."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        sqlite = make_url(url).get_backend_name() == "sqlite"
        self.url = url
        open_engine = _open_sqlite if sqlite else _open_postgresql
        self.writer = open_engine(url, pool_size, writing=True)
        self.reader = open_engine(url, pool_size, writing=False)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and cannot change it."""
        with self.new_session(writing=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose work is committed, and on disk, when the block ends without an exception; else undone."""
        with self.new_session(writing=True) as session, session.begin():
            yield session

    def new_session(self, *, writing: bool) -> Session:
        """A session that has not begun."""
        return Session(self.writer if writing else self.reader, autoflush=False, expire_on_commit=False)

    def exists(self) -> bool:
        """Whether there is a database to open; opening makes a SQLite file that is not there."""
        url = make_url(self.url)
        return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()

    def close(self) -> None:
        """Give back all connections."""
        self.writer.dispose()
        self.reader.dispose()


def _open_sqlite(url: str, pool_size: int, *, writing: bool) -> Engine:
    # a single writing connection: SQLite has one writer at a time, and waiting in the pool is fair where
    # waiting in SQLite is a lottery that can end in SQLITE_BUSY
    size = 1 if writing else pool_size
    engine = create_engine(url, pool_size=size, max_overflow=0, pool_timeout=BUSY_SECONDS)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say, below
        for pragma in (
            f"busy_timeout = {BUSY_SECONDS * 1000}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "case_sensitive_like = ON",  # as on PostgreSQL; searches fold both sides themselves
            f"query_only = {'OFF' if writing else 'ON'}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # a writer takes the lock at once: a later upgrade from reading could only fail
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _open_postgresql(url: str, pool_size: int, *, writing: bool) -> Engine:
    engine = create_engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=BUSY_SECONDS, pool_pre_ping=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # as on SQLite, who waits longer for another writer is told to try again
        connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        connection.commit()

    if writing:
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


async def new_read_session(request: Request) -> Session:
    """The session of a request that reads; it takes a connection when it is first used."""
    database: Database = request.app.state.database
    return database.new_session(writing=False)


async def new_write_session(request: Request) -> Session:
    """The session of a request that writes."""
    database: Database = request.app.state.database
    return database.new_session(writing=True)


ReadSession = Annotated[Session, Depends(new_read_session)]
WriteSession = Annotated[Session, Depends(new_write_session)]


def in_transaction(endpoint: Callable[..., T]) -> Callable[..., T]:
    """A route function whose `session` is one transaction: committed when the function returns, undone when it raises.

    So the commit is over before the answer is made, and the whole work of a request is done in one thread.
    """

    @functools.wraps(endpoint)
    def run(*, session: Session, **arguments: Any) -> T:
        with session, session.begin():
            return endpoint(session=session, **arguments)

    return run


def fetch(session: Session, statement: AnySelect, **parameters: Any) -> Sequence[Any]:
    """The rows of a statement that was built once, with `bindparam`s; columns only, no mapped objects.

    Past the session's own machinery: on the hot paths that costs more than the database does.
    """
    return session.connection().execute(statement, parameters).all()


def write(session: Session, statement: Insert | Update, **parameters: Any) -> None:
    """Run a write that was built once; its `bindparam`s and columns are named by the parameters."""
    session.connection().execute(statement, parameters)


def only_writer(session: Session, table: type[SQLModel]) -> None:
    """Let nobody else write to a table before this transaction ends; who refers to its rows or reads them may go on.

    SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        name = table.__tablename__
        session.connection().exec_driver_sql(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")


def contains(column: Mapped[str], text: str) -> ColumnElement[bool]:
    """Whether a folded column has a text in it, of two Chinese characters or any other length."""
    escaped = fold(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.like(f"%{escaped}%", escape="\\")


def violated_constraint(error: IntegrityError) -> str | None:
    """The name of the constraint that a write broke, on either engine; None where the engine does not tell."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return diagnosis.constraint_name  # type: ignore[no-any-return]
    kind, _, what = str(error.orig).partition(" constraint failed: ")
    if kind == "CHECK":
        return what
    if kind == "UNIQUE":
        return _unique_constraint({column.strip() for column in what.split(",")})
    return None


def _unique_constraint(columns: set[str]) -> str | None:
    """SQLite names the columns of a broken unique constraint or primary key; this finds its name in the tables."""
    for table in metadata.tables.values():
        for constraint in table.constraints:
            if not isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint):
                continue
            if {f"{table.name}.{column.name}" for column in constraint.columns} == columns:
                return str(constraint.name)
    return None
