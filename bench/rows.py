"""Single rows of the database, as the service writes them for an imported plan."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from app.types import fold
from bench.words import COUNTIES, DEPARTMENTS, HEADINGS, SUBHEADINGS

Row = dict[str, Any]
YEAR = 2023
AT = datetime(YEAR, 2, 1, 8, tzinfo=UTC)
_HEADINGS_EACH = 1 + len(SUBHEADINGS)
_SECTIONS = len(HEADINGS) * _HEADINGS_EACH


def city_units(first: int, code: str, name: str, count: int) -> list[Row]:
    """The first `count` of: a group of all counties, the counties, the city's departments, those of the counties."""
    units = [_unit(first, f"{code}counties", f"{name}各县市区人民政府", "group", None)]
    for slug, county in COUNTIES:
        official, short = f"{name}{county}人民政府", f"{name}{county}政府"
        units.append(_unit(first + len(units), f"{code}{slug}-government", official, "government", short))
    for slug, official, short in DEPARTMENTS:
        key = first + len(units)
        units.append(_unit(key, f"{code}{slug}", f"{name}{official}", "department", f"{name}{short}"))
    for slug, official, short in DEPARTMENTS:
        for place, (county_slug, county) in enumerate(COUNTIES, 1):
            key, here = first + len(units), f"{name}{county}"
            unit = _unit(key, f"{code}{county_slug}-{slug}", f"{here}{official}", "department", f"{here}{short}")
            units.append(unit | {"parent_id": first + place})
    return units[:count]


def _unit(key: int, code: str, name: str, kind: str, alias: str | None) -> Row:
    """A row of `units`, and under `alias` the name by which plans print it where that is another one."""
    return {
        "id": key,
        "code": code,
        "name": name,
        "name_key": fold(name),
        "kind": kind,
        "parent_id": None,
        "updated_at": AT,
        "alias": alias if alias != name else None,
    }


def plan_row(key: int, city: str, name: str) -> Row:
    """A row of `plans`."""
    return {
        "id": key,
        "code": f"{city}-{YEAR}",
        "title": f"{YEAR}年{name}市《政府工作报告》确定的主要目标任务责任分解方案",
        "issuer": f"{name}市人民政府",
        "year": YEAR,
        "starts_on": date(YEAR, 1, 1),
        "ends_on": date(YEAR, 12, 31),
        "updated_at": AT,
    }


def section_rows(plan: int, city: str) -> Iterator[Row]:
    """The rows of `sections` of a plan: ten headings, each with its run-in headings."""
    before = (plan - 1) * _SECTIONS
    for place in range(_SECTIONS):
        chapter, inside = divmod(place, _HEADINGS_EACH)
        yield {
            "id": before + place + 1,
            "plan_id": plan,
            "parent_id": before + chapter * _HEADINGS_EACH + 1 if inside else None,
            "code": f"{city}-{YEAR}.s{place + 1}",
            "heading": SUBHEADINGS[inside - 1] if inside else f"({chapter + 1}){HEADINGS[chapter]}",
            "position": place + 1,
            "updated_at": AT,
        }


def target_row(key: int, plan: int, code: str, place: int, statement: str) -> Row:
    """A row of `targets`; `place` counts those of its plan from 0."""
    begin = len(str(place + 1)) + 1
    return {
        "id": key,
        "plan_id": plan,
        "section_id": (plan - 1) * _SECTIONS + place % _SECTIONS + 1,
        "code": code,
        "number": str(place + 1),
        "position": place,
        "statement": statement,
        "search_text": fold(statement),
        "line": place + 2,
        "start": begin,
        "end": begin + len(statement),
        "updated_at": AT,
    }


def indicator_row(key: int, target: int, code: str, ordinal: int, text: str) -> Row:
    """A row of `indicators`, but for what is measured; its values are monthly."""
    return {
        "id": key,
        "target_id": target,
        "ordinal": ordinal,
        "code": code,
        "kind": "level",
        "frequency": "month",
        "goal_version": 1,
        "text": text,
        "updated_at": AT,
    }


def goal_row(indicator: int, goal: int) -> Row:
    """A row of `goals`: an indicator's first."""
    return {
        "indicator_id": indicator,
        "version": 1,
        "goal": Decimal(goal),
        "recorded_at": AT,
        "request_id": f"{indicator:032x}",
    }
