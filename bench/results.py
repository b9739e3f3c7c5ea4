"""What a run found out, as it is kept in `bench/results/*.json`; tables, pictures and READMEs are made of it.

Times are in milliseconds, memory in bytes; None is what the system does not tell.
"""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from pydantic import BaseModel

from bench.batches import MOST, MOST_ABOVE_IDLE, ROWS, Compared, Large
from bench.contestants import SERVICE, Lineup
from bench.machine import memory
from bench.measure import Measured, Slices

RESULTS = Path(__file__).parent / "results"


class Facts(BaseModel):
    """Under what conditions numbers came about."""

    day: str
    engine: str
    python: str
    cores: int
    noise: float | None  # how many cores were busy with something else
    load: float  # the load average when the run began
    rows: dict[str, int]  # of the largest tables


class Rates(BaseModel):
    """What one contestant did in one job at one number of connections."""

    rate: float
    p50: float
    p99: float
    cpu: float | None
    database_cpu: float | None
    ratio: float
    spread: float


class Cell(BaseModel):
    """One job at one number of connections."""

    job: str
    title: str
    bytes: int
    connections: int
    floor: float | None  # part of the bare application's rate
    floor_rate: float | None  # requests a second
    who: dict[str, Rates]
    alone: dict[str, float]  # what the engine needs

    @property
    def verdict(self) -> str:
        """Whether the service reaches its floor."""
        found = self.who[SERVICE]
        if self.floor_rate is not None:
            return "pass" if found.rate >= self.floor_rate else "below"
        if self.floor is not None:
            return "pass" if found.ratio >= self.floor else "below"
        return "–"


class Worker(BaseModel):
    """A server's process: seconds until it answers, and its memory then and after all jobs."""

    who: str
    start: float
    idle: int | None
    after: int | None


class Requests(BaseModel):
    """The jobs of single requests."""

    facts: Facts
    rounds: int
    seconds: float
    generator: float  # the share of a core that the load generator took at most
    cells: list[Cell]
    workers: list[Worker]


class Times(BaseModel):
    """What one contestant took for a batch: the medians, and each round's time."""

    ms: float
    cpu: float | None
    rounds: list[float]


class Batch(BaseModel):
    """One kind of batch; `most` is a multiple of the raw write's time."""

    job: str
    title: str
    rows: int
    most: float | None
    most_ms: float | None
    who: dict[str, Times]

    def times(self, name: str, of: str) -> float:
        """One's time as a multiple of another's."""
        return self.who[name].ms / self.who[of].ms


class Memory(BaseModel):
    """What the largest batch takes of memory."""

    body: str
    rows: int
    size: int
    seconds: float
    idle: int | None
    peak: int | None
    most: int

    @property
    def above(self) -> int | None:
        """How much more than an idle server's."""
        return self.peak - self.idle if self.peak is not None and self.idle is not None else None


class Batches(BaseModel):
    """The jobs of batches."""

    facts: Facts
    compared: list[Batch]
    memory: list[Memory]


class Results(BaseModel):
    """All that is known of one engine at one size; the halves may be of different runs."""

    engine: str
    size: str
    requests: Requests | None = None
    batches: Batches | None = None

    @property
    def stem(self) -> str:
        """What its files are called."""
        return f"{self.engine}-{self.size}"

    @classmethod
    def load(cls, engine: str, size: str) -> "Results":
        """What is kept, if anything."""
        path = RESULTS / f"{engine}-{size}.json"
        return cls.model_validate_json(path.read_text("utf-8")) if path.exists() else cls(engine=engine, size=size)

    def save(self) -> None:
        """Keep it."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{self.stem}.json").write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def facts_of(engine: str, noise: float | None, load: float, rows: dict[str, int]) -> Facts:
    """The conditions of a run that has just been."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    cores = os.cpu_count() or 1
    return Facts(day=day, engine=engine, python=python, cores=cores, noise=noise, load=load, rows=rows)


def cells_of(table: Sequence[Measured], lineup: Lineup, *, sqlite: bool) -> list[Cell]:
    """The table of single requests; floors are rates on PostgreSQL."""
    return [
        Cell(
            job=one.job.name,
            title=one.job.title,
            bytes=lineup.sizes[one.job.name],
            connections=one.connections,
            floor=one.job.floors.get(one.connections) if sqlite else None,
            floor_rate=None if sqlite else one.job.rates.get(one.connections),
            who={name: _rates(one, name) for name in one.sides},
            alone={what: median(times) * 1000 for what, times in one.alone.items()},
        )
        for one in table
    ]


def _rates(one: Measured, name: str) -> Rates:
    side = one.sides[name]
    return Rates(
        rate=median(side.rates),
        p50=side.percentile(50),
        p99=side.percentile(99),
        cpu=side.cpu("server"),
        database_cpu=side.cpu("database"),
        ratio=one.ratio(name),
        spread=side.spread,
    )


def requests_of(table: Sequence[Measured], lineup: Lineup, slices: Slices, facts: Facts, *, sqlite: bool) -> Requests:
    """A run's single requests, while its servers are still there."""
    return Requests(
        facts=facts,
        rounds=slices.rounds,
        seconds=slices.seconds,
        generator=max(side.generator for one in table for side in one.sides.values()),
        cells=cells_of(table, lineup, sqlite=sqlite),
        workers=[
            Worker(
                who=one.name,
                start=median(lineup.starts) if one.name == SERVICE else one.server.start_seconds,
                idle=one.server.idle,
                after=memory(one.server.pid),
            )
            for one in lineup.contestants
        ],
    )


def batches_of(table: Sequence[Compared], large: Sequence[Large], facts: Facts, *, sqlite: bool) -> Batches:
    """A run's batches."""
    compared = [
        Batch(
            job=one.batch.name,
            title=one.batch.title,
            rows=ROWS,
            most=one.batch.most if sqlite or one.batch.most_ms is None else None,
            most_ms=None if sqlite else one.batch.most_ms,
            who={name: _times(one, name) for name in one.sides},
        )
        for one in table
    ]
    of_memory = [
        Memory(
            body=one.title,
            rows=MOST,
            size=one.size,
            seconds=one.seconds,
            idle=one.idle,
            peak=one.peak,
            most=MOST_ABOVE_IDLE,
        )
        for one in large
    ]
    return Batches(facts=facts, compared=compared, memory=of_memory)


def _times(one: Compared, name: str) -> Times:
    known = [spent.cpu for spent in one.sides[name] if spent.cpu is not None]
    cpu = median(known) * 1000 if len(known) == len(one.sides[name]) else None
    return Times(ms=one.seconds(name) * 1000, cpu=cpu, rounds=[spent.seconds * 1000 for spent in one.sides[name]])
