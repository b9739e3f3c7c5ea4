"""`python -m bench`: make the database, start the servers, measure, and print the tables."""

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from app.db import Database
from bench.batches import BATCH_JOBS, MOST_ROUNDS, measure_batches
from bench.contestants import running_lineup
from bench.data import SIZES
from bench.jobs import REQUEST_JOBS, make_jobs
from bench.machine import watched
from bench.measure import Slices, measure
from bench.report import print_results, write_files
from bench.results import Batches, Requests, Results, batches_of, facts_of, requests_of
from bench.stores import Store, count_rows, engine_version, opened_store

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False)


class Engine(StrEnum):
    """The database engines."""

    sqlite = "sqlite"
    postgresql = "postgresql"


class Amount(StrEnum):
    """The sizes of `bench.data`."""

    small = "small"
    medium = "medium"
    large = "large"


@dataclass(frozen=True)
class Run:
    """What is to be done, and with which databases."""

    store: Store
    database: Database
    names: list[str]
    slices: Slices
    connections: list[int]
    amount: Amount
    peers: bool

    @property
    def sqlite(self) -> bool:
        """Whether the engine is SQLite."""
        return self.store.url.startswith("sqlite")


def main(
    engine: Annotated[Engine, typer.Option(help="The database.")] = Engine.sqlite,
    size: Annotated[Amount, typer.Option(help="How much data is in it.")] = Amount.medium,
    seconds: Annotated[float, typer.Option(help="How long a slice is measured.", min=0.2, max=60)] = 3,
    rounds: Annotated[int, typer.Option(help="How many slices each cell of the table has.", min=1, max=100)] = 3,
    connections: Annotated[list[int], typer.Option(help="How many at once; may be given several times.")] = [1, 16],  # noqa: B006 - Typer copies it
    job: Annotated[list[str] | None, typer.Option(help="Only this job; may be given several times.")] = None,
    peers: Annotated[bool, typer.Option(help="Whether the peers take part.")] = True,
) -> None:
    """Measure the service beside a bare application, its engine alone, and peers; and batches beside raw writes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end, however the run does
    results = Results(engine=engine.value, size=size.value)
    try:
        names = _chosen(job)
        with (
            opened_store(engine.value, SIZES[size.value], _progress) as store,
            closing(Database(store.url)) as database,
        ):
            run = Run(store, database, names, Slices(rounds, seconds), connections, size, peers)
            if set(REQUEST_JOBS) & set(names):
                results.requests = _requests(run)
            if set(BATCH_JOBS) & set(names):
                results.batches = _batches(run)
    except RuntimeError as error:
        err.print(str(error), style="red", markup=False)
        sys.exit(1)
    print_results(console, results)
    _keep(results, names, peers=peers)


def _keep(results: Results, names: list[str], *, peers: bool) -> None:
    """Write down the halves that are whole: what was only looked at is no result."""
    kept = Results.load(results.engine, results.size)
    whole = [name for name, jobs in (("requests", REQUEST_JOBS), ("batches", BATCH_JOBS)) if set(jobs) <= set(names)]
    if not peers or not whole:
        return
    for path in write_files(kept.model_copy(update={name: getattr(results, name) for name in whole})):
        err.print(f"Written to bench/results/{path.name}.")


def _chosen(names: list[str] | None) -> list[str]:
    known = [*REQUEST_JOBS, *BATCH_JOBS]
    unknown = set(names or ()) - set(known)
    if unknown:
        raise RuntimeError(f"no job {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return names or known


def _requests(run: Run) -> Requests:
    load = os.getloadavg()[0]
    rows = count_rows(run.database)
    jobs, keys = make_jobs(run.database)
    jobs = [one for one in jobs if one.name in run.names]
    with (
        watched(run.store.process) as noise,
        running_lineup(run.store, jobs, keys, _progress, peers=run.peers) as lineup,
    ):
        table = measure(lineup, run.store, run.database, jobs, run.connections, run.slices, _progress)
        facts = facts_of(engine_version(run.database), None, load, rows)
        requests = requests_of(table, lineup, run.slices, facts, sqlite=run.sqlite)
    requests.facts.noise = noise.cores
    return requests


def _batches(run: Run) -> Batches:
    load = os.getloadavg()[0]
    rows = count_rows(run.database)
    # a batch takes no second where a slice takes three
    rounds = min(3 * run.slices.rounds, MOST_ROUNDS)
    months = SIZES[run.amount.value].months
    with watched(run.store.process) as noise:
        table, large = measure_batches(run.store, run.database, months, rounds, run.names, _progress, peers=run.peers)
    facts = facts_of(engine_version(run.database), noise.cores, load, rows)
    return batches_of(table, large, facts, sqlite=run.sqlite)


def _progress(things: Iterable[Any], what: str, total: int) -> Iterable[Any]:
    return track(things, what, total=total, console=err, transient=True, disable=not err.is_terminal)


if __name__ == "__main__":
    typer.run(main)
