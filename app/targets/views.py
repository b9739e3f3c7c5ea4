"""Targets as they are shown: with headings, units, indicators and latest values, a fixed number of queries a page."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import and_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.statements import among, fetch
from app.tables import Goal, Indicator, Plan, Section, Target, TargetUnit, Unit
from app.tables import LatestValue as LatestTable
from app.targets import schemas
from app.types import Comparator, Role


@dataclass
class IndicatorFacts:
    """An indicator with its goal in force, the newest value of all units, and those of every unit where each counts."""

    id: int
    code: str
    name: str
    measure: str
    comparator: str
    goal: Decimal
    goal_to: Decimal | None
    each_member: bool
    newest: schemas.LatestValue | None = None
    of_units: dict[int, schemas.LatestValue] = field(default_factory=dict)

    def summary(self, unit_id: int | None) -> schemas.IndicatorSummary:
        """The indicator as a target shows it; `unit_id` is the unit whose assignment shows it."""
        own = self.each_member and unit_id is not None
        return schemas.IndicatorSummary.of(
            code=self.code,
            name=self.name,
            measure=self.measure,
            comparator=Comparator(self.comparator),
            goal=self.goal,
            goal_to=self.goal_to,
            latest=self.of_units.get(unit_id) if own and unit_id is not None else self.newest,
        )


class TargetRow(NamedTuple):
    """What a summary shows of a target's own columns."""

    id: int
    plan_id: int
    section_id: int | None
    code: str
    number: str
    statement: str
    due_on: date | None


TARGET_COLUMNS = [col(getattr(Target, name)) for name in TargetRow._fields]


class FullRow(NamedTuple):
    """What is shown of a target's own columns, and what it is listed and found by."""

    id: int
    plan_id: int
    section_id: int | None
    code: str
    number: str
    statement: str
    due_on: date | None
    label: str | None
    line: int | None
    start: int | None
    end: int | None
    updated_at: datetime
    position: int
    search_text: str
    removed_at: datetime | None


_FULL_ROWS = select(*(col(getattr(Target, name)) for name in FullRow._fields)).where(among(col(Target.id)))


def full_rows(session: Session, targets: Collection[int]) -> list[FullRow]:
    """The rows of some targets, by their keys; in no order."""
    return [FullRow(*row) for row in fetch(session, _FULL_ROWS, keys=targets)]


@dataclass
class TargetViews:
    """What a page of targets shows beside their own columns, by internal keys."""

    headings: dict[int, list[str]]
    units: dict[int, list[schemas.TargetUnit]]
    indicators: dict[int, list[IndicatorFacts]]

    def summary_fields(
        self, target: Target | TargetRow | FullRow, plan: str, unit_id: int | None = None
    ) -> dict[str, Any]:
        """The fields of a target's summary; `unit_id` is the unit whose assignment it is shown in."""
        return {
            "code": target.code,
            "number": target.number,
            "statement": target.statement,
            "plan": plan,
            "section": self.headings.get(target.section_id, []) if target.section_id is not None else [],
            "due_on": target.due_on,
            "units": self.units.get(target.id, []),
            "indicators": [facts.summary(unit_id) for facts in self.indicators.get(target.id, [])],
        }


def load_views(session: Session, targets: Sequence[Target | TargetRow | FullRow]) -> TargetViews:
    """All that some targets show: the number of queries does not depend on how many they are."""
    keys = {target.id for target in targets}
    return TargetViews(
        headings=headings_of(session, {target.plan_id for target in targets if target.section_id is not None}),
        units=_printed_units(session, keys),
        indicators=_indicators(session, keys),
    )


_PLAN_CODES = select(col(Plan.id), col(Plan.code)).where(among(col(Plan.id)))
# built once: putting a statement together costs several times what running it does
_HEADINGS = select(col(Section.id), col(Section.parent_id), col(Section.heading)).where(among(col(Section.plan_id)))
_PRINTED_UNITS = (
    select(col(TargetUnit.target_id), col(TargetUnit.role), col(Unit.code), col(Unit.name))
    .join(Unit, col(Unit.id) == col(TargetUnit.unit_id))
    .where(among(col(TargetUnit.target_id)))
    .order_by(col(TargetUnit.target_id), col(TargetUnit.position))
)
_other = aliased(LatestTable)
_newest_unit = (
    select(col(_other.unit_id))
    .where(col(_other.indicator_id) == col(Indicator.id))
    .order_by(col(_other.period_end).desc(), col(_other.recorded_at).desc(), col(_other.unit_id))
    .limit(1)
    .correlate(Indicator)
    .scalar_subquery()
)
# joins an indicator with the newest value of all units
NEWEST = and_(col(LatestTable.indicator_id) == col(Indicator.id), col(LatestTable.unit_id) == _newest_unit)
GOAL_IN_FORCE = and_(col(Goal.indicator_id) == col(Indicator.id), col(Goal.version) == col(Indicator.goal_version))
_INDICATORS = (
    select(
        col(Indicator.target_id),
        col(Indicator.id),
        col(LatestTable.period),
        col(LatestTable.value),
        col(Indicator.code),
        col(Indicator.name),
        col(Indicator.measure),
        col(Indicator.comparator),
        col(Goal.goal),
        col(Goal.goal_to),
        col(Indicator.each_member),
    )
    .join(Goal, GOAL_IN_FORCE)
    .outerjoin(LatestTable, NEWEST)
    .where(among(col(Indicator.target_id)), col(Indicator.removed_at).is_(None))
    .order_by(col(Indicator.target_id), col(Indicator.ordinal))
)
_LATEST_OF_UNITS = select(
    col(LatestTable.indicator_id), col(LatestTable.unit_id), col(LatestTable.period), col(LatestTable.value)
).where(among(col(LatestTable.indicator_id)))


def render_targets(
    session: Session, targets: Sequence[Target | FullRow], views: TargetViews | None = None
) -> list[schemas.Target]:
    """Rows as answers show them; `views` are those of these targets, where they are known."""
    views = views or load_views(session, targets)
    plans = dict(fetch(session, _PLAN_CODES, keys={target.plan_id for target in targets}))
    return [
        schemas.Target.of(
            **views.summary_fields(target, plans[target.plan_id]),
            label=target.label,
            line=target.line,
            start=target.start,
            end=target.end,
            updated_at=target.updated_at,
        )
        for target in targets
    ]


def headings_of(session: Session, plans: Collection[int]) -> dict[int, list[str]]:
    """The headings above and of every section of some plans, outermost first, by the section's key."""
    sections = {key: (parent, heading) for key, parent, heading in fetch(session, _HEADINGS, keys=list(plans))}
    paths: dict[int, list[str]] = {}
    for key in sections:
        path: list[str] = []
        above: int | None = key
        while above is not None:
            above, heading = sections[above]
            path.insert(0, heading)
        paths[key] = path
    return paths


def _printed_units(session: Session, targets: Collection[int]) -> dict[int, list[schemas.TargetUnit]]:
    units: dict[int, list[schemas.TargetUnit]] = {}
    for target, role, code, name in fetch(session, _PRINTED_UNITS, keys=list(targets)):
        unit = schemas.TargetUnit.of(code=code, name=name, role=Role(role))
        units.setdefault(target, []).append(unit)
    return units


def _indicators(session: Session, targets: Collection[int]) -> dict[int, list[IndicatorFacts]]:
    by_target: dict[int, list[IndicatorFacts]] = {}
    of_each_member: dict[int, IndicatorFacts] = {}
    for target, key, period, value, *columns in fetch(session, _INDICATORS, keys=list(targets)):
        facts = IndicatorFacts(key, *columns)
        facts.newest = latest_value(period, value)
        by_target.setdefault(target, []).append(facts)
        if facts.each_member:
            of_each_member[key] = facts
    if of_each_member:
        for key, unit, period, value in fetch(session, _LATEST_OF_UNITS, keys=list(of_each_member)):
            of_each_member[key].of_units[unit] = schemas.LatestValue.of(period=period, value=value)
    return by_target


def latest_value(period: str | None, value: Decimal | None) -> schemas.LatestValue | None:
    """The newest value as answers show it; None where there is none."""
    return schemas.LatestValue.of(period=period, value=value) if period is not None else None
