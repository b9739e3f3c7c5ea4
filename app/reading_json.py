"""Reading a request's body: bounded in size, and as JSON without losing a digit or a field."""

import json
from collections.abc import AsyncGenerator
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import Request

from app.errors import BodyTooLarge, ErrorCode, MalformedJson

_BEYOND_ALL_LIMITS = Decimal("1e1000")


class BodyRequest(Request):
    """A request whose body has a limit, and whose JSON keeps figures exact."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body in parts. Raises BodyTooLarge as soon as it is known to be too large."""
        limit: int = self.app.state.settings.max_body_bytes
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            raise BodyTooLarge(limit=limit)
        size = 0
        async for part in super().stream():
            size += len(part)
            if size > limit:
                raise BodyTooLarge(limit=limit)
            yield part

    async def json(self) -> Any:
        """The body as JSON. Raises MalformedJson, also for a field that is named twice."""
        return parse_json(await self.body())


def parse_json(body: bytes) -> Any:
    """JSON with every number exact: whole ones as int, others as Decimal; NaN and Infinity stay floats to be refused.

    Raises MalformedJson for what is no JSON, is nested too deep, or names a field of an object twice.
    """
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_float=_fraction, parse_int=_whole, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise MalformedJson(ErrorCode.json_not_utf8, byte=error.start + 1) from error
    except json.JSONDecodeError as error:
        raise MalformedJson(ErrorCode.json_syntax, line=error.lineno, column=error.colno) from error
    except RecursionError as error:
        raise MalformedJson(ErrorCode.json_too_deep) from error


def _whole(digits: str) -> int | Decimal:
    # Python takes quadratic time for long integers and refuses them past 4,300 digits
    return int(digits) if len(digits) <= 30 else Decimal(digits)


def _fraction(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:  # an exponent past all that decimals hold
        return _BEYOND_ALL_LIMITS


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise MalformedJson(ErrorCode.json_repeated_field, name=name)
        found[name] = value
    return found
