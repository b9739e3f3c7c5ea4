"""The hot store of a PostgreSQL database: asyncpg, which waits without a thread."""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import asyncpg
from sqlalchemy import SelectBase, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from app.past import AnySelect
from app.statements import among, prepared

WAIT_SECONDS = 30  # for a connection and an answer together: who waits longer is told to try again
PATIENCE = 0.1  # seconds that a question for keys waits for the one before, whose connection may hang
_Found = dict[str, tuple[Any, object]]  # the row of each key that there is, and the version
_LOST = (
    *(asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError),
    *(asyncpg.InternalClientError, asyncpg.InterfaceError, ConnectionError, FileNotFoundError),
)
# what only libpq knows in a URL; anything else that asyncpg does not know, it takes for a setting of the server
_ONLY_LIBPQ = {
    *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
    *("tcp_user_timeout", "gssencmode", "channel_binding", "require_auth", "fallback_application_name"),
}
# two snapshots in equal words see the same transactions, on one server: another one that takes its place may never have
# had the last of them, and gives their numbers to others; and a standby does not tell of those that are under way
_VERSION = "CASE WHEN NOT pg_is_in_recovery() THEN concat(pg_current_snapshot(), ' ', pg_postmaster_start_time()) END"


class PostgresStore:
    """What a hot path asks; see `app.hot.HotStore`."""

    def __init__(self, url: str, pool_size: int) -> None:
        self._url, self._pool_size = url, pool_size
        self._opening: asyncio.Task[asyncpg.Pool] | None = None
        self._questions: dict[AnySelect, Questions] = {}

    async def fetch(self, statement: SelectBase, **parameters: Any) -> Sequence[Any]:
        """The rows of a statement that was built once. Raises DBAPIError."""
        asked = prepared(statement, "asyncpg")
        return asked.read(await self._run(asked.text, asked.arguments(parameters)))

    async def find_versioned(self, statement: AnySelect, key: str) -> tuple[Any, object]:
        """The row of a key, and the version of the database then. Raises DBAPIError."""
        questions = self._questions.get(statement)
        if questions is None:
            questions = self._questions[statement] = Questions(functools.partial(self._find, statement))
        return (await questions.answers(key)).get(key, (None, None))

    async def _find(self, statement: AnySelect, keys: Collection[str]) -> _Found:
        asked = prepared(_of_keys(statement), "asyncpg")
        text = f"SELECT found.*, (SELECT {_VERSION}) FROM ({asked.text}) AS found"  # noqa: S608 - SQLAlchemy's words
        rows = await self._run(text, asked.arguments({"keys": keys}))
        read = asked.read([row[:-1] for row in rows])
        return {row[0]: (row, versioned[-1]) for row, versioned in zip(read, rows, strict=True)}

    async def close(self) -> None:
        """Give back its connections; those of an event loop that is gone are cut."""
        for questions in self._questions.values():
            await questions.end()
        opening, self._opening = self._opening, None
        if opening is None or (opening.done() and _has_failed(opening)):
            return
        with contextlib.suppress(*_LOST, RuntimeError):
            if opening.get_loop() is asyncio.get_running_loop():
                await (await opening).close()
            elif opening.done():
                opening.result().terminate()

    async def _run(self, text: str, parameters: Sequence[Any]) -> list[Any]:
        """Rows of the driver; asked once more where the connection was lost, since reading is harmless to repeat."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                with contextlib.suppress(*_LOST):
                    return await (await self._pool()).fetch(text, *parameters)  # type: ignore[no-any-return]
                return await (await self._pool()).fetch(text, *parameters)  # type: ignore[no-any-return]
        except (
            *_LOST,
            TimeoutError,
            asyncpg.LockNotAvailableError,
            asyncpg.InvalidAuthorizationSpecificationError,
        ) as error:
            raise OperationalError(text, parameters, error, connection_invalidated=True) from error
        except asyncpg.PostgresError as error:
            raise DBAPIError(text, parameters, error) from error

    async def _pool(self) -> asyncpg.Pool:
        opening = self._opening
        if opening is None or opening.get_loop() is not asyncio.get_running_loop() or _has_failed(opening):
            opening = self._opening = asyncio.ensure_future(_open_pool(self._url, self._pool_size))
        return await asyncio.shield(opening)  # others wait for it as well


@functools.cache
def _of_keys(statement: AnySelect) -> AnySelect:
    return statement.where(among(statement.selected_columns[0]))


class Questions:
    """Questions for keys: all who come while one is under way are answered by the next, in one statement.

    So nobody is answered by a statement that began before he came: what was committed by then, it sees.
    """

    def __init__(self, ask: Callable[[Collection[str]], Awaitable[_Found]]) -> None:
        self._ask = ask
        self._gathered: set[str] | None = None  # keys of the last question, until it is asked
        self._last: asyncio.Task[_Found] | None = None

    async def answers(self, key: str) -> _Found:
        """What is found for some keys, this one among them."""
        last = self._last
        if last is not None and last.get_loop() is not asyncio.get_running_loop():
            last = self._gathered = None
        if last is None or last.done() or self._gathered is None:
            self._gathered = set()
            last = self._last = asyncio.ensure_future(self._next(last, self._gathered))
        self._gathered.add(key)
        try:
            return await asyncio.shield(last)  # others wait for it as well
        except DBAPIError as error:
            raise error.with_traceback(None)  # noqa: B904 - it is the same for all, and would have the frames of all

    async def _next(self, last: asyncio.Task[_Found] | None, keys: set[str]) -> _Found:
        if last is not None and not last.done():
            await asyncio.wait([last], timeout=PATIENCE)
        if self._gathered is keys:
            self._gathered = None
        return await self._ask(keys)

    async def end(self) -> None:
        """Have all questions of this event loop answered; nobody may be left who waits for them."""
        last = self._last
        if last is not None and last.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([last])


def _has_failed(opening: "asyncio.Task[asyncpg.Pool]") -> bool:
    return opening.done() and (opening.cancelled() or opening.exception() is not None)


async def _open_pool(url: str, pool_size: int) -> asyncpg.Pool:
    """A pool for the URL of the other driver, which knows some words more."""
    parts = make_url(url).set(drivername="postgresql")
    seconds = float(str(parts.query.get("connect_timeout", WAIT_SECONDS)))
    dsn = parts.difference_update_query(_ONLY_LIBPQ).render_as_string(hide_password=False)
    return await asyncpg.create_pool(dsn, min_size=1, max_size=pool_size, timeout=seconds, reset=_nothing_to_reset)


async def _nothing_to_reset(_connection: Any) -> None:
    """Reads leave nothing behind in a connection, and having it forget that would take as long as the read."""
