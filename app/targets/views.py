"""Targets as they are shown: with headings, units, indicators and latest values, a fixed number of queries a page."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, select
from sqlmodel import Session, col

from app.tables import Goal, Indicator, Section, Target, TargetUnit, Unit
from app.tables import LatestValue as LatestTable
from app.targets import schemas
from app.types import Comparator, Role


@dataclass
class IndicatorFacts:
    """An indicator with its goal in force and the newest value of every unit, newest first."""

    code: str
    name: str
    measure: str
    comparator: str
    goal: Decimal
    goal_to: Decimal | None
    each_member: bool
    latest: list[tuple[int, str, Decimal]] = field(default_factory=list)

    def latest_of(self, unit_id: int | None) -> schemas.LatestValue | None:
        """The newest value: a unit's own where each member must reach the goal, else the newest of all units."""
        for unit, period, value in self.latest:
            if unit == unit_id or unit_id is None or not self.each_member:
                return schemas.LatestValue.model_construct(period=period, value=value)
        return None

    def summary(self, unit_id: int | None) -> schemas.IndicatorSummary:
        """The indicator as a target shows it."""
        return schemas.IndicatorSummary.model_construct(
            code=self.code,
            name=self.name,
            measure=self.measure,
            comparator=Comparator(self.comparator),
            goal=self.goal,
            goal_to=self.goal_to,
            latest=self.latest_of(unit_id),
        )


@dataclass
class TargetViews:
    """What a page of targets shows beside their own columns, by internal keys."""

    headings: dict[int, list[str]]
    units: dict[int, list[schemas.TargetUnit]]
    indicators: dict[int, list[IndicatorFacts]]

    def summary_fields(self, target: Target, plan: str, unit_id: int | None = None) -> dict[str, Any]:
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


def load_views(session: Session, targets: Sequence[Target]) -> TargetViews:
    """All that some targets show, in four queries."""
    keys = {target.id for target in targets}
    return TargetViews(
        headings=headings_of(session, {target.plan_id for target in targets if target.section_id is not None}),
        units=_printed_units(session, keys),
        indicators=_indicators(session, keys),
    )


def headings_of(session: Session, plans: Collection[int]) -> dict[int, list[str]]:
    """The headings above and of every section of some plans, outermost first, by the section's key."""
    rows = session.execute(
        select(col(Section.id), col(Section.parent_id), col(Section.heading)).where(col(Section.plan_id).in_(plans))
    )
    sections = {key: (parent, heading) for key, parent, heading in rows}
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
    statement = (
        select(col(TargetUnit.target_id), col(TargetUnit.role), col(Unit.code), col(Unit.name))
        .join(Unit, col(Unit.id) == col(TargetUnit.unit_id))
        .where(col(TargetUnit.target_id).in_(targets))
        .order_by(col(TargetUnit.target_id), col(TargetUnit.position))
    )
    units: dict[int, list[schemas.TargetUnit]] = {}
    for target, role, code, name in session.execute(statement):
        unit = schemas.TargetUnit.model_construct(code=code, name=name, role=Role(role))
        units.setdefault(target, []).append(unit)
    return units


def _indicators(session: Session, targets: Collection[int]) -> dict[int, list[IndicatorFacts]]:
    statement = (
        select(
            col(Indicator.target_id),
            col(Indicator.id),
            col(Indicator.code),
            col(Indicator.name),
            col(Indicator.measure),
            col(Indicator.comparator),
            col(Goal.goal),
            col(Goal.goal_to),
            col(Indicator.each_member),
        )
        .join(Goal, and_(col(Goal.indicator_id) == col(Indicator.id), col(Goal.version) == col(Indicator.goal_version)))
        .where(col(Indicator.target_id).in_(targets), col(Indicator.removed_at).is_(None))
        .order_by(col(Indicator.target_id), col(Indicator.ordinal))
    )
    by_target: dict[int, list[IndicatorFacts]] = {}
    by_key: dict[int, IndicatorFacts] = {}
    for target, key, *columns in session.execute(statement):
        by_key[key] = IndicatorFacts(*columns)
        by_target.setdefault(target, []).append(by_key[key])
    for key, newest in latest_values(session, by_key).items():
        by_key[key].latest = newest
    return by_target


def latest_values(session: Session, indicators: Collection[int]) -> dict[int, list[tuple[int, str, Decimal]]]:
    """The newest value of every unit for some indicators, newest first: `(unit, period, value)`."""
    statement = (
        select(col(LatestTable.indicator_id), col(LatestTable.unit_id), col(LatestTable.period), col(LatestTable.value))
        .where(col(LatestTable.indicator_id).in_(indicators))
        .order_by(col(LatestTable.period_end).desc(), col(LatestTable.recorded_at).desc(), col(LatestTable.unit_id))
    )
    latest: dict[int, list[tuple[int, str, Decimal]]] = {}
    for indicator, *newest in session.execute(statement):
        latest.setdefault(indicator, []).append(tuple(newest))
    return latest
