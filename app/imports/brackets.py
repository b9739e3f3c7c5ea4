"""Brackets and quotation marks: what belongs together. One pass, no recursion, whatever is nested in what."""

import re
from typing import NamedTuple

# Full and half width of one kind may be mixed, as printed plans do.
_KINDS = {"(": 0, ")": 0, "（": 0, "）": 0, "〔": 1, "〕": 1, "[": 2, "]": 2, "［": 2, "］": 2, "【": 3, "】": 3}
OPENING = "(（〔[［【"
CLOSING = ")）〕]］】"
_BRACKET = re.compile(r"[()（）〔〕\[\]［］【】]")
_NESTING = re.compile(r"[()（）〔〕\[\]［］【】“”‘’《》\"]|[、,，;；。]")


class Group(NamedTuple):
    """A bracket: offsets of its opening mark and of its closing one, or of where it breaks off unclosed."""

    start: int
    end: int
    closed: bool


class Piece(NamedTuple):
    """A stretch between separators: offsets, and the separator before it (nothing before the first)."""

    start: int
    end: int
    separator: str


def has_closing(text: str) -> bool:
    """Whether a text has a closing bracket of any kind."""
    return any(mark in text for mark in CLOSING)


def find_groups(text: str) -> list[Group]:
    """All brackets, in the order of their opening marks. A closing mark of another kind closes nothing."""
    groups: list[Group] = []
    stack: list[tuple[int, int]] = []
    waiting = [0, 0, 0, 0]  # opening marks on the stack by kind, so that a stray closing mark costs no search
    for match in _BRACKET.finditer(text):
        mark, at = match[0], match.start()
        kind = _KINDS[mark]
        if mark in OPENING:
            stack.append((kind, at))
            waiting[kind] += 1
            continue
        while waiting[kind]:
            opened, start = stack.pop()
            waiting[opened] -= 1
            groups.append(Group(start, at, opened == kind))
            if opened == kind:
                break
    groups.extend(Group(start, len(text), closed=False) for _, start in stack)
    return sorted(groups)


def split_outside(text: str, start: int, end: int) -> list[Piece]:
    """The pieces of text[start:end] between separators that stand in no bracket and no quotation.

    Marks that do not pair protect nothing: where the nesting does not close, every separator counts.
    """
    pieces, depth = _split(text, start, end, nested=True)
    return pieces if depth == 0 else _split(text, start, end, nested=False)[0]


def _split(text: str, start: int, end: int, *, nested: bool) -> tuple[list[Piece], int]:
    pieces: list[Piece] = []
    depth, quoted, since, separator = 0, False, start, ""
    for match in _NESTING.finditer(text, start, end):
        mark = match[0]
        if mark == '"':
            quoted = not quoted
            depth += 1 if quoted else -1
        elif mark in OPENING or mark in "“‘《":
            depth += 1
        elif mark in CLOSING or mark in "”’》":
            depth = max(depth - 1, 0)
        elif depth == 0 or not nested:
            pieces.append(Piece(since, match.start(), separator))
            since, separator = match.end(), mark
    pieces.append(Piece(since, end, separator))
    return pieces, depth
