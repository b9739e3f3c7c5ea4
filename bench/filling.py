"""Writing the rows of `bench.data` into an empty database: single rows as the service does, values in bulk.

Ten million values take a minute or two: nothing is checked row by row, since all of them name rows that were just
made.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Table, func, literal, select

from app.columns import UtcTime
from app.db import Database
from app.history import FOREVER, VERSIONED
from app.migrating import migrate
from bench.data import REPORTER_ID, Figure, Maker, Size, newest
from bench.rows import AT, Row

Progress = Callable[[Iterable[Any], str, int], Iterable[Any]]
_COLUMNS = "indicator_id, period, unit_id, period_end, value, recorded_at"
_COPIED = f"{_COLUMNS}, status, version, client_id, request_id"
_REQUEST = "0" * 32
_SQLITE = f"""
    INSERT INTO "values" ({_COPIED})
    VALUES (?, ?, ?, ?, ? * 10000, ?, 'submitted', 1, {REPORTER_ID}, '{_REQUEST}')"""  # noqa: S608 - from above
_SQLITE_LATEST = f"INSERT INTO latest_values ({_COLUMNS}) VALUES (?, ?, ?, ?, ? * 10000, ?)"  # noqa: S608
_TAIL = f"submitted\t1\t{REPORTER_ID}\t{_REQUEST}"


def fill(url: str, size: Size, progress: Progress) -> None:
    """Bring an empty database to the shape of the service, and fill it."""
    maker = Maker(size)
    database = Database(url)
    with closing(database):
        migrate(database)
        with database.writer.begin() as connection:
            tables = maker.tables()
            for table, rows in progress(tables.items(), "Plans, units, targets", len(tables)):
                _insert(connection, table.__table__, rows)
            _begin_histories(connection)
            if connection.dialect.name == "postgresql":
                _number_on(connection, [table.__table__ for table in tables])
    figures = progress(maker.values(), "Values", maker.indicators)
    if url.startswith("sqlite"):
        _fill_sqlite(url.removeprefix("sqlite:///"), figures)
    else:
        _fill_postgresql(url.replace("+psycopg", ""), figures)


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


def _fill_sqlite(path: str, figures: Iterable[Sequence[Figure]]) -> None:
    """A file that is half made is thrown away: no journal is kept, and nothing is synced."""
    latest: list[Figure] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000"):
            raw.execute(f"PRAGMA {pragma}")
        raw.execute("BEGIN")
        raw.executemany(_SQLITE, _noting_newest(figures, latest))
        raw.executemany(_SQLITE_LATEST, latest)
        raw.execute("COMMIT")
        raw.execute("PRAGMA journal_mode = WAL")


def _fill_postgresql(url: str, figures: Iterable[Sequence[Figure]]) -> None:
    latest: list[Figure] = []
    with psycopg.connect(url) as raw, raw.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no look-up of foreign keys for each row
        cursor.execute("SET TimeZone = 'UTC'")
        with cursor.copy(f'COPY "values" ({_COPIED}) FROM STDIN') as out:
            for row in _noting_newest(figures, latest):
                out.write(f"{_line(row)}\t{_TAIL}\n")
        with cursor.copy(f"COPY latest_values ({_COLUMNS}) FROM STDIN") as out:
            for row in latest:
                out.write(f"{_line(row)}\n")


def _noting_newest(figures: Iterable[Sequence[Figure]], latest: list[Figure]) -> Iterator[Figure]:
    """Figures one by one; those that are the newest of their unit are noted."""
    for rows in figures:
        latest.extend(newest(rows))
        yield from rows


def _line(row: Figure) -> str:
    indicator, period, unit, end, hundredths, at = row
    return f"{indicator}\t{period}\t{unit}\t{end}\t{hundredths / 100:.2f}\t{at}"
