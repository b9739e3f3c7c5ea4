"""Logs: one JSON object a line on standard error, each with the id of the request it belongs to."""

import logging
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS

_OFFERS = ("Unsupported upgrade request.", "No supported WebSocket library detected.")


class WithoutOffers(logging.Filter):
    """Leaves out what uvicorn warns of when a client offers HTTP/2, as Java's does with every request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is worth a line."""
        return not record.getMessage().startswith(_OFFERS)


def log_config(level: str) -> dict[str, Any]:
    """The configuration of `logging.config.dictConfig`; `level` is `debug`, `info`, `warning` or `error`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request": {"()": "asgi_correlation_id.CorrelationIdFilter", "uuid_length": 64},
            "offers": {"()": "app.logs.WithoutOffers"},
        },
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "%(levelname)s %(name)s %(message)s %(correlation_id)s",
                "rename_fields": {"levelname": "level", "name": "logger", "correlation_id": "request_id"},
                "reserved_attrs": [*RESERVED_ATTRS, "color_message"],
                "timestamp": "time",  # RFC 3339, in UTC
                "json_ensure_ascii": False,
            }
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "filters": ["request", "offers"],
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {name: {"level": level.upper()} for name in ("zeren", "uvicorn.error")},
    }
