"""Sessions and transactions: the only place that commits.

One request is one transaction. Readers see one state of the database from their first to their last statement;
writers on SQLite queue for one connection, so that none of them ever waits inside the database and gives up.
"""

import functools
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Query, Request, Response
from sqlalchemy import (
    ColumnElement,
    Connection,
    PrimaryKeyConstraint,
    UniqueConstraint,
    event,
    inspect,
    make_url,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Mapped, ORMExecuteState
from sqlmodel import Session, SQLModel

from app.answers import Answers
from app.derived import DocumentShape as DocumentShape
from app.engines import BUSY_SECONDS, open_postgresql, open_sqlite
from app.errors import ErrorCode, ServiceError, invalid
from app.grouping import GroupCommit, Work
from app.history import keep_history
from app.hot import open_hot_store
from app.past import AnySelect as AnySelect
from app.past import as_of
from app.schemas import Maybe
from app.tables import metadata
from app.touched import Touched, keep_documents
from app.types import Time, fold

T = TypeVar("T")
MOST_TRIES = 3
SERIALIZATION_FAILURE, DEADLOCK, LOCK_NOT_AVAILABLE = "40001", "40P01", "55P03"


class Database:
    """The engines for reading and for writing, and the sessions on them."""

    def __init__(self, url: str, pool_size: int = 10, cache_bytes: int = 24_000_000) -> None:
        sqlite = make_url(url).get_backend_name() == "sqlite"
        self.url = url
        open_engine = open_sqlite if sqlite else open_postgresql
        self.writer = open_engine(url, pool_size, writing=True)
        self.reader = open_engine(url, pool_size, writing=False)
        self.hot = open_hot_store(url, pool_size)
        self._groups: dict[Work, GroupCommit] = {}
        self.answers = Answers(cache_bytes)

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

    def grouped(self, work: Work) -> GroupCommit:
        """Where writes of one kind are submitted that may share their transactions."""
        found = self._groups.get(work)
        if found is None:
            new = GroupCommit(work, self.writing, BUSY_SECONDS)
            found = self._groups.setdefault(work, new)
        return found

    def close(self) -> None:
        """Give back all connections, when what is in a group has been written."""
        for group in list(self._groups.values()):
            group.close()
        self.writer.dispose()
        self.reader.dispose()


async def new_read_session(request: Request) -> Session:
    """The session of a request that reads; it takes a connection when it is first used."""
    database: Database = request.app.state.database
    return database.new_session(writing=False)


async def new_write_session(request: Request) -> Session:
    """The session of a request that writes."""
    database: Database = request.app.state.database
    return database.new_session(writing=True)


AS_OF = (
    "The answer as it stood at this time (RFC 3339, with its zone), which cannot be in the future; what a long write "
    "has under way counts from when it began to write."
)
AsOf = Annotated[Maybe[Time], Query(description=AS_OF)]


async def new_past_session(request: Request, as_of: AsOf = None) -> Session:
    """The session of a request that reads one thing, now or as of some time; lists have `as_of` in their query."""
    session = await new_read_session(request)
    look_back(session, as_of)
    return session


ReadSession = Annotated[Session, Depends(new_read_session)]
SessionAsOf = Annotated[Session, Depends(new_past_session)]
WriteSession = Annotated[Session, Depends(new_write_session)]


def in_transaction(endpoint: Callable[..., T]) -> Callable[..., T]:
    """A route function whose `session` is one transaction: committed when the function returns, undone when it raises.

    So the commit is over before the answer is made, and the whole work of a request is done in one thread. Where the
    database undid it in favour of another transaction, it is run again from the start, a few times at most; a route
    function must therefore leave its arguments as they are.
    """

    @functools.wraps(endpoint)
    def run(*, session: Session, **arguments: Any) -> T:
        look_back(session, getattr(arguments.get("query"), "as_of", None))
        restore = _remember(session, arguments)
        began = time.monotonic()
        for _ in range(MOST_TRIES - 1):
            committing = False
            try:
                with session, session.begin():
                    answer = endpoint(session=session, **arguments)
                    committing = True
            except DBAPIError as error:
                if not _was_undone(error, time.monotonic() - began, committing=committing):
                    raise
            else:
                return answer
            restore()
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - apart from the other one, which tries again as well
        with session, session.begin():
            return endpoint(session=session, **arguments)

    return run


def _remember(session: Session, arguments: dict[str, Any]) -> Callable[[], None]:
    """A function that takes a failed try's traces off the session and off the answer that the framework makes."""
    info = dict(session.info)
    answers = [(one, one.status_code, list(one.raw_headers)) for one in arguments.values() if isinstance(one, Response)]

    def restore() -> None:
        session.info.clear()
        session.info.update(info)
        for answer, status, headers in answers:
            answer.status_code = status
            answer.raw_headers[:] = headers

    return restore


def _was_undone(error: DBAPIError, seconds: float, *, committing: bool) -> bool:
    """Whether a transaction left nothing and may succeed at once; `seconds` is how long it has been tried."""
    if sqlstate_of(error) in (SERIALIZATION_FAILURE, DEADLOCK):
        return True
    if error.connection_invalidated:
        return not committing  # else nobody knows whether it was committed
    busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    return busy and seconds < BUSY_SECONDS  # who has waited that long already is told so


def sqlstate_of(error: DBAPIError) -> str | None:
    """PostgreSQL's code of what went wrong."""
    return getattr(error.orig, "sqlstate", None)


def look_back(session: Session, at: datetime | None) -> None:
    """Let a session that reads see everything as it stood at a time; None is now.

    Raises InvalidRequest for a time to come: the answer could still change.
    """
    if at is None:
        return
    now = datetime.now(UTC)
    if at > now:
        raise invalid("/query/as_of", ErrorCode.time_in_future, now=now.isoformat().replace("+00:00", "Z"))
    session.info["as_of"] = at
    event.listen(session, "do_orm_execute", _execute_in_the_past)
    event.listen(session, "after_begin", _go_by_indexes)


def _go_by_indexes(_session: Session, _transaction: Any, connection: Connection) -> None:
    """PostgreSQL cannot guess how few rows what stands for a table has, and would read all values for one page."""
    if connection.dialect.name == "postgresql":
        off = ("enable_hashjoin", "enable_mergejoin", "enable_material", "jit")
        connection.exec_driver_sql("; ".join(f"SET LOCAL {name} = off" for name in off))


def _execute_in_the_past(state: ORMExecuteState) -> Any:
    statement = as_of(cast("AnySelect", state.statement), state.session.get_bind().dialect.name)
    given = cast("dict[str, Any]", state.parameters or {})
    state.parameters = given | {"as_of": state.session.info["as_of"]}
    return state.invoke_statement(statement)


def moment(session: Session) -> datetime:
    """The one instant of a transaction, that of its first write; to be asked for when its rows are locked."""
    return _of_transaction(session, "moment", lambda: datetime.now(UTC))


@event.listens_for(Session, "after_flush")
def _keep_history(session: Session, _flush: Any) -> None:
    keep_history(session, moment(session), _of_transaction(session, "written", dict))
    touched_by(session).note(session)


@event.listens_for(Session, "before_commit")
def _keep_documents(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()  # what is touched is known when it is written
    touched = touched_by(session)
    if touched:
        keep_documents(session, touched)


def touched_by(session: Session) -> Touched:
    """What the transaction has touched of what targets show; who writes past the session notes it here."""
    return _of_transaction(session, "touched", Touched)


def _of_transaction(session: Session, name: str, make: Callable[[], T]) -> T:
    """Something that lives as long as the transaction that a session is in."""
    transaction, kept = session.get_transaction(), session.info.get(name)
    if kept is None or kept[0] is not transaction:
        kept = session.info[name] = (transaction, make())
    return kept[1]


@contextmanager
def attempt(session: Session, *, undo: bool) -> Iterator[None]:
    """A block whose work is undone at its end where it was only a try; what it raises undoes it as well."""
    before = touched_by(session).copy() if undo else None
    with session.begin_nested() as savepoint:
        yield
        if before is not None:
            savepoint.rollback()
            touched_by(session).become(before)  # or documents would be written for nothing


def replace_rows(session: Session, present: Sequence[SQLModel], wanted: Sequence[SQLModel]) -> None:
    """Put rows in the place of others of their table; what has the same key is changed, and left alone if it is equal.

    Through the session: a `DELETE` past it would leave no history.
    """
    left = {_key_of(row): row for row in present}
    for row in wanted:
        same = left.pop(_key_of(row), None)
        if same is None:
            session.add(row)
        else:
            same.sqlmodel_update(row)
    for row in left.values():
        session.delete(row)


def _key_of(row: SQLModel) -> tuple[Any, ...]:
    return inspect(type(row)).primary_key_from_instance(row)  # type: ignore[no-any-return]


def only_writer(session: Session, table: type[SQLModel]) -> None:
    """Let nobody else write to a table before this transaction ends; who refers to its rows or reads them may go on.

    SQLite has one writer anyway.
    """
    if locks_rows(session):
        name = table.__tablename__
        session.connection().exec_driver_sql(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")


@contextmanager
def hardly_waiting(session: Session, otherwise: ServiceError) -> Iterator[None]:
    """A block whose statements raise `otherwise` where they would wait for another transaction.

    SQLite has one writer anyway.
    """
    if not locks_rows(session):
        yield
        return
    connection = session.connection()
    connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
    try:
        yield
    except DBAPIError as error:
        if sqlstate_of(error) == LOCK_NOT_AVAILABLE:
            raise otherwise from error
        raise
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")


def locks_rows(session: Session) -> bool:
    """Whether the engine locks single rows, for writers at the same time; SQLite has one writer at a time."""
    return session.get_bind().dialect.name == "postgresql"


def contains(column: Mapped[str], text: str) -> ColumnElement[bool]:
    """Whether a folded column has a text in it, of two Chinese characters or any other length."""
    return column.like(f"%{escaped(fold(text))}%", escape="\\")


def escaped(text: str) -> str:
    """A text in a pattern of LIKE, in which it stands for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


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
