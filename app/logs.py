"""Logs: one JSON object a line on standard error, each with the id of the request it belongs to."""

import fcntl
import functools
import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from json.encoder import encode_basestring as quoted
from multiprocessing import parent_process
from threading import Lock
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS

from app.request_ids import request_id

requests = logging.getLogger("zeren.access")
STDERR = 2
_TURN = Lock()


def write_line(line: str) -> None:
    """Write a line to standard error, whole: no other thread or worker process gets between its parts."""
    data = f"{line}\n".encode(errors="backslashreplace")
    with _TURN:
        try:
            if parent_process() is None:
                _write(data)
            else:
                _write_among_workers(data)
        except OSError:
            return  # who reads the log may be gone, and that is no reason to refuse a request


def _write(data: bytes) -> None:
    written = os.write(STDERR, data)
    while written < len(data):
        written += os.write(STDERR, data[written:])


def _write_among_workers(data: bytes) -> None:
    with suppress(OSError):  # some file systems have no locks
        fcntl.lockf(STDERR, fcntl.LOCK_EX)
    try:
        _write(data)
    finally:
        fcntl.lockf(STDERR, fcntl.LOCK_UN)


class Lines(logging.Handler):
    """Writes records as lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        write_line(self.format(record))


class OfRequest(logging.Filter):
    """Gives each record the id of the request it belongs to, unless it says so itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id; every record passes."""
        if not hasattr(record, "request_id"):
            record.request_id = request_id.get()
        return True


def log_request(own_id: str, method: str, path: str, status: int, seconds: float, client: str | None) -> None:
    """The line of a request that was served.

    Written here and not by a record and its formatter, which take five times as long, for every request.
    """
    if requests.isEnabledFor(logging.INFO):
        second, nanoseconds = divmod(time.time_ns(), 10**9)
        write_line(
            f'{{"level": "INFO", "logger": "{requests.name}", "message": "request", "request_id": "{own_id}", '
            f'"method": {quoted(method)}, "path": {quoted(path)}, "status": {status}, '
            f'"milliseconds": {seconds * 1000:.1f}, "client": {quoted(client) if client is not None else "null"}, '
            f'"time": "{_to_the_second(second)}.{nanoseconds // 1000:06d}+00:00"}}'
        )


@functools.lru_cache(maxsize=1)
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def log_config(level: str) -> dict[str, Any]:
    """The configuration of `logging.config.dictConfig`; `level` is `debug`, `info`, `warning` or `error`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": "app.logs.OfRequest"}},
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "%(levelname)s %(name)s %(message)s %(request_id)s",
                "rename_fields": {"levelname": "level", "name": "logger"},
                "reserved_attrs": [*RESERVED_ATTRS, "color_message"],
                "timestamp": "time",  # RFC 3339, in UTC
                "json_ensure_ascii": False,
            }
        },
        "handlers": {"stderr": {"()": "app.logs.Lines", "formatter": "json", "filters": ["request"]}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {name: {"level": level.upper()} for name in ("zeren", "uvicorn.error")},
    }
