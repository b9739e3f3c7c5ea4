"""The limit for batches: the same figures written straight into the same table of a copy of the database.

No request, no parsing, no caller, no check of what is written beyond the table's own constraints, no history, no
change records: one upsert in one durable transaction, by the fastest way that each engine's driver has.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from app.types import FIGURE_SCALE
from bench.sheets import Figure
from bench.stores import CACHE

_COLUMNS = (
    "indicator_id", "period", "unit_id", "period_end", "value", "status", "version", "recorded_at", "client_id"
)  # fmt: skip
_NAMES = ", ".join(_COLUMNS)
_UPSERT = (
    "ON CONFLICT (indicator_id, period, unit_id) DO UPDATE "
    "SET value = excluded.value, recorded_at = excluded.recorded_at, client_id = excluded.client_id"
)
_SQLITE = f'INSERT INTO "values" ({_NAMES}) VALUES ({", ".join("?" * len(_COLUMNS))}) {_UPSERT}'  # noqa: S608
_SENT = f'CREATE TEMPORARY TABLE sent ON COMMIT DROP AS SELECT {_NAMES} FROM "values" WITH NO DATA'  # noqa: S608
_COPY = f"COPY sent ({_NAMES}) FROM STDIN"
_FROM_SENT = f'INSERT INTO "values" ({_NAMES}) SELECT {_NAMES} FROM sent {_UPSERT}'  # noqa: S608
_TOTALS = 'SELECT count(*), sum(value) FROM "values" WHERE client_id = {}'


@dataclass(frozen=True)
class Spent:
    """What one write took: seconds, and the CPU time of the process that did it where the system tells."""

    seconds: float
    cpu: float | None


@dataclass(frozen=True)
class RawCopy:
    """A copy of the database: `write` commits rows of `columns_of`, `totals` counts and sums a client's figures."""

    write: Callable[[Sequence[tuple[Any, ...]]], None]
    totals: Callable[[int], tuple[Any, ...]]
    sqlite: bool

    def measure(self, figures: Sequence[Figure], client: int) -> Spent:
        """Write figures down; making rows of them is not measured."""
        rows = list(_rows(figures, client, sqlite=self.sqlite))
        cpu, start = time.process_time(), time.perf_counter()
        self.write(rows)
        return Spent(time.perf_counter() - start, time.process_time() - cpu)


def _rows(figures: Sequence[Figure], client: int, *, sqlite: bool) -> Iterator[tuple[Any, ...]]:
    """Rows of `_COLUMNS` as the engine stores them."""
    now = datetime.now(UTC)
    at = now.replace(tzinfo=None).isoformat(" ") if sqlite else now
    for (indicator, unit, *_), day, value in figures:
        period, stored = day.isoformat(), int(value * FIGURE_SCALE) if sqlite else value
        yield indicator, period, unit, period, stored, "submitted", 1, at, client


@contextmanager
def copied(url: str) -> Iterator[RawCopy]:
    """A copy of the database of a run, gone at the end. Nothing may be connected to the original."""
    with (_sqlite if url.startswith("sqlite") else _postgresql)(url) as copy:
        yield copy


@contextmanager
def _sqlite(url: str) -> Iterator[RawCopy]:
    path = CACHE / f"raw-{os.getpid()}.db"
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as original:
                original.backup(raw)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                raw.execute(f"PRAGMA {pragma}")

            def write(rows: Sequence[tuple[Any, ...]]) -> None:
                raw.execute("BEGIN IMMEDIATE")
                raw.executemany(_SQLITE, rows)
                raw.execute("COMMIT")

            yield RawCopy(write, lambda client: raw.execute(_TOTALS.format("?"), [client]).fetchone(), sqlite=True)
    finally:
        for ending in ("", "-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)


@contextmanager
def _postgresql(url: str) -> Iterator[RawCopy]:
    """It lives as long as its server, which belongs to the run."""
    from tests.postgres import PostgresServer, create_database

    parts = make_url(url)
    assert parts.database is not None
    copy = create_database(PostgresServer(Path(str(parts.query["host"]))), f"{parts.database}_raw", parts.database)
    with psycopg.connect(copy.replace("+psycopg", "")) as raw:

        def write(rows: Sequence[tuple[Any, ...]]) -> None:
            with raw.transaction(), raw.cursor() as cursor:
                cursor.execute(_SENT)
                with cursor.copy(_COPY) as out:
                    for row in rows:
                        out.write_row(row)
                cursor.execute(_FROM_SENT)

        def totals(client: int) -> tuple[Any, ...]:
            with raw.transaction():
                found = raw.execute(_TOTALS.format("%s"), [client]).fetchone()
            assert found is not None
            return found

        yield RawCopy(write, totals, sqlite=False)
