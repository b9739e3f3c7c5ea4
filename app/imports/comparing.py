"""A document against the last one of its plan: which indicators are the same ones, and what has moved."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from app.imports.findings import Finding
from app.imports.schemas import ImportedIndicator, ImportedTarget
from app.tables import Indicator
from app.types import Role

Printed = list[tuple[str, Role]]
_QUOTED = 100  # characters


class Known(NamedTuple):
    """An indicator's row, and what the last document said of it; None where that did not name it."""

    row: Indicator
    before: ImportedIndicator | None


def printed_units(target: ImportedTarget) -> Printed:
    """The units of a target by the names that stand in the document, whatever the register makes of them."""
    return [(unit.name, unit.role) for unit in target.units]


def match_indicators(
    now: Sequence[ImportedIndicator], before: Sequence[ImportedIndicator], rows: Sequence[Indicator]
) -> list[Known | None]:
    """For each indicator of a document the row that is its own, or None where it is a new one.

    Those that the last document named go before those that were removed, the same words before the same meaning:
    name, measure and kind.
    """
    named, removed = _named(before, rows)
    matched: list[Known | None] = [None] * len(now)
    for free in (named, removed):
        for told in (_words, _meaning):
            for place, indicator in enumerate(now):
                if matched[place] is None:
                    matched[place] = _take(free, told, told(indicator))
    return matched


def _named(before: Sequence[ImportedIndicator], rows: Sequence[Indicator]) -> tuple[list[Known], list[Known]]:
    """The rows that the last document named, told by its words, and all others."""
    free = sorted(rows, key=lambda row: (row.removed_at is not None, row.ordinal))
    named = []
    for indicator in before:
        row = next((row for row in free if row.text == indicator.text), None)
        if row is not None:
            free.remove(row)
            named.append(Known(row, indicator))
    return named, [Known(row, None) for row in free]


def _words(one: ImportedIndicator | Indicator) -> object:
    return one.text


def _meaning(one: ImportedIndicator | Indicator) -> object:
    return one.name, one.measure, one.kind


def _take(free: list[Known], told: Callable[[ImportedIndicator | Indicator], object], wanted: object) -> Known | None:
    found = next((known for known in free if told(known.before or known.row) == wanted), None)
    if found is not None:
        free.remove(found)
    return found


def renumbered(targets: Mapping[str, ImportedTarget], before: Mapping[str, ImportedTarget]) -> Iterator[Finding]:
    """The statements that had another number last time: units, values and history stay with the number."""
    codes = {target.statement: code for code, target in before.items()}
    for code, target in targets.items():
        previous = codes.get(target.statement, code)
        stays = code in before and before[code].statement == target.statement
        copied = previous in targets and targets[previous].statement == target.statement
        if not stays and not copied:
            params = {"previous": before[previous].number, "number": target.number}
            words = target.statement[:_QUOTED]
            yield Finding("warning", "renumbered", target.line, target.start, target.end, words, params)
