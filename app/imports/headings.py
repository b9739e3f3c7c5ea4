"""Which headings are the plan's, and the tree they make."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import multimode

from app.imports.marks import RUN_IN, heading_text, numbered_heading
from app.imports.outline import Section
from app.imports.paragraphs import Kind, Paragraph


def select_headings(plan: Sequence[Paragraph], targets: Sequence[Paragraph]) -> list[Paragraph]:
    """The headings among the paragraphs from the title on.

    A numbered heading is the plan's if a target follows before the next one of its rank. A heading without a number
    only differs from a stray line in its surroundings: a target follows it directly, and it ends as most of them do
    (all with 。 or all without). Headings with nothing at all below them are kept where they cannot be mistaken:
    between headings, or directly behind the last target as the next in order or in the shape of the others.
    """
    chosen = {id(target) for target in targets}
    first = next(index for index, paragraph in enumerate(plan) if id(paragraph) in chosen)
    last = max(index for index, paragraph in enumerate(plan) if id(paragraph) in chosen)
    run_ins = _run_ins(plan, chosen, first, last)
    kept = run_ins | _numbered(plan[: last + 1], first, chosen)
    headings = [paragraph for paragraph in plan if id(paragraph) in kept]
    return headings + _trailing(plan[last + 1 :], headings)


def make_sections(headings: Sequence[Paragraph]) -> list[Section]:
    """Headings as a tree: the parent is the nearest one above that ranks higher."""
    sections: list[Section] = []
    open_sections: list[int] = []
    for heading in headings:
        level = _rank(heading)
        while open_sections and sections[open_sections[-1]].level >= level:
            open_sections.pop()
        parent = open_sections[-1] if open_sections else None
        open_sections.append(len(sections))
        sections.append(Section(_name(heading), level, parent, heading.first + 1))
    return sections


def _rank(heading: Paragraph) -> int:
    return heading.number.style if heading.number else RUN_IN


def _name(heading: Paragraph) -> str:
    return (numbered_heading(heading.text) if heading.number else None) or heading_text(heading.text)


def _numbered(plan: Sequence[Paragraph], first: int, chosen: set[int]) -> set[int]:
    """Numbered headings with a target below, and those that have but the next heading below: found from the end.

    Above the first target, headings with nothing below them are a table of contents.
    """
    kept: set[int] = set()
    target_below: dict[int, bool] = {}  # by rank: whether a target stands before the next heading of that rank
    below: Paragraph | None = None
    for index in range(len(plan) - 1, -1, -1):
        paragraph = plan[index]
        if id(paragraph) in chosen:
            target_below = dict.fromkeys(range(1, RUN_IN + 1), True)
        elif paragraph.kind is Kind.heading:
            rank = _rank(paragraph)
            empty = index > first and below is not None and below.kind is Kind.heading and _rank(below) <= rank
            if target_below.get(rank) or empty:
                kept.add(id(paragraph))
            for lower in range(rank, RUN_IN + 1):
                target_below[lower] = False
        below = paragraph
    return kept


def _run_ins(plan: Sequence[Paragraph], chosen: set[int], first: int, last: int) -> set[int]:
    """Headings without a number between the first target and the last, and above the first in the same shape."""
    inner = [plan[index] for index in range(first, last) if _is_above_target(plan, index, chosen)]
    marked = multimode(_mark(run_in) for run_in in inner)
    inner = [run_in for run_in in inner if marked == [_mark(run_in)] or (_mark(run_in) and "。" in marked)]
    if inner and not _mark(inner[0]) and len({run_in.text for run_in in inner}) < 2:
        inner = []  # one line without a closing mark may be anything
    kept = {id(run_in) for run_in in (*inner, *_empty_run_ins(plan[first : last + 1], inner))}
    if first and _is_above_target(plan, first - 1, chosen):
        above = plan[first - 1]
        under_heading = first > 1 and plan[first - 2].kind is Kind.heading
        if under_heading or _same_shape(above, inner):
            kept.add(id(above))
    return kept


def _empty_run_ins(plan: Sequence[Paragraph], others: Sequence[Paragraph]) -> list[Paragraph]:
    """Lines in the shape of the headings without a number that stand directly above another heading."""
    known = {id(other) for other in others}
    return [
        line
        for line, below in pairwise(plan)
        if line.kind is Kind.run_in
        and id(line) not in known
        and (below.kind is Kind.heading or id(below) in known)
        and _same_shape(line, others)
    ]


def _is_above_target(plan: Sequence[Paragraph], index: int, chosen: set[int]) -> bool:
    return plan[index].kind is Kind.run_in and id(plan[index + 1]) in chosen


def _mark(run_in: Paragraph) -> str:
    return "。" if run_in.text.rstrip().endswith("。") else ""


def _same_shape(run_in: Paragraph, others: Sequence[Paragraph]) -> bool:
    """Whether a line is indented, closed and about as long as others are."""
    lengths = [len(other.text.strip()) for other in others if _frame(other) == _frame(run_in)]
    return bool(lengths) and min(lengths) * 2 / 3 <= len(run_in.text.strip()) <= max(lengths) * 3 / 2


def _frame(paragraph: Paragraph) -> tuple[str, str]:
    text = paragraph.text
    return text[: len(text) - len(text.lstrip())], _mark(paragraph)


def _trailing(after: Sequence[Paragraph], headings: Sequence[Paragraph]) -> list[Paragraph]:
    """Headings directly behind the last target: an excerpt may end with one. At most one without a number."""
    found: list[Paragraph] = []
    for paragraph in after:
        so_far = [*headings, *found]
        if paragraph.kind is Kind.heading and _is_next(paragraph, so_far):
            found.append(paragraph)
            continue
        run_ins = [heading for heading in headings if heading.kind is Kind.run_in]
        if paragraph.kind is Kind.run_in and _same_shape(paragraph, run_ins):
            found.append(paragraph)
        break
    return found


def _is_next(heading: Paragraph, before: Sequence[Paragraph]) -> bool:
    """Whether a numbered heading is the next of its rank, or the first below the one before it."""
    for other in reversed(before):
        if other.kind is Kind.heading and _rank(other) <= _rank(heading):
            return heading.value == (other.value + 1 if _rank(other) == _rank(heading) else 1)
    return False
