"""The shipped plan and unit register: complete, unambiguous, and in the words that the plan prints."""

import csv
import json
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.imports.grammar import recognise
from app.imports.reading import read_document
from app.types import Code, RegionCode, UnitKind, fold

ROOT = Path(__file__).parents[2]
SEED = ROOT / "seed/xianning-2023"
GOLD: dict[str, Any] = json.loads((ROOT / "tests/data/xianning_2023.gold.json").read_text(encoding="utf-8"))
PLAN: dict[str, Any] = tomllib.loads((SEED / "plan.toml").read_text(encoding="utf-8"))
COUNTIES = {"421202", "421221", "421222", "421223", "421224", "421281"}
GROUPS = {"各县市区人民政府": 6, "“香城人才卡”联席会议成员单位": 0}

with (SEED / "units.csv").open(encoding="utf-8", newline="") as file:
    UNITS = list(csv.DictReader(file))
PRINTED = sorted({name for target in GOLD["targets"] for name in target["lead_units"] + target["responsible_units"]})


def named() -> dict[str, list[str]]:
    """Codes by folded name or alias."""
    codes: dict[str, list[str]] = defaultdict(list)
    for unit in UNITS:
        for name in {unit["name"], *filter(None, unit["aliases"].split(";"))}:
            codes[fold(name)].append(unit["code"])
    return codes


def members(unit: dict[str, str]) -> list[str]:
    return [code for code in unit["members"].split(";") if code]


class TestUnits:
    def test_register_holds_the_units_printed_and_the_members_they_need(self) -> None:
        assert (len(PRINTED), len(UNITS)) == (34, 36)

    @pytest.mark.parametrize("name", PRINTED)
    def test_every_printed_name_is_one_unit(self, name: str) -> None:
        assert len(named()[fold(name)]) == 1

    def test_no_name_means_two_units(self) -> None:
        assert [name for name, codes in named().items() if len(codes) > 1] == []

    def test_codes_kinds_and_regions_are_valid_and_codes_single(self) -> None:
        for unit in UNITS:
            TypeAdapter(Code).validate_python(unit["code"])
            TypeAdapter(RegionCode).validate_python(unit["region_code"])
            assert unit["kind"] in set(UnitKind)
            assert unit["usci"] == ""
        assert len({unit["code"] for unit in UNITS}) == len(UNITS)

    def test_groups_have_their_members_and_nothing_else_has(self) -> None:
        assert {unit["name"]: len(members(unit)) for unit in UNITS if unit["kind"] == "group"} == GROUPS
        assert all(unit["kind"] == "group" for unit in UNITS if members(unit))

    def test_county_governments_are_the_six_of_the_city(self) -> None:
        by_code = {unit["code"]: unit for unit in UNITS}
        (group,) = (unit for unit in UNITS if unit["name"] == "各县市区人民政府")
        assert {by_code[code]["region_code"] for code in members(group)} == COUNTIES
        assert {by_code[code]["kind"] for code in members(group)} == {"government"}


class TestPlan:
    def test_head_agrees_with_the_document(self) -> None:
        outline = recognise(read_document((SEED / "plan.txt").read_bytes()))
        assert (PLAN["title"], PLAN["year"]) == (outline.title, outline.year)
        assert (PLAN["code"], PLAN["issuer"], PLAN["region_code"]) == ("xianning-2023", "咸宁市人民政府", "421200")
        assert (str(PLAN["starts_on"]), str(PLAN["ends_on"])) == ("2023-01-01", "2023-12-31")

    def test_document_holds_nothing_but_the_plan(self) -> None:
        outline = recognise(read_document((SEED / "plan.txt").read_bytes()))
        lines = (SEED / "plan.txt").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 1 + len(outline.sections) + len(outline.items) == 31
