"""Lines to paragraphs: which lines belong together, and what each paragraph might be.

Nothing is decided here about what belongs to the plan; see `app.imports.runs`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from app.imports.brackets import has_closing
from app.imports.clauses import Clause, find_clauses, is_only_clause, tail_start
from app.imports.marks import Number, ends_sentence, is_page_number, is_run_in, numbered_heading, read_number
from app.imports.reading import Line

# How far below its number an item's unit clause may stand. Items have up to some ten paragraphs.
_REACH = 12
# A line that is broken because it is full has at least this many characters.
_FULL_LINE = 20


class Kind(Enum):
    """What a paragraph has the shape of."""

    item = auto()  # numbered in the style in which numbered lines name units
    heading = auto()  # numbered in a style further out, short, without units
    run_in = auto()  # one short sentence without a number
    page_number = auto()
    text = auto()  # anything else


@dataclass(frozen=True, slots=True, eq=False)
class Paragraph:
    """One or more lines that belong together. Offsets of `clauses` are in `text`, the lines joined by line feeds."""

    kind: Kind
    first: int  # index of the first line
    last: int
    text: str
    number: Number | None
    clauses: list[Clause]

    @property
    def value(self) -> int:
        """What the number counts."""
        return self.number.value if self.number else 0

    @property
    def names_units(self) -> bool:
        """Whether it has a unit clause."""
        return bool(self.clauses)


class _Scan:
    """The lines of a document with what each of them, alone, begins with and names."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.texts = [line.text for line in lines]
        self.blank = [not text.strip() for text in self.texts]
        self.numbers = [
            None if blank else read_number(text) for text, blank in zip(self.texts, self.blank, strict=True)
        ]
        self.clauses = [[] if blank else find_clauses(text) for text, blank in zip(self.texts, self.blank, strict=True)]
        self.style = self._item_style()

    def _item_style(self) -> int | None:
        """The style of numbering under which most unit clauses stand: that is how the document numbers its targets."""
        counts: Counter[int] = Counter()
        at, style = -_REACH, None
        for index, number in enumerate(self.numbers):
            if number is not None:
                at, style = index, number.style
            if self.clauses[index] and style is not None and index - at < _REACH:
                counts[style] += 1
        return counts.most_common(1)[0][0] if counts else None


def read_paragraphs(lines: Sequence[Line]) -> list[Paragraph]:
    """The paragraphs of a document, blank lines left out. Without a single numbered unit clause: none."""
    scan = _Scan(lines)
    return list(_paragraphs(scan, scan.style)) if scan.style is not None else []


def _paragraphs(scan: _Scan, style: int) -> Iterator[Paragraph]:
    index = 0
    while index < len(scan.texts):
        if scan.blank[index]:
            index += 1
            continue
        number = scan.numbers[index]
        if number is not None and number.style == style:
            last = _end_of_item(scan, index, style)
            text = "\n".join(scan.texts[index : last + 1])
            clauses = scan.clauses[index] if last == index else find_clauses(text)
            yield Paragraph(Kind.item, index, last, text, number, clauses)
            index = last + 1
        else:
            text, clauses = scan.texts[index], scan.clauses[index]
            yield Paragraph(_kind(text, number, clauses, style), index, index, text, number, clauses)
            index += 1


def _kind(text: str, number: Number | None, clauses: list[Clause], style: int) -> Kind:
    if is_page_number(text):
        return Kind.page_number
    if clauses:
        return Kind.text
    if number is not None:
        return Kind.heading if number.style < style and numbered_heading(text) else Kind.text
    return Kind.run_in if is_run_in(text) else Kind.text


def _end_of_item(scan: _Scan, first: int, style: int) -> int:
    """The last line of the item that begins on a line.

    An item ends with its unit clause, which may stand lines below: lines of its own for the clause, paragraphs between
    that no blank line parts, or a clause broken over lines. Without a clause in reach, only lines that were broken
    because they were full belong together.
    """
    if tail_start(scan.texts[first], scan.clauses[first]) is None:
        found = _clause_below(scan, first, style)
        if found is None:
            return first if scan.clauses[first] else _end_of_broken_line(scan, first)
        first = found
    if not scan.clauses[first][-1].closed:
        return _closing_below(scan, first, style) or first
    while (below := _next_line(scan, first)) is not None and _only_clause(scan, below):
        first = below
    return first


def _clause_below(scan: _Scan, first: int, style: int) -> int | None:
    """The line below on which the item's clause stands or begins."""
    parted = False
    for index in _below(scan, first, style):
        if scan.blank[index]:
            parted = True
        elif scan.clauses[index] and (not parted or _only_clause(scan, index)):
            return index
        elif parted or not _is_prose(scan.texts[index]):
            return None
    return None


def _closing_below(scan: _Scan, first: int, style: int) -> int | None:
    """The line below on which the clause that a line leaves open is closed."""
    for index in _below(scan, first, style):
        if scan.blank[index]:
            return None
        if has_closing(scan.texts[index]) and find_clauses("\n".join(scan.texts[first : index + 1]))[-1].closed:
            return index
    return None


def _below(scan: _Scan, first: int, style: int) -> Iterator[int]:
    """The lines in an item's reach, up to the next number of its rank."""
    for index in range(first + 1, min(first + _REACH, len(scan.texts))):
        number = scan.numbers[index]
        if number is not None and number.style <= style:
            return
        yield index


def _end_of_broken_line(scan: _Scan, first: int) -> int:
    last = first
    while (
        last + 1 < min(first + _REACH, len(scan.texts))
        and not scan.blank[last + 1]
        and scan.numbers[last + 1] is None
        and _is_full(scan.texts[last])
        and not ends_sentence(scan.texts[last])
    ):
        last += 1
    return last


def _is_full(text: str) -> bool:
    return len(text.strip()) >= _FULL_LINE


def _is_prose(text: str) -> bool:
    """Whether a line may be part of an item's text, unlike a link or a label of the page."""
    return _is_full(text) or ends_sentence(text)


def _only_clause(scan: _Scan, index: int) -> bool:
    return scan.numbers[index] is None and is_only_clause(scan.texts[index], scan.clauses[index])


def _next_line(scan: _Scan, index: int) -> int | None:
    """The next line that is not blank, at most one blank line away."""
    for below in range(index + 1, min(index + 3, len(scan.texts))):
        if not scan.blank[below]:
            return below
    return None
