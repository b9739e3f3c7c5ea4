"""The tables of a run: on the terminal, and as Markdown for `bench/results`."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.batches import MEGABYTE, MOST, MOST_ABOVE_IDLE, ROWS, Compared, Large
from bench.measure import Measured, Slices
from bench.raw import Spent

RESULTS = Path(__file__).parent / "results"
_REQUEST_COLUMNS = (
    "job", "at once", "req/s", "p50 ms", "p99 ms", "CPU ms", "bare req/s", "bare CPU ms", "ratio", "target", "",
)  # fmt: skip
_BATCH_COLUMNS = ("job", "rows", "ms", "CPU ms", "raw ms", "raw CPU ms", "ratio", "at most", "")
_MEMORY_COLUMNS = ("job", "body", "rows", "sent MB", "seconds", "idle MB", "peak MB", "above idle MB", "at most", "")
_LEFT = ("job", "body", "")


@dataclass(frozen=True)
class Facts:
    """Under what conditions the numbers came about."""

    engine: str
    size: str
    noise: float | None  # how many cores were busy with something else
    load: float  # the load average when the run began
    rows: dict[str, int]  # of the largest tables


@dataclass(frozen=True)
class Section:
    """One table, and what a reader has to know of its numbers; the last cell of a row is its verdict."""

    columns: Sequence[str]
    rows: list[list[str]]
    notes: list[str]


def requests_section(table: Sequence[Measured], sizes: dict[str, int], slices: Slices, *, targets: bool) -> Section:
    """The jobs of single requests.

    `sizes`: bytes of an answer, by job. `targets`: whether there are ratios to reach; on PostgreSQL the first service
    only has to work.
    """
    rows = [
        [
            one.job.name,
            str(one.connections),
            f"{one.service.rate:,.0f}",
            f"{one.service.percentile(50):.2f}",
            f"{one.service.percentile(99):.2f}",
            _number(one.service.cpu, 2),
            f"{one.baseline.rate:,.0f}",
            _number(one.baseline.cpu, 2),
            f"{one.ratio:.3f}",
            f"{one.job.ratio:.2f}" if targets else "–",
            ("pass" if one.ratio >= one.job.ratio else "below") if targets else "works",
        ]
        for one in table
    ]
    spreads = [max(side.rates) / min(side.rates) - 1 for one in table for side in (one.service, one.baseline)]
    busiest = max(one.baseline.generator for one in table)
    jobs = {one.job.name: one.job.title for one in table}
    notes = [
        "; ".join(f"{name}: {title}, {sizes[name]:,} bytes" for name, title in jobs.items()) + ".",
        f"{slices.rounds} rounds of {slices.seconds:g} s; slices of one cell differed by at most {max(spreads):.0%}.",
        f"The load generator took at most {busiest:.0%} of one core, on the bare application.",
    ]
    return Section(_REQUEST_COLUMNS, rows, notes)


def batches_section(table: Sequence[Compared]) -> Section:
    """Batches beside raw writes."""
    rows = [
        [
            one.batch.name,
            f"{ROWS:,}",
            _milliseconds(one.service),
            _cpu(one.service),
            _milliseconds(one.raw),
            _cpu(one.raw),
            f"{one.ratio:.1f}",
            _number(one.batch.most, 0),
            _verdict(one.ratio, one.batch.most),
        ]
        for one in table
    ]
    return Section(
        _BATCH_COLUMNS,
        rows,
        [
            "; ".join(f"{one.batch.name}: {one.batch.title}" for one in table) + ".",
            f"Medians of {len(table[0].service)} rounds; ms of each round, the service's and the raw write's:",
            *(
                f"{one.batch.name} "
                + ", ".join(
                    f"{service.seconds * 1000:.0f}/{raw.seconds * 1000:.0f}"
                    for service, raw in zip(one.service, one.raw, strict=True)
                )
                for one in table
            ),
        ],
    )


def memory_section(table: Sequence[Large]) -> Section:
    """The largest batches."""
    rows = [
        [
            "J4M",
            one.title,
            f"{MOST:,}",
            f"{one.size / MEGABYTE:.1f}",
            f"{one.seconds:.1f}",
            _megabytes(one.idle),
            _megabytes(one.peak),
            _megabytes(one.above),
            _megabytes(MOST_ABOVE_IDLE),
            _verdict(one.above, MOST_ABOVE_IDLE),
        ]
        for one in table
    ]
    return Section(_MEMORY_COLUMNS, rows, ["Each to a server that has just started, and has answered nothing before."])


def _number(number: float | None, digits: int) -> str:
    return f"{number:.{digits}f}" if number is not None else "–"


def _milliseconds(spent: Sequence[Spent]) -> str:
    return f"{median(one.seconds for one in spent) * 1000:.0f}"


def _cpu(spent: Sequence[Spent]) -> str:
    known = [one.cpu for one in spent if one.cpu is not None]
    return f"{median(known) * 1000:.0f}" if len(known) == len(spent) else "–"


def _megabytes(size: int | None) -> str:
    return f"{size / MEGABYTE:.0f}" if size is not None else "–"


def _verdict(found: float | None, most: float | None) -> str:
    return "–" if found is None or most is None else "pass" if found <= most else "above"


def notes_of(facts: Facts) -> list[str]:
    """What a reader has to know of the whole run."""
    others = f"{facts.noise:.1f}" if facts.noise is not None else "an unknown number of"
    aside = " (PostgreSQL's own work counts here)" if facts.engine.startswith("PostgreSQL") else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        f"Data: {', '.join(f'{count:,} {name}' for name, count in facts.rows.items())}.",
        f"{datetime.now(UTC):%Y-%m-%d}, {facts.engine}, {python}, {os.cpu_count()} cores for everything.",
        f"Work that was no part of the run kept {others} cores busy{aside}; load average before it: {facts.load:.1f}.",
    ]


def print_sections(console: Console, sections: Sequence[Section], facts: Facts) -> None:
    """Show the tables, and under them what they rest on."""
    for section in sections:
        shown = Table(title=f"{facts.engine}, {facts.size}", box=None, padding=(0, 1, 0, 0))
        for name in section.columns:
            shown.add_column(name, justify="left" if name in _LEFT else "right")
        for row in section.rows:
            shown.add_row(*row, style="red" if row[-1] in ("below", "above") else "green")
        console.print(shown)
        _print_notes(console, section.notes)
    _print_notes(console, notes_of(facts))


def _print_notes(console: Console, notes: Sequence[str]) -> None:
    for line in notes:
        console.print(line, markup=False, soft_wrap=True)


def write_markdown(sections: Sequence[Section], facts: Facts, name: str) -> Path:
    """Keep tables where they can be committed and compared; the answer is the file."""
    lines = [f"# {facts.engine}, {facts.size}", ""]
    for section in sections:
        rows = [list(section.columns), ["---"] * len(section.columns), *section.rows]
        lines += [f"| {' | '.join(row)} |" for row in rows]
        lines += ["", *(f"- {note}" for note in section.notes), ""]
    lines += [*(f"- {note}" for note in notes_of(facts)), ""]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
