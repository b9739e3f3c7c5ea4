"""What all commands share: the two streams, the language of the person who types, and the end with a sentence."""

import locale
import sys
from enum import StrEnum
from typing import NoReturn

from alembic.util import CommandError
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from app.errors import ServiceError
from app.messages import Language, detail_of, fault_detail, preferred_language, title_of
from app.settings import SettingsError

NOT_UP_TO_DATE = "The database is not up to date. Type: zeren migrate"
out, err = Console(highlight=False), Console(stderr=True, highlight=False)


class Format(StrEnum):
    """How a command prints its result."""

    text = "text"
    json = "json"


def own_language() -> Language:
    """The language of whoever runs the command."""
    return preferred_language((locale.getlocale()[0] or "").replace("_", "-"))


def told(error: ServiceError) -> str:
    """A refusal in sentences, one line for each field that is wrong."""
    language = own_language()
    lines = [f"{title_of(error, language)}: {detail_of(error, language)}"]
    for fault in error.faults:
        near = f" ({', '.join(fault.suggestions)})" if fault.suggestions else ""
        lines.append(f"  {fault.pointer}: {fault_detail(fault, language)}{near}")
    return "\n".join(lines)


def explain(error: Exception) -> str | None:
    """Why a command cannot go on, in a sentence; None for what nobody foresaw."""
    if isinstance(error, ServiceError):
        return told(error)
    if isinstance(error, SettingsError | CommandError):
        return str(error)
    return f"The database cannot be used: {error.orig}" if isinstance(error, DBAPIError) else None


def fail(message: str) -> NoReturn:
    """Say why the command cannot go on, and end it."""
    err.print(message, style="red", markup=False, soft_wrap=True)
    sys.exit(1)
