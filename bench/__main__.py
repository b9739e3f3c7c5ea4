"""`python -m bench`: make the database, start the servers, measure, and print the tables."""

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import closing
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from app.db import Database
from bench.batches import BATCH_JOBS, MOST_ROUNDS, measure_batches
from bench.data import SIZES
from bench.jobs import REQUEST_JOBS, make_jobs
from bench.machine import watched
from bench.measure import Slices, measure, running_pair
from bench.report import (
    Facts,
    Section,
    batches_section,
    memory_section,
    print_sections,
    requests_section,
    write_markdown,
)
from bench.stores import count_rows, engine_version, opened_store

console = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Engine(StrEnum):
    """The database engines."""

    sqlite = "sqlite"
    postgresql = "postgresql"


class Amount(StrEnum):
    """The sizes of `bench.data`."""

    small = "small"
    medium = "medium"


def main(
    engine: Annotated[Engine, typer.Option(help="The database.")] = Engine.sqlite,
    size: Annotated[Amount, typer.Option(help="How much data is in it.")] = Amount.medium,
    seconds: Annotated[float, typer.Option(help="How long a slice is measured.", min=0.2, max=60)] = 3,
    rounds: Annotated[int, typer.Option(help="How many slices each cell of the table has.", min=1, max=100)] = 3,
    connections: Annotated[list[int], typer.Option(help="How many at once; may be given several times.")] = [1, 16],  # noqa: B006 - Typer copies it
    job: Annotated[list[str] | None, typer.Option(help="Only this job; may be given several times.")] = None,
) -> None:
    """Measure the service beside a bare application that answers the same bytes, and batches beside raw writes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end, however the run does
    try:
        names = _chosen(job)
        load = os.getloadavg()[0]
        amount = SIZES[size.value]
        with opened_store(engine.value, amount, _progress) as url, closing(Database(url)) as database:
            rows = count_rows(database)
            with watched() as noise:
                requests = _requests(url, database, names, connections, Slices(rounds, seconds), engine)
                batches = _batches(url, database, names, amount.months, rounds)
            facts = Facts(engine_version(database), size.value, noise.cores, load, rows)
    except RuntimeError as error:
        err.print(str(error), style="red", markup=False)
        sys.exit(1)
    print_sections(console, [*requests, *batches], facts)
    stem = f"{engine.value}-{size.value}"
    for kind, sections, name in ((REQUEST_JOBS, requests, stem), (BATCH_JOBS, batches, f"{stem}-batches")):
        if set(kind) <= set(names):
            err.print(f"Written to bench/results/{write_markdown(sections, facts, name).name}.")


def _chosen(names: list[str] | None) -> list[str]:
    known = [*REQUEST_JOBS, *BATCH_JOBS]
    unknown = set(names or ()) - set(known)
    if unknown:
        raise RuntimeError(f"no job {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return names or known


def _requests(
    url: str, database: Database, names: list[str], connections: list[int], slices: Slices, engine: Engine
) -> list[Section]:
    if not set(REQUEST_JOBS) & set(names):
        return []
    jobs = [one for one in make_jobs(database) if one.name in names]
    with running_pair(url, jobs, _progress) as pair:
        table = measure(pair, database, jobs, connections, slices, _progress)
    return [requests_section(table, pair.bytes, slices, targets=engine is Engine.sqlite)]


def _batches(url: str, database: Database, names: list[str], months: int, rounds: int) -> list[Section]:
    if not set(BATCH_JOBS) & set(names):
        return []
    # a batch takes no second where a slice takes three
    rounds = min(3 * rounds, MOST_ROUNDS)
    table, large = measure_batches(url, database, months, rounds, names, _progress)
    return [*([batches_section(table)] if table else []), *([memory_section(large)] if large else [])]


def _progress(things: Iterable[Any], what: str, total: int) -> Iterable[Any]:
    return track(things, what, total=total, console=err, transient=True, disable=not err.is_terminal)


if __name__ == "__main__":
    typer.run(main)
