"""Everything a site may set, read from `ZEREN_*` environment variables in this one place."""

import os
from dataclasses import dataclass, field, fields
from typing import Self

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

MOST_HOURS = 10_000  # that an answer is kept to be given again: more than a year


class SettingsError(ValueError):
    """A `ZEREN_*` variable that cannot be used, with what was expected."""


@dataclass(frozen=True)
class Settings:
    """The settings; each field is the variable `ZEREN_<FIELD>`, documented in docs/settings.md."""

    database_url: str = "sqlite:///zeren.db"
    max_body_bytes: int = 10_000_000
    max_batch_bytes: int = 50_000_000
    log_level: str = "info"
    pool_size: int = 10
    cache_bytes: int = 24_000_000
    migrate_on_start: bool = False
    idempotency_hours: int = 24
    url: str = "http://127.0.0.1:8000"
    key: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: "os._Environ[str] | dict[str, str] | None" = None) -> Self:
        """The settings as the environment has them.

        Raises SettingsError for a variable that is unknown or has a value of the wrong form.
        """
        environment = os.environ if environment is None else environment
        known = {f"ZEREN_{one.name.upper()}": one for one in fields(cls)}
        unknown = sorted(name for name in environment if name.startswith("ZEREN_") and name not in known)
        if unknown:
            raise SettingsError(f"unknown setting {unknown[0]}; known are {', '.join(known)}")
        given = {
            one.name: _read(name, environment[name], one.type) for name, one in known.items() if name in environment
        }
        return cls(**given)  # type: ignore[arg-type]


def _read(name: str, text: str, kind: object) -> str | int | bool:
    if kind is int:
        if not text.isascii() or not text.isdigit() or int(text) == 0:
            raise SettingsError(f"{name} must be a whole number above 0, not {text!r}")
        if name == "ZEREN_IDEMPOTENCY_HOURS" and int(text) > MOST_HOURS:
            raise SettingsError(f"{name} must be at most {MOST_HOURS}, not {text}")
        return int(text)
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0"):
            raise SettingsError(f"{name} must be true or false, not {text!r}")
        return text.lower() in ("true", "1")
    if name == "ZEREN_LOG_LEVEL" and text not in ("debug", "info", "warning", "error"):
        raise SettingsError(f"{name} must be debug, info, warning or error, not {text!r}")
    if name == "ZEREN_DATABASE_URL":
        _check_database_url(name, text)
    return text


def _check_database_url(name: str, text: str) -> None:
    expected = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise SettingsError(f"{name} must be {expected}") from None  # it may hold a password: never show it
    if url.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
        raise SettingsError(f"{name} must be {expected}, not {url.drivername}://…")
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise SettingsError(f"{name} must name a file: several connections share the database")
