"""The rows of the database: what the service itself would have written for some imported plans and posted values.

Everything is drawn from one seed, so that two runs, and two machines, measure the same data. Left out: `changes`,
`imports`, and any second version of a value; no job reads them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from app.assigning import assigned_units
from app.tables import (
    Assignment,
    Client,
    Goal,
    Indicator,
    Plan,
    Section,
    Target,
    TargetUnit,
    Unit,
    UnitAlias,
    UnitMember,
)
from app.types import fold
from bench.rows import AT, YEAR, Row, city_units, goal_row, indicator_row, plan_row, section_rows, target_row
from bench.words import COUNTIES, cities, draw_measure, draw_statement

REPORTER = "county-reports"  # the client that posted every value
REPORTER_ID = 1
_SEED = 20231124
# how many units answer for a target: by turns, 5 on average; 7 are a lead and the six members of a group
_UNIT_COUNTS = (3, 4, 5, 6, 7)
_THROUGH_GROUP = 7
# how many indicators a target has: by turns, 2 on average, every count with every count of units
_INDICATOR_COUNTS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Size:
    """How much data: `plans` of as many cities, each with `units` of its own and `targets` in its plan."""

    name: str
    plans: int
    targets: int
    units: int
    months: int
    values: int


SIZES = {
    "small": Size("small", plans=1, targets=76, units=100, months=5, values=3_600),
    "medium": Size("medium", plans=10, targets=1_000, units=100, months=10, values=1_000_000),
    "large": Size("large", plans=100, targets=1_000, units=100, months=10, values=10_000_000),
}


class Figure(NamedTuple):
    """One value; days and times as SQLite stores them, in UTC."""

    indicator_id: int
    period: str
    unit_id: int
    period_end: str
    hundredths: int
    recorded_at: str


@dataclass(frozen=True)
class City:
    """The units of a plan's city, by their keys; `weights` make the first of `others` answer for more than the last."""

    group: int
    counties: list[int]
    others: list[int]
    weights: list[float]


class Maker:
    """Draws the rows of one database, table after table."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._random = Random(_SEED)
        self._cities: list[City] = []
        self._rows: dict[Any, list[Row]] = {}
        self._measured: list[tuple[int, list[int]]] = []  # each indicator, and the units that answer for its target

    def tables(self) -> dict[Any, list[Row]]:
        """The rows of every table but those of values, in an order that foreign keys allow."""
        order = (Client, Unit, UnitAlias, UnitMember, Plan, Section, Target, TargetUnit, Assignment, Indicator, Goal)
        self._rows = {table: [] for table in order}
        self._rows[Client].append({"id": REPORTER_ID, "code": REPORTER, "name": REPORTER, "created_at": AT})
        for plan, (code, name) in enumerate(cities(self.size.plans), 1):
            city = self._add_city(code, name)
            self._rows[Plan].append(plan_row(plan, code, name))
            self._rows[Section].extend(section_rows(plan, code))
            for place in range(self.size.targets):
                self._add_target(plan, city, f"{code}-{YEAR}", place)
        return self._rows

    @property
    def indicators(self) -> int:
        """How many indicators there are to measure."""
        return len(self._measured)

    def _add_city(self, code: str, name: str) -> City:
        first = len(self._rows[Unit]) + 1
        units = city_units(first, f"{code}-", f"{name}市", self.size.units)
        for unit in units:
            alias = unit.pop("alias")
            if alias is not None:
                key = fold(alias)
                self._rows[UnitAlias].append({"unit_id": unit["id"], "alias": alias, "alias_key": key, "position": 0})
        self._rows[Unit].extend(units)
        group, *keys = [unit["id"] for unit in units]
        counties, others = keys[: len(COUNTIES)], keys[len(COUNTIES) :]
        members = self._rows[UnitMember]
        members.extend({"group_id": group, "member_id": key, "position": n} for n, key in enumerate(counties))
        return City(group, counties, others, list(accumulate(1 / (rank + 5) for rank in range(len(others)))))

    def _add_target(self, plan: int, city: City, plan_code: str, place: int) -> None:
        key, code = len(self._rows[Target]) + 1, f"{plan_code}.{place + 1}"
        count = _UNIT_COUNTS[place % len(_UNIT_COUNTS)]
        named = self._draw_units(city, count)
        for position, (unit, role) in enumerate(named):
            row = {"target_id": key, "unit_id": unit, "role": role, "position": position}
            self._rows[TargetUnit].append(row)
        assigned = assigned_units(named, {city.group: city.counties})
        for (unit, role), via in assigned.items():
            number = len(self._rows[Assignment]) + 1
            row = {"id": number, "target_id": key, "unit_id": unit, "role": role, "via_id": via, "updated_at": AT}
            self._rows[Assignment].append(row)
        clauses = []
        for ordinal in range(1, _INDICATOR_COUNTS[place // len(_UNIT_COUNTS) % len(_INDICATOR_COUNTS)] + 1):
            name, measure, comparator, goal, clause = draw_measure(self._random)
            indicator = indicator_row(len(self._rows[Indicator]) + 1, key, f"{code}.{ordinal}", ordinal, clause)
            indicator |= {"name": name, "measure": measure, "comparator": comparator}
            self._rows[Indicator].append(indicator | {"each_member": count == _THROUGH_GROUP})
            self._rows[Goal].append(goal_row(indicator["id"], goal) | {"comparator": comparator})
            self._measured.append((indicator["id"], [unit for unit, _ in assigned]))
            clauses.append(clause)
        self._rows[Target].append(target_row(key, plan, code, place, draw_statement(self._random, clauses)))

    def _draw_units(self, city: City, count: int) -> list[tuple[int, str]]:
        """The units of one target as a plan prints them, and their roles."""
        wanted = 1 if count == _THROUGH_GROUP else count
        units: dict[int, None] = {}
        while len(units) < wanted:
            units[self._random.choices(city.others, cum_weights=city.weights)[0]] = None
        roles = ["lead", *["responsible"] * 3, *["supporting"] * 2]
        named = list(zip(units, roles, strict=False))
        return [*named, (city.group, "responsible")] if count == _THROUGH_GROUP else named

    def values(self) -> Iterator[list[Figure]]:
        """The monthly figures, one indicator after another, in the order of their key; `tables` comes first."""
        months = [_month(number) for number in range(1, self.size.months + 1)]
        left = self.size.values
        for indicator, units in self._measured:
            rows = self._figures(indicator, sorted(units), months)[:left]
            left -= len(rows)
            yield rows

    def _figures(self, indicator: int, units: Sequence[int], months: Sequence[tuple[str, str, str]]) -> list[Figure]:
        draw, minute = self._random.random, f"{indicator % 60:02}"
        return [
            Figure(indicator, period, unit, end, int(draw() * 99_998) + 1, f"{hour}:{minute}:00.000000")
            for period, end, hour in months
            for unit in units
        ]


def _month(number: int) -> tuple[str, str, str]:
    """A month's period and last day, and the hour in which its figures were recorded."""
    following = date(YEAR + number // 12, number % 12 + 1, 1)
    hour = f"{following.replace(day=3)} 02"
    return f"{YEAR}-{number:02}", str(following - timedelta(days=1)), hour


def newest(rows: Sequence[Figure]) -> list[Figure]:
    """Of an indicator's figures the last of each unit."""
    return [row for _, row in sorted({row.unit_id: row for row in rows}.items())]
