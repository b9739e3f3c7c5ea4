"""Lists as spreadsheets: the same rows as CSV and as XLSX, with nothing in them that a spreadsheet would run."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_origin
from urllib.parse import quote

from pydantic import BaseModel

from app.types import Json, plain_digits

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

CSV_MEDIA_TYPE = "text/csv"
XLSX_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Columns = Sequence[tuple[str, ...]]
MOST_IN_A_CELL = 32_767  # UTF-16 units; Excel's own limit
AS_TEXT = 49  # the number of the built-in format "@": what is typed into such a cell stays as it is
_WIDEST = 60
_LONGEST_AS_TEXT = 255  # Excel shows longer cells of the format "text" as ####
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")  # XML has no way to write them
_CREATED = datetime(1980, 1, 1)  # noqa: DTZ001 - Excel's times know no zone
# what the lists are called on a Chinese desktop, by the last word of their path
_TITLES = {
    "plans": "责任分解方案",
    "sections": "部分",
    "units": "单位",
    "targets": "目标任务",
    "assignments": "责任",
    "indicators": "指标",
    "goals": "目标值",
    "values": "指标值",
    "revisions": "修订记录",
    "imports": "导入",
    "changes": "变更",
}


def list_columns(item: type[BaseModel]) -> list[tuple[str, ...]]:
    """The paths to the plain fields of an item, through objects and lists: `("target", "plan")`."""
    return list(_paths(item))


def _paths(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = _inner_model(field.annotation)
        if inner is None:
            yield (name,)
        else:
            yield from ((name, *path) for path in _paths(inner))


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    return next((model for part in get_args(annotation) if (model := _inner_model(part)) is not None), None)


def render_csv(columns: Columns, items: Iterable[Json]) -> bytes:
    """Items as CSV (RFC 4180) in UTF-8 with BOM, so that Excel opens it; many values in one cell are joined by `; `.

    Text that a spreadsheet would take for a formula, full-width signs included, gets a leading apostrophe. So does
    such text with apostrophes of its own: to read it, take one off what `is_guarded`.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow("_".join(path) for path in columns)
    for item in items:
        writer.writerow("; ".join(map(_harmless, _values_at(item, path))) for path in columns)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def render_xlsx(columns: Columns, items: Iterable[Json]) -> bytes:
    """Items as one sheet: figures and truth values as such, everything else as text, times as RFC 3339.

    Equal items give equal bytes.
    """
    out = io.BytesIO()
    with new_workbook(out) as book:
        sheet, write = book.add_worksheet(), CellWriter(book)
        widths = [write.heading(sheet, place, "_".join(path)) for place, path in enumerate(columns)]
        for row, item in enumerate(items, 1):
            for place, path in enumerate(columns):
                values = list(_values_at(item, path))
                value = values[0] if len(values) == 1 else "; ".join(map(_text, values))
                widths[place] = max(widths[place], write(sheet, row, place, value))
        set_widths(sheet, widths)
        sheet.freeze_panes(1, 0)
    return out.getvalue()


def new_workbook(out: io.BytesIO) -> "Workbook":
    """A workbook that keeps one row in memory at a time, and whose bytes depend on what is in it alone."""
    from xlsxwriter import Workbook  # 2 MB, and most servers never write one

    book = Workbook(out, {"constant_memory": True})
    book.set_properties({"created": _CREATED})
    return book


class CellWriter:
    """Writes cells of one workbook by what they hold, text never as a formula, link or date."""

    def __init__(self, book: "Workbook", **look: Any) -> None:
        self._heading = book.add_format({"bold": True, "num_format": AS_TEXT} | look)
        self._short = book.add_format({"num_format": AS_TEXT} | look)
        self._quoted = book.add_format({"num_format": AS_TEXT, "quote_prefix": True} | look)
        self._plain = book.add_format(look)

    def heading(self, sheet: "Worksheet", column: int, text: str) -> int:
        """A cell of the first row; gives the width that it needs."""
        sheet.write_string(0, column, text, self._heading)
        return _width(text)

    def __call__(self, sheet: "Worksheet", row: int, column: int, value: object) -> int:
        """Any other cell; None and empty text leave it empty. Gives the width that it needs."""
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value, self._plain)
        elif isinstance(value, int | float | Decimal):
            sheet.write_number(row, column, value, self._plain)  # with all of the 15 digits that a figure may have
        elif value is not None and value != "":
            text = cell_text(str(value))
            sheet.write_string(row, column, text, self._format_of(text))
        return _width(_text(value))

    def _format_of(self, text: str) -> "Format":
        if _looks_like_a_formula(text):
            return self._quoted
        return self._short if len(text) <= _LONGEST_AS_TEXT else self._plain


def cell_text(text: str) -> str:
    """A text that a cell of XLSX can hold: what is too long for it ends in `…`."""
    text = _NO_CHARACTERS.sub("\ufffd", text)
    if len(text) <= MOST_IN_A_CELL // 2:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= 2 * MOST_IN_A_CELL:
        return text
    return units[: 2 * MOST_IN_A_CELL - 2].decode("utf-16-le", "ignore") + "…"


def set_widths(sheet: "Worksheet", widths: Sequence[int], formats: "Sequence[Format | None]" = ()) -> None:
    """Make columns as wide as their cells, within reason; `formats` are for the cells that are still empty."""
    for column, (width, look) in enumerate(zip_longest(widths, formats)):
        sheet.set_column(column, column, min(width, _WIDEST) + 2, look)


@lru_cache(maxsize=1000)  # most columns say the same in many rows
def _width(text: str) -> int:
    """The columns of a terminal that the first line of a text takes; Chinese characters take two."""
    line = text[: 2 * _WIDEST].partition("\n")[0]
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def _values_at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _values_at(one, path)
    elif not path:
        yield value
    elif value is None:
        yield None  # the values of one cell keep the places of the items they are of
    else:
        yield from _values_at(value[path[0]], path[1:])


def _harmless(value: Any) -> str:
    text = _text(value)
    return f"'{text}" if isinstance(value, str) and _looks_like_a_formula(text.lstrip("'")) else text


def is_guarded(text: str) -> bool:
    """Whether our CSV has put an apostrophe before a text."""
    return text.startswith("'") and _looks_like_a_formula(text.lstrip("'"))


def _looks_like_a_formula(text: str) -> bool:
    return unicodedata.normalize("NFKC", text[:1]) in ("=", "+", "-", "@", "\t", "\r")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return plain_digits(Decimal(str(value)))
    return str(value)


class Form(NamedTuple):
    """A form that lists take beside JSON."""

    media_type: str
    suffix: str
    render: Callable[[Columns, Iterable[Json]], bytes]


FORMS = {
    form.media_type: form
    for form in (Form(CSV_MEDIA_TYPE, "csv", render_csv), Form(XLSX_MEDIA_TYPE, "xlsx", render_xlsx))
}


def file_headers(name: str, suffix: str, title: str | None = None) -> dict[str, str]:
    """The header that makes a browser save an answer under a name: in ASCII, and in Chinese where it can (RFC 6266)."""
    told = quote(f"{title or _TITLES.get(name, name)}.{suffix}", safe="")
    return {"Content-Disposition": f"attachment; filename=\"{name}.{suffix}\"; filename*=UTF-8''{told}"}
