"""`python -m bench.readme`: writes the table of the kept results into the READMEs, between the two comments there.

`<!-- bench:begin en -->` or `<!-- bench:begin zh -->`, and `<!-- bench:end -->`; a test fails where what stands between
them is not what the results say.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.contestants import BARE, DATASETTE, LITESTAR, SERVICE
from bench.results import Batch, Cell, Results
from bench.tables import RAW

ROOT = Path(__file__).parent.parent
READMES = [ROOT / name for name in ("README.md", "README.zh-CN.md", "bench/README.md")]
_MARKED = re.compile(r"(<!-- bench:begin (en|zh) -->\n).*?(<!-- bench:end -->)", re.DOTALL)
_SHOWN = [("sqlite", "medium"), ("sqlite", "large"), ("postgresql", "medium"), ("postgresql", "large")]
_OTHERS = (LITESTAR, DATASETTE, BARE)
_WORDS = {
    "en": {
        "comma": ", ",
        "sqlite": "SQLite", "postgresql": "PostgreSQL", "medium": "1,000,000 values", "large": "10,000,000 values",
        LITESTAR: "Litestar by hand", DATASETTE: "Datasette", BARE: "limit",
        "J1": "one unit's assignments, page of 50", "J2": "one target", "J3": "post one value, durable",
        "J5": "search in a plan, 20 found", "J1W": "J1 while 20 values a second are posted",
        "J304": "J1, unchanged since (304)", "J4N": "10,000 new values, ms", "J4U": "10,000 other figures, ms",
        "J4": "the same 10,000 again, ms",
        "note": "Requests a second at 1 / 16 connections, and in parentheses the part of what a bare Starlette"
        " application does with the same bytes in memory; of batches milliseconds, and how many times a raw write's"
        " time. The last three columns are of {}. {}, {}, {} cores for everything.",
    },
    "zh": {
        "comma": "，",
        "sqlite": "SQLite", "postgresql": "PostgreSQL", "medium": "一百万个指标值", "large": "一千万个指标值",
        LITESTAR: "手写 Litestar 服务", DATASETTE: "Datasette", BARE: "上限",
        "J1": "一个单位的责任清单，每页 50 条", "J2": "一项目标任务", "J3": "上报一个指标值（落盘）",
        "J5": "在一个方案中搜索，找到 20 条", "J1W": "J1，同时每秒上报 20 个指标值",
        "J304": "J1，内容未变（304）", "J4N": "一万个新指标值，毫秒", "J4U": "一万个指标值改数，毫秒",
        "J4": "同样的一万个再报一次，毫秒",
        "note": "1 个 / 16 个并发连接下每秒请求数；括号内为与裸 Starlette 应用（内存中返回相同字节）之比。"
        "批量上报为毫秒数，括号内为直接写库时间的倍数。最后三列对应 {}。{}，{}，共 {} 核。",
    },
}  # fmt: skip


def filled(text: str) -> str:
    """A document with the tables that the results give."""
    return _MARKED.sub(lambda found: f"{found[1]}{_table(found[2])}{found[3]}", text)


def _table(language: str) -> str:
    """Table and note; empty where nothing was measured."""
    words = _WORDS[language]
    kept = [one for one in (Results.load(*names) for names in _SHOWN) if one.requests is not None]
    if not kept or kept[0].requests is None:
        return ""
    first, facts = kept[0], kept[0].requests.facts
    heads = ["", *(_name(one, words) for one in kept), *(words[name] for name in _OTHERS)]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *_rows(kept, first, words)]
    note = words["note"].format(_name(first, words), facts.day, facts.python, facts.cores)
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", note, ""])


def _name(results: Results, words: dict[str, str]) -> str:
    return f"{words[results.engine]}{words['comma']}{words[results.size]}"


def _rows(kept: Sequence[Results], first: Results, words: dict[str, str]) -> Iterator[list[str]]:
    assert first.requests is not None
    for job in dict.fromkeys(cell.job for cell in first.requests.cells):
        own = [_rates(one, job, SERVICE, ratio=True) for one in kept]
        yield [f"{job} {words[job]}", *own, *(_rates(first, job, name) for name in _OTHERS)]
    for batch in first.batches.compared if first.batches is not None else ():
        own = [_times(one, batch.job, SERVICE) for one in kept]
        others = [_times(first, batch.job, RAW if name == BARE else name) for name in _OTHERS]
        yield [f"{batch.job} {words[batch.job]}", *own, *others]


def _rates(results: Results, job: str, name: str, *, ratio: bool = False) -> str:
    cells: list[Cell] = results.requests.cells if results.requests is not None else []
    found = [cell.who[name] for cell in cells if cell.job == job and name in cell.who]
    if not found:
        return "–"
    rates = " / ".join(f"{one.rate:,.0f}" for one in found)
    return f"{rates} ({' / '.join(f'{one.ratio:.2f}' for one in found)})" if ratio else rates


def _times(results: Results, job: str, name: str) -> str:
    batches: list[Batch] = results.batches.compared if results.batches is not None else []
    found = next((batch for batch in batches if batch.job == job and name in batch.who), None)
    if found is None:
        return "–"
    times = f"{found.who[name].ms:,.0f}"
    return f"{times} ({found.times(name, RAW):.1f}×)" if name == SERVICE else times


def main() -> None:
    """Write the tables."""
    for path in READMES:
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            path.write_text(filled(text), encoding="utf-8")
            print(f"Written to {path.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
