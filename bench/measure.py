"""Rounds of measurements: a slice of time for each contestant, one after another, and again."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles

from sqlalchemy import func, select

from app.db import Database
from app.tables import Value, ValueRevision
from bench.contestants import BARE, SERVICE, Contestant, Lineup, Progress
from bench.engine import EngineAlone
from bench.jobs import POSTS_A_SECOND, Job
from bench.load import Result, Task
from bench.stores import ROOT, Store

_WARM_UP = 0.4
_SLACK_SECONDS = 120  # beyond a slice's own time, before a load generator is given up
_ALONE_SECONDS = 0.3


@dataclass(frozen=True)
class Side:
    """What one contestant did in the slices of one job at one number of connections."""

    results: list[Result] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Requests a second, slice after slice."""
        return [len(result.latencies) / result.seconds for result in self.results]

    @property
    def spread(self) -> float:
        """How much faster the best slice was than the worst, as a part."""
        return max(self.rates) / min(self.rates) - 1

    def percentile(self, percent: int) -> float:
        """A percentile of the latency over all slices, in milliseconds."""
        latencies = [latency for result in self.results for latency in result.latencies]
        return quantiles(latencies, n=100)[percent - 1] * 1000

    def cpu(self, of: str) -> float | None:
        """CPU time for one request, in milliseconds, of `server` or `database`; None where it is not told."""
        spent = [getattr(result, f"{of}_cpu") for result in self.results]
        count = sum(len(result.latencies) for result in self.results)
        return sum(spent) / count * 1000 if None not in spent else None

    @property
    def generator(self) -> float:
        """The share of one core that the load generator took."""
        return sum(result.own_cpu for result in self.results) / sum(result.seconds for result in self.results)


@dataclass(frozen=True)
class Measured:
    """One job at one number of connections; `alone` is what the engine needs without a server, in seconds."""

    job: Job
    connections: int
    sides: dict[str, Side]
    alone: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, name: str) -> float:
        """A contestant's rate as part of the bare application's: in each round, and of these the median."""
        pairs = zip(self.sides[name].rates, self.sides[BARE].rates, strict=True)
        return median(rate / limit for rate, limit in pairs)


@dataclass(frozen=True)
class Slices:
    """How many slices of time each cell of the table has for each contestant, and how many seconds each is."""

    rounds: int
    seconds: float


def measure(
    lineup: Lineup,
    store: Store,
    database: Database,
    jobs: Sequence[Job],
    connections: Sequence[int],
    wanted: Slices,
    progress: Progress,
) -> list[Measured]:
    """All jobs at all numbers of connections, round after round, so that a slow minute meets all of them.

    Raises RuntimeError for an answer that is not the expected one, and where a posted value was not written.
    """
    table = [_cell(job, number, lineup) for job in jobs for number in _numbers(job, connections)]
    versions = _count_versions(database)
    with EngineAlone(store) as engine:
        slices = [measured for _ in range(wanted.rounds) for measured in table]
        for measured in progress(slices, "Measuring", len(slices)):
            for contestant in lineup.contestants:
                if contestant.name in measured.sides:
                    result = _run(_task(contestant, store, measured, wanted))
                    measured.sides[contestant.name].results.append(result)
                    contestant.written.append(result.posted + (result.sent if measured.job.writes else 0))
            for what, seconds in engine.measure(measured.job, _ALONE_SECONDS).items():
                measured.alone.setdefault(what, []).extend(seconds)
    sent = sum(next(one.written for one in lineup.contestants if one.name == SERVICE))
    written = _count_versions(database) - versions
    if written != sent:
        raise RuntimeError(f"{sent} values were posted and answered, but {written} versions of values were written")
    return table


def _cell(job: Job, connections: int, lineup: Lineup) -> Measured:
    return Measured(job, connections, {one.name: Side() for one in lineup.contestants if one.plays(job)})


def _numbers(job: Job, connections: Iterable[int]) -> list[int]:
    """How many connections a job is run with; one reader beside the one who posts shows nothing new."""
    return [max(connections)] if job.posts else list(connections)


def _task(contestant: Contestant, store: Store, measured: Measured, wanted: Slices) -> Task:
    job, server = measured.job, contestant.server
    return Task(
        server.port,
        server.pid,
        store.process,
        contestant.requests(job),
        measured.connections,
        wanted.seconds,
        _WARM_UP,
        sum(contestant.written),
        status="304" if job.conditional else "2",
        posts=contestant.texts(job, job.posts),
        posts_a_second=POSTS_A_SECOND,
    )


def _count_versions(database: Database) -> int:
    """How many versions of values there are, in force or not."""
    with database.reading() as session:
        counts = [session.execute(select(func.count()).select_from(table)) for table in (Value, ValueRevision)]
        return sum(int(count.scalar_one()) for count in counts)


def _run(task: Task) -> Result:
    """Let a load generator do a task. Raises RuntimeError with what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(task)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=task.seconds + _SLACK_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the run is void: {done.stderr.strip()}")
    return Result(**json.loads(done.stdout))
