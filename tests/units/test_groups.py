"""Groups: their members, and the assignments that follow them for every target."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from httpx2 import Response

from app.auth import Caller
from app.db import Database
from app.targets.schemas import TargetUnitInput, TargetUpdate
from app.targets.service import update_target
from app.types import Role
from tests.asking import codes, faults, listed, suggestions
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot

GROUP = "xianning-county-governments"
CARD = "xianning-talent-card-members"  # printed for target 76 alone, its members known to nobody
TARGET = "xianning-2023.76"


def patch(api: Api, unit: str, **fields: object) -> Response:
    return api.admin.patch(f"/api/v1/units/{unit}", headers=MERGE_PATCH, json=fields)


def members(api: Api, group: str) -> list[str]:
    return [member["code"] for member in api.reader.get(f"/api/v1/units/{group}").json()["members"]]


def assigned(api: Api, target: str = TARGET) -> dict[str, str | None]:
    """A target's assignments: `unit:role` with the group each came through."""
    return {
        item["code"].removeprefix(f"{target}:"): item["via"] and item["via"]["code"]
        for item in listed(api.reader, "/assignments", target=target)
    }


def create_group(api: Api, code: str, **fields: object) -> None:
    body = {"code": code, "name": code, "kind": "group"} | fields
    assert api.admin.post("/api/v1/units", json=body).status_code == 201


class TestMembers:
    def test_by_code_name_or_alias_in_the_order_given(self, api: Api) -> None:
        create_group(api, "three", members=["市教育局", "xianning-finance-bureau", "咸宁市科学技术局"])
        assert members(api, "three") == [
            "xianning-education-bureau",
            "xianning-finance-bureau",
            "xianning-science-and-technology-bureau",
        ]
        assert patch(api, "three", members=["市财政局", "市教育局"]).status_code == 200
        assert members(api, "three") == ["xianning-finance-bureau", "xianning-education-bureau"]
        assert patch(api, "three", members=[]).json()["members"] == []

    def test_wrong_members_are_all_told_422(self, api: Api, database: Database) -> None:
        create_group(api, "one")
        assert api.admin.post("/api/v1/units", json={"code": "x1", "name": "双名", "kind": "other"}).is_success
        assert api.admin.post("/api/v1/units", json={"code": "x2", "name": "双名", "kind": "other"}).is_success
        before = snapshot(database)
        unknown = patch(api, "one", members=["市教肓局", "市教育局", "双名"])
        assert faults(unknown) == [("/members/0", "unit_unknown"), ("/members/2", "unit_ambiguous")]
        assert [fault["suggestions"][0] for fault in unknown.json()["errors"]] == ["市教育局", "x1 (双名)"]
        repeated = patch(api, "one", members=["市教育局", "市财政局", "咸宁市教育局", "one"])
        assert faults(repeated) == [("/members/2", "unit_repeated"), ("/members/3", "group_cycle")]
        assert faults(patch(api, "one", members=None)) == [("/members", "not_a_list")]
        assert faults(patch(api, "one", members=["", 5])) == [("/members/0", "too_short"), ("/members/1", "not_text")]
        assert suggestions(patch(api, "one", member=[]))[0] == "members"
        assert snapshot(database) == before

    def test_only_groups_have_members_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        assert faults(patch(api, "市教育局", members=["市财政局"])) == [("/members", "not_a_group")]
        assert faults(patch(api, GROUP, kind="department")) == [("/kind", "not_a_group")]
        assert snapshot(database) == before
        assert patch(api, "市教育局", kind="group", members=["市财政局"]).status_code == 200
        assert patch(api, "市教育局", kind="department", members=[]).status_code == 200

    def test_rings_of_groups_422(self, api: Api, database: Database) -> None:
        create_group(api, "inner")
        create_group(api, "middle", members=["inner"])
        create_group(api, "outer", members=["middle", "市教育局"])
        before = snapshot(database)
        for inner in ("inner", "middle", "outer"):
            assert faults(patch(api, "inner", members=["市财政局", inner])) == [("/members/1", "group_cycle")]
        assert faults(patch(api, "middle", members=["outer"])) == [("/members/0", "group_cycle")]
        assert faults(
            api.admin.post("/api/v1/units", json={"code": "g", "name": "g", "kind": "group", "members": ["g"]})
        ) == [("/members/0", "group_cycle")]
        assert snapshot(database) == before
        # what was a ring is none once the old members are replaced
        assert patch(api, "outer", members=["inner"]).status_code == 200
        assert patch(api, "middle", members=["outer"]).status_code == 200


class TestAssignmentsFollow:
    def test_told_members_take_the_place_of_the_group(self, api: Api, database: Database) -> None:
        lead = "xianning-human-resources-bureau:lead"
        assert assigned(api) == {lead: None, f"{CARD}:responsible": None}
        number = last_change(database)
        assert patch(api, CARD, members=["市教育局", "市人社局"]).status_code == 200
        assert assigned(api) == {
            lead: None,
            "xianning-education-bureau:responsible": CARD,
            "xianning-human-resources-bureau:responsible": CARD,
        }
        told = changes_after(database, number)
        assert [(kind, code.removeprefix(f"{TARGET}:")) for kind, code, _ in told] == [
            ("assignment.created", "xianning-education-bureau:responsible"),
            ("assignment.created", "xianning-human-resources-bureau:responsible"),
            ("assignment.removed", f"{CARD}:responsible"),
            ("unit.changed", CARD),
        ]
        assert told[0][2] == {"target": TARGET, "unit": "xianning-education-bureau", "role": "responsible", "via": CARD}
        assert patch(api, CARD, members=[]).status_code == 200
        assert assigned(api) == {lead: None, f"{CARD}:responsible": None}

    def test_every_target_that_prints_the_group_follows(self, api: Api, database: Database) -> None:
        printed = codes(api.reader, "/targets", unit=GROUP)
        assert len(printed) == 12
        before = set(codes(api.reader, "/assignments"))
        number = last_change(database)
        remaining = [code for code in members(api, GROUP) if code != "chibi-city-government"]
        assert patch(api, GROUP, members=[*remaining, "市教育局"]).status_code == 200
        after = set(codes(api.reader, "/assignments"))
        assert before - after == {f"{target}:chibi-city-government:responsible" for target in printed}
        # 市教育局 leads most of them, which is another role; where it answers already, the direct assignment stays
        direct = {code for code in before if code.endswith(":xianning-education-bureau:responsible")}
        new = {f"{target}:xianning-education-bureau:responsible" for target in printed} - direct
        assert after - before == new
        kinds = [kind for kind, _, _ in changes_after(database, number)]
        assert kinds.count("assignment.removed") == 12
        assert kinds.count("assignment.created") == len(new)
        assert kinds.count("assignment.changed") == 0
        assert kinds[-1] == "unit.changed"

    def test_a_member_that_returns_gets_its_assignment_back_unacknowledged(self, api: Api) -> None:
        code = "xianning-2023.58:jiayu-county-government:responsible"
        assert api.jiayu.post(f"/api/v1/assignments/{code}/acknowledgement").status_code == 200
        everybody = members(api, GROUP)
        assert patch(api, GROUP, members=everybody[:1]).status_code == 200
        assert api.jiayu.post(f"/api/v1/assignments/{code}/acknowledgement").status_code == 404
        assert patch(api, GROUP, members=everybody).status_code == 200
        (item,) = (one for one in listed(api.reader, "/assignments", unit="嘉鱼县政府") if one["code"] == code)
        assert item["acknowledged_at"] is None

    def test_members_that_stay_keep_their_acknowledgement(self, api: Api) -> None:
        code = "xianning-2023.58:jiayu-county-government:responsible"
        acknowledged = api.jiayu.post(f"/api/v1/assignments/{code}/acknowledgement").json()
        assert patch(api, GROUP, members=["市教育局", "嘉鱼县政府"]).status_code == 200
        (item,) = (one for one in listed(api.reader, "/assignments", unit="嘉鱼县政府") if one["code"] == code)
        assert item == acknowledged

    def test_groups_in_groups(self, api: Api) -> None:
        lead = {"xianning-human-resources-bureau:lead": None}
        create_group(api, "inner", members=["市教育局"])
        create_group(api, "unknown")
        assert patch(api, CARD, members=["inner", "unknown", "市财政局"]).status_code == 200
        # the inner group gives way to its member; the one whose members nobody told stands for itself
        through = {"xianning-education-bureau:responsible": CARD, "xianning-finance-bureau:responsible": CARD}
        assert assigned(api) == lead | through | {"unknown:responsible": CARD}
        assert patch(api, "unknown", members=["市公安局"]).status_code == 200
        assert assigned(api) == lead | through | {"xianning-public-security-bureau:responsible": CARD}
        assert patch(api, "inner", members=["市民政局"]).status_code == 200
        del through["xianning-education-bureau:responsible"]
        assert assigned(api) == lead | through | {
            "xianning-civil-affairs-bureau:responsible": CARD,
            "xianning-public-security-bureau:responsible": CARD,
        }

    def test_a_printed_unit_that_becomes_a_group(self, api: Api) -> None:
        target = "xianning-2023.68"
        assert assigned(api, target) == {"xianning-science-association:responsible": None}
        assert patch(api, "市科协", kind="group").status_code == 200
        assert assigned(api, target) == {"xianning-science-association:responsible": None}
        assert patch(api, "市科协", members=["市科技局"]).status_code == 200
        assert assigned(api, target) == {
            "xianning-science-and-technology-bureau:responsible": "xianning-science-association"
        }
        assert patch(api, "市科协", kind="mass_organization", members=[]).status_code == 200
        assert assigned(api, target) == {"xianning-science-association:responsible": None}

    def test_order_of_members_alone_moves_no_assignment(self, api: Api, database: Database) -> None:
        number = last_change(database)
        assert patch(api, GROUP, members=members(api, GROUP)[::-1]).status_code == 200
        assert [kind for kind, _, _ in changes_after(database, number)] == ["unit.changed"]

    @pytest.mark.parametrize("printed", ["inner", "outer"])
    def test_naming_a_group_while_its_members_change_loses_nobody(
        self, api: Api, database: Database, printed: str
    ) -> None:
        """Both writes must see each other, whichever commits last: neither may work on what stood before the other."""
        create_group(api, "inner", members=["市财政局"])
        create_group(api, "outer", members=["inner"])
        target = "xianning-2023.68"
        units = [TargetUnitInput(unit=printed, role=Role.responsible)]
        with ThreadPoolExecutor(1) as other:
            with database.writing() as session:
                update_target(session, Caller.command_line(), target, TargetUpdate(units=units), None)
                session.flush()
                waiting = other.submit(patch, api, "inner", members=["市教育局"])
                with pytest.raises(TimeoutError):
                    waiting.result(timeout=0.3)
            assert waiting.result(timeout=10).status_code == 200
        found: dict[str, Any] = assigned(api, target)
        assert found == {"xianning-education-bureau:responsible": printed}
