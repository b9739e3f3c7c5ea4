"""Many clients that post overlapping batches and single values to a real server: nothing lost, nothing twice."""

import json
import random
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier, Lock
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.db import Database
from app.tables import Change, Indicator, LatestValue, Unit, Value, ValueRevision
from tests.conftest import Template
from tests.server import running_server

SHARE = "xianning-2023.58.1"
EACH_COUNTY = "xianning-2023.60.1"
UNITS = ["xianning-education-bureau", "jiayu-county-government", "chibi-city-government"]
PLACES = [
    (indicator, unit, f"2023-{month:02}")
    for indicator, units in ((SHARE, UNITS), (EACH_COUNTY, UNITS[1:]))
    for unit in units
    for month in range(1, 9)
]
THREADS, ROUNDS = 8, 10
Place = tuple[str, str, str]


@dataclass
class Clients:
    """What some threads posted, and what they were told."""

    address: str
    key: str
    written: Counter[Place] = field(default_factory=Counter)
    by_request: dict[str, dict[Place, float]] = field(default_factory=dict)
    refused: Counter[tuple[int, str]] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)

    def post(self, path: str, body: Any) -> tuple[int, str, Any]:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/api/v1{path}", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.headers["X-Request-ID"], json.load(response)
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers["X-Request-ID"], json.load(refused)

    def work(self, thread: int, together: Barrier) -> None:
        """Post batches in any order, every third time a single value; half of it with the version that was seen."""
        chance = random.Random(thread)  # noqa: S311 - the same rows in every run
        seen: dict[Place, int] = {}
        together.wait(30)
        for number in range(ROUNDS):
            figure = thread * 1000 + number + 1  # nobody else's, so that each row changes something
            places = chance.sample(PLACES, 1 if number % 3 == 2 else 25)
            rows = [
                {"indicator": indicator, "unit": unit, "period": period, "value": figure}
                | ({"expected_version": seen[place]} if place in seen and chance.random() < 0.5 else {})
                for place in places
                for indicator, unit, period in [place]
            ]
            if len(rows) == 1:
                status, request_id, answer = self.post("/values", rows[0])
                stale = {1} if status == 409 else set()
                self.note(status, request_id, answer, places if not stale else [], figure)
            else:
                status, request_id, answer = self.post("/values/batch?on_error=skip", rows)
                stale = {problem["row"] for problem in answer["problems"]} if status == 200 else set()
                done = [place for row, place in enumerate(places, 1) if row not in stale]
                self.note(status, request_id, answer, done, figure)
            for place in places:
                seen[place] = seen.get(place, 0) + 1

    def note(self, status: int, request_id: str, answer: Any, places: list[Place], figure: float) -> None:
        with self.lock:
            if status >= 400:
                self.refused[status, answer["code"]] += 1
                return
            if "received" in answer:
                assert answer["created"] + answer["updated"] == len(places)
                assert {problem["code"] for problem in answer["problems"]} <= {"stale_version"}
            self.by_request[request_id] = dict.fromkeys(places, figure)
            self.written.update(places)


@pytest.mark.parametrize(("engine", "workers"), [("sqlite", 1), ("postgresql", 2)])
def test_overlapping_batches_and_single_values(seeded: Template, workers: int) -> None:
    with running_server(seeded.url, "--workers", str(workers)) as address:
        clients, together = Clients(address, seeded.keys["admin"]), Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda thread: clients.work(thread, together), range(THREADS)))
    # no 5xx: nothing is refused but what another one has changed meanwhile
    assert set(clients.refused) <= {(409, "stale_version")}
    assert len(clients.by_request) > THREADS * ROUNDS / 2
    database = Database(seeded.url)
    check(database, clients)
    database.close()


def check(database: Database, clients: Clients) -> None:
    """Versions count the acknowledged writes, each of which is one version, one change, and still there."""
    with database.reading() as session:
        indicators = {row.id: row.code for row in session.execute(select(Indicator)).scalars()}
        units = {row.id: row.code for row in session.execute(select(Unit)).scalars()}
        told = select(col(Change.request_id)).where(col(Change.type) == "value.submitted")
        changes = Counter(session.execute(told).scalars())
        values, revisions = (list(session.execute(select(table)).scalars()) for table in (Value, ValueRevision))
        newest = {(row.indicator_id, row.unit_id): row for row in session.execute(select(LatestValue)).scalars()}

    def place_of(row: Any) -> Place:
        return indicators[row.indicator_id], units[row.unit_id], row.period

    assert {place_of(row): row.version for row in values} == dict(clients.written)
    by_place: dict[Place, dict[int, Any]] = {}
    for row in (*revisions, *values):
        by_place.setdefault(place_of(row), {})[row.version] = row
        assert clients.by_request[row.request_id][place_of(row)] == float(row.value)
    for row in values:
        versions = by_place[place_of(row)]
        assert sorted(versions) == list(range(1, row.version + 1))
        times = [versions[version].recorded_at for version in sorted(versions)]
        assert times == sorted(times)
    assert changes == {request: len(places) for request, places in clients.by_request.items() if places}
    assert set(newest) == {(row.indicator_id, row.unit_id) for row in values}
    for pair, latest in newest.items():
        mine = [row for row in values if (row.indicator_id, row.unit_id) == pair]
        best = max(mine, key=lambda row: (row.period_end, row.recorded_at, row.period))
        assert (latest.period, latest.value, latest.recorded_at) == (best.period, best.value, best.recorded_at)
