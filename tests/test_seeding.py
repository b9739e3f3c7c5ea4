"""Loading a unit register and a plan from a folder: through the services, once, and with the wrong row named."""

from pathlib import Path

import pytest

from app.auth import Caller
from app.db import Database
from app.errors import InvalidRequest
from app.messages import Language
from app.seeding import load_plan, load_units, read_register, shipped_plan
from tests.conftest import Api
from tests.history import changes_after, last_change, snapshot
from tests.importing import get, short_plan
from tests.trying import trying

HEADING = "code,name,kind,region_code,usci,parent,aliases,members\n"
CALLER = Caller.command_line()


def register(folder: Path, *rows: str) -> Path:
    """A folder with a register of these rows, as a spreadsheet saves it: with a mark for its encoding."""
    (folder / "units.csv").write_text(HEADING + "\n".join(rows), encoding="utf-8-sig")
    return folder


class TestReadRegister:
    def test_empty_cells_are_null_and_lists_are_parted(self, tmp_path: Path) -> None:
        row = "oa,甲局,group,,,,甲; 乙;,x;y"
        assert read_register(register(tmp_path, row)) == [
            {
                "code": "oa",
                "name": "甲局",
                "kind": "group",
                "region_code": None,
                "usci": None,
                "parent": None,
                "aliases": ["甲", "乙"],
                "members": ["x", "y"],
            }
        ]

    def test_shipped_one(self) -> None:
        rows = read_register(shipped_plan())
        assert len(rows) == 36
        assert {len(row["members"]) for row in rows if row["kind"] == "group"} == {6, 0}


class TestLoadUnits:
    def test_parents_and_members_may_stand_further_down(self, api: Api, database: Database, tmp_path: Path) -> None:
        rows = read_register(
            register(
                tmp_path,
                "all-offices,各办事处,group,,,,,north;城南",
                "north,城北办事处,government,421200,,south,,",
                "south,城南办事处,government,421200,,,城南,",
            )
        )
        number = last_change(database)
        with database.writing() as session:
            assert load_units(session, CALLER, rows) == 3
        assert [member["code"] for member in get(api, "/units/all-offices")["members"]] == ["north", "south"]
        assert get(api, "/units/north")["parent"] == {"code": "south", "name": "城南办事处"}
        kinds = [kind for kind, _, _ in changes_after(database, number)]
        assert kinds == ["unit.created"] * 3 + ["unit.changed"] * 2

    def test_those_that_are_there_keep_what_was_made_of_them(
        self, api: Api, database: Database, tmp_path: Path
    ) -> None:
        row = "xianning-education-bureau,别的名称,other,,,,,"
        before = snapshot(database)
        with database.writing() as session:
            assert load_units(session, CALLER, read_register(register(tmp_path, row))) == 0
            assert load_units(session, CALLER, read_register(shipped_plan())) == 0
        assert snapshot(database) == before

    def test_wrong_row_is_named_as_a_spreadsheet_counts(self, database: Database, tmp_path: Path) -> None:
        good = "north,城北办事处,government,,,,,"
        for wrong, pointer in (
            ("South,城南办事处,government,,,,,", "/row 3/code"),
            ("south,城南办事处,kingdom,,,,,", "/row 3/kind"),
            ("south,,government,,,,,", "/row 3/name"),
            ("south,城南办事处,government,,123456789012345679,,,", "/row 3/usci"),
            ("south,城南办事处,government,,,nowhere,,", "/row 3/parent"),
            ("south,城南办事处,group,,,,,north;没有这个单位", "/row 3/members/1"),
            ("south,城南办事处,government,,,,,north", "/row 3/members"),
        ):
            rows = read_register(register(tmp_path, good, wrong))
            with trying(database) as session:
                with pytest.raises(InvalidRequest) as refused:
                    load_units(session, CALLER, rows)
                assert [fault.pointer for fault in refused.value.faults] == [pointer], wrong


class TestLoadPlan:
    def test_facts_come_from_beside_the_document(self, api: Api, database: Database, tmp_path: Path) -> None:
        (tmp_path / "plan.txt").write_text(short_plan("1.新建公园10个。(牵头单位:市住建局)"), encoding="utf-8")
        facts = 'code = "p"\ntitle = "重点工作"\nissuer = "某市人民政府"\nregion_code = "421200"\nyear = 2025\n'
        (tmp_path / "plan.toml").write_text(facts + 'source = "网页"\nremark = "其他"\n', encoding="utf-8")
        with database.writing() as session:
            report = load_plan(session, CALLER, tmp_path, Language.zh)
        assert report is not None
        assert (report.code, report.counts.added) == ("p.import-1", 1)
        plan = get(api, "/plans/p")
        shown = {name: plan[name] for name in ("title", "issuer", "region_code", "year", "source", "ends_on")}
        assert list(shown.values()) == ["重点工作", "某市人民政府", "421200", 2025, "网页", "2025-12-31"]
        before = snapshot(database)
        with database.writing() as session:
            assert load_plan(session, CALLER, tmp_path, Language.zh) is None
        assert snapshot(database) == before
