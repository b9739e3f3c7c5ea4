"""Writes that are tried on the seeded database and undone, so that the examples of one rule may share it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from hypothesis import HealthCheck, settings
from sqlmodel import Session

from app.db import Database
from app.tables import Unit
from app.types import UnitKind

undone = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def trying(database: Database) -> Iterator[Session]:
    """A writing session whose work is undone."""
    with database.writing() as session:
        savepoint = session.begin_nested()
        yield session
        savepoint.rollback()


def add_units(session: Session, kinds: Sequence[UnitKind]) -> list[Unit]:
    """New units `tried-0`, `tried-1` and so on."""
    units = [
        Unit(
            code=f"tried-{place}",
            name=f"试{place}",
            name_key=f"试{place}",
            kind=kind.value,
            updated_at=datetime.now(UTC),
        )
        for place, kind in enumerate(kinds)
    ]
    session.add_all(units)
    session.flush()
    return units
