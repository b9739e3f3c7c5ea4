"""XLSX to rows. calamine reads the cells, of a file that was inspected before."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from typing import Any

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum

from app.errors import ErrorCode, InvalidRequest, WorkbookUnreadable, invalid
from app.values.cells import CELL_ERROR, Cell, Percent
from app.values.headings import no_headings, shorten
from app.values.inspecting import SheetFacts, inspect_workbook
from app.values.rows import Batch
from app.values.tables import read_table


def read_workbook(body: bytes) -> Batch:
    """The rows of the one sheet that has headings and rows.

    Raises: `WorkbookUnreadable`; `InvalidRequest` for headings that are unknown, repeated, missing or nowhere, and
    where several sheets have rows.
    """
    facts = inspect_workbook(body)
    with _refusing("calamine"):
        book = CalamineWorkbook.from_filelike(io.BytesIO(body))
    return _only_table(book, facts)


@contextmanager
def _refusing(place: str) -> Iterator[None]:
    """Make all that calamine raises the refusal of the workbook, with the place where it was."""
    try:
        yield
    except (CalamineError, OverflowError, ValueError) as error:  # a duration or a date that Python cannot hold
        raise _unreadable(place, error) from error
    except BaseException as error:  # a panic of Rust code is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise _unreadable(place, error) from error


def _unreadable(place: str, error: BaseException) -> WorkbookUnreadable:
    return WorkbookUnreadable(reason=f"{place}: {error}"[:200])


def _only_table(book: CalamineWorkbook, facts: dict[str, SheetFacts]) -> Batch:
    """The table of the first sheet that has headings and rows, or else headings. A second one with rows is refused."""
    chosen: Batch | None = None
    filled: list[str] = []
    for name, rows in _sheets(book, facts):
        try:
            # behind the table, some headings of ours may stand over a list of codes as well
            batch = read_table(rows, whole=chosen is not None)
        except InvalidRequest:
            if not filled:
                raise
            filled.append(name)  # it was meant for a table: it is not left out without a word
            continue
        if batch is None:
            continue
        first = next(batch.rows, None)
        if chosen is None or (first is not None and not filled):
            chosen = batch
        if first is not None:
            batch.rows = chain([first], batch.rows)
            filled.append(name)
    if len(filled) > 1:
        raise invalid("", ErrorCode.several_tables, sheets="、".join(map(shorten, filled)))
    if chosen is None:
        raise no_headings()
    return chosen


def _sheets(book: CalamineWorkbook, facts: dict[str, SheetFacts]) -> Iterator[tuple[str, Iterator[list[Cell]]]]:
    for index, sheet in enumerate(book.sheets_metadata):
        if sheet.typ != SheetTypeEnum.WorkSheet:
            continue
        if sheet.name not in facts:
            raise WorkbookUnreadable(reason=f"XML: {sheet.name}")
        with _refusing(sheet.name):
            cells = book.get_sheet_by_index(index)
        yield sheet.name, _rows(cells, facts[sheet.name])


def _rows(sheet: CalamineSheet, facts: SheetFacts) -> Iterator[list[Cell]]:
    first_column = sheet.start[1] if sheet.start else 0
    rows = sheet.iter_rows()
    for number in count():
        with _refusing(f"{sheet.name}!{number + 1}:{number + 1}"):  # as spreadsheets name a row
            cells = next(rows, None)
        if cells is None:
            return
        row = [_shown(cell) for cell in cells]
        for column in facts.percent.get(number, ()):
            if 0 <= column - first_column < len(row):
                row[column - first_column] = _as_percentage(cells[column - first_column])
        for column in facts.without_result.get(number, ()):
            if 0 <= column - first_column < len(row):  # else it has no heading
                row[column - first_column] = CELL_ERROR
        yield row


def _as_percentage(cell: Any) -> Cell:
    return Percent(f"{cell * 100:.15g}%") if _is_number(cell) else cell


def _is_number(cell: Any) -> bool:
    return isinstance(cell, float | int) and not isinstance(cell, bool)


def _shown(cell: Any) -> Cell:
    """The cell, a number as the text of its 15 digits.

    A spreadsheet keeps doubles but shows and compares 15 digits: 0.1+0.2 is 0.3 to everyone who looks at it, not
    0.30000000000000004. All figures that the service takes have 15 digits at most, so none is changed by it.
    """
    return f"{cell:.15g}" if _is_number(cell) else cell
