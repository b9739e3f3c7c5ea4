"""A statement to its parts and the quantities in them: the tokens that `app.imports.figures` judges."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from app.imports.brackets import find_groups
from app.imports.figure_words import AFTER, COUNTED, FACTORS, MONEY, SHARES
from app.types import Comparator

MASK = "□"

_QUOTED = re.compile(r"“[^“”]*”|‘[^‘’]*’|《[^《》]*》|\"[^\"\n]*\"")
# a comma between digits is part of a number (1,200) where three digits follow
_STOP = re.compile(r"[，。；;！？!?：:]|(?<!\d),|,(?!\d{3}(?!\d))")
_SENTENCE_STOPS = "。！？!?"


def _any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, the longest first."""
    return "|".join(sorted(words, key=len, reverse=True))


_COUNTED = _any_of(f"{word}(?!{others})" if others else word for word, others in COUNTED.items())
_FACTOR = rf"(?:{_any_of(FACTORS)})?"
_SHARE = rf"(?:{_any_of(SHARES)})"
_MEASURE = rf"{_SHARE}|{_FACTOR}(?:{_any_of(MONEY)}|{_COUNTED})"
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,12})(?:\.\d{1,6})?"
# Digits that hang on letters, points, signs or 第 belong to a name, a date or a formula: 5G, 1+3+N, 2023-05, 第3.
_QUANTITY = re.compile(
    rf"(?<![0-9A-Za-z.,+\-—–~～/×*第])(?P<low>{_NUMBER})(?:(?:{_MEASURE})?[—–\-~～至到]{{1,2}}(?P<high>{_NUMBER}))?"
    rf"(?P<measure>{_MEASURE}){MASK}*(?P<after>{_any_of(AFTER)})?"
)


class Part(NamedTuple):
    """A stretch of a statement between commas: offsets, and the number of the sentence it stands in."""

    start: int
    end: int
    sentence: int


class Quantity(NamedTuple):
    """A number with its measure in a part: offsets of the whole, figures as printed, and what follows the measure."""

    start: int
    end: int
    low: str
    high: str | None
    measure: str
    measure_end: int
    after: Comparator | None

    @property
    def is_money(self) -> bool:
        """Whether it is measured in money."""
        return self.measure.endswith(MONEY)

    @property
    def is_share(self) -> bool:
        """Whether it is a share or a rate."""
        return self.measure in SHARES


def mask(statement: str) -> str:
    """The statement with quotations, titles and brackets blotted out, character for character."""
    statement = _QUOTED.sub(lambda quoted: MASK * len(quoted[0]), statement)
    pieces, reached = [], 0
    for group in find_groups(statement):
        if group.closed and group.start >= reached:
            pieces += [statement[reached : group.start], MASK * (group.end + 1 - group.start)]
            reached = group.end + 1
    return "".join([*pieces, statement[reached:]])


def find_parts(masked: str) -> Iterator[Part]:
    """The parts between commas; an enumeration (、) is parted where both sides have a quantity of their own."""
    begin, sentence = 0, 0
    for stop in _STOP.finditer(masked):
        yield from _enumerated(masked, Part(begin, stop.start(), sentence))
        begin = stop.end()
        sentence += stop[0] in _SENTENCE_STOPS
    yield from _enumerated(masked, Part(begin, len(masked), sentence))


def find_quantities(part: str) -> list[Quantity]:
    """The quantities in a (masked) part of a statement."""
    return [
        Quantity(
            match.start(),
            match.end(),
            match["low"].replace(",", ""),
            match["high"] and match["high"].replace(",", ""),
            match["measure"].replace("％", "%"),
            match.end("measure"),
            AFTER.get(match["after"] or ""),
        )
        for match in _QUANTITY.finditer(part)
    ]


def _enumerated(masked: str, part: Part) -> Iterator[Part]:
    pieces = masked[part.start : part.end].split("、")
    if len(pieces) > 1 and all(_QUANTITY.search(piece) for piece in pieces):
        begin = part.start
        for piece in pieces:
            yield Part(begin, begin + len(piece), part.sentence)
            begin += len(piece) + 1
    else:
        yield part
