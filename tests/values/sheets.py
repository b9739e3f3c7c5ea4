"""Workbooks for tests."""

import io
from collections.abc import Callable, Sequence
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet


def workbook(table: Sequence[Sequence[Any]], write: Callable[[Workbook, Worksheet], None] | None = None) -> bytes:
    """A workbook of one sheet with these cells, text as text; `write` may add to it."""
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False}
    book = Workbook(out, options)
    sheet = book.add_worksheet()
    for row, cells in enumerate(table):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell)
    if write is not None:
        write(book, sheet)
    book.close()
    return out.getvalue()
