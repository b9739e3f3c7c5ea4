"""The database of a run: on SQLite a copy of one that was made once, on PostgreSQL a new one on a server of its own."""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, Table, func, literal, select, text

from app.columns import UtcTime
from app.db import Database
from app.history import FOREVER, VERSIONED
from app.migrating import migrate
from app.tables import Assignment, Indicator, Plan, Target, Unit, Value
from bench.data import VALUE_TABLES, Maker, Size
from bench.rows import AT, Row

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "build" / "bench"
_BATCH = 10_000
Progress = Callable[[Iterable[Any], str, int], Iterable[Any]]


@contextmanager
def opened_store(engine: str, size: Size, progress: Progress) -> Iterator[str]:
    """The URL of a migrated and filled database that a run may write to; it is gone when the block ends."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (_sqlite if engine == "sqlite" else _postgresql)(size, progress) as url:
        yield url


def engine_version(database: Database) -> str:
    """The engine and its version, as a reader of a report wants to know them."""
    if database.writer.dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with database.reading() as session:
        return f"PostgreSQL {session.execute(text('SHOW server_version')).scalar_one()}"


def count_rows(database: Database) -> dict[str, int]:
    """How many rows the tables have that say how large a database is."""
    with database.reading() as session:
        return {
            table.__tablename__: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Plan, Target, Unit, Assignment, Indicator, Value)
        }


@contextmanager
def _sqlite(size: Size, progress: Progress) -> Iterator[str]:
    kept = CACHE / f"{size.name}-{_fingerprint()}.db"
    if not kept.exists():
        for older in CACHE.glob(f"{size.name}-*.db"):
            older.unlink()
        unfinished = kept.with_suffix(f".{os.getpid()}.tmp")
        _fill(f"sqlite:///{unfinished}", size, progress)
        unfinished.rename(kept)
    copy = CACHE / f"run-{os.getpid()}.db"
    try:
        shutil.copyfile(kept, copy)
        yield f"sqlite:///{copy}"
    finally:
        for ending in ("", "-wal", "-shm"):
            Path(f"{copy}{ending}").unlink(missing_ok=True)


@contextmanager
def _postgresql(size: Size, progress: Progress) -> Iterator[str]:
    """A durable server that lives as long as the run; what an autovacuum would have done by then is done at once."""
    from tests.postgres import create_database, running_postgres

    with running_postgres(durable=True) as server:
        url = create_database(server, "bench")
        _fill(url, size, progress)
        database = Database(url)
        with closing(database), database.writer.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
        yield url


def _fingerprint() -> str:
    """A word for what a database is made of: another shape or other rows give another word."""
    sources = [*Path(__file__).parent.glob("*.py"), *(ROOT / "migrations" / "versions").glob("*.py")]
    made_of = {Path(__file__).name, "data.py", "rows.py", "words.py"}
    digest = hashlib.sha256()
    for path in sorted([*sources, ROOT / "app" / "columns.py"]):
        if path.parent != Path(__file__).parent or path.name in made_of:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _fill(url: str, size: Size, progress: Progress) -> None:
    database = Database(url)
    with closing(database):
        migrate(database)
        maker = Maker(size)
        with database.writer.begin() as connection:
            tables = maker.tables()
            for table, rows in progress(tables.items(), "Plans, units, targets", len(tables)):
                _insert(connection, table.__table__, rows)
            waiting: list[list[Row]] = [[] for _ in VALUE_TABLES]
            for made in progress(maker.values(), "Values", maker.indicators):
                for rows, more in zip(waiting, made, strict=True):
                    rows.extend(more)
                if len(waiting[0]) >= _BATCH:
                    _insert_values(connection, waiting)
            _insert_values(connection, waiting)
            _begin_histories(connection)
            if connection.dialect.name == "postgresql":
                _number_on(connection, [table.__table__ for table in tables])
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert_values(connection: Connection, waiting: Sequence[list[Row]]) -> None:
    for table, rows in zip(VALUE_TABLES, waiting, strict=True):
        _insert(connection, table.__table__, rows)  # type: ignore[attr-defined]
        rows.clear()


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, which all name the same columns; the others keep their defaults."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(table.insert(), list(rows))
        return
    columns = list(rows[0])
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    copy = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
    with connection.connection.cursor() as cursor, cursor.copy(copy) as out:  # type: ignore[attr-defined]
        for row in rows:
            out.write_row([row[name] for name in columns])


def _begin_histories(connection: Connection) -> None:
    """Let the history of every row begin, as if the service had written it."""
    since, forever = literal(AT, UtcTime()), literal(FOREVER, UtcTime())
    for model, history in VERSIONED.items():
        columns = list(model.__table__.columns)
        names = [*(column.name for column in columns), "from_at", "until_at"]
        connection.execute(history.insert().from_select(names, select(*columns, since, forever)))


def _number_on(connection: Connection, tables: Iterable[Table]) -> None:
    """Let the sequences go on after the keys that were given here."""
    for table in tables:
        if "id" in table.columns:
            sequence = func.pg_get_serial_sequence(table.name, "id")
            connection.execute(select(func.setval(sequence, func.max(table.c.id))))
