"""The clause that names a target's units: (牵头单位:市教育局;责任单位:市财政局,各县市区人民政府) and its kin.

Three forms, from the genre: labelled fields in a bracket of any kind; labelled fields without a bracket, from the start
of a line or sentence to the end; at the end of a text, a bracket with the role after the units (A牵头，B、C配合).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from app.imports.brackets import CLOSING, OPENING, Group, Piece, find_groups, split_outside
from app.types import Role

MAX_NAME = 60  # the longest official names have some 40 characters; what is longer is a sentence

_SUPPORTING = ("配合", "协办", "协同", "协助", "支撑", "参与", "推进")
_ROLE_WORD = "|".join(("牵头", "责任", "负责", *_SUPPORTING))
_ANY_ROLE = re.compile(_ROLE_WORD)
_ROLE_NAME = rf"(?:[\u4e00-\u9fff]{{0,4}}?(?:{_ROLE_WORD})[\u4e00-\u9fff]{{0,2}}(?:单位|部门)|牵头|责任|配合|协办)"
_ROLE_LABEL = re.compile(rf"\s*{_ROLE_NAME}\s*[:：]")
_LATER_LABEL = re.compile(rf"[;；,，。\s]{_ROLE_NAME}\s*[:：]")
_SOON = 200  # characters
_BARE_LABEL = re.compile(
    rf"(?:^|(?<=[。；;！\n]))\s{{0,20}}[\u4e00-\u9fff]{{0,4}}?(?:{_ROLE_WORD})(?:单位|部门)\s*[:：]"
)
_FIELD = re.compile(r"\s*([\u4e00-\u9fff/]{2,12})\s*[:：]\s*")
_FIELD_AFTER_SPACE = re.compile(r"(?<!\s)\s{1,20}(?=[\u4e00-\u9fff/]{2,12}[:：])")

# A牵头负责 / B、C按职责分工负责 / D配合: the role follows the names it is about
_ROLE_VERB = re.compile(
    r"(?:等?(?:按照?)?(?:各自)?(?:职责|分工)*(?:共同|分别|联合)?)"
    rf"(牵头|负责|{'|'.join(_SUPPORTING)})(?:负责|落实|推进|配合|组织实施|实施)*$"
)
# what the name of a body of people ends with; asked for only where no label says that names follow
_UNIT_END = re.compile(r"[局委办厅部院会府司团校学站所处室队行社区县市镇乡联心位门地协盟馆]$")
_OPEN_END = re.compile(r"等(?:市直|省直|县直)?(?:其他|各)?(?:相关|有关|职能|成员)*(?:部门和单位|部门|单位)?$")
# 各区、县（市）政府, 各区、县级市: one name for all its mark
_SECOND_HALF = re.compile(r"\s*(?:县|区|市)(?:[（(〔]|级市|人民政府|政府)")
_LINE_END = re.compile(r"\s*\n\s*")
_FILLER = re.compile(r"[\s。．.；;,，、]*")


class ClauseUnit(NamedTuple):
    """A unit in a clause: name as printed (a line end inside it removed), role, offsets in the text."""

    name: str
    role: Role
    start: int
    end: int


class ClauseNote(NamedTuple):
    """Something in a clause that a person should see: finding code, offsets in the text, the code's params."""

    code: str
    start: int
    end: int
    params: dict[str, str]


@dataclass(slots=True)
class Clause:
    """A unit clause: offsets in the text, brackets included, and what it says."""

    start: int
    end: int
    closed: bool = True
    units: list[ClauseUnit] = field(default_factory=list)
    notes: list[ClauseNote] = field(default_factory=list)


def find_clauses(text: str) -> list[Clause]:
    """The unit clauses of a text, in order. A clause without a single unit is none."""
    if not _ANY_ROLE.search(text):
        return []
    groups = find_groups(text)
    clauses = _labelled(text, groups) or _bare(text, groups) or _worded(text, groups)
    return [clause for clause in clauses if clause.units]


def tail_start(text: str, clauses: list[Clause]) -> int | None:
    """Where the clauses begin that end the text, or None where it ends with something else."""
    begin, end = None, len(text)
    for clause in reversed(clauses):
        if not _FILLER.fullmatch(text, clause.end, end):
            break
        begin = end = clause.start
    return begin


def is_only_clause(text: str, clauses: list[Clause]) -> bool:
    """Whether a text holds clauses and nothing else."""
    begin = tail_start(text, clauses)
    return begin is not None and not text[:begin].strip()


def _labelled(text: str, groups: list[Group]) -> list[Clause]:
    """Brackets that begin with labels; one inside another is part of it."""
    clauses: list[Clause] = []
    reached = 0
    for group in groups:
        if group.start >= reached and _begins_clause(text, group.start + 1):
            clause = Clause(group.start, min(group.end + 1, len(text)), group.closed)
            _read_fields(text, group.start + 1, group.end if group.closed else _odd_end(text, group), clause)
            if not group.closed:
                clause.notes.append(ClauseNote("clause_unclosed", clause.start, clause.end, {}))
            clauses.append(clause)
            reached = clause.end
    return clauses


def _begins_clause(text: str, start: int) -> bool:
    """Whether a role's label stands at an offset, or another field's with a role's label soon behind it."""
    if _ROLE_LABEL.match(text, start):
        return True
    return _FIELD.match(text, start) is not None and _LATER_LABEL.search(text, start, start + _SOON) is not None


def _odd_end(text: str, group: Group) -> int:
    """Where an unclosed clause ends: a bracket of the wrong kind at the very end was meant to close it."""
    inner = text[group.start + 1 : group.end].rstrip()
    closings = sum(map(inner.count, CLOSING))
    meant = inner.endswith(tuple(CLOSING)) and closings > sum(map(inner.count, OPENING))
    return group.start + 1 + len(inner) - meant


def _bare(text: str, groups: list[Group]) -> list[Clause]:
    """The first label that stands in no bracket at the start of a line or sentence; it reaches to the end."""
    outside, covered = 0, iter([*(group for group in groups if group.closed), Group(len(text), len(text), closed=True)])
    group = next(covered)
    for match in _BARE_LABEL.finditer(text):
        while group.start < match.start():
            outside = max(outside, group.end)
            group = next(covered)
        if match.start() >= outside:
            clause = Clause(match.start(), len(text))
            _read_fields(text, clause.start, clause.end, clause)
            return [clause]
    return []


def _worded(text: str, groups: list[Group]) -> list[Clause]:
    """The bracket at the very end, if every name in it has a role after it and looks like a unit's."""
    end = len(text.rstrip("。．.；; \t\n")) - 1
    closing = (group for group in groups if group.closed and group.end == end)
    if (group := next(closing, None)) is None:
        return []
    clause = Clause(group.start, group.end + 1)
    return [clause] if _read_worded(text, group.start + 1, group.end, clause) else []


def _read_fields(text: str, start: int, end: int, clause: Clause) -> None:
    """Label after label, each followed by names; a sentence after the names is a note."""
    role: Role | None = None
    for begin, stop, separator in _fields(text, start, end):
        label = _FIELD.match(text, begin, stop)
        if label is None and separator == "。":
            if text[begin:end].strip():
                clause.notes.append(ClauseNote("clause_note", begin, end, {}))
            return
        if label is not None:
            role = _role_of(label[1])
            if role is None:
                clause.notes.append(ClauseNote("clause_field_unread", label.start(1), stop, {"label": label[1]}))
        if role is not None:
            _add_unit(text, label.end() if label else begin, stop, role, clause)


def _fields(text: str, start: int, end: int) -> Iterator[Piece]:
    """The pieces of a clause; a label after nothing but a space begins a piece as well."""
    for begin, stop, separator in _names(text, start, end):
        for space in _FIELD_AFTER_SPACE.finditer(text, begin, stop):
            if space.start() > begin:
                yield Piece(begin, space.start(), separator)
                begin, separator = space.end(), " "
        yield Piece(begin, stop, separator)


def _names(text: str, start: int, end: int) -> Iterator[Piece]:
    """The pieces between separators, the two halves of 各区、县（市）政府 as one."""
    begun: Piece | None = None
    for piece in split_outside(text, start, end):
        if begun and piece.separator == "、" and _SECOND_HALF.match(text, piece.start, piece.end):
            piece = begun._replace(end=piece.end)
        elif begun:
            yield begun
        begun = piece if text[piece.start : piece.end].strip().endswith(("各区", "各县", "各市")) else None
        if begun is None:
            yield piece
    if begun:
        yield begun


def _role_of(label: str) -> Role | None:
    if not re.fullmatch(_ROLE_NAME, label):
        return None
    if "牵头" in label:
        return Role.lead
    return Role.supporting if any(word in label for word in _SUPPORTING) else Role.responsible


def _read_worded(text: str, start: int, end: int, clause: Clause) -> bool:
    """Names up to a role word have that role. False where a name is left without one: then it is no clause."""
    waiting: list[tuple[int, int]] = []
    for begin, stop, separator in _names(text, start, end):
        if stop - begin > MAX_NAME:
            return False
        if separator == "。" and clause.units and not waiting:
            clause.notes.append(ClauseNote("clause_note", begin, end, {}))
            return True
        verb = _ROLE_VERB.search(text[begin:stop].rstrip())
        waiting.append((begin, begin + verb.start() if verb else stop))
        if verb:
            role = {"牵头": Role.lead, "负责": Role.responsible}.get(verb[1], Role.supporting)
            if not all(_names_unit(text, *name) for name in waiting):
                return False
            for name in waiting:
                _add_unit(text, *name, role, clause)
            waiting = []
    return not waiting


def _names_unit(text: str, start: int, stop: int) -> bool:
    name = re.sub(r"[（(〔\[].*$", "", _OPEN_END.sub("", text[start:stop].strip()))
    return not name or _UNIT_END.search(name) is not None


def _add_unit(text: str, start: int, stop: int, role: Role, clause: Clause) -> None:
    raw = text[start:stop].strip()
    start = text.find(raw, start)
    if len(raw) > MAX_NAME:
        clause.notes.append(ClauseNote("clause_note", start, start + len(raw), {}))
        return
    tail = _OPEN_END.search(raw)
    if tail and tail.start():
        clause.notes.append(ClauseNote("units_open_ended", start, start + len(raw), {"tail": tail[0]}))
        raw = raw[: tail.start()].rstrip()
    if any(char.isalnum() for char in raw) and raw != "无":
        clause.units.append(ClauseUnit(_LINE_END.sub("", raw), role, start, start + len(raw)))
