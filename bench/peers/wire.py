"""What the hand-written service sends and takes: the shapes of the service it stands beside."""

from datetime import UTC, date, datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

Row = tuple[Any, ...]


class Named(Struct):
    """A unit."""

    code: str
    name: str


class TargetUnit(Named):
    """A unit as a plan prints it for a target."""

    role: str


class Latest(Struct):
    """The newest figure."""

    period: str
    value: float


class Indicator(Struct):
    """What is measured for a target."""

    code: str
    name: str
    measure: str
    comparator: str
    goal: float
    goal_to: float | None
    latest: Latest | None


class Target(Struct):
    """A target; the last five only where it is shown for itself."""

    code: str
    number: str
    statement: str
    plan: str
    section: list[str]
    due_on: date | str | None
    units: list[TargetUnit]
    indicators: list[Indicator]
    label: str | UnsetType | None = UNSET
    line: int | UnsetType | None = UNSET
    start: int | UnsetType | None = UNSET
    end: int | UnsetType | None = UNSET
    updated_at: str | UnsetType = UNSET


class Assignment(Struct):
    """Who answers for what."""

    code: str
    role: str
    unit: Named
    via: Named | None
    acknowledged_at: str | None
    updated_at: str
    target: Target


class AssignmentPage(Struct):
    """A page of assignments."""

    items: list[Assignment]
    next_cursor: str | None


class TargetPage(Struct):
    """A page of targets."""

    items: list[Target]
    next_cursor: str | None


class Figure(Struct):
    """A figure to record."""

    indicator: str
    unit: str
    period: str
    value: float

    @property
    def period_end(self) -> date:
        """The last day of its month, or its day; the jobs have no other periods."""
        year, month, *day = map(int, self.period.split("-"))
        if day:
            return date(year, month, day[0])
        return date.fromordinal(date(year + month // 12, month % 12 + 1, 1).toordinal() - 1)


class Value(Struct):
    """A figure that was recorded."""

    code: str
    indicator: str
    unit: Named
    period: str
    value: float
    status: str
    version: int
    note: str | None
    evidence_url: str | None
    recorded_at: datetime
    recorded_by: str


class Report(Struct):
    """What became of a batch."""

    received: int
    created: int
    updated: int
    unchanged: int
    rejected: int = 0
    committed: bool = True
    dry_run: bool = False
    problems: list[str] = []


def now() -> datetime:
    """The time of a write."""
    return datetime.now(UTC)
