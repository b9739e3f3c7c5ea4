"""The tables of a run, and the sentences below them, made of what is kept of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.contestants import BARE, SERVICE
from bench.results import Batch, Batches, Cell, Facts, Memory, Requests, Results

MEGABYTE = 1_000_000
RAW = "raw"
LEFT = ("job", "who", "body", "verdict")  # columns of words


@dataclass(frozen=True)
class Section:
    """One table, and what a reader has to know of its numbers."""

    title: str
    columns: Sequence[str]
    rows: list[list[str]]
    notes: list[str]


def sections_of(results: Results) -> list[Section]:
    """All tables of one engine and size."""
    sections: list[Section] = []
    if results.requests is not None:
        sections += _of_requests(results.requests)
    if results.batches is not None:
        sections += _of_batches(results.batches)
    return sections


def _of_requests(requests: Requests) -> Iterator[Section]:
    peers = [name for name in requests.cells[0].who if name not in (SERVICE, BARE)]
    columns = ["job", "at once", "req/s", "of bare", "floor", "verdict", *(f"{name} req/s" for name in peers)]
    columns += ["bare req/s", "CPU ms", "engine rows ms", "engine JSON ms"]
    titles = {cell.job: f"{cell.job}: {cell.title}, {cell.bytes:,} bytes" for cell in requests.cells}
    taken = f"{requests.generator:.0%} of one core"
    notes = [
        "; ".join(titles.values()) + ".",
        "engine rows ms, engine JSON ms: what the engine alone needs, without a server; J3: one upsert and its commit.",
        f"{requests.rounds} rounds of {requests.seconds:g} s; the load generator took at most {taken}.",
        *_notes(requests.facts),
    ]
    yield Section("Single requests", columns, [_summary(cell, peers) for cell in requests.cells], notes)
    columns = ["job", "at once", "who", "req/s", "p50 ms", "p99 ms", "CPU ms", "database CPU ms", "of bare", "spread"]
    rows = [row for cell in requests.cells for row in _details(cell)]
    yield Section("Everyone's", columns, rows, ["spread: how much faster the best slice was than the worst."])
    columns = ["who", "start s", "idle MB", "after all jobs MB"]
    rows = [[one.who, f"{one.start:.2f}", _mb(one.idle), _mb(one.after)] for one in requests.workers]
    notes = [
        "start s: from the command to the first answer, of zeren the median of three; memory: resident, of one worker."
    ]
    yield Section("Start and memory", columns, rows, notes)


def _summary(cell: Cell, peers: Sequence[str]) -> list[str]:
    own = cell.who[SERVICE]
    rates = [f"{cell.who[name].rate:,.0f}" if name in cell.who else "–" for name in (*peers, BARE)]
    floor = f"{cell.floor_rate:,.0f}/s" if cell.floor_rate is not None else _number(cell.floor, 2)
    alone = [_number(cell.alone.get(what, cell.alone.get("write") if what == "rows" else None), 2) for what in _ALONE]
    first = [cell.job, str(cell.connections), f"{own.rate:,.0f}", f"{own.ratio:.3f}", floor, cell.verdict]
    return [*first, *rates, _number(own.cpu, 2), *alone]


_ALONE = ("rows", "json")


def _details(cell: Cell) -> Iterator[list[str]]:
    for name, one in cell.who.items():
        yield [
            cell.job,
            str(cell.connections),
            name,
            f"{one.rate:,.0f}",
            f"{one.p50:.2f}",
            f"{one.p99:.2f}",
            _number(one.cpu, 2),
            _number(one.database_cpu, 2),
            f"{one.ratio:.3f}",
            f"{one.spread:.0%}",
        ]


def _of_batches(batches: Batches) -> Iterator[Section]:
    if batches.compared:
        columns = ["job", "who", "rows", "ms", "CPU ms", "× raw", "at most", "verdict"]
        rows = [_batch_row(batch, name) for batch in batches.compared for name in batch.who]
        notes = [
            "; ".join(f"{batch.job}: {batch.title}" for batch in batches.compared) + ".",
            f"Medians of {len(batches.compared[0].who[RAW].rounds)} rounds; the fastest and the slowest:",
            *(f"{batch.job}: {', '.join(_ranges(batch))}" for batch in batches.compared),
        ]
        yield Section("Batches", columns, rows, [*notes, *_notes(batches.facts)])
    if batches.memory:
        columns = [
            "job",
            "body",
            "rows",
            "sent MB",
            "seconds",
            "idle MB",
            "peak MB",
            "above idle MB",
            "at most",
            "verdict",
        ]
        rows = [_memory_row(one) for one in batches.memory]
        notes = ["Each to a server that has just started, and has answered nothing before."]
        yield Section("Memory of the largest batches", columns, rows, notes)


def _batch_row(batch: Batch, name: str) -> list[str]:
    one, times = batch.who[name], batch.times(name, RAW)
    limits = ["–", "–"]
    if name == SERVICE and batch.most_ms is not None:
        limits = [f"{batch.most_ms:.0f} ms", _verdict(one.ms, batch.most_ms)]
    elif name == SERVICE:
        limits = [_number(batch.most, 0), _verdict(times, batch.most)]
    return [batch.job, name, f"{batch.rows:,}", f"{one.ms:.0f}", _number(one.cpu, 0), f"{times:.1f}", *limits]


def _ranges(batch: Batch) -> Iterator[str]:
    for name, one in batch.who.items():
        yield f"{name} {min(one.rounds):.0f}–{max(one.rounds):.0f}"


def _memory_row(one: Memory) -> list[str]:
    sizes = [_mb(one.idle), _mb(one.peak), _mb(one.above), _mb(one.most)]
    sent, seconds = f"{one.size / MEGABYTE:.1f}", f"{one.seconds:.1f}"
    return ["J4M", one.body, f"{one.rows:,}", sent, seconds, *sizes, _verdict(one.above, one.most)]


def _number(number: float | None, digits: int) -> str:
    return f"{number:.{digits}f}" if number is not None else "–"


def _mb(size: int | None) -> str:
    return f"{size / MEGABYTE:.0f}" if size is not None else "–"


def _verdict(found: float | None, most: float | None) -> str:
    return "–" if found is None or most is None else "pass" if found <= most else "above"


def _notes(facts: Facts) -> list[str]:
    """What a reader has to know of the whole run."""
    others = f"{facts.noise:.1f}" if facts.noise is not None else "an unknown number of"
    return [
        f"Data: {', '.join(f'{count:,} {name}' for name, count in facts.rows.items())}.",
        f"{facts.day}, {facts.engine}, {facts.python}, {facts.cores} cores for everything.",
        f"Work that was no part of the run kept {others} cores busy; load average before it: {facts.load:.1f}.",
    ]


def as_markdown(section: Section) -> list[str]:
    """A table's lines."""
    rules = ["---" if name in LEFT else "---:" for name in section.columns]
    return [f"| {' | '.join(row)} |" for row in (section.columns, rules, *section.rows)]
