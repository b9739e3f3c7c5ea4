"""How the two databases are opened."""

import sqlite3
import time
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from app.statements import run

BUSY_SECONDS = 30  # a batch of 100,000 rows takes some ten, and who waits for it should not be turned away
FRESH_SECONDS = 1


def open_sqlite(url: str, pool_size: int, *, writing: bool) -> Engine:
    """The engine of a SQLite file, for readers or for the one writer."""
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
        run(connection, "BEGIN IMMEDIATE" if writing else "BEGIN", ())

    return engine


def open_postgresql(url: str, pool_size: int, *, writing: bool) -> Engine:
    """The engine of a PostgreSQL database, for readers, each in a state of its own, or for writers."""
    engine = create_engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=BUSY_SECONDS)
    _ping_where_in_doubt(engine)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # as on SQLite, who waits longer for another writer is told to try again
        connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        if writing:  # planning the same few statements for each write anew takes longer than to run them
            connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.commit()

    if writing:
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _ping_where_in_doubt(engine: Engine) -> None:
    """Have a connection asked whether it is alive before it is used, unless it was in use a moment ago.

    Who meets a dead one all the same is tried again, like who loses it later; from then on all others are in doubt.
    """
    lost_at = 0.0

    @event.listens_for(engine, "connect")
    @event.listens_for(engine, "checkin")
    def note(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "invalidate")
    def doubt(_connection: Any, _record: ConnectionPoolEntry, _error: BaseException | None) -> None:
        nonlocal lost_at
        lost_at = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if record.info["used_at"] <= max(lost_at, time.monotonic() - FRESH_SECONDS):
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error
