"""Rounds of measurements: a slice of time on the service, a slice on the bare application, and again."""

import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any

from sqlalchemy import func, select

from app.db import Database
from app.tables import ValueRevision
from bench.baseline import ANSWERS, write_answers
from bench.jobs import Job, fetch_answer
from bench.load import Result, Task
from bench.servers import BASELINE, SERVICE, Server, running
from bench.stores import CACHE, ROOT

_WARM_UP = 0.4
_SLACK_SECONDS = 120  # beyond a slice's own time, before a load generator is given up


@dataclass(frozen=True)
class Side:
    """What one server did in the slices of one job at one number of connections."""

    results: list[Result] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Requests a second, slice after slice."""
        return [len(result.latencies) / result.seconds for result in self.results]

    @property
    def rate(self) -> float:
        """The median slice's requests a second."""
        return median(self.rates)

    def percentile(self, percent: int) -> float:
        """A percentile of the latency over all slices, in milliseconds."""
        latencies = [latency for result in self.results for latency in result.latencies]
        return quantiles(latencies, n=100)[percent - 1] * 1000

    @property
    def cpu(self) -> float | None:
        """CPU time of the server's process for one request, in milliseconds; None where the system does not tell."""
        spent = [result.server_cpu for result in self.results if result.server_cpu is not None]
        count = sum(len(result.latencies) for result in self.results)
        return sum(spent) / count * 1000 if len(spent) == len(self.results) else None

    @property
    def generator(self) -> float:
        """The share of one core that the load generator took."""
        return sum(result.own_cpu for result in self.results) / sum(result.seconds for result in self.results)


@dataclass(frozen=True)
class Measured:
    """One job at one number of connections."""

    job: Job
    connections: int
    service: Side = field(default_factory=Side)
    baseline: Side = field(default_factory=Side)

    @property
    def ratio(self) -> float:
        """The service's rate as part of the bare application's: of each pair of slices, and of these the median."""
        pairs = zip(self.service.rates, self.baseline.rates, strict=True)
        return median(service / baseline for service, baseline in pairs)


@dataclass(frozen=True)
class Slices:
    """How many slices of time each cell of the table has on either server, and how many seconds each is."""

    rounds: int
    seconds: float


@dataclass(frozen=True)
class Pair:
    """The two servers, and how many bytes a job's answers have."""

    service: Server
    baseline: Server
    bytes: dict[str, int]


@contextmanager
def running_pair(url: str, jobs: Sequence[Job], progress: Callable[..., Iterable[Any]]) -> Iterator[Pair]:
    """The service on a database, and the bare application with what the service answers to every reading request."""
    path = CACHE / "answers.json"
    answers, sizes = [], {}
    with ExitStack() as stack:
        service = stack.enter_context(running(SERVICE, url))
        connection = stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)))
        for job in jobs:
            asked = job.requests[:1] if job.writes else job.requests
            found = [fetch_answer(connection, job, request) for request in progress(asked, job.name, len(asked))]
            sizes[job.name] = round(sum(len(answer.content) for answer in found) / len(found))
            answers += found
        connection.close()
        write_answers(path, answers)
        baseline = stack.enter_context(running(BASELINE, url, **{ANSWERS: str(path)}))
        yield Pair(service, baseline, sizes)


def measure(
    pair: Pair,
    database: Database,
    jobs: Sequence[Job],
    connections: Sequence[int],
    wanted: Slices,
    progress: Callable[..., Iterable[Any]],
) -> list[Measured]:
    """All jobs at all numbers of connections, round after round, so that a slow minute meets all of them.

    Raises RuntimeError for an answer that is no success, and where a posted value was not written.
    """
    table = [Measured(job, number) for job in jobs for number in connections]
    sent = 0
    revisions = _count_revisions(database)
    slices = [measured for _ in range(wanted.rounds) for measured in table]
    for measured in progress(slices, "Measuring", len(slices)):
        for server, side in ((pair.service, measured.service), (pair.baseline, measured.baseline)):
            task = Task(
                server.port, server.pid, measured.job.requests, measured.connections, wanted.seconds, _WARM_UP, sent
            )
            result = _run(task)
            side.results.append(result)
            if server is pair.service and measured.job.writes:
                sent += result.sent
    written = _count_revisions(database) - revisions
    if written != sent:
        raise RuntimeError(f"{sent} values were posted and answered, but {written} versions of values were written")
    return table


def _count_revisions(database: Database) -> int:
    with database.reading() as session:
        return int(session.execute(select(func.count()).select_from(ValueRevision)).scalar_one())


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
