"""The body of a batch of values, in each format it may come in, to rows: pure functions."""

import codecs
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from app.errors import DocumentEmpty, ErrorCode, Fault, InvalidRequest, MalformedJson, TooManyRows, invalid
from app.problems import pointer_to
from app.reading_json import parse_json
from app.spreadsheets import CSV_MEDIA_TYPE, XLSX_MEDIA_TYPE
from app.values.headings import shorten
from app.values.rows import MOST_ROWS, Batch, RawRow, limited
from app.values.tables import read_csv

JSON_TYPE = "application/json"
NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
BATCH_TYPES = (JSON_TYPE, *NDJSON_TYPES, CSV_MEDIA_TYPE, XLSX_MEDIA_TYPE)


def read_batch(body: bytes, media_type: str, charset: str | None = None) -> Batch:
    """The rows of a body of one of `BATCH_TYPES` (lower case, without parameters); JSON is UTF-8 whatever it claims.

    Raises: `MalformedJson`, `DocumentEmpty`, `DocumentUnreadable`, `WorkbookUnreadable`, and `InvalidRequest` where
    the headings or the shape of the whole are wrong. While the rows are read: `TooManyRows`, and `InvalidRequest`
    where a CSV's quotes do not match.
    """
    if not body or body.isspace() or body == codecs.BOM_UTF8:
        raise DocumentEmpty
    if media_type == XLSX_MEDIA_TYPE:
        from app.values.workbooks import read_workbook  # 1 MB, and many servers never read one

        return read_workbook(body)
    if media_type == CSV_MEDIA_TYPE:
        return read_csv(body, charset)
    encoding = "utf-8-sig" if body.startswith(codecs.BOM_UTF8) else "utf-8"
    if media_type == JSON_TYPE:
        elements, pointer = _elements(_parse(body))
        return Batch(_json_rows(elements), encoding, pointer=pointer)
    return Batch(limited(_ndjson_rows(body)), encoding)


def _parse(body: bytes) -> Any:
    try:
        return parse_json(body)
    except MalformedJson as error:
        if error.faults[0].code == ErrorCode.json_repeated_field:
            error.faults = (replace(error.faults[0], pointer=_pointer_to_repeated(body)),)
        raise


def _pointer_to_repeated(body: bytes) -> str:
    """The pointer to the first row that names a field twice; to the whole where no row does, or nobody can tell."""
    twice = object()

    def note(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        return twice if len(found) < len(pairs) or any(one is twice for one in found.values()) else found

    try:
        parsed = json.loads(body.decode("utf-8-sig"), object_pairs_hook=note, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):  # behind that field it is no JSON
        return ""
    rows, pointer = (parsed.get("values"), "/values") if isinstance(parsed, dict) else (parsed, "")
    return f"{pointer}/{rows.index(twice)}" if isinstance(rows, list) and twice in rows else ""


def _elements(parsed: Any) -> tuple[list[Any], str]:
    """The list that a JSON body is or holds as `values`, and the pointer to it."""
    if isinstance(parsed, dict) and "values" in parsed:
        if len(parsed) > 1:
            raise InvalidRequest(*_unknown_fields(parsed))
        parsed, pointer = parsed["values"], "/values"
    else:
        pointer = ""
    if not isinstance(parsed, list):
        raise invalid(pointer, ErrorCode.not_a_list)
    if len(parsed) > MOST_ROWS:
        raise TooManyRows(limit=MOST_ROWS)
    return parsed, pointer


def _unknown_fields(parsed: dict[str, Any]) -> Iterator[Fault]:
    for name in parsed.keys() - {"values"}:
        yield Fault(pointer_to(shorten(name)), ErrorCode.unknown_field, {"name": shorten(name)}, ["values"])


def _json_rows(elements: list[Any]) -> Iterator[RawRow]:
    """The rows; the list is emptied on the way, so that what has been read need not be held."""
    elements.reverse()
    for number in range(1, len(elements) + 1):
        yield _row(number, elements.pop())


def _row(number: int, element: Any) -> RawRow:
    if isinstance(element, dict):
        return RawRow(number, element)
    return RawRow(number, {}, [Fault("", ErrorCode.not_an_object)])


def _ndjson_rows(body: bytes) -> Iterator[RawRow]:
    """A row for each line that is not blank, numbered as editors number them."""
    for number, line in enumerate(io.BytesIO(body), 1):
        if line.isspace():
            continue
        try:
            yield _row(number, parse_json(line))
        except MalformedJson as error:
            # each line is read by itself, as line 1
            yield RawRow(number, {}, [replace(one, params={**one.params, "line": number}) for one in error.faults])
