"""Tables with headings, as CSV or as cells of a sheet, to rows."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from app.decoding import decode
from app.errors import ErrorCode, InvalidRequest, invalid
from app.values.cells import Cell, RowReader, is_left_blank
from app.values.headings import HEADING_ROWS, are_headings, find_headings, known_headings, no_headings, read_headings
from app.values.rows import Batch, RawRow, limited

_SEPARATORS = ",;\t，"
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


def read_csv(body: bytes, charset: str | None) -> Batch:
    """A CSV with headings; the separator is the one that makes most of them known.

    Raises: `DocumentUnreadable`, `InvalidRequest`; while rows are read also `csv_syntax`: behind a quote that is never
    closed nobody knows what is a row.
    """
    text, encoding = decode(body, charset)
    separator = max(_SEPARATORS, key=lambda one: _fitness(text, one))
    batch = read_table(_csv_rows(text, separator), guarded=True)
    if batch is None:
        raise no_headings()
    batch.encoding = encoding
    return batch


def read_table(rows: Iterable[Sequence[Cell]], *, guarded: bool = False, whole: bool = False) -> Batch | None:
    """The rows below the headings, or None where there are none; `guarded`: see `RowReader`.

    With `whole`, headings are only those among which are all that a table must have.

    Raises: `InvalidRequest` for headings that are unknown, repeated or missing.
    """
    rest = iter(rows)
    top = list(islice(rest, HEADING_ROWS))
    headings = find_headings([list(map(str, row)) for row in top])
    if headings is None or (whole and not are_headings(list(map(str, top[headings])))):
        return None
    reader = RowReader(read_headings(list(map(str, top[headings]))), guarded=guarded)
    batch = Batch(iter(()))

    def read() -> Iterator[RawRow]:
        for number, cells in enumerate(chain(top[headings + 1 :], rest), 1):
            row = reader.read(number, cells)
            if row is None:
                continue
            if is_left_blank(row):
                batch.left_blank += 1
            else:
                yield row

    batch.rows = limited(read())
    return batch


def _fitness(text: str, separator: str) -> int:
    """How many known headings a separator gives at best in one row near the top."""
    try:
        return max(map(known_headings, islice(_csv_rows(text, separator), HEADING_ROWS)), default=0)
    except InvalidRequest:  # quotes that do not match with this one
        return 0


def _csv_rows(text: str, separator: str) -> Iterator[list[str]]:
    """The cells of each record; the lines are taken one by one, so that a long file is never held twice."""
    lines = (line[0] for line in _LINE.finditer(text))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise invalid("", ErrorCode.csv_syntax, line=first) from error
