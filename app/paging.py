"""Lists: keyset cursors, the page every list answers with, and the same rows as CSV."""

import base64
import csv
import hashlib
import io
import json
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, Field
from sqlalchemy import Integer, tuple_
from sqlalchemy.orm import Mapped
from sqlmodel import Session

from app.db import AnySelect
from app.errors import BadCursor
from app.schemas import Input, Maybe, Output
from app.types import Json, Time

T = TypeVar("T")
CSV_MEDIA_TYPE = "text/csv"
_BIGGEST = 2**63 - 1


class ListQuery(Input):
    """What every list takes beside its own filters."""

    limit: int = Field(
        default=50,
        ge=1,
        le=1000,
        description="How many items a page has at most.",
        examples=[50],
        json_schema_extra={"format": "int32"},
    )
    cursor: Maybe[str] = Field(
        default=None,
        max_length=2000,
        description="`next_cursor` of the page before; the filters must be the same.",
    )
    updated_after: Maybe[Time] = Field(
        default=None,
        description="Only what was written after this time (RFC 3339, with its zone).",
        examples=["2023-01-01T00:00:00Z"],
    )

    def fingerprint(self, within: str) -> str:
        """A short word for the list and its filters, so that a cursor cannot be used with others."""
        filters = self.model_dump_json(exclude={"limit", "cursor"}, exclude_none=True)
        return hashlib.blake2b(f"{type(self).__name__}{within}{filters}".encode(), digest_size=6).hexdigest()


class Page(Output, Generic[T]):
    """One page of a list. `next_cursor` is declared last: `next_cursor_of` relies on it."""

    items: list[T] = Field(description="The items, in a stable order.")
    next_cursor: str | None = Field(
        description="Where the next page begins; null on the last one.", examples=["WyI5ZjA0Y2EyYjFkMGUiLCA1OF0"]
    )


def fetch_page(
    session: Session, statement: AnySelect, keys: Sequence[Mapped[Any]], query: ListQuery, within: str = ""
) -> tuple[Sequence[Any], str | None]:
    """One page of a statement's rows in the order of `keys`, which together are unique and not null.

    The statement's last columns must be the keys, in their order: the next page's cursor is read from them.
    `within` is the code of the resource in the path, where the list is of something in it. Raises BadCursor.
    """
    fingerprint = query.fingerprint(within)
    if query.cursor is not None:
        after = _decode_cursor(query.cursor, fingerprint, keys)
        statement = statement.where(tuple_(*keys) > tuple_(*after))
    rows = session.execute(statement.order_by(*keys).limit(query.limit + 1)).all()
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    return rows, _encode_cursor([fingerprint, *rows[-1][-len(keys) :]])


def _encode_cursor(parts: Sequence[Any]) -> str:
    text = json.dumps(parts, ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode_cursor(cursor: str, fingerprint: str, keys: Sequence[Mapped[Any]]) -> list[Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        unchanged = _encode_cursor(found) == cursor  # decoding overlooks characters that do not belong
    except (ValueError, RecursionError) as error:
        raise BadCursor from error
    if not unchanged or not isinstance(found, list) or len(found) != len(keys) + 1 or found[0] != fingerprint:
        raise BadCursor
    values = found[1:]
    if not all(_fits(value, key) for value, key in zip(values, keys, strict=True)):
        raise BadCursor
    return values


def _fits(value: Any, key: Any) -> bool:
    """Whether a value that came from outside can be compared with a column on every engine."""
    if isinstance(key.type, Integer):
        return type(value) is int and abs(value) <= _BIGGEST
    return isinstance(value, str) and "\0" not in value


def next_cursor_of(body: bytes) -> str | None:
    """The cursor at the end of a page's JSON."""
    found = json.loads(body[body.rindex(b'"next_cursor":') + len(b'"next_cursor":') : -1])
    return found if isinstance(found, str) else None


def csv_columns(item: type[BaseModel]) -> list[tuple[str, ...]]:
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


def render_csv(columns: Sequence[tuple[str, ...]], items: Sequence[Json]) -> bytes:
    """Items as CSV (RFC 4180) in UTF-8 with BOM, so that Excel opens it; many values in one cell are joined by `; `.

    Text that a spreadsheet would take for a formula, full-width signs included, gets a leading apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow("_".join(path) for path in columns)
    for item in items:
        writer.writerow("; ".join(map(_cell, _values_at(item, path))) for path in columns)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


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


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{Decimal(repr(value)).normalize():f}"  # the digits that were posted, and no more
    text = str(value)
    first = unicodedata.normalize("NFKC", text[:1])
    return f"'{text}" if isinstance(value, str) and first in ("=", "+", "-", "@", "\t", "\r") else text
