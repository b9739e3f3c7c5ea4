"""`python -m bench`: make the database, start both servers, measure, and print the table."""

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
from bench.data import SIZES
from bench.jobs import Job, make_jobs
from bench.machine import watched
from bench.measure import measure, running_pair
from bench.report import Facts, print_table, write_markdown
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
    """Measure the service beside a bare Starlette application that answers the same bytes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end, however the run does
    try:
        with opened_store(engine.value, SIZES[size.value], _progress) as url, closing(Database(url)) as database:
            rows = count_rows(database)
            jobs = _chosen(make_jobs(database), job)
            with running_pair(url, jobs, _progress) as pair, watched(pair.service.pid, pair.baseline.pid) as noise:
                table = measure(pair, database, jobs, connections, rounds, seconds, _progress)
            facts = Facts(
                engine=engine_version(database),
                size=size.value,
                rounds=rounds,
                seconds=seconds,
                noise=noise.cores,
                rows=rows,
                bytes=pair.bytes,
                targets=engine is Engine.sqlite,
            )
    except RuntimeError as error:
        err.print(str(error), style="red", markup=False)
        sys.exit(1)
    print_table(console, table, facts)
    if job is None:
        err.print(f"Written to bench/results/{write_markdown(table, facts, engine.value).name}.")


def _chosen(jobs: list[Job], names: list[str] | None) -> list[Job]:
    unknown = set(names or ()) - {one.name for one in jobs}
    if unknown:
        raise RuntimeError(f"no job {', '.join(sorted(unknown))}; there are {', '.join(one.name for one in jobs)}")
    return [one for one in jobs if not names or one.name in names]


def _progress(things: Iterable[Any], what: str, total: int) -> Iterable[Any]:
    return track(things, what, total=total, console=err, transient=True, disable=not err.is_terminal)


if __name__ == "__main__":
    typer.run(main)
