"""XLSX to rows. calamine reads the cells, of a file that was inspected before."""

import io
from collections.abc import Iterator
from typing import Any

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum

from app.errors import WorkbookUnreadable
from app.values.cells import CELL_ERROR, Cell
from app.values.headings import no_headings
from app.values.inspecting import SheetFacts, inspect_workbook
from app.values.rows import Batch
from app.values.tables import read_table


def read_workbook(body: bytes) -> Batch:
    """The rows of the first sheet that has headings.

    Raises: `WorkbookUnreadable`; `InvalidRequest` for headings that are unknown, repeated, missing or nowhere.
    """
    facts = inspect_workbook(body)
    try:
        return _first_table(body, facts)
    except CalamineError as error:
        raise WorkbookUnreadable(reason=str(error)[:200]) from error
    except BaseException as error:  # a panic of Rust code is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise WorkbookUnreadable(reason="calamine") from error


def _first_table(body: bytes, facts: dict[str, SheetFacts]) -> Batch:
    book = CalamineWorkbook.from_filelike(io.BytesIO(body))
    for index, sheet in enumerate(book.sheets_metadata):
        if sheet.typ != SheetTypeEnum.WorkSheet:
            continue
        if sheet.name not in facts:
            raise WorkbookUnreadable(reason=f"XML: {sheet.name}")
        facts[sheet.name].check_size()
        batch = read_table(_rows(book.get_sheet_by_index(index), facts[sheet.name]))
        if batch is not None:
            return batch
    raise no_headings()


def _rows(sheet: CalamineSheet, facts: SheetFacts) -> Iterator[list[Cell]]:
    first_column = sheet.start[1] if sheet.start else 0
    for number, cells in enumerate(sheet.iter_rows()):
        row = [_shown(cell) for cell in cells]
        for column in facts.without_result.get(number, ()):
            if 0 <= column - first_column < len(row):  # else it has no heading
                row[column - first_column] = CELL_ERROR
        yield row


def _shown(cell: Any) -> Cell:
    """The cell, a number as the text of its 15 digits.

    A spreadsheet keeps doubles but shows and compares 15 digits: 0.1+0.2 is 0.3 to everyone who looks at it, not
    0.30000000000000004. All figures that the service takes have 15 digits at most, so none is changed by it.
    """
    return f"{cell:.15g}" if isinstance(cell, float | int) and not isinstance(cell, bool) else cell
