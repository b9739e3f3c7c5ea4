"""What the engine alone needs for a job: the driver in one process, with no server, no HTTP and no checks.

`rows` are those of plain SQL, as the driver gives them; `json` is the same answer in one statement, the JSON made by
the engine. A post is one upsert and its commit, on disk.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any, Self

from bench.jobs import Job
from bench.peers.datasette import named, posted
from bench.peers.statements import ASSIGNMENTS, POSTGRESQL, SEARCH, SQLITE, TARGET, Statements, for_psycopg
from bench.raw import POSTGRESQL_UPSERT, REQUEST, SQLITE_UPSERT, open_postgresql, open_sqlite
from bench.stores import Store

_READING = (ASSIGNMENTS, TARGET, SEARCH)
_MOST = 1000


class EngineAlone:
    """A copy of the database that is asked straight."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stack = ExitStack()
        self._sqlite = store.url.startswith("sqlite")
        self._statements = Statements(SQLITE if self._sqlite else POSTGRESQL)
        self._random = random.Random(1)
        self._to_write: list[tuple[Any, ...]] = []
        self._natives: dict[str, str] = {}

    def __enter__(self) -> Self:
        url = self._stack.enter_context(self._store.copied("engine"))
        opened: Any = open_sqlite(url) if self._sqlite else open_postgresql(url)
        self._connection = self._stack.enter_context(closing(opened))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(self, job: Job, seconds: float) -> dict[str, list[float]]:
        """The seconds that each of a job's requests took, as `rows`, `json` or `write`, for as long as asked."""
        if job.writes:
            return {"write": self._times(self._write, self._rows_to_write(job), seconds)}
        if job.name not in _READING:
            return {}
        named_by = [named(job.name, ask.names) for ask in job.asks]
        statement = self._native(self._statements.one_json(job.name))
        return {
            "rows": self._times(lambda names: self._read(job.name, names), named_by, seconds),
            "json": self._times(lambda names: self._connection.execute(statement, names).fetchall(), named_by, seconds),
        }

    def _times(self, do: Callable[[Any], Any], things: Sequence[Any], seconds: float) -> list[float]:
        times: list[float] = []
        ends = time.perf_counter() + seconds
        start = self._random.randrange(len(things))
        while time.perf_counter() < ends or len(times) < 2:
            thing = things[(start + len(times)) % len(things)]
            began = time.perf_counter()
            do(thing)
            times.append(time.perf_counter() - began)
        return times

    def _native(self, statement: str) -> str:
        if self._sqlite:
            return statement
        if statement not in self._natives:
            self._natives[statement] = for_psycopg(statement)
        return self._natives[statement]

    def _read(self, job: str, names: dict[str, Any]) -> None:
        """A page, the units and the indicators of its targets."""
        run = self._connection.execute
        rows = run(self._native(self._statements.rows[job]), names).fetchall()
        keys = [row[9 if job == ASSIGNMENTS else 0] for row in rows]
        unit = rows[0][2] if job == ASSIGNMENTS else None
        given = {"keys": json.dumps(keys) if self._sqlite else keys, "unit_id": unit}
        for statement in (self._statements.units, self._statements.indicators):
            run(self._native(statement), given).fetchall()

    def _write(self, row: Sequence[Any]) -> None:
        """An upsert and its commit; outside a block each statement is a transaction of its own.

        The figure is another one each time: SQLite writes nothing where a row stays as it is.
        """
        figure = self._random.randrange(1, 99_999)
        stored = figure * 10_000 if self._sqlite else figure / 100
        self._connection.execute(SQLITE_UPSERT if self._sqlite else POSTGRESQL_UPSERT, (*row[:4], stored, *row[5:]))

    def _rows_to_write(self, job: Job) -> list[tuple[Any, ...]]:
        if not self._to_write:
            self._to_write = list(self._drawn(job))
        return self._to_write

    def _drawn(self, job: Job) -> Iterator[tuple[Any, ...]]:
        """Rows with numbers for names, and no figure yet."""
        codes = "SELECT code, id FROM {}"
        indicators, units = (dict(self._connection.execute(codes.format(name))) for name in ("indicators", "units"))
        for ask in job.asks[:_MOST]:
            names = posted(ask.names)
            yield (
                indicators[names["indicator"]], names["period"], units[names["unit"]], names["period_end"],
                0, "submitted", 1, "2023-12-01 00:00:00+00", 1, REQUEST,
            )  # fmt: skip
