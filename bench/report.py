"""The table of a run: on the terminal, and as Markdown for `bench/results`."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.measure import Measured

RESULTS = Path(__file__).parent / "results"
_COLUMNS = (
    "job", "at once", "req/s", "p50 ms", "p99 ms", "CPU ms", "bare req/s", "bare CPU ms", "ratio", "target", "",
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """Under what conditions the numbers came about."""

    engine: str
    size: str
    rounds: int
    seconds: float
    noise: float | None  # how many cores were busy with something else
    rows: dict[str, int]  # of the largest tables
    bytes: dict[str, int]  # of an answer, by job
    targets: bool  # whether there are ratios to reach; on PostgreSQL the first service only has to work


def rows_of(table: Sequence[Measured], facts: Facts) -> list[list[str]]:
    """The table's cells, line by line."""
    return [
        [
            one.job.name,
            str(one.connections),
            f"{one.service.rate:,.0f}",
            f"{one.service.percentile(50):.2f}",
            f"{one.service.percentile(99):.2f}",
            _milliseconds(one.service.cpu),
            f"{one.baseline.rate:,.0f}",
            _milliseconds(one.baseline.cpu),
            f"{one.ratio:.3f}",
            f"{one.job.ratio:.2f}" if facts.targets else "–",
            ("pass" if one.ratio >= one.job.ratio else "below") if facts.targets else "works",
        ]
        for one in table
    ]


def _milliseconds(cpu: float | None) -> str:
    return f"{cpu:.2f}" if cpu is not None else "–"


def print_table(console: Console, table: Sequence[Measured], facts: Facts) -> None:
    """Show the table, and under it what it rests on."""
    shown = Table(title=f"{facts.engine}, {facts.size}", box=None, padding=(0, 1, 0, 0))
    for name in _COLUMNS:
        shown.add_column(name, justify="left" if name in ("job", "") else "right")
    for row in rows_of(table, facts):
        shown.add_row(*row, style="red" if row[-1] == "below" else "green")
    console.print(shown)
    for line in notes_of(table, facts):
        console.print(line, markup=False, soft_wrap=True)


def notes_of(table: Sequence[Measured], facts: Facts) -> list[str]:
    """What a reader has to know of the numbers."""
    noise = f"{facts.noise:.1f}" if facts.noise is not None else "an unknown number of"
    aside = " (PostgreSQL's own work counts here)" if facts.engine.startswith("PostgreSQL") else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    spreads = [max(side.rates) / min(side.rates) - 1 for one in table for side in (one.service, one.baseline)]
    busiest = max(one.baseline.generator for one in table)
    jobs = {one.job.name: one.job.title for one in table}
    return [
        "; ".join(f"{name}: {title}, {facts.bytes[name]:,} bytes" for name, title in jobs.items()) + ".",
        f"Data: {', '.join(f'{count:,} {name}' for name, count in facts.rows.items())}.",
        f"{datetime.now(UTC):%Y-%m-%d}, {facts.engine}, {python}, {os.cpu_count()} cores for everything.",
        f"{facts.rounds} rounds of {facts.seconds:g} s; slices of one cell differed by at most {max(spreads):.0%}.",
        f"Work that was no part of the run kept {noise} cores busy{aside}.",
        f"The load generator took at most {busiest:.0%} of one core, on the bare application.",
    ]


def write_markdown(table: Sequence[Measured], facts: Facts, engine: str) -> Path:
    """Keep the table where it can be committed and compared; the answer is the file."""
    rows = [list(_COLUMNS), ["---"] * len(_COLUMNS), *rows_of(table, facts)]
    lines = [f"# {facts.engine}, {facts.size}", ""]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", *(f"- {note}" for note in notes_of(table, facts)), ""]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{engine}-{facts.size}.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
