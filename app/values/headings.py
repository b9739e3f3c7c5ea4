"""The columns of a table of values: how they may be headed, and which of them are read."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.errors import ErrorCode, Fault, InvalidRequest, invalid
from app.problems import MOST_FAULTS, nearest, pointer_to
from app.types import fold

HEADING_ROWS = 10  # within so many rows the headings are looked for: a title may stand above them
MOST_COLUMNS = 200  # many times those there are
_LONGEST_SHOWN = 50
_LONGEST_HEADING = 100
_MOST_COMPARED = 20  # unknown headings for which the most like them are looked for


class Column(NamedTuple):
    """A column by its field's English name.

    `chinese`: headings it may have, the one that forms print first. `also`: further English ones. Columns that are
    not `read` are there for people: a form prints them, and a batch may bring them back. `stands_for`: the field that
    is read from such a column where its own cell is empty or not there.
    """

    name: str
    chinese: tuple[str, ...]
    read: bool = True
    required: bool = False
    also: tuple[str, ...] = ()
    stands_for: str | None = None

    @property
    def headings(self) -> tuple[str, ...]:
        """All headings it may have, its name first."""
        return (self.name, *self.also, *self.chinese)


# what a form prints, in its order
COLUMNS = (
    Column("indicator", ("指标编码", "指标", "指标代码"), required=True),
    Column("indicator_name", ("指标名称",), read=False),
    Column("target", ("目标任务",), read=False, also=("target_statement",)),
    Column("measure", ("计量单位",)),  # a form prints it; what comes back must agree
    Column("goal", ("目标值",), read=False),
    Column("unit", ("单位编码", "单位", "责任单位", "填报单位"), also=("unit_code",)),
    Column("unit_name", ("单位名称",), read=False, stands_for="unit"),
    Column("period", ("期间", "报告期", "时期"), required=True),
    Column("current", ("现值", "已报数值"), read=False),
    Column("value", ("数值", "指标值", "值"), required=True),
    Column("note", ("备注", "说明")),
    Column("evidence_url", ("佐证材料", "佐证链接", "证明材料")),
    Column("expected_version", ("预期版本", "版本")),
)
# what lists of values hold beside that: one that was saved and corrected may come back
_LISTED = [
    Column(name, (), read=False) for name in ("code", "status", "version", "reason", "recorded_at", "recorded_by")
]
_REQUIRED = [column for column in COLUMNS if column.required]


def _plain(heading: str) -> str:
    """The form in which headings are compared: width, case, spaces and underscores do not matter."""
    return re.sub(r"[\s_]", "", fold(heading))


_BY_HEADING = {_plain(heading): column for column in (*COLUMNS, *_LISTED) for heading in column.headings}


def _column_of(heading: str) -> Column | None:
    return _BY_HEADING.get(_plain(heading)) if len(heading) <= _LONGEST_HEADING else None


def known_headings(cells: Sequence[str]) -> int:
    """How many columns of ours the cells of a row would head."""
    return len({column.name for cell in cells[:MOST_COLUMNS] if (column := _column_of(cell))})


def find_headings(rows: Sequence[Sequence[str]]) -> int | None:
    """The row (from 0) which heads the most columns of ours, or None where none heads any."""
    known = [known_headings(row) for row in rows]
    best = max(known, default=0)
    return known.index(best) if best else None


def read_headings(cells: Sequence[str]) -> list[Column | None]:
    """The column that each cell heads, None for a blank one; blank ones at the end are left out.

    Raises: `InvalidRequest` with a fault for each unknown and repeated heading and each required one that is missing,
    or for too many of them.
    """
    width = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
    if width > MOST_COLUMNS:
        raise invalid("", ErrorCode.too_many_columns, columns=width, limit=MOST_COLUMNS)
    cells = cells[:width]
    columns = [_column_of(cell) for cell in cells]
    faults = [*_unknown(cells, columns), *_repeated(cells, columns), *_missing(columns)]
    if faults:
        raise InvalidRequest(*faults[:MOST_FAULTS], count=len(faults))
    return columns


def are_headings(cells: Sequence[str]) -> bool:
    """Whether the cells head a table of values: each column that it must have is there."""
    return {*_REQUIRED} <= {_column_of(cell) for cell in cells[:MOST_COLUMNS]}


def no_headings() -> InvalidRequest:
    """The refusal of a table in which no row is one of headings."""
    expected = "; ".join(map(_choices, _REQUIRED))
    return InvalidRequest(Fault("", ErrorCode.headings_not_found, {"rows": HEADING_ROWS, "headings": expected}))


def _unknown(cells: Sequence[str], columns: Sequence[Column | None]) -> Iterator[Fault]:
    unknown = (cell for cell, column in zip(cells, columns, strict=True) if column is None and cell.strip())
    for found, cell in enumerate(map(shorten, unknown)):
        suggestions = _nearest(cell) if found < _MOST_COMPARED else []
        yield Fault(pointer_to(cell), ErrorCode.unknown_field, {"name": cell}, suggestions)


def _nearest(cell: str) -> list[str]:
    """The valid headings most like it; all that can be read where none is like it."""
    return nearest(cell, [heading for column in COLUMNS for heading in column.headings]) or [
        column.name for column in COLUMNS if column.read
    ]


def _repeated(cells: Sequence[str], columns: Sequence[Column | None]) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for cell, column in zip(cells, columns, strict=True):
        if column is None:
            continue
        other = first.setdefault(column.name, cell)
        if other is not cell and (column.read or column.stands_for):
            params = {"name": shorten(cell), "other": shorten(other)}
            yield Fault(pointer_to(shorten(cell)), ErrorCode.heading_repeated, params)


def _missing(columns: Sequence[Column | None]) -> Iterator[Fault]:
    for column in _REQUIRED:
        if column not in columns:
            yield Fault(
                pointer_to(column.name), ErrorCode.heading_missing, {"headings": _choices(column)}, column.headings
            )


def _choices(column: Column) -> str:
    return " / ".join(column.headings)


def shorten(text: str) -> str:
    """What a cell holds, short enough to be quoted."""
    text = text.strip()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
