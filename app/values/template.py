"""Templates: the figures of a plan that units have still to report, each with the period it is of."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session, col

from app.auth import Caller
from app.db import AnySelect
from app.errors import ErrorCode, NothingToReport, NotYourUnit, invalid
from app.lookups import get_row
from app.tables import Assignment, Goal, Indicator, Plan, Target, Unit, Value
from app.targets.views import GOAL_IN_FORCE
from app.types import Comparator, Frequency, Period, Scope, parse_period, plain_digits
from app.units.membership import reach, with_members
from app.units.names import resolve_unit
from app.values.recording import REOPENED
from app.values.rows import MOST_ROWS

_SIGNS = {Comparator.ge: "≥ ", Comparator.gt: "> ", Comparator.le: "≤ ", Comparator.lt: "< ", Comparator.about: "≈ "}


class Reported(NamedTuple):
    """A value that stands already."""

    value: Decimal
    status: str
    version: int
    reason: str | None


class Asked(NamedTuple):
    """An indicator and a unit that answers for its target."""

    indicator_id: int
    unit_id: int
    indicator: str
    name: str
    measure: str
    frequency: str | None
    comparator: str
    goal: Decimal
    goal_to: Decimal | None
    number: str
    statement: str
    unit: str
    unit_name: str

    @property
    def goal_words(self) -> str:
        """The goal in figures and signs: `≥ 46`, `10–20`, `46`."""
        if self.goal_to is not None:
            return f"{plain_digits(self.goal)}–{plain_digits(self.goal_to)}"
        return f"{_SIGNS.get(Comparator(self.comparator), '')}{plain_digits(self.goal)}"


class OpenFigure(NamedTuple):
    """One figure to report; `reported` is the value that was returned or withdrawn, to be put right."""

    asked: Asked
    period: str
    reported: Reported | None


class Template(NamedTuple):
    """What a plan asks of some units: all their indicators, and the figures that are open."""

    plan: str
    title: str
    asked: list[Asked]
    figures: list[OpenFigure]


def china_today() -> date:
    """The day it is in China, which has one time zone and no summer time."""
    return datetime.now(timezone(timedelta(hours=8))).date()


def get_value_template(session: Session, caller: Caller, code: str, unit: str | None, today: date) -> Template:
    """The open figures of a unit and its members, else of all units that the caller may speak for, in the plan's order.

    Open is a period that has begun by `today` and has no value, or one that was returned or withdrawn. Who may not
    report sees those of every unit. Raises NotFound, InvalidRequest, NotYourUnit, NothingToReport.
    """
    plan = get_row(session, Plan, code, "/path/plan")
    units = _units_of(session, caller, unit)
    asked = _asked(session, plan, units)
    if not asked:
        raise NothingToReport(plan=plan.code)
    figures = []
    for figure in _open_figures(asked, _reported(session, plan, units), plan, today):
        figures.append(figure)
        if len(figures) > MOST_ROWS:
            raise invalid("/query/unit", ErrorCode.template_too_long, most=MOST_ROWS)
    return Template(plan.code, plan.title, asked, figures)


def _units_of(session: Session, caller: Caller, reference: str | None) -> set[int] | None:
    """The units whose figures are wanted; None for all."""
    own = reach(session, caller) if caller.may(Scope.report) else None
    if reference is None:
        return own
    unit = resolve_unit(session, reference, "/query/unit")
    if own is not None and unit.id not in own:
        raise NotYourUnit(unit=unit.name, client=caller.code)
    return with_members(session, {unit.id})


def _asked(session: Session, plan: Plan, units: AbstractSet[int] | None) -> list[Asked]:
    order = [col(Target.position), col(Target.id), col(Indicator.ordinal)]
    statement: AnySelect = (
        select(
            *(col(Indicator.id), col(Unit.id), col(Indicator.code), col(Indicator.name), col(Indicator.measure)),
            *(col(Indicator.frequency), col(Indicator.comparator), col(Goal.goal), col(Goal.goal_to)),
            *(col(Target.number), col(Target.statement), col(Unit.code), col(Unit.name), *order),
        )
        .join(Target, col(Target.id) == col(Indicator.target_id))
        .join(Goal, GOAL_IN_FORCE)
        .join(Assignment, col(Assignment.target_id) == col(Target.id))
        .join(Unit, col(Unit.id) == col(Assignment.unit_id))
        .where(col(Target.plan_id) == plan.id, col(Assignment.removed_at).is_(None))
        .where(col(Indicator.removed_at).is_(None), col(Target.removed_at).is_(None))
        .distinct()  # a unit may answer in two roles
        .order_by(*order, col(Unit.code))
    )
    if units is not None:
        statement = statement.where(col(Unit.id).in_(units))
    return [Asked(*row[: len(Asked._fields)]) for row in session.execute(statement)]


def _reported(
    session: Session, plan: Plan, units: AbstractSet[int] | None
) -> Mapping[tuple[int, int], Mapping[str, Reported]]:
    """The values that stand, by indicator and unit, then by period."""
    statement: AnySelect = (
        select(
            *(col(Value.indicator_id), col(Value.unit_id), col(Value.period)),
            *(col(Value.value), col(Value.status), col(Value.version), col(Value.reason)),
        )
        .join(Indicator, col(Indicator.id) == col(Value.indicator_id))
        .join(Target, col(Target.id) == col(Indicator.target_id))
        .where(col(Target.plan_id) == plan.id)
    )
    if units is not None:
        statement = statement.where(col(Value.unit_id).in_(units))
    found: dict[tuple[int, int], dict[str, Reported]] = {}
    for indicator, unit, period, *facts in session.execute(statement):
        found.setdefault((indicator, unit), {})[period] = Reported(*facts)
    return found


def _open_figures(
    asked: Iterable[Asked], reported: Mapping[tuple[int, int], Mapping[str, Reported]], plan: Plan, today: date
) -> Iterator[OpenFigure]:
    begun = {
        frequency: _begun(frequency, plan.starts_on, plan.ends_on, today) for frequency in {a.frequency for a in asked}
    }
    for one in asked:
        values = reported.get((one.indicator_id, one.unit_id), {})
        again = {period: value for period, value in values.items() if value.status in REOPENED}
        periods = [period for period in begun[one.frequency] if period.text not in values]
        periods += [period for period in map(parse_period, again) if period and _fits(period, one.frequency, plan)]
        for period in sorted(periods, key=lambda period: (period.first_day, period.last_day)):
            yield OpenFigure(one, period.text, again.get(period.text))


def _fits(period: Period, frequency: str | None, plan: Plan) -> bool:
    """Whether a value of this period would be taken: the frequency, or the plan's days, may have changed since."""
    return period.within(plan.starts_on, plan.ends_on) and frequency in (None, period.frequency)


def _begun(frequency: str | None, starts_on: date, ends_on: date, today: date) -> list[Period]:
    """The periods of a frequency that lie within some days and have begun.

    Without a frequency, those of the longest one that has any: the year of a plan for a year.
    """
    if frequency is None:
        each = (_begun(longest, starts_on, ends_on, today) for longest in Frequency)
        return next(filter(None, each), [])
    last = min(ends_on, today)
    named = (parse_period(text) for year in range(starts_on.year, last.year + 1) for text in _texts(frequency, year))
    return [
        period
        for period in named
        if period is not None and period.first_day <= last and period.within(starts_on, ends_on)
    ]


def _texts(frequency: str, year: int) -> Iterator[str]:
    """The periods of a frequency that a year has, and for days some that it has not."""
    parts: dict[str, Iterable[str]] = {
        Frequency.year: [""],
        Frequency.half_year: ["-H1", "-H2"],
        Frequency.quarter: [f"-Q{quarter}" for quarter in range(1, 5)],
        Frequency.month: [f"-{month:02}" for month in range(1, 13)],
        Frequency.day: (f"-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32)),
    }
    return (f"{year:04}{part}" for part in parts[frequency])
