"""Batches: ten thousand figures beside a raw write of the same, and what a hundred thousand take of memory."""

import http.client
import json
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import text

from app.db import Database
from bench.load import cpu_seconds
from bench.raw import RawCopy, Spent, copied
from bench.servers import SERVICE, Server, running
from bench.sheets import CSV, JSON, XLSX, Figure, Sheets, as_csv, as_json, as_xlsx, corrected, open_sheets

ROWS = 10_000
MOST = 100_000
MOST_ROUNDS = 15  # for so many the days of a year suffice in the small database
MEGABYTE = 1_000_000
_TIMEOUT = 120
Progress = Callable[..., Iterable[Any]]


@dataclass(frozen=True)
class Batch:
    """What is posted, as what the report has to count its rows, and how many times the raw write's time it may take."""

    name: str
    title: str
    outcome: str
    most: float | None


@dataclass(frozen=True)
class Compared:
    """One batch, round after round."""

    batch: Batch
    service: list[Spent] = field(default_factory=list)
    raw: list[Spent] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The service's median time as a multiple of the raw write's."""
        return median(one.seconds for one in self.service) / median(one.seconds for one in self.raw)


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


NEW = Batch("J4N", "all of them new", "created", 6)
OTHER = Batch("J4U", "another figure for each of the same keys", "updated", None)
SAME = Batch("J4", "the same body again, which changes nothing", "unchanged", 6)
MOST_ABOVE_IDLE = 300 * MEGABYTE
BATCH_JOBS = ("J4", "J4M")


class Poster:
    """A client with a key, and a server."""

    def __init__(self, server: Server, key: str) -> None:
        self._server, self._key = server, key
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_TIMEOUT)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def post(self, body: bytes, media_type: str, outcome: str, count: int) -> Spent:
        """Post a batch. Raises RuntimeError when it is refused, or when a row becomes something else than expected."""
        headers = {"Content-Type": media_type, "Authorization": f"Bearer {self._key}"}
        cpu, start = cpu_seconds(self._server.pid), perf_counter()
        self._connection.request("POST", "/api/v1/values/batch", body, headers)
        response = self._connection.getresponse()
        content = response.read()
        seconds, cpu_after = perf_counter() - start, cpu_seconds(self._server.pid)
        report = json.loads(content)
        if response.status >= 300 or report[outcome] != count or not report["committed"]:
            raise RuntimeError(f"a batch was answered {response.status}, not {count} {outcome}: {content[:2000]!r}")
        return Spent(seconds, cpu_after - cpu if cpu is not None and cpu_after is not None else None)


def measure_batches(
    url: str, database: Database, months: int, rounds: int, names: Iterable[str], progress: Progress
) -> tuple[list[Compared], list[Large]]:
    """The tables of the batches that are named, `J4` and `J4M`; `months` have values already.

    Raises RuntimeError when the service wrote anything else than what was posted.
    """
    sheets, key, client = open_sheets(database, months)
    table = _compare(url, database, sheets, key, client, rounds, progress) if "J4" in names else []
    return table, _measure_memory(url, sheets, key, progress) if "J4M" in names else []


def _compare(
    url: str, database: Database, sheets: Sheets, key: str, client: int, rounds: int, progress: Progress
) -> list[Compared]:
    """The service and the raw write by turns; the first round warms both up and is not in the table."""
    table = [Compared(batch) for batch in (NEW, OTHER, SAME)]
    database.close()  # nobody may be connected to what PostgreSQL copies
    with copied(url) as raw, running(SERVICE, url) as server, closing(Poster(server, key)) as poster:
        for number in progress(range(rounds + 1), "Batches", rounds + 1):
            figures = sheets.draw(ROWS)
            other = corrected(figures)
            for one, sent in zip(table, (figures, other, other), strict=True):
                service = poster.post(as_json(sent), JSON, one.batch.outcome, ROWS)
                written = raw.measure(sent, client)
                if number > 0:
                    one.service.append(service)
                    one.raw.append(written)
        _check(database, raw, client, (rounds + 1) * ROWS)
    return table


def _check(database: Database, raw: RawCopy, client: int, count: int) -> None:
    """Raises RuntimeError unless both databases have the same figures, and the service's history all that was sent."""
    counted = {"values": count, "value_revisions": 2 * count, "changes": 2 * count}
    with database.reading() as session:
        run = session.connection().execute
        of_client = {"client": client}
        for table, expected in counted.items():
            statement = text(f'SELECT count(*) FROM "{table}" WHERE client_id = :client')  # noqa: S608 - names from above
            found = run(statement, of_client).scalar_one()
            if found != expected:
                raise RuntimeError(f"{expected} rows of {table} should have been written, not {found}")
        totals = run(text('SELECT count(*), sum(value) FROM "values" WHERE client_id = :client'), of_client).one()
    if tuple(totals) != tuple(raw.totals(client)):
        raise RuntimeError(f"the service has {totals}, the raw copy {raw.totals(client)}: not the same figures")


def _measure_memory(url: str, sheets: Sheets, key: str, progress: Progress) -> list[Large]:
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
        outcome = OTHER.outcome if table else NEW.outcome
        body = write(figures)
        with running(SERVICE, url) as server, closing(Poster(server, key)) as poster:
            idle = _memory(server.pid, "VmRSS")
            spent = poster.post(body, media_type, outcome, MOST)
            table.append(Large(title, len(body), spent.seconds, idle, _memory(server.pid, "VmHWM")))
        figures = corrected(figures)
    return table


def _memory(pid: int, which: str) -> int | None:
    """Resident memory of a process, as it is (`VmRSS`) or was at most (`VmHWM`), which a sampler could miss."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{which}:")), None)
