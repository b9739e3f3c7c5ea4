"""kill -9 in the middle of writing: what was answered 2xx is there after a restart, and nothing is there by half."""

import json
import random
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.db import Database
from app.tables import Change, LatestValue, Value, ValueRevision
from tests.conftest import Template, _fill
from tests.postgres import create_database, running_postgres
from tests.server import free_port, kill, start_server

INDICATOR = "xianning-2023.58.1"
VALUES = f"{INDICATOR}:xianning-education-bureau"
WRITERS = 4
ENOUGH = 120
CRASHES, ROWS = 2, 20


@pytest.fixture
def durable(engine: str, tmp_path: Path) -> Iterator[Template]:
    """A seeded database that keeps what is committed, as one in use does."""
    if engine == "sqlite":
        yield _fill(f"sqlite:///{tmp_path / 'zeren.db'}")
        return
    with running_postgres(durable=True) as server:
        yield _fill(create_database(server, "zeren"))


@dataclass
class Server:
    """A served database, and what it acknowledged: `(code, version, figure)`; it was killed `lives` times before."""

    port: int
    key: str
    lives: int = 0
    acknowledged: list[tuple[str, int, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """GET, or POST where there is a body."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)

    def posted_until_it_dies(self, path: str, bodies: Iterable[Any]) -> Iterator[Any]:
        """The answers to bodies that are posted one after the other, as long as there are any."""
        for body in bodies:
            try:
                _, answer = self.ask(path, body)
            except urllib.error.HTTPError as refused:
                self.failures.append(f"{refused.code} {refused.read().decode()}")
                return
            except (OSError, ValueError, HTTPException):  # the connection broke, perhaps in the middle of an answer
                return
            yield answer

    def write_until_it_dies(self, writer: int) -> None:
        """Post figures that grow, each to a value of this writer's own and to one that all writers share."""
        bodies = (
            {"indicator": INDICATOR, "period": period, "value": writer * 100_000 + figure}
            for figure in range(1, 100_000)
            for period in (f"2023-05-{writer + 1:02}", "2023-06")
        )
        for value in self.posted_until_it_dies("/api/v1/values", bodies):
            self.acknowledged.append((value["code"], value["version"], value["value"]))

    def write_batches_until_it_dies(self, writer: int) -> None:
        """Post batches in any order of their rows, each with a figure of its own in all of them."""
        figures = range((self.lives * WRITERS + writer) * 10_000 + 1, (self.lives * WRITERS + writer + 1) * 10_000)
        sent: list[int] = []

        def bodies() -> Iterator[list[dict[str, Any]]]:
            for figure in figures:
                sent.append(figure)
                days = random.sample(range(1, 29), ROWS)
                yield [{"indicator": INDICATOR, "period": f"2023-05-{day:02}", "value": figure} for day in days]

        for report in self.posted_until_it_dies("/api/v1/values/batch", bodies()):
            assert (report["committed"], report["created"] + report["updated"]) == (True, ROWS)
            self.acknowledged.append(("batch", ROWS, sent[-1]))


@contextmanager
def serving(template: Template, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], Server]]:
    """`zeren serve`, which is killed at the end if it still lives."""
    port = free_port()
    process = start_server(template.url, port, "--workers", str(workers))
    try:
        yield process, Server(port, template.keys["education"])
    finally:
        kill(process)


def crash_while_writing(
    template: Template, workers: int, write: Callable[[Server, int], None], enough: int, lives: int = 0
) -> Server:
    """Serve, write from several threads, and kill the server in mid-loop."""
    with serving(template, workers) as (process, server):
        server.lives = lives
        threads = [threading.Thread(target=write, args=(server, number)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 15
        while len(server.acknowledged) < enough and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.05))  # noqa: S311 - at any instant
        kill(process)
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    assert server.failures == []
    assert len(server.acknowledged) >= min(enough, WRITERS * 4)
    return server


@dataclass
class Stored:
    """What one state of the database holds: versions and figures, by the period of the value."""

    revisions: dict[str, list[tuple[int, float]]]
    values: dict[str, tuple[int, float]]
    newest: tuple[str, float]
    changes: list[tuple[str, int, float]]

    @classmethod
    def read(cls, database: Database) -> "Stored":
        """All in one transaction: what was on its way when the server died may still be arriving."""
        told = select(col(Change.code), col(Change.data)).where(col(Change.type) == "value.submitted")
        with database.reading() as session:
            older = session.execute(select(ValueRevision).order_by(col(ValueRevision.version))).scalars().all()
            in_force = session.execute(select(Value)).scalars().all()
            revisions: dict[str, list[tuple[int, float]]] = {}
            for row in (*older, *in_force):
                revisions.setdefault(row.period, []).append((row.version, float(row.value)))
            values = {row.period: (row.version, float(row.value)) for row in in_force}
            newest = session.execute(select(LatestValue)).scalar_one()
            changes = session.execute(told.order_by(col(Change.id))).all()
        figures = {(period, version): value for period, rows in revisions.items() for version, value in rows}
        versions = [(code, json.loads(data)["version"]) for code, data in changes]
        return cls(
            revisions,
            values,
            (newest.period, float(newest.value)),
            # a change names a version, which says the rest
            [(code, version, figures[code.rpartition(":")[2], version]) for code, version in versions],
        )


def test_every_acknowledged_value_survives(durable: Template, engine: str) -> None:
    workers = 1 if engine == "sqlite" else 2
    server = crash_while_writing(durable, workers, Server.write_until_it_dies, ENOUGH)
    database = Database(durable.url)
    stored = Stored.read(database)
    if engine == "sqlite":
        with database.reader.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    database.close()
    # nothing acknowledged is missing, and nothing was acknowledged twice
    assert set(server.acknowledged) <= set(stored.changes)
    assert len(set(server.acknowledged)) == len(server.acknowledged)
    # what was on its way is there whole or not at all
    whole = [(f"{VALUES}:{period}", *row) for period, rows in stored.revisions.items() for row in rows]
    assert sorted(stored.changes) == sorted(whole)
    assert stored.values == {period: rows[-1] for period, rows in stored.revisions.items()}
    for rows in stored.revisions.values():
        assert [version for version, _ in rows] == list(range(1, len(rows) + 1))
    assert stored.newest == ("2023-06", stored.values["2023-06"][1])
    # and the service goes on where it was
    with serving(durable, workers=1) as (_, again):
        code, version, figure = server.acknowledged[-1]
        _, page = again.ask(f"/api/v1/values/{code}/revisions?limit=1000")
        assert (version, figure) in [(one["version"], one["value"]) for one in page["items"]]
        body = {"indicator": INDICATOR, "period": code.rpartition(":")[2], "value": -1}
        status, value = again.ask("/api/v1/values", body)
        assert (status, value["version"]) == (200, page["items"][-1]["version"] + 1)


def test_batches_are_there_whole_or_not_at_all(durable: Template, engine: str) -> None:
    workers, acknowledged = 1 if engine == "sqlite" else 2, set()
    for lives in range(CRASHES):
        server = crash_while_writing(durable, workers, Server.write_batches_until_it_dies, enough=10, lives=lives)
        acknowledged |= {figure for _, _, figure in server.acknowledged}
        database = Database(durable.url)
        stored = Stored.read(database)
        database.close()
        # each batch has a figure of its own: it stands in all of its rows or in none
        written = Counter(figure for rows in stored.revisions.values() for _, figure in rows)
        assert set(written.values()) == {ROWS}
        assert acknowledged <= set(written)
        assert Counter(figure for _, _, figure in stored.changes) == written
        assert stored.values == {period: rows[-1] for period, rows in stored.revisions.items()}
        for rows in stored.revisions.values():
            assert [version for version, _ in rows] == list(range(1, len(rows) + 1))
        last = max(stored.values)
        assert stored.newest == (last, stored.values[last][1])
