"""What recognising a plan leaves for a person to look at."""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from app.imports.clauses import tail_start
from app.imports.findings import Finding, Severity
from app.imports.outline import Item, Outline
from app.imports.paragraphs import Paragraph
from app.types import Role

# Statements have up to some 500 characters; one longer than the field that keeps it was not split rightly.
LONG_STATEMENT = 4000
_QUOTED = 200  # characters of a document's words that a finding quotes


def make_findings(
    outline: Outline, plan: Sequence[Paragraph], targets: Sequence[Paragraph], headings: Sequence[Paragraph]
) -> list[Finding]:
    """Findings about an outline and the paragraphs it was made of, by line."""
    findings = [
        *_about_title(outline),
        *_about_sections(outline, headings),
        *_about_rest(plan, targets, headings),
        *_about_numbers(outline.items),
        *(finding for item in outline.items for finding in _about_item(item)),
        *(finding for target in targets for finding in _about_clauses(target)),
    ]
    return sorted(findings, key=lambda finding: (finding.line or 0, finding.start or 0))


def _about(paragraph: Paragraph, severity: Severity, code: str, **params: str) -> Finding:
    """A finding about all words of a paragraph."""
    words = paragraph.text.strip()
    start = paragraph.text.find(words)
    line, end = paragraph.first + 1, start + len(words)
    return Finding(severity, code, line, start, end, words[:_QUOTED], params)


def _about_title(outline: Outline) -> Iterator[Finding]:
    if outline.title is None:
        yield Finding("warning", "no_title")
    elif outline.year is None:
        yield Finding("warning", "no_year", text=outline.title)


def _about_sections(outline: Outline, headings: Sequence[Paragraph]) -> Iterator[Finding]:
    filled = {item.section for item in outline.items}
    for index in range(len(headings) - 1, -1, -1):
        section = outline.sections[index]
        if index in filled:
            filled.add(section.parent)
        else:
            yield _about(headings[index], "info", "empty_section", heading=section.heading)


def _about_rest(
    plan: Sequence[Paragraph], targets: Sequence[Paragraph], headings: Sequence[Paragraph]
) -> Iterator[Finding]:
    """Text that names units but is no target, anywhere; other text that is nothing, between first and last target."""
    used = {id(paragraph) for paragraph in (*targets, *headings)}

    def fate(paragraph: Paragraph) -> str | None:
        if id(paragraph) in used:
            return None
        if paragraph.names_units:
            return "target_left_out"
        return "text_left_out" if targets[0].first < paragraph.first < targets[-1].first else None

    for code, group in groupby(plan, key=fate):
        if code == "text_left_out":
            left_out = list(group)
            yield _about(left_out[0], "warning", code, count=str(sum(part.last - part.first + 1 for part in left_out)))
        elif code:
            yield from (_about(paragraph, "warning", code) for paragraph in group)


def _about_numbers(items: Sequence[Item]) -> Iterator[Finding]:
    first_lines: dict[int, int] = {}
    for item in items:
        first_line = first_lines.setdefault(item.value, item.line)
        if first_line != item.line:
            params = {"number": item.number, "first_line": str(first_line)}
            yield _about_item_text(item, "warning", "duplicate_number", params)
    for before, item in pairwise(items):
        if item.value > before.value + 1:
            params = {"previous": before.number, "number": item.number}
            yield _about_item_text(item, "warning", "number_gap", params)


def _about_item(item: Item) -> Iterator[Finding]:
    number = {"number": item.number}
    if not item.units:
        yield _about_item_text(item, "warning", "no_units", number)
    elif not any(unit.role is Role.lead for unit in item.units):
        yield _about_item_text(item, "info", "no_lead", number)
    if len(item.statement) > LONG_STATEMENT:
        yield _about_item_text(item, "warning", "statement_long", number | {"length": str(len(item.statement))})


def _about_item_text(item: Item, severity: Severity, code: str, params: dict[str, str]) -> Finding:
    return Finding(severity, code, item.line, item.start, item.end, item.statement[:_QUOTED], params)


def _about_clauses(target: Paragraph) -> Iterator[Finding]:
    number = target.number.printed if target.number else ""
    tail = tail_start(target.text, target.clauses)
    if not target.text[target.number.end if target.number else 0 : tail].strip():
        yield _about(target, "warning", "no_statement", number=number)
    if any(clause.start < (len(target.text) if tail is None else tail) for clause in target.clauses):
        yield _about(target, "warning", "units_inside_text", number=number)
    for clause in target.clauses:
        for note in clause.notes:
            line = target.first + 1 + target.text.count("\n", 0, note.start)
            shift = target.text.rfind("\n", 0, note.start) + 1
            words = target.text[note.start : note.end][:_QUOTED]
            yield Finding("info", note.code, line, note.start - shift, note.end - shift, words, note.params)
