"""What is stored of targets, held against what the tables say; and hot paths asked by themselves."""

from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from sqlalchemy import delete, select
from sqlmodel import Session

from app.auth import Caller
from app.db import Database
from app.derived import TargetBigram, TargetDocument
from app.routing import Hot
from app.targets.documents import rebuild
from tests.client import in_loop
from tests.trying import trying


def stored_rows(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """All that is stored of targets."""
    return {
        table.__tablename__: sorted(tuple(row) for row in session.execute(select(*table.__table__.columns)))
        for table in (TargetDocument, TargetBigram)
    }


def assert_stored_rows_are_right(database: Database, *told: object) -> None:
    """All that is stored of targets is what would be made of the tables from nothing."""
    with trying(database) as session:
        stored = stored_rows(session)
        for table in (TargetBigram, TargetDocument):
            session.execute(delete(table))
        rebuild(session)
        made = stored_rows(session)
    for table, rows in made.items():
        assert stored[table] == rows, (table, *told)


def ask_hot(app: FastAPI, path: Hot, query: dict[str, Any] | None = None, **names: str) -> Response | None:
    """What a hot path alone answers; `names` are those in the path."""
    scope = {
        "type": "http",
        "app": app,
        "headers": [],
        "path_params": names,
        "query_string": urlencode(query or {}).encode(),
    }
    return in_loop(path, Request(scope), Caller.command_line())
