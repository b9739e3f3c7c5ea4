"""Reading a request's body: bounded in size, and as JSON without losing a digit or a field."""

import codecs
import json
from collections.abc import AsyncGenerator
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from app.errors import BodyTooLarge, ErrorCode, MalformedJson

_BEYOND_ALL_LIMITS = Decimal("1e1000")


class FirstHeaders(Headers):
    """The headers of a request, looked up without walking through them; of one that is repeated, the first counts."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._first: dict[bytes, bytes] = dict(reversed(self._list))

    def __getitem__(self, key: str) -> str:
        return self._first[key.lower().encode("latin-1")].decode("latin-1")

    def get(self, key: str, default: Any = None) -> Any:
        """A header's text, or the default."""
        found = self._first.get(key.lower().encode("latin-1"))
        return default if found is None else found.decode("latin-1")


class BodyRequest(Request):
    """A request whose body has a limit, in bytes, and whose JSON keeps figures exact."""

    def __init__(self, scope: Scope, receive: Receive, limit: int) -> None:
        super().__init__(scope, receive)
        self.limit = limit
        self._first_headers = FirstHeaders(scope)

    @property
    def headers(self) -> Headers:
        """Its headers."""
        return self._first_headers

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body in parts. Raises BodyTooLarge as soon as it is known to be too large."""
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self.limit:
            raise BodyTooLarge(limit=self.limit)
        size = 0
        async for part in super().stream():
            size += len(part)
            if size > self.limit:
                raise BodyTooLarge(limit=self.limit)
            yield part

    async def json(self) -> Any:
        """The body as JSON. Raises MalformedJson, also for a field that is named twice."""
        return parse_json(await self.body())


def parse_json(body: bytes) -> Any:
    """JSON with every number exact: whole ones as int, others as Decimal; NaN and Infinity stay floats to be refused.

    Raises MalformedJson for what is no JSON, is nested too deep, or names a field of an object twice.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode()
        try:
            return _FAST.decode(text)
        except InvalidOperation:
            return _CAREFUL.decode(text)
    except UnicodeDecodeError as error:
        line, byte = body.count(b"\n", 0, error.start) + 1, error.start - body.rfind(b"\n", 0, error.start)
        raise MalformedJson(ErrorCode.json_not_utf8, line=line, byte=byte) from error
    except json.JSONDecodeError as error:
        raise MalformedJson(ErrorCode.json_syntax, line=error.lineno, column=error.colno) from error
    except RecursionError as error:
        raise MalformedJson(ErrorCode.json_too_deep) from error


def _whole(digits: str) -> int | Decimal:
    # Python takes quadratic time for long integers and refuses them past 4,300 digits
    return int(digits) if len(digits) <= 30 else Decimal(digits)


def to_decimal(digits: str) -> Decimal:
    """The number that the digits write; past all that decimals hold, one that is beyond every limit of ours."""
    try:
        return Decimal(digits)
    except InvalidOperation:  # an exponent past all that decimals hold
        return _BEYOND_ALL_LIMITS


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise MalformedJson(ErrorCode.json_repeated_field, name=_first_repeated(pairs))
    return found


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _value in pairs:
        if name in seen:
            break
        seen.add(name)
    return name


# `Decimal` itself is several times as fast as a function of ours around it, but for the odd number it raises
_FAST = json.JSONDecoder(parse_float=Decimal, parse_int=_whole, object_pairs_hook=_object)
_CAREFUL = json.JSONDecoder(parse_float=to_decimal, parse_int=_whole, object_pairs_hook=_object)
