"""The short way to the database for what is asked most: no session, no transaction, no other thread.

A hot path asks one statement, and so sees one state of the database, in the event loop itself. On SQLite that takes
less time than handing it to a thread, and nobody who writes ever makes a reader wait; PostgreSQL is asked by a driver
that does not block. What a hot path cannot answer it leaves to the plain way, which has all the rest.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence
from typing import Any, Protocol

import asyncpg
from sqlalchemy import SelectBase, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from app.statements import prepared

_BUSY_SECONDS = 0.2  # only a damaged log that is being mended makes a reader of SQLite wait, and with it all others
_LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError, TimeoutError)
# what only libpq knows in a URL; anything else that asyncpg does not know, it takes for a setting of the server
_ONLY_LIBPQ = {
    *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
    *("tcp_user_timeout", "gssencmode", "channel_binding", "require_auth", "fallback_application_name"),
}


class HotStore(Protocol):
    """What a hot path asks."""

    async def fetch(self, statement: SelectBase, **parameters: Any) -> Sequence[Any]:
        """The rows of a statement that was built once. Raises DBAPIError."""

    async def fetch_versioned(self, statement: SelectBase, **parameters: Any) -> tuple[Sequence[Any], object]:
        """The rows, and the version of the database then; it is not known where there are none. Raises DBAPIError.

        A version is equal at two times if nothing was committed between them, by whomever.
        """

    async def close(self) -> None:
        """Give back its connections."""


def open_hot_store(url: str, pool_size: int) -> HotStore:
    """The hot store of a database; it connects when it is first asked."""
    sqlite = make_url(url).get_backend_name() == "sqlite"
    return _SqliteStore(url) if sqlite else _PostgresStore(url, pool_size)


class _SqliteStore:
    def __init__(self, url: str) -> None:
        self._path = str(make_url(url).database)
        self._opened: sqlite3.Connection | None = None

    async def fetch(self, statement: SelectBase, **parameters: Any) -> Sequence[Any]:
        asked = prepared(statement, "sqlite")
        return asked.read(self._run(asked.text, asked.arguments(parameters)))

    async def fetch_versioned(self, statement: SelectBase, **parameters: Any) -> tuple[Sequence[Any], object]:
        # before the rows, which may be newer but not older; each connection counts for itself
        version = self._run("PRAGMA data_version", ())
        return await self.fetch(statement, **parameters), (self._opened, version)

    async def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _run(self, text: str, parameters: Sequence[Any]) -> list[Any]:
        try:
            if self._opened is None:
                self._opened = self._open()
            return self._opened.execute(text, parameters).fetchall()
        except sqlite3.Error as error:
            raise DBAPIError.instance(text, parameters, error, sqlite3.Error) from error

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS, cached_statements=512
        )
        for pragma in ("query_only = ON", "case_sensitive_like = ON"):
            connection.execute(f"PRAGMA {pragma}").close()
        return connection


class _PostgresStore:
    def __init__(self, url: str, pool_size: int) -> None:
        self._url, self._pool_size = url, pool_size
        self._opening: asyncio.Task[asyncpg.Pool] | None = None

    async def fetch(self, statement: SelectBase, **parameters: Any) -> Sequence[Any]:
        asked = prepared(statement, "asyncpg")
        return asked.read(await self._run(asked.text, asked.arguments(parameters)))

    async def fetch_versioned(self, statement: SelectBase, **parameters: Any) -> tuple[Sequence[Any], object]:
        asked = prepared(statement, "asyncpg")
        # two snapshots in equal words see the same transactions
        text = f"SELECT found.*, pg_current_snapshot()::text FROM ({asked.text}) AS found"  # noqa: S608 - SQLAlchemy's words
        rows = await self._run(text, asked.arguments(parameters))
        return asked.read([row[:-1] for row in rows]), rows[0][-1] if rows else None

    async def close(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            with contextlib.suppress(*_LOST):
                await (await opening).close()

    async def _run(self, text: str, parameters: Sequence[Any]) -> list[Any]:
        """Rows of the driver; asked once more where the connection was lost, since reading is harmless to repeat."""
        with contextlib.suppress(*_LOST):
            return await (await self._pool()).fetch(text, *parameters)  # type: ignore[no-any-return]
        try:
            return await (await self._pool()).fetch(text, *parameters)  # type: ignore[no-any-return]
        except _LOST as error:
            raise OperationalError(text, parameters, error, connection_invalidated=True) from error

    async def _pool(self) -> asyncpg.Pool:
        opening = self._opening
        if opening is None or opening.get_loop() is not asyncio.get_running_loop() or _has_failed(opening):
            opening = self._opening = asyncio.ensure_future(_open_pool(self._url, self._pool_size))
        return await asyncio.shield(opening)  # others wait for it as well


def _has_failed(opening: "asyncio.Task[asyncpg.Pool]") -> bool:
    return opening.done() and (opening.cancelled() or opening.exception() is not None)


async def _open_pool(url: str, pool_size: int) -> asyncpg.Pool:
    """A pool for the URL of the other driver, which knows some words more."""
    parts = make_url(url).set(drivername="postgresql")
    seconds = float(str(parts.query.get("connect_timeout", 60)))
    dsn = parts.difference_update_query(_ONLY_LIBPQ).render_as_string(hide_password=False)
    return await asyncpg.create_pool(dsn, min_size=1, max_size=pool_size, timeout=seconds, reset=_nothing_to_reset)


async def _nothing_to_reset(_connection: Any) -> None:
    """Reads leave nothing behind in a connection, and having it forget that would take as long as the read."""
