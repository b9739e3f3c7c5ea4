"""A sentence to the figures it promises.

A statement is cut into parts at its commas, and quantities (a number with a measure) are found in them. The words
before the number and behind the measure say how it is compared, whether it is an increase, or that it is no goal at all
(the table `app.imports.figure_words`). A figure counts as promised in two forms only:

- thing, figure: 高新技术产业增加值350亿元; 占比超过46%. The figure ends the part.
- promise, figure, thing: 建强10个重点产业技术研究院; 至少建设1个示范性教联体. Only for what is counted, not for money
  or shares, and only behind a word that promises.

Everything else is left alone, and so is a part in which two figures could be meant. Quotations, titles and brackets are
not looked into. A bare figure means "at least": a plan is kept by reaching more.

A decrease (能耗下降3%) is kept as printed: goal 3, at least, named 能耗下降, so that the value to report is the size of
the fall. A figure fallen *to* (降至3%以下) is a level not to be exceeded.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic_core import PydanticCustomError

from app.imports.figure_words import (
    BARE_RANK,
    BEFORE,
    CONDITION,
    DESCRIBES,
    LONGEST_BEFORE,
    MEMBER,
    METRIC,
    OPENING,
    RELATIVE,
    SUPPORT,
    Word,
)
from app.imports.quantities import Quantity, find_parts, find_quantities, mask
from app.types import Comparator, IndicatorKind, check_figure

_MAX_PART = 200  # parts of real statements have up to some 100 characters
_MAX_NAME = 60

_CONDITION = re.compile(rf"\s*(?:{CONDITION})")
_DESCRIBES = re.compile("|".join(DESCRIBES))
_SUPPORT = re.compile("|".join(SUPPORT))
_METRIC = re.compile(METRIC)
_RELATIVE = re.compile(RELATIVE)
_MEMBER = re.compile(rf"每个?(?:{MEMBER})|各(?:{MEMBER})(?=均|都|至少|不少于|不低于)")
_TIME = re.compile(r"(?:到|至)?(?:\d{4}年|今年|年(?=[底末])|\d{1,2}月(?=[底末]))[底末]?(?:以?前)?")
_OPENING = re.compile(OPENING)
_BARE_RANK = re.compile(BARE_RANK)
_SECOND_MEASURE = re.compile(r"[（(][\u4e00-\u9fff]{1,2}[)）]")  # 1000套（次）
_LINE_END = re.compile(r"\s*\n\s*")
_THING_END = re.compile(r"并(?=投|完|实|推|正|全|通|取)|等$")


@dataclass(frozen=True, slots=True)
class FoundIndicator:
    """A promised figure. `start` and `end` are offsets in the statement: `statement[start:end] == text`.

    `goal` and `goal_to` (only for a range) are the figures as printed, in `measure` as printed (`亿元`, `%`).
    """

    name: str
    comparator: Comparator
    goal: Decimal
    goal_to: Decimal | None
    measure: str
    kind: IndicatorKind
    each_member: bool
    text: str
    start: int
    end: int


@dataclass(slots=True)
class _Lead:
    """What the words before a number say, and where the words before those end."""

    end: int  # of what is left before all of them
    thing_end: int  # of what is left with the words that promise: 科技成果转移转化 | 120项
    comparator: Comparator | None = None
    increases: bool = False
    promises: bool = False
    falls: bool = False
    never: bool = False
    firm: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a statement, its masked double, its place, and what the sentence said before it."""

    text: str
    masked: str
    start: int
    subject: str  # what the sentence last measured
    supports: bool  # whether it spoke of support for others


def extract_indicators(statement: str) -> list[FoundIndicator]:
    """The figures that a statement promises, in its order."""
    masked = mask(statement)
    found: list[FoundIndicator] = []
    subject, sentence, supports = "", 0, False
    for stretch in find_parts(masked):
        if stretch.sentence != sentence:
            subject, sentence, supports = "", stretch.sentence, False
        words = masked[stretch.start : stretch.end]
        supports = supports or _SUPPORT.search(words) is not None
        start = stretch.start + len(words) - len(words.lstrip())
        words = words.strip()
        if words and len(words) <= _MAX_PART:
            part = _Part(statement[start : start + len(words)], words, start, subject, supports)
            if indicator := _read_part(part):
                found.append(indicator)
                subject = subject if _RELATIVE.fullmatch(indicator.name.removeprefix(subject)) else indicator.name
    return found


def _read_part(part: _Part) -> FoundIndicator | None:
    """The one figure that a part promises; None where there is none, or more than one."""
    if _CONDITION.match(part.masked) or _DESCRIBES.search(part.masked) or part.masked.endswith("的"):
        return None
    quantities = find_quantities(part.masked)
    promised = [found for at in range(len(quantities)) if (found := _read_quantity(part, quantities, at))]
    return promised[0] if len(promised) == 1 else None


def _read_quantity(part: _Part, quantities: Sequence[Quantity], at: int) -> FoundIndicator | None:
    quantity = quantities[at]
    lead = _read_lead(part.masked[: quantity.start])
    goal, goal_to = _figure(quantity.low), _figure(quantity.high)
    if lead.never or goal is None or (quantity.high is not None and (goal_to is None or goal_to <= goal)):
        return None
    if part.supports and (quantity.is_money or _SUPPORT.search(part.masked)):
        return None
    comparator = _compare(lead, quantity)
    name = _name(part, quantities, at, lead)
    limits = comparator in (Comparator.le, Comparator.lt)
    if name is None or (limits and not lead.firm and not quantity.is_share):
        return None
    second = _SECOND_MEASURE.match(part.text, quantity.measure_end)
    increases = lead.increases or "新增" in part.masked[: quantity.start] or "净增" in part.masked[: quantity.start]
    return FoundIndicator(
        name=_LINE_END.sub("", name),
        comparator=comparator,
        goal=goal,
        goal_to=goal_to,
        measure=quantity.measure + (second[0] if second else ""),
        kind=IndicatorKind.increase if increases else IndicatorKind.level,
        each_member=_MEMBER.search(part.text) is not None,
        text=part.text,
        start=part.start,
        end=part.start + len(part.text),
    )


def _read_lead(head: str) -> _Lead:
    """The words before a number, from the number outwards."""
    lead = _Lead(len(head), len(head))
    while (word := _last_word(head[: lead.end])) is not None:
        meaning = BEFORE[word]
        if meaning.touching and lead.promises:
            break
        lead.end -= len(word)
        _note(lead, meaning)
        if not (lead.falls or (lead.promises and not lead.increases)):
            lead.thing_end = lead.end
    return lead


def _last_word(head: str) -> str | None:
    for length in range(min(LONGEST_BEFORE, len(head)), 0, -1):
        if head[-length:] in BEFORE:
            return head[-length:]
    return None


def _note(lead: _Lead, meaning: Word) -> None:
    lead.comparator = lead.comparator or meaning.comparator
    lead.increases |= meaning.kind is IndicatorKind.increase
    lead.promises |= meaning.promises
    lead.falls |= meaning.falls
    lead.never |= meaning.never
    lead.firm |= meaning.firm


def _figure(printed: str | None) -> Decimal | None:
    """The figure, if it has no more digits than a figure may have."""
    try:
        return check_figure(Decimal(printed)) if printed is not None else None
    except PydanticCustomError:
        return None


def _compare(lead: _Lead, quantity: Quantity) -> Comparator:
    """What the words on both sides say together: the later ones qualify the earlier (达到7%左右 is about 7 %)."""
    if quantity.high is not None:
        return Comparator.range
    if quantity.after in (Comparator.about, Comparator.le):
        return quantity.after
    if quantity.after is Comparator.ge:
        return Comparator.gt if lead.comparator is Comparator.gt else Comparator.ge
    return lead.comparator or Comparator.ge


def _name(part: _Part, quantities: Sequence[Quantity], at: int, lead: _Lead) -> str | None:
    """What the figure measures, or None where the figure is not promised in one of the two forms."""
    quantity = quantities[at]
    rest = part.masked[quantity.end :].strip()
    thing = _THING_END.split(part.text[quantity.end :])[0].strip()
    if not rest or (not thing and lead.thing_end):
        return _name_before(part, quantities[:at], quantity, lead)
    counts = not (quantity.is_money or quantity.is_share) and lead.promises
    if not counts or at + 1 < len(quantities) or rest.startswith(("的", "和", "及", "或", "后", "、", "至", "到")):
        return None
    return thing if _is_name(thing) else None


def _name_before(part: _Part, others: Sequence[Quantity], quantity: Quantity, lead: _Lead) -> str | None:
    """The thing before its figure. Money may describe the thing (营收超1000万元企业100家), another figure may not."""
    if any(not other.is_money for other in others):
        return None
    announced = part.text[: lead.thing_end]
    name = _without_openings(announced)
    if not name or _RELATIVE.fullmatch(name):
        name = part.subject + name
        return name if _is_name(name) else None
    says = lead.comparator or quantity.after or quantity.high or lead.increases or lead.falls or lead.promises
    promised = says or _METRIC.search(name) or name != announced.strip() or _OPENING.match(name)
    return name if promised and _is_name(name) else None


def _without_openings(words: str) -> str:
    """The words without announcement, time and member: 力争2023年每个县市区公办园占比 is about 公办园占比."""
    words = words.strip()
    while True:
        for pattern in (_TIME, _OPENING, _MEMBER):
            match = pattern.match(words)
            if match and match.end() and (len(words) - match.end() > 2 or match.end() == len(words)):
                words = words[match.end() :].lstrip()
                break
        else:
            return words


def _is_name(words: str) -> bool:
    """Whether somebody who sees only these words knows what is measured."""
    says = words not in BEFORE and _BARE_RANK.fullmatch(words) is None
    return says and 2 <= len(words) <= _MAX_NAME and any("\u4e00" <= char <= "\u9fff" for char in words)
