"""The limit for batches: the same figures written straight into the same table of a copy of the database.

No request, no parsing, no caller, no check of what is written beyond the table's own constraints, no history, no
change records: one upsert in one durable transaction, by the fastest way that each engine's driver has.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from app.types import FIGURE_SCALE
from bench.data import REPORTER_ID
from bench.sheets import Figure

_COLUMNS = (
    "indicator_id", "period", "unit_id", "period_end", "value", "status", "version", "recorded_at", "client_id",
    "request_id",
)  # fmt: skip
REQUEST = "0" * 32
_NAMES = ", ".join(_COLUMNS)
_UPSERT = (
    "ON CONFLICT (indicator_id, period, unit_id) DO UPDATE "
    "SET value = excluded.value, recorded_at = excluded.recorded_at, client_id = excluded.client_id"
)
_INSERT = f'INSERT INTO "values" ({_NAMES})'
SQLITE_UPSERT = f"{_INSERT} VALUES ({', '.join('?' * len(_COLUMNS))}) {_UPSERT}"
POSTGRESQL_UPSERT = SQLITE_UPSERT.replace("?", "%s")
_SENT = f'CREATE TEMPORARY TABLE sent ON COMMIT DROP AS SELECT {_NAMES} FROM "values" WITH NO DATA'  # noqa: S608
_COPY = f"COPY sent ({_NAMES}) FROM STDIN"
_FROM_SENT = f"{_INSERT} SELECT {_NAMES} FROM sent {_UPSERT}"  # noqa: S608
# the figures of days, which only batches have
_TOTALS = 'SELECT count(*), sum(value) FROM "values" WHERE length(period) = 10'


@dataclass(frozen=True)
class Spent:
    """What one write took: seconds, and the CPU time of the process that did it where the system tells."""

    seconds: float
    cpu: float | None


@dataclass(frozen=True)
class RawCopy:
    """A copy of the database: `write` commits rows of `_COLUMNS`, `totals` counts and sums the figures of batches."""

    write: Callable[[Sequence[tuple[Any, ...]]], None]
    totals: Callable[[], tuple[Any, ...]]
    sqlite: bool

    def measure(self, figures: Sequence[Figure]) -> Spent:
        """Write figures down; making rows of them is not measured."""
        rows = list(_rows(figures, sqlite=self.sqlite))
        cpu, start = time.process_time(), time.perf_counter()
        self.write(rows)
        return Spent(time.perf_counter() - start, time.process_time() - cpu)


def _rows(figures: Sequence[Figure], *, sqlite: bool) -> Iterator[tuple[Any, ...]]:
    """Rows of `_COLUMNS` as the engine stores them."""
    now = datetime.now(UTC)
    at = now.replace(tzinfo=None).isoformat(" ") if sqlite else now
    for (indicator, unit, *_), day, value in figures:
        period, stored = day.isoformat(), int(value * FIGURE_SCALE) if sqlite else value
        yield indicator, period, unit, period, stored, "submitted", 1, at, REPORTER_ID, REQUEST


def open_sqlite(url: str) -> sqlite3.Connection:
    """A connection as durable as the service's; each statement outside BEGIN and COMMIT is a transaction."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "case_sensitive_like = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_postgresql(url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    """The same for PostgreSQL."""
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


@contextmanager
def opened_raw(url: str) -> Iterator[RawCopy]:
    """A copy of the database of a run, to write to."""
    with (_sqlite if url.startswith("sqlite") else _postgresql)(url) as copy:
        yield copy


@contextmanager
def _sqlite(url: str) -> Iterator[RawCopy]:
    with closing(open_sqlite(url)) as raw:

        def write(rows: Sequence[tuple[Any, ...]]) -> None:
            raw.execute("BEGIN IMMEDIATE")
            raw.executemany(SQLITE_UPSERT, rows)
            raw.execute("COMMIT")

        yield RawCopy(write, lambda: tuple(raw.execute(_TOTALS).fetchone()), sqlite=True)


@contextmanager
def _postgresql(url: str) -> Iterator[RawCopy]:
    with closing(open_postgresql(url)) as raw:

        def write(rows: Sequence[tuple[Any, ...]]) -> None:
            with raw.transaction(), raw.cursor() as cursor:
                cursor.execute(_SENT)
                with cursor.copy(_COPY) as out:
                    for row in rows:
                        out.write_row(row)
                cursor.execute(_FROM_SENT)

        yield RawCopy(write, lambda: tuple(raw.execute(_TOTALS).fetchone() or ()), sqlite=False)
