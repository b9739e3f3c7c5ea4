"""Batches: ten thousand figures beside a raw write of the same, and what a hundred thousand take of memory."""

import http.client
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import text

from app.db import Database
from bench.contestants import DATASETTE, SERVICE, Contestant, Progress, running_peers, running_service
from bench.jobs import Keys
from bench.machine import cpu_seconds, memory
from bench.peers import datasette
from bench.raw import RawCopy, Spent, opened_raw
from bench.servers import Server
from bench.sheets import CSV, JSON, XLSX, Figure, Sheets, as_csv, as_json, as_rows, as_xlsx, corrected, open_sheets
from bench.stores import Store

ROWS = 10_000
MOST = 100_000
MOST_ROUNDS = 15  # for so many the days of a year suffice in the small database
MEGABYTE = 1_000_000
RAW = "raw"
_TIMEOUT = 120


@dataclass(frozen=True)
class Batch:
    """What is posted, and as what the report has to count its rows.

    `most` is how many times the raw write's time it may take, `most_ms` how long on PostgreSQL.
    """

    name: str
    title: str
    outcome: str
    most: float | None = None
    most_ms: float | None = None


@dataclass(frozen=True)
class Compared:
    """One batch, round after round, by who wrote it."""

    batch: Batch
    sides: dict[str, list[Spent]] = field(default_factory=dict)

    def seconds(self, name: str) -> float:
        """The median round's time."""
        return median(one.seconds for one in self.sides[name])


@dataclass(frozen=True)
class Large:
    """One batch of the most rows to a server that has just started; memory in bytes, None where it is not told."""

    title: str
    size: int
    seconds: float
    idle: int | None
    peak: int | None

    @property
    def above(self) -> int | None:
        """How much more memory than before it took."""
        return self.peak - self.idle if self.peak is not None and self.idle is not None else None


NEW = Batch("J4N", "all of them new", "created", 4)
OTHER = Batch("J4U", "another figure for each of the same keys", "updated")
SAME = Batch("J4", "the same body again, which changes nothing", "unchanged", 3, 200)
MOST_ABOVE_IDLE = 300 * MEGABYTE
BATCH_JOBS = ("J4", "J4M")


class Poster:
    """A client with a key, and a server."""

    def __init__(self, server: Server, key: str = "") -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_TIMEOUT)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def post(self, path: str, body: bytes, media_type: str, expected: dict[str, Any]) -> Spent:
        """Post a batch. Raises RuntimeError when it is refused, or the report does not say what is expected."""
        cpu, start = cpu_seconds(self._server.pid), perf_counter()
        self._connection.request("POST", path, body, {"Content-Type": media_type} | self._headers)
        response = self._connection.getresponse()
        content = response.read()
        seconds, cpu_after = perf_counter() - start, cpu_seconds(self._server.pid)
        report = json.loads(content)
        if response.status >= 300 or report | expected != report:
            said = content[:2000]
            raise RuntimeError(f"{self._server.name} answered {response.status}, not {expected}, to a batch: {said!r}")
        return Spent(seconds, cpu_after - cpu if cpu is not None and cpu_after is not None else None)

    def post_figures(self, figures: Sequence[Figure], outcome: str) -> Spent:
        """Post figures as the server takes them in JSON."""
        if self._server.name == DATASETTE:
            return self.post(datasette.UPSERT_PATH, as_rows(figures), JSON, {"ok": True})
        return self.post(_PATH, as_json(figures), JSON, {outcome: len(figures), "committed": True})


_PATH = "/api/v1/values/batch"


def measure_batches(
    store: Store, database: Database, months: int, rounds: int, names: Iterable[str], progress: Progress, *, peers: bool
) -> tuple[list[Compared], list[Large]]:
    """The tables of the batches that are named, `J4` and `J4M`; `months` have values already.

    Raises RuntimeError when the service wrote anything else than what was posted.
    """
    sheets, key, client = open_sheets(database, months)
    table = _compare(store, database, sheets, key, client, rounds, progress, peers=peers) if "J4" in names else []
    return table, _measure_memory(store, sheets, key, progress) if "J4M" in names else []


def _compare(
    store: Store,
    database: Database,
    sheets: Sheets,
    key: str,
    client: int,
    rounds: int,
    progress: Progress,
    *,
    peers: bool,
) -> list[Compared]:
    """All who take part by turns; the first round warms them up and is not in the table."""
    table = [Compared(batch) for batch in (NEW, OTHER, SAME)]
    with ExitStack() as stack:
        others = stack.enter_context(running_peers(store)) if peers else []
        raw = stack.enter_context(opened_raw(stack.enter_context(store.copied(RAW))))
        service = stack.enter_context(running_service(store, Keys(key, key)))
        posters = {one.name: _poster(stack, one, key) for one in (service, *others)}
        for number in progress(range(rounds + 1), "Batches", rounds + 1):
            figures = sheets.draw(ROWS)
            other = corrected(figures)
            for one, sent in zip(table, (figures, other, other), strict=True):
                spent = {name: poster.post_figures(sent, one.batch.outcome) for name, poster in posters.items()}
                spent[RAW] = raw.measure(sent)
                for name, time in spent.items() if number > 0 else ():
                    one.sides.setdefault(name, []).append(time)
        _check(database, raw, client, (rounds + 1) * ROWS)
    return table


def _poster(stack: ExitStack, one: Contestant, key: str) -> Poster:
    return stack.enter_context(closing(Poster(one.server, key if one.name == SERVICE else "")))


def _check(database: Database, raw: RawCopy, client: int, count: int) -> None:
    """Raises RuntimeError unless both databases have the same figures, and the service's history all that was sent."""
    counted = {"values": count, "value_revisions": count, "changes": 2 * count}
    with database.reading() as session:
        run = session.connection().execute
        of_client = {"client": client}
        for table, expected in counted.items():
            statement = text(f'SELECT count(*) FROM "{table}" WHERE client_id = :client')  # noqa: S608 - names from above
            found = run(statement, of_client).scalar_one()
            if found != expected:
                raise RuntimeError(f"{expected} rows of {table} should have been written, not {found}")
        totals = run(text('SELECT count(*), sum(value) FROM "values" WHERE client_id = :client'), of_client).one()
    if tuple(totals) != raw.totals():
        raise RuntimeError(f"the service has {totals}, the raw copy {raw.totals()}: not the same figures")


def _measure_memory(store: Store, sheets: Sheets, key: str, progress: Progress) -> list[Large]:
    """A new batch, then another figure for each of its rows in each format: that takes the most."""
    figures = sheets.draw(MOST)
    kinds: list[tuple[str, Callable[[list[Figure]], bytes], str]] = [
        ("JSON, all new", as_json, JSON),
        ("JSON, other figures", as_json, JSON),
        ("CSV, other figures", as_csv, CSV),
        ("XLSX, other figures", as_xlsx, XLSX),
    ]
    table: list[Large] = []
    for title, write, media_type in progress(kinds, "Memory", len(kinds)):
        expected = {OTHER.outcome if table else NEW.outcome: MOST, "committed": True}
        body = write(figures)
        with running_service(store, Keys(key, key)) as service, closing(Poster(service.server, key)) as poster:
            spent = poster.post(_PATH, body, media_type, expected)
            idle, peak = service.server.idle, memory(service.server.pid, "VmHWM")
            table.append(Large(title, len(body), spent.seconds, idle, peak))
        figures = corrected(figures)
    return table
