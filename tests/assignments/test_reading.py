"""GET /assignments: who answers for what, with all that is needed to raise a to-do."""

import json
from pathlib import Path
from typing import Any

from app.db import Database
from tests.asking import ANYONE, add_plan, codes, faults, listed, suggestions, told
from tests.conftest import Api
from tests.units.test_reading import COUNTIES, GROUP

GOLD = json.loads((Path(__file__).parent.parent / "data" / "xianning_2023.gold.json").read_text(encoding="utf-8"))
PLAN = "xianning-2023"


def expected(api: Api) -> set[str]:
    """The assignments that the document makes, the group's as its six members'."""
    short = {}
    for unit in listed(api.reader, "/units"):
        short |= dict.fromkeys([unit["name"], *unit["aliases"]], unit["code"])
    found = set()
    for target in GOLD["targets"]:
        for role in ("lead", "responsible"):
            for name in target[f"{role}_units"]:
                units = COUNTIES if short[name] == GROUP else [short[name]]
                found |= {f"{PLAN}.{target['number']}:{unit}:{role}" for unit in units}
    return found


class TestListAssignments:
    def test_truth_table(self, api: Api) -> None:
        assert told(api, "GET", "/assignments") == {"anonymous": 401} | ANYONE

    def test_all_that_the_document_makes(self, api: Api) -> None:
        found = codes(api.reader, "/assignments")
        assert len(found) == len(set(found)) == 20 + 74 - 12 + 12 * 6
        assert set(found) == expected(api)

    def test_group_makes_six_each_through_it(self, api: Api) -> None:
        through = [one for one in listed(api.reader, "/assignments") if one["via"] is not None]
        assert len(through) == 12 * 6
        assert {one["via"]["code"] for one in through} == {GROUP}
        first = [one for one in through if one["target"]["code"] == "xianning-2023.52"]
        assert [one["unit"]["code"] for one in first] == COUNTIES

    def test_every_field(self, api: Api) -> None:
        (item,) = listed(api.reader, "/assignments", target="xianning-2023.58", unit="嘉鱼县政府")
        assert item.pop("updated_at").endswith("Z")
        assert item == {
            "code": "xianning-2023.58:jiayu-county-government:responsible",
            "role": "responsible",
            "unit": {"code": "jiayu-county-government", "name": "嘉鱼县人民政府"},
            "via": {"code": GROUP, "name": "各县市区人民政府"},
            "acknowledged_at": None,
            "target": {
                "code": "xianning-2023.58",
                "number": "58",
                "statement": "实施学前教育学位扩充行动,公办幼儿园在园幼儿占比超过46%。",
                "plan": PLAN,
                "section": ["(四)突出改革创新,千方百计推进科教人才兴市", "办好人民满意教育"],
                "due_on": None,
                "units": [
                    {"code": "xianning-education-bureau", "name": "咸宁市教育局", "role": "lead"},
                    {"code": GROUP, "name": "各县市区人民政府", "role": "responsible"},
                ],
                "indicators": [
                    {
                        "code": "xianning-2023.58.1",
                        "name": "公办幼儿园在园幼儿占比",
                        "measure": "%",
                        "comparator": "gt",
                        "goal": 46,
                        "goal_to": None,
                        "latest": None,
                    }
                ],
            },
        }

    def test_target_is_as_the_target_itself_shows_it(self, api: Api) -> None:
        for number in (52, 66, 76):  # before any heading, with two indicators, with a group of unknown members
            target = api.reader.get(f"/api/v1/targets/{PLAN}.{number}").json()
            for item in listed(api.reader, "/assignments", target=f"{PLAN}.{number}"):
                assert item["target"] == {name: target[name] for name in item["target"]}
        assert listed(api.reader, "/assignments", target="xianning-2023.52")[0]["target"]["section"] == []

    def test_latest_is_the_units_own_where_each_member_must_reach_the_goal(self, api: Api) -> None:
        def post(client: Any, indicator: str, value: float, **fields: str) -> None:
            body = {"indicator": indicator, "period": "2023-06", "value": value} | fields
            assert client.post("/api/v1/values", json=body).status_code == 201

        post(api.jiayu, "xianning-2023.60.1", 0)
        post(api.counties, "xianning-2023.60.1", 3, unit="赤壁市政府", period="2023-05")
        post(api.education, "xianning-2023.58.1", 46.8)

        def latest(target: str) -> dict[str, Any]:
            items = listed(api.reader, "/assignments", target=target)
            return {one["unit"]["code"]: one["target"]["indicators"][0]["latest"] for one in items}

        each = latest("xianning-2023.60")
        assert {unit: found for unit, found in each.items() if found is not None} == {
            "jiayu-county-government": {"period": "2023-06", "value": 0},
            "chibi-city-government": {"period": "2023-05", "value": 3},
        }
        shared = latest("xianning-2023.58")
        assert len(shared) == 7
        assert all(found == {"period": "2023-06", "value": 46.8} for found in shared.values())


class TestFilters:
    def test_plan_and_target(self, api: Api, database: Database) -> None:
        add_plan(database, "a-2024", "1.修路。(牵头单位:市财政局;责任单位:市教育局)\n2.建校。(责任单位:市教育局)")
        added = [
            f"a-2024.{rest}" for rest in ("1:xianning-finance-bureau:lead", "1:xianning-education-bureau:responsible")
        ]
        other = "a-2024.2:xianning-education-bureau:responsible"
        assert codes(api.reader, "/assignments", plan="a-2024") == [*added, other]
        assert codes(api.reader, "/assignments", target="a-2024.1") == added
        assert codes(api.reader, "/assignments", target="a-2024.1", plan=PLAN) == []
        assert set(codes(api.reader, "/assignments", plan=PLAN)) == expected(api)

    def test_unit_by_code_name_or_alias(self, api: Api) -> None:
        own = {code for code in expected(api) if ":xianning-education-bureau:" in code}
        for name in ("xianning-education-bureau", "咸宁市教育局", "市教育局", "　市教育局"):
            assert set(codes(api.reader, "/assignments", unit=name)) == own
        assert len(own) == 11

    def test_unit_that_is_a_group_gives_what_came_through_it(self, api: Api) -> None:
        items = listed(api.reader, "/assignments", unit="各县市区人民政府")
        assert len(items) == 72
        assert {one["via"]["code"] for one in items} == {GROUP}
        (card,) = listed(api.reader, "/assignments", unit="“香城人才卡”联席会议成员单位")
        assert (card["unit"]["code"], card["via"]) == ("xianning-talent-card-members", None)
        # 嘉鱼县 leads 53 itself: that is the county's, not the group's
        assert "xianning-2023.53:jiayu-county-government:lead" in codes(api.reader, "/assignments", unit="嘉鱼县政府")
        assert "xianning-2023.53:jiayu-county-government:lead" not in [one["code"] for one in items]

    def test_role(self, api: Api) -> None:
        everything = expected(api)
        for role, count in (("lead", 20), ("responsible", 134), ("supporting", 0)):
            found = codes(api.reader, "/assignments", role=role)
            assert set(found) == {code for code in everything if code.endswith(f":{role}")}
            assert len(found) == count
        led = [f"xianning-2023.{number}:xianning-education-bureau:lead" for number in (*range(57, 65), 71)]
        assert codes(api.reader, "/assignments", unit="市教育局", role="lead") == led

    def test_acknowledged(self, api: Api) -> None:
        code = "xianning-2023.58:xianning-education-bureau:lead"
        assert codes(api.reader, "/assignments", acknowledged="true") == []
        assert api.education.post(f"/api/v1/assignments/{code}/acknowledgement").status_code == 200
        assert codes(api.reader, "/assignments", acknowledged="true") == [code]
        waiting = codes(api.reader, "/assignments", acknowledged="false")
        assert set(waiting) == expected(api) - {code}
        assert codes(api.reader, "/assignments", acknowledged="true", unit="市科技局") == []
        assert len(codes(api.reader, "/assignments", acknowledged="false", unit="市教育局", role="lead")) == 8

    def test_unknown_references(self, api: Api) -> None:
        for query, status, fault, nearest in [
            ("plan=xianning-2022", 404, ("/query/plan", "unknown_reference"), PLAN),
            ("target=xianning-2023.85", 404, ("/query/target", "unknown_reference"), None),
            ("unit=市科投局", 422, ("/query/unit", "unit_unknown"), "市科技局"),
            ("role=support", 422, ("/query/role", "not_allowed"), "supporting"),
            ("acknowledgd=true", 422, ("/query/acknowledgd", "unknown_parameter"), "acknowledged"),
            ("light=red", 422, ("/query/light", "unknown_parameter"), None),
            ("acknowledged=maybe", 422, ("/query/acknowledged", "not_true_or_false"), None),
            ("acknowledged=", 422, ("/query/acknowledged", "not_true_or_false"), None),
            ("unit=a&unit=b", 422, ("/query/unit", "repeated_parameter"), None),
        ]:
            response = api.reader.get(f"/api/v1/assignments?{query}")
            assert (response.status_code, faults(response)) == (status, [fault]), query
            assert nearest is None or suggestions(response)[0] == nearest, query
