"""What a transaction has touched of what targets show, so that their stored documents follow before it commits.

Rows that go through a session are noticed when it is flushed; who writes past it says so to `app.db.touched_by`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import inspect
from sqlmodel import Session

from app.tables import Goal, Indicator, Section, Target, TargetUnit, Unit

_SHOWN_OF_UNITS = ("code", "name")


@dataclass
class Touched:
    """The internal keys of what was touched.

    `newest` are indicators of which only the newest value may be another; `printed` are units that targets have now and
    had not.
    """

    targets: set[int] = field(default_factory=set)
    units: set[int] = field(default_factory=set)
    plans: set[int] = field(default_factory=set)
    indicators: set[int] = field(default_factory=set)
    newest: set[int] = field(default_factory=set)
    printed: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.targets or self.units or self.plans or self.indicators or self.newest)

    def copy(self) -> "Touched":
        """What is noted now, to come back to."""
        return Touched(*(set(getattr(self, one.name)) for one in fields(self)))

    def become(self, other: "Touched") -> None:
        """Note what another has noted, and nothing else."""
        for one in fields(self):
            setattr(self, one.name, set(getattr(other, one.name)))

    def note(self, session: Session) -> None:
        """Note what a flush has just written."""
        for row in _written(session):
            if isinstance(row, Target):
                self.targets.add(row.id)
            elif isinstance(row, TargetUnit | Indicator):
                self.targets.add(row.target_id)
            elif isinstance(row, Goal):
                self.indicators.add(row.indicator_id)
            elif isinstance(row, Section):
                self.plans.add(row.plan_id)
            elif isinstance(row, Unit) and _is_renamed(row):
                self.units.add(row.id)
        self.printed.update(row.unit_id for row in session.new if isinstance(row, TargetUnit))


Keeper = Callable[[Session, Touched], None]
_keepers: list[Keeper] = []


def keeps_documents(keeper: Keeper) -> Keeper:
    """Let a function write the documents of what was touched; it is called once, at the end of a transaction."""
    _keepers.append(keeper)
    return keeper


def keep_documents(session: Session, touched: Touched) -> None:
    """Write the documents of what a transaction touched. Raises RuntimeError where nobody can."""
    if not _keepers:
        raise RuntimeError("app.targets.documents is not loaded: what is stored of targets would be out of date")
    for keeper in _keepers:
        keeper(session, touched)


def _written(session: Session) -> Iterable[Any]:
    yield from session.new
    yield from session.deleted
    yield from (row for row in session.dirty if session.is_modified(row))


def _is_renamed(unit: Unit) -> bool:
    attributes = inspect(unit).attrs
    return any(attributes[name].history.has_changes() for name in _SHOWN_OF_UNITS)
