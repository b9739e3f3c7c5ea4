"""The id of the request that is served: it stands in its answer, in its log lines and beside what it wrote."""

import os
import re
from collections.abc import Mapping
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_HARMLESS = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """What the caller sent as `X-Request-ID`, if it is harmless enough to be kept and logged; else a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _HARMLESS.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """32 hexadecimal digits that no other request has."""
    return os.urandom(16).hex()
