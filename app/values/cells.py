"""The cells of one row of a table, CSV or XLSX, as the fields of a value, each told apart by what its column takes."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any

from app.errors import ErrorCode, Fault
from app.reading_json import to_decimal
from app.spreadsheets import is_guarded
from app.values.headings import Column, shorten
from app.values.rows import RawRow

Cell = object  # text, or what else a spreadsheet can hold: a number, a date, a truth value, `CELL_ERROR`
CELL_ERROR = "#ERROR!"  # stands for #N/A, #REF! and the like; told from text by being this very object
FILLED_IN = frozenset({"value", "note", "evidence_url"})  # what makes a row of a form more than a blank one

_FIGURE = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MEASURED = re.compile(r"[¥$]?([+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?)[^0-9.,]*")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Percent(str):
    """A number in a cell that shows it as a percentage, as it is shown: 0.468 as `46.8%`."""

    __slots__ = ()


class RowReader:
    """Reads the rows of one table.

    `guarded`: an apostrophe before what a spreadsheet would run is that of our own exports, and no part of a note.
    """

    def __init__(self, columns: Sequence[Column | None], *, guarded: bool) -> None:
        readers = _READERS | {"note": _guarded_note} if guarded else _READERS
        self._width = len(columns)
        # what stands in for a field comes last: it is read where the field has not been
        named = [(bool(one.stands_for), place, one.stands_for or one.name) for place, one in enumerate(columns) if one]
        self._read = [(place, name, readers[name]) for _, place, name in sorted(named) if name in readers]
        self._bare = {place for place, column in enumerate(columns) if column is None}

    def read(self, number: int, cells: Sequence[Cell]) -> RawRow | None:
        """The row, or None for one that has nothing in it."""
        fields: dict[str, Any] = {}
        faults: list[Fault] = []
        for place, name, reader in self._read:
            cell = cells[place] if place < len(cells) else ""
            if cell == "" or (isinstance(cell, str) and cell.isspace()) or name in fields:
                continue
            found = fields[name] = reader(cell)
            if isinstance(found, Fault):
                fields[name] = str(cell)
                faults.append(found)
        if self._bare or len(cells) > self._width:
            faults += islice(self._without_heading(cells), 1)  # there may be thousands, of one shift to the right
        return RawRow(number, fields, faults) if fields or faults else None

    def _without_heading(self, cells: Sequence[Cell]) -> Iterator[Fault]:
        for place, cell in enumerate(cells):
            if place < self._width and place not in self._bare:
                continue
            if text := str(cell).strip():
                params = {"column": place + 1, "text": shorten(text)}
                yield Fault("", ErrorCode.cell_without_heading, params)


def is_left_blank(row: RawRow) -> bool:
    """Whether the row is one of a form that nobody filled in."""
    return not (row.fields.keys() & FILLED_IN or any(fault.pointer == "" for fault in row.faults))


def _folded(cell: Cell) -> str:
    if not isinstance(cell, str):
        return ""
    return (cell if cell.isascii() else unicodedata.normalize("NFKC", cell)).strip()


def _value(cell: Cell) -> Decimal | Fault:
    if isinstance(cell, str) and _FIGURE.fullmatch(cell):
        return to_decimal(cell)
    text = _folded(cell)
    if _FIGURE.fullmatch(text):
        return to_decimal(text)
    # a minus sign as printers set it, a space between thousands
    plain = re.sub(r"(?<=[0-9]) (?=[0-9]{3})", ",", text.replace("\N{MINUS SIGN}", "-"))
    measured = _MEASURED.fullmatch(plain)
    suggestions = [measured[1].replace(",", "")] if measured else []
    if isinstance(cell, Percent):
        return Fault("/value", ErrorCode.percent_cell, {"shown": cell}, suggestions)
    return Fault("/value", ErrorCode.not_a_figure, {}, suggestions)


def _period(cell: Cell) -> str | Fault:
    """The period as it stands, if it is text: the check of the field tells what else it may mean."""
    return _period_of_date(cell) if isinstance(cell, date) else _folded(cell)


def _period_of_date(cell: date) -> str | Fault:
    """A day is a period; but the first of a month may be what a spreadsheet made of `2023-06`: that is not guessed."""
    at_midnight = not isinstance(cell, datetime) or (cell.hour, cell.minute, cell.second) == (0, 0, 0)
    day = f"{cell:%Y-%m-%d}".zfill(10)
    if at_midnight and cell.day > 1:
        return day
    year = [day[:4]] if cell.day == cell.month == 1 else []
    return Fault("/period", ErrorCode.period_invalid, {}, [day[:7], day, *year] if cell.day == 1 else [day])


def _expected_version(cell: Cell) -> int | Fault:
    text = _folded(cell)
    return int(text) if _WHOLE.fullmatch(text) else Fault("/expected_version", ErrorCode.not_a_whole_number)


def _note(cell: Cell) -> str | Fault:
    if isinstance(cell, date | time):
        return str(cell)
    return cell if isinstance(cell, str) and cell is not CELL_ERROR else Fault("/note", ErrorCode.not_text)


def _guarded_note(cell: Cell) -> str | Fault:
    """The note without the apostrophe that our CSV puts before text which a spreadsheet would take for a formula."""
    note = _note(cell)
    return note[1:] if isinstance(note, str) and is_guarded(note) else note


def _text_of(field: str) -> Callable[[Cell], str | Fault]:
    def read(cell: Cell) -> str | Fault:
        if isinstance(cell, str) and cell is not CELL_ERROR:
            return cell.strip()
        return Fault(f"/{field}", ErrorCode.not_text)

    return read


def _indicator(cell: Cell) -> str | Fault:
    return (
        _folded(cell) if cell is not CELL_ERROR and isinstance(cell, str) else Fault("/indicator", ErrorCode.not_text)
    )


_READERS: dict[str, Callable[[Cell], Any]] = {
    "indicator": _indicator,
    "period": _period,
    "value": _value,
    "expected_version": _expected_version,
    "unit": _text_of("unit"),
    "measure": _text_of("measure"),
    "note": _note,
    "evidence_url": _text_of("evidence_url"),
}
