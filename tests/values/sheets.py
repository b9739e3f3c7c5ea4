"""Workbooks for tests."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet


def workbook(table: Sequence[Sequence[Any]], write: Callable[[Workbook, Worksheet], None] | None = None) -> bytes:
    """A workbook of one sheet with these cells, text as text; `write` may add to it."""
    return workbook_of({"Sheet1": table}, write)


def workbook_of(
    tables: Mapping[str, Sequence[Sequence[Any]]], write: Callable[[Workbook, Worksheet], None] | None = None
) -> bytes:
    """A workbook of several sheets, by their names; `write` may add to the last."""
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False}
    book = Workbook(out, options)
    for name, table in tables.items():
        sheet = book.add_worksheet(name)
        for row, cells in enumerate(table):
            for column, cell in enumerate(cells):
                sheet.write(row, column, cell)
    if write is not None:
        write(book, sheet)
    book.close()
    return out.getvalue()
