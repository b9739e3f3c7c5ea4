"""Lists: keyset cursors, and the page every list answers with."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from pydantic import Field, ValidationError
from sqlalchemy import Integer, tuple_
from sqlalchemy.orm import Mapped
from sqlmodel import Session
from starlette.requests import HTTPConnection

from app.db import AS_OF, AnySelect
from app.errors import BadCursor
from app.schemas import Input, Maybe, Output
from app.types import Time

T = TypeVar("T")
MOST_ITEMS = 1000
MOST_HOT = 200  # items of a page that the event loop makes: more would let others wait
_BIGGEST = 2**63 - 1


class ListQuery(Input):
    """What every list takes beside its own filters."""

    limit: int = Field(
        default=50,
        ge=1,
        le=MOST_ITEMS,
        description="How many items a page has at most. As CSV or XLSX, 1000 where nothing is said.",
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
    as_of: Maybe[Time] = Field(default=None, description=AS_OF)

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
    if query.cursor is not None:
        statement = statement.where(tuple_(*keys) > tuple_(*keys_before(query, keys, within)))
    rows = session.execute(statement.order_by(*keys).limit(query.limit + 1)).all()
    return cut_page(rows, len(keys), query, within)


def keys_before(query: ListQuery, keys: Sequence[Mapped[Any]], within: str = "") -> list[Any]:
    """The keys of the last item before the page that a query's cursor asks for. Raises BadCursor."""
    assert query.cursor is not None  # noqa: S101 - there is no place before the first page
    return _decode_cursor(query.cursor, query.fingerprint(within), keys)


def quick_keys(query: ListQuery, keys: Sequence[Mapped[Any]]) -> list[Any] | None:
    """`keys_before` for a hot path; None for a wrong cursor: what else is wrong with the query is told first."""
    try:
        return keys_before(query, keys)
    except BadCursor:
        return None


def cut_page(rows: Sequence[Any], keys: int, query: ListQuery, within: str = "") -> tuple[Sequence[Any], str | None]:
    """The rows of a page, of which one more was asked for, and the cursor of the next; the last columns are keys."""
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    return rows, _encode_cursor([query.fingerprint(within), *rows[-1][-keys:]])


Query = TypeVar("Query", bound=ListQuery)


def quick_query(request: HTTPConnection, query_of: type[Query]) -> Query | None:
    """The query of a request that a hot path can answer: right, of the present, and for no more than takes no time."""
    try:
        query = query_of.model_validate(dict(request.query_params))
    except ValidationError:
        return None
    return query if query.as_of is None and query.limit <= MOST_HOT else None


def page_json(items: Iterable[bytes], next_cursor: str | None) -> bytes:
    """A page in JSON, as `Page` is written, of items that are JSON already."""
    return b'{"items":[%b],"next_cursor":%b}' % (b",".join(items), json.dumps(next_cursor).encode())


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
