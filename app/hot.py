"""The short way to the database for what is asked most: no session, no transaction, no other thread.

A hot path asks one statement, and so sees one state of the database, in the event loop itself. On SQLite that takes
less time than handing it to a thread, and nobody who writes ever makes a reader wait; PostgreSQL is asked by a driver
that does not block. What a hot path cannot answer it leaves to the plain way, which has all the rest.
"""

import asyncio
import functools
import sqlite3
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import SelectBase, bindparam, make_url
from sqlalchemy.exc import DBAPIError

from app.past import AnySelect
from app.statements import prepared

MOST_FOUND = 1_000  # rows that are kept until something is written
_BUSY_SECONDS = 0.2  # only a damaged log that is being mended makes a reader of SQLite wait, and with it all others


class HotStore(Protocol):
    """What a hot path asks."""

    async def fetch(self, statement: SelectBase, **parameters: Any) -> Sequence[Any]:
        """The rows of a statement that was built once. Raises DBAPIError."""

    async def find_versioned(self, statement: AnySelect, key: str) -> tuple[Any, object]:
        """The row of a key, and the version of the database then; both None where there is no row. Raises DBAPIError.

        The statement gives the rows of all keys; its first column is the key. A version is equal at two times if
        nothing was committed between them, by whomever.
        """

    async def close(self) -> None:
        """Give back its connections."""


def open_hot_store(url: str, pool_size: int) -> HotStore:
    """The hot store of a database; it connects when it is first asked."""
    if make_url(url).get_backend_name() == "sqlite":
        return _SqliteStore(url)
    from app.hot_postgresql import PostgresStore  # its driver takes 10 MB of memory

    return PostgresStore(url, pool_size)


class _SqliteStore:
    def __init__(self, url: str) -> None:
        self._path = str(make_url(url).database)
        self._opened: sqlite3.Connection | None = None
        self._asked: tuple[asyncio.AbstractEventLoop, object] | None = None
        self._found: dict[tuple[AnySelect, str], Any] = {}
        self._found_at: object = None

    async def fetch(self, statement: SelectBase, **parameters: Any) -> Sequence[Any]:
        asked = prepared(statement, "sqlite")
        return asked.read(self._run(asked.text, asked.arguments(parameters)))

    async def find_versioned(self, statement: AnySelect, key: str) -> tuple[Any, object]:
        version = self._version()  # before the row, which may be newer but not older
        if version != self._found_at:
            self._found, self._found_at = {}, version
        row = self._found.get((statement, key))
        if row is not None:
            return row, version
        rows = await self.fetch(_of_one_key(statement), key=key)
        if not rows:
            return None, None
        if len(self._found) < MOST_FOUND:
            self._found[statement, key] = rows[0]
        return rows[0], version

    def _version(self) -> object:
        """The version, asked for once for all tasks that are ready to run: they came before the question.

        What makes it be forgotten runs after them, and before any that comes later.
        """
        loop = asyncio.get_running_loop()
        if self._asked is None or self._asked[0] is not loop:
            version = self._run("PRAGMA data_version", ())
            self._asked = loop, (self._opened, version)  # each connection counts for itself
            loop.call_soon(self._forget_version)
        return self._asked[1]

    def _forget_version(self) -> None:
        self._asked = None

    async def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = self._asked = None

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


@functools.cache
def _of_one_key(statement: AnySelect) -> AnySelect:
    return statement.where(statement.selected_columns[0] == bindparam("key"))
