"""Lines to outline: title, sections, items and the units they name. Pure functions over a document's lines.

The work is done in four steps, each in its own module: lines become paragraphs (`paragraphs`), unit clauses are read
(`clauses`), the plan's targets are told from the page around them (`runs`), and so are its headings (`headings`).
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

from app.imports.clauses import tail_start
from app.imports.headings import make_sections, select_headings
from app.imports.marks import title_year
from app.imports.outline import Item, Outline, PrintedUnit, Section
from app.imports.paragraphs import Kind, Paragraph, read_paragraphs
from app.imports.reading import Document
from app.imports.remarks import make_findings
from app.imports.runs import select_plan
from app.types import Role

__all__ = ["Item", "Outline", "PrintedUnit", "Section", "recognise"]


def recognise(document: Document) -> Outline:
    """The plan in the document; without items where it holds none. The findings of reading come first."""
    paragraphs = read_paragraphs(document.lines)
    title_line, targets = select_plan(paragraphs)
    if not targets:
        return Outline(None, None, (), (), document.findings)
    begin = title_line.last if title_line else -1
    plan = [paragraph for paragraph in paragraphs if paragraph.first > begin and paragraph.kind is not Kind.page_number]
    headings = select_headings(plan, targets)
    title = title_line.text.strip() if title_line else None
    outline = Outline(
        title=title,
        year=title_year(title) if title else None,
        sections=tuple(make_sections(headings)),
        items=tuple(_items(targets, headings)),
        findings=document.findings,
    )
    return replace(outline, findings=(*document.findings, *make_findings(outline, plan, targets, headings)))


def _items(targets: Sequence[Paragraph], headings: Sequence[Paragraph]) -> Iterator[Item]:
    passed = 0
    for target in targets:
        while passed < len(headings) and headings[passed].first < target.first:
            passed += 1
        start, end = _statement(target)
        if start < end and target.number is not None:
            yield Item(
                number=target.number.printed,
                value=target.value,
                label=None,
                statement=target.text[start:end],
                section=passed - 1 if passed else None,
                line=target.first + 1,
                start=start,
                end=end,
                units=tuple(_units(target)),
            )


def _statement(target: Paragraph) -> tuple[int, int]:
    """Where a target's words stand in its text: behind the number, before the clauses that end it."""
    begin = target.number.end if target.number else 0
    end = tail_start(target.text, target.clauses)
    return begin, max(begin, len(target.text[:end].rstrip()))


def _units(target: Paragraph) -> Iterator[PrintedUnit]:
    """The units of all clauses, each once in a role."""
    begins = list(accumulate((len(line) + 1 for line in target.text.split("\n")), initial=0))
    seen: set[tuple[str, Role]] = set()
    for clause in target.clauses:
        for unit in clause.units:
            if (unit.name, unit.role) not in seen:
                seen.add((unit.name, unit.role))
                line = bisect_right(begins, unit.start) - 1
                start = unit.start - begins[line]
                yield PrintedUnit(unit.name, unit.role, target.first + 1 + line, start, start + unit.end - unit.start)
