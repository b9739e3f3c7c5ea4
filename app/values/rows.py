"""What every format of a batch is read into: rows, with the faults that only its reader could see."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.errors import Fault, TooManyRows

MOST_ROWS = 100_000


class RawRow(NamedTuple):
    """One row as it was sent.

    `number`: from 1: the element of the JSON array, the line of NDJSON, the row below the headings. `fields`: by
    their English names, as JSON would hold them: text, int or Decimal, None; empty cells are not there. `faults`: what
    reading found, with pointers relative to the row (`""` for the whole of it). A field with a fault keeps what was
    sent, so that a report can show it: what validation says of the same field says less and is to be left out.
    """

    number: int
    fields: dict[str, Any]
    faults: Sequence[Fault] = ()


@dataclass
class Batch:
    """The rows of a batch, read as they are asked for.

    `encoding`: of text formats `utf-8`, `utf-8-sig`, `utf-16` or `gb18030`, else None. `left_blank`: rows of a form
    that nobody filled in (no value, note or evidence); it is right once all rows have been read. `pointer`: where
    in a JSON body the list of rows is.
    Reading a row raises a ServiceError for what makes the whole batch unreadable, such as TooManyRows.
    """

    rows: Iterator[RawRow]
    encoding: str | None = None
    left_blank: int = 0
    pointer: str = ""


def limited(rows: Iterator[RawRow]) -> Iterator[RawRow]:
    """The rows, with TooManyRows in place of the first that is one too many."""
    for count, row in enumerate(rows):
        if count == MOST_ROWS:
            raise TooManyRows(limit=MOST_ROWS)
        yield row
