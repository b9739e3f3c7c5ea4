"""The two engines of the hand-written service, each by its own driver: sqlite3, and psycopg's pool.

SQLite is asked in the event loop, since a thread would cost more than the answer; a batch has a thread of its own.
"""

import asyncio
import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from psycopg_pool import AsyncConnectionPool

from bench.peers.statements import POSTGRESQL, SQLITE, VALUE_COLUMNS, Statements, for_psycopg
from bench.peers.wire import Row

Parameters = Mapping[str, Any]
_NAMES = VALUE_COLUMNS.split(", ")
_NEWER = "excluded.period_end >= latest_values.period_end"
_UPSERT = f"""
    INSERT INTO "values" ({VALUE_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (indicator_id, period, unit_id) DO UPDATE SET value = excluded.value,
    version = "values".version + 1, recorded_at = excluded.recorded_at, client_id = excluded.client_id
    RETURNING version"""  # noqa: S608 - names from above
_LATEST = "indicator_id, unit_id, period, period_end, value, recorded_at"
_UPSERT_LATEST = f"""
    INSERT INTO latest_values ({_LATEST}) VALUES (:indicator_id, :unit_id, :period, :period_end, :value, :recorded_at)
    ON CONFLICT (indicator_id, unit_id) DO UPDATE SET period = excluded.period, period_end = excluded.period_end,
    value = excluded.value, recorded_at = excluded.recorded_at WHERE {_NEWER}"""  # noqa: S608
_SENT = f'CREATE TEMPORARY TABLE sent AS SELECT {VALUE_COLUMNS} FROM "values" LIMIT 0'  # noqa: S608
_COUNT = """
    SELECT count(v.version), count(CASE WHEN v.value = s.value THEN 1 END)
    FROM sent s LEFT JOIN "values" v
    ON v.indicator_id = s.indicator_id AND v.period = s.period AND v.unit_id = s.unit_id"""
_UPSERT_SENT = f"""
    INSERT INTO "values" ({VALUE_COLUMNS}) SELECT {VALUE_COLUMNS} FROM sent WHERE true
    ON CONFLICT (indicator_id, period, unit_id) DO UPDATE SET value = excluded.value,
    version = "values".version + 1, recorded_at = excluded.recorded_at, client_id = excluded.client_id
    WHERE "values".value <> excluded.value"""  # noqa: S608
_UPSERT_SENT_LATEST = f"""
    INSERT INTO latest_values ({_LATEST}) SELECT {_LATEST} FROM (
        SELECT {_LATEST}, row_number() OVER (PARTITION BY indicator_id, unit_id ORDER BY period_end DESC) AS place
        FROM sent) s WHERE place = 1
    ON CONFLICT (indicator_id, unit_id) DO UPDATE SET period = excluded.period, period_end = excluded.period_end,
    value = excluded.value, recorded_at = excluded.recorded_at WHERE {_NEWER}"""  # noqa: S608
_DROP = "DROP TABLE sent"


class Store(ABC):
    """A database: `keys` is how a list of keys is given to a statement."""

    statements: Statements
    keys: Callable[[Sequence[int]], Any]

    @abstractmethod
    async def open(self) -> None:
        """Connect."""

    @abstractmethod
    async def fetch(self, statement: str, parameters: Parameters) -> list[Row]:
        """The rows of a statement."""

    @abstractmethod
    async def numbers(self, table: str, codes: Iterable[str]) -> dict[str, int]:
        """The keys of rows, by code."""

    @abstractmethod
    async def record(self, row: Parameters) -> int:
        """Write a value down, and its version."""

    @abstractmethod
    async def record_all(self, rows: Sequence[Row]) -> tuple[int, int]:
        """Write values down; how many were there, and how many of these were the same."""


class SqliteStore(Store):
    """SQLite, durable as the service is: WAL, synchronous FULL, foreign keys on."""

    def __init__(self, path: str) -> None:
        self.statements = Statements(SQLITE)
        self.keys = json.dumps
        self._path = path
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Connect twice, so that a reader never waits for a writer."""
        self._reader, self._writer = self._connect(), self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "case_sensitive_like = ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    async def fetch(self, statement: str, parameters: Parameters) -> list[Row]:
        """The rows of a statement."""
        return self._reader.execute(statement, parameters).fetchall()

    async def numbers(self, table: str, codes: Iterable[str]) -> dict[str, int]:
        """The keys of rows, by code."""
        statement = f"SELECT code, id FROM {table} WHERE code IN (SELECT value FROM json_each(?))"  # noqa: S608
        return dict(self._reader.execute(statement, [json.dumps(list(codes))]))

    async def record(self, row: Parameters) -> int:
        """Write a value down, and its version."""
        stored = dict(row) | {"value": round(row["value"] * 1_000_000), "recorded_at": _stored(row["recorded_at"])}
        stored["period_end"] = row["period_end"].isoformat()
        async with self._writing:
            with self._writer as connection:
                connection.execute("BEGIN IMMEDIATE")
                (version,) = connection.execute(_UPSERT, stored).fetchone()
                connection.execute(_UPSERT_LATEST, stored)
        return int(version)

    async def record_all(self, rows: Sequence[Row]) -> tuple[int, int]:
        """Write values down; how many were there, and how many of these were the same."""
        async with self._writing:
            return await asyncio.to_thread(self._record_all, rows)

    def _record_all(self, rows: Sequence[Row]) -> tuple[int, int]:
        stored = [
            (one, period, unit, end.isoformat(), round(value * 1_000_000), *rest, _stored(at), by, request)
            for one, period, unit, end, value, *rest, at, by, request in rows
        ]
        with self._writer as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_SENT)
            connection.executemany(f"INSERT INTO sent VALUES ({', '.join('?' * len(_NAMES))})", stored)  # noqa: S608
            there, same = connection.execute(_COUNT).fetchone()
            for statement in (_UPSERT_SENT, _UPSERT_SENT_LATEST, _DROP):
                connection.execute(statement)
        return there, same


def _stored(at: Any) -> str:
    return str(at.replace(tzinfo=None).isoformat(" "))


class PostgresStore(Store):
    """PostgreSQL, by connections of a pool; a batch by COPY."""

    def __init__(self, url: str) -> None:
        self.statements = Statements(POSTGRESQL)
        self.keys = list
        self._pool = AsyncConnectionPool(url, min_size=10, max_size=10, kwargs={"autocommit": True}, open=False)
        self._prepared: dict[str, str] = {}

    async def open(self) -> None:
        """Connect."""
        await self._pool.open(wait=True)

    def _native(self, statement: str) -> str:
        found = self._prepared.get(statement)
        if found is None:
            found = self._prepared[statement] = for_psycopg(statement)
        return found

    async def fetch(self, statement: str, parameters: Parameters) -> list[Row]:
        """The rows of a statement."""
        async with self._pool.connection() as connection:
            found = await connection.execute(self._native(statement), parameters)
            return await found.fetchall()

    async def numbers(self, table: str, codes: Iterable[str]) -> dict[str, int]:
        """The keys of rows, by code."""
        rows = await self.fetch(f"SELECT code, id FROM {table} WHERE code = ANY(:codes)", {"codes": list(codes)})  # noqa: S608
        return dict(rows)

    async def record(self, row: Parameters) -> int:
        """Write a value down, and its version."""
        async with self._pool.connection() as connection, connection.transaction():
            found = await connection.execute(self._native(_UPSERT), row)
            written = await found.fetchone()
            await connection.execute(self._native(_UPSERT_LATEST), row)
        assert written is not None
        return int(written[0])

    async def record_all(self, rows: Sequence[Row]) -> tuple[int, int]:
        """Write values down; how many were there, and how many of these were the same."""
        async with self._pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            await cursor.execute(_SENT)
            async with cursor.copy(f"COPY sent ({VALUE_COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    await copy.write_row(row)
            await cursor.execute("ANALYZE sent")
            await cursor.execute(_COUNT)
            counted = await cursor.fetchone()
            for statement in (_UPSERT_SENT, _UPSERT_SENT_LATEST, _DROP):
                await cursor.execute(statement)
        assert counted is not None
        return counted[0], counted[1]


def open_store(url: str) -> Store:
    """The store at a URL: `sqlite:///file`, or one of PostgreSQL."""
    return SqliteStore(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else PostgresStore(url)
