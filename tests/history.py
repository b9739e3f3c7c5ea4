"""What a database holds, for tests that say what a request left behind."""

import json
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from app.db import Database
from app.tables import Change, Client, metadata


def snapshot(database: Database, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of some tables, or of all: two that are equal prove that nothing was written between them."""
    with database.reading() as session:
        return {
            name: sorted((tuple(row) for row in session.execute(table.select())), key=repr)
            for name, table in metadata.tables.items()
            if not tables or name in tables
        }


def last_change(database: Database) -> int:
    """The number of the newest change, to ask later for those after it."""
    with database.reading() as session:
        return session.execute(select(col(Change.id)).order_by(col(Change.id).desc()).limit(1)).scalar_one()


def changes_after(database: Database, number: int) -> list[tuple[str, str, dict[str, Any]]]:
    """The changes after a number as `(type, code, data)`, in the order in which they were recorded."""
    statement = select(Change).where(col(Change.id) > number).order_by(col(Change.id))
    with database.reading() as session:
        return [(row.type, row.code, json.loads(row.data)) for row in session.execute(statement).scalars()]


def origins_after(database: Database, number: int) -> set[tuple[str, str]]:
    """Where the changes after a number come from: `(client, request)`."""
    statement = (
        select(col(Client.code), col(Change.request_id))
        .join(Client, col(Client.id) == col(Change.client_id))
        .where(col(Change.id) > number)
    )
    with database.reading() as session:
        return {(client, request) for client, request in session.execute(statement)}
