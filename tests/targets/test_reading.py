"""GET /targets and /targets/{target}: the plan as the document says it, and every filter."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from tests.asking import ANYONE, add_plan, codes, faults, listed, suggestions, told
from tests.conftest import MERGE_PATCH, Api

GOLD = json.loads((Path(__file__).parent.parent / "data" / "xianning_2023.gold.json").read_text(encoding="utf-8"))
PLAN = "xianning-2023"
GROUP = "各县市区人民政府"


def printed(unit: str, *fields: str) -> list[str]:
    """The targets for which the document prints a unit."""
    fields = fields or ("lead_units", "responsible_units")
    return [f"{PLAN}.{one['number']}" for one in GOLD["targets"] if any(unit in one[field] for field in fields)]


def under(*headings: str) -> list[str]:
    return [f"{PLAN}.{one['number']}" for one in GOLD["targets"] if one["path"][: len(headings)] == list(headings)]


class TestListTargets:
    def test_truth_table(self, api: Api) -> None:
        assert told(api, "GET", "/targets") == {"anonymous": 401} | ANYONE

    def test_every_word_of_the_document(self, api: Api) -> None:
        short = {}
        for unit in listed(api.reader, "/units"):
            short |= dict.fromkeys([unit["name"], *unit["aliases"]], unit["code"])
        targets = listed(api.reader, "/targets")
        assert [one["number"] for one in targets] == [str(number) for number in range(52, 77)]
        for target, gold in zip(targets, GOLD["targets"], strict=True):
            assert target["code"] == f"{PLAN}.{gold['number']}"
            assert (target["statement"], target["section"]) == (gold["text"], gold["path"])
            assert [(unit["code"], unit["role"]) for unit in target["units"]] == [
                *((short[name], "lead") for name in gold["lead_units"]),
                *((short[name], "responsible") for name in gold["responsible_units"]),
            ]
            assert [(one["goal"], one["measure"], one["comparator"]) for one in target["indicators"]] == [
                (float(one["goal"]), one["measure"], one["comparator"]) for one in gold["indicators"]
            ]
            assert [one["code"] for one in target["indicators"]] == [
                f"{target['code']}.{place}" for place in range(1, len(gold["indicators"]) + 1)
            ]

    def test_plan(self, api: Api, database: Database) -> None:
        add_plan(database, "a-2024", "1.修路。(责任单位:市财政局)")
        assert codes(api.reader, "/targets", plan="a-2024") == ["a-2024.1"]
        assert len(codes(api.reader, "/targets", plan=PLAN)) == 25
        assert codes(api.reader, "/targets", plan="a-2024", unit="市教育局") == []

    def test_section_with_the_ones_inside_it(self, api: Api) -> None:
        sections = {one["heading"]: one["code"] for one in listed(api.reader, f"/plans/{PLAN}/sections")}
        outer = "(四)突出改革创新,千方百计推进科教人才兴市"
        assert codes(api.reader, "/targets", section=sections[outer]) == under(outer)
        assert len(under(outer)) == 20
        for inner in ("办好人民满意教育", "强化科技创新支撑", "实施人才强市工程"):
            assert codes(api.reader, "/targets", section=sections[inner]) == under(outer, inner) != []
        assert codes(api.reader, "/targets", section=sections["深化重点领域改革"]) == []

    def test_unit_by_code_name_or_alias(self, api: Api) -> None:
        for name in ("xianning-education-bureau", "咸宁市教育局", "市教育局"):
            assert codes(api.reader, "/targets", unit=name) == printed("市教育局")
        assert codes(api.reader, "/targets", unit="市教育局", role="lead") == printed("市教育局", "lead_units")
        assert codes(api.reader, "/targets", unit="市教育局", role="responsible") == [
            "xianning-2023.72",
            "xianning-2023.74",
        ]
        assert codes(api.reader, "/targets", unit="市教育局", role="supporting") == []

    def test_group_and_who_answers_through_it(self, api: Api) -> None:
        through = printed(GROUP)
        assert codes(api.reader, "/targets", unit=GROUP) == through
        assert codes(api.reader, "/targets", unit=GROUP, role="responsible") == through
        assert codes(api.reader, "/targets", unit=GROUP, role="lead") == []
        own = ["xianning-2023.53", *through]
        assert codes(api.reader, "/targets", unit="嘉鱼县政府") == sorted(own)
        assert codes(api.reader, "/targets", unit="嘉鱼县政府", role="lead") == ["xianning-2023.53"]
        assert codes(api.reader, "/targets", unit="“香城人才卡”联席会议成员单位") == ["xianning-2023.76"]

    def test_role_of_anyone(self, api: Api) -> None:
        led = [f"{PLAN}.{one['number']}" for one in GOLD["targets"] if one["lead_units"]]
        assert len(led) == 20
        assert codes(api.reader, "/targets", role="lead") == led
        assert len(codes(api.reader, "/targets", role="responsible")) == 25
        assert codes(api.reader, "/targets", role="supporting") == []

    def test_filters_together(self, api: Api) -> None:
        section = f"{PLAN}.s2"
        both = [code for code in printed("市财政局") if code in codes(api.reader, "/targets", section=section)]
        found = codes(
            api.reader, "/targets", plan=PLAN, section=section, unit="市财政局", role="responsible", q="义务教育"
        )
        assert found == both == ["xianning-2023.59"]

    def test_unknown_references(self, api: Api) -> None:
        for query, status, fault, nearest in [
            ("plan=xianning-2032", 404, ("/query/plan", "unknown_reference"), PLAN),
            ("section=xianning-2023.s9", 404, ("/query/section", "unknown_reference"), f"{PLAN}.s1"),
            ("unit=市教肓局", 422, ("/query/unit", "unit_unknown"), "市教育局"),
            ("role=leader", 422, ("/query/role", "not_allowed"), "lead"),
            ("units=a", 422, ("/query/units", "unknown_parameter"), "unit"),
            ("light=green", 422, ("/query/light", "unknown_parameter"), "limit"),
        ]:
            response = api.reader.get(f"/api/v1/targets?{query}")
            assert (response.status_code, faults(response)) == (status, [fault]), query
            assert nearest in suggestions(response), query

    def test_wrong_filters_422(self, api: Api) -> None:
        for query, fault in {
            "plan=": ("/query/plan", "too_short"),
            "plan=Xianning": ("/query/plan", "bad_format"),
            "section=a%00": ("/query/section", "bad_format"),
            "unit=": ("/query/unit", "too_short"),
            "unit=%20": ("/query/unit", "too_short"),
            "q=%E3%80%80": ("/query/q", "too_short"),
            "q=a%1Fb": ("/query/q", "bad_characters"),
            "role=": ("/query/role", "not_allowed"),
            "q=a&q=b": ("/query/q", "repeated_parameter"),
        }.items():
            response = api.reader.get(f"/api/v1/targets?{query}")
            assert (response.status_code, faults(response)) == (422, [fault]), query

    def test_ambiguous_unit_422_with_the_candidates(self, api: Api) -> None:
        unit = {"code": "other-bureau", "name": "另一个局", "kind": "other", "aliases": ["市教育局"]}
        assert api.admin.post("/api/v1/units", json=unit).status_code == 201
        for path in ("/targets", "/assignments", "/indicators"):
            response = api.reader.get(f"/api/v1{path}", params={"unit": "市教育局"})
            assert (response.status_code, faults(response)) == (422, [("/query/unit", "unit_ambiguous")])
            assert suggestions(response) == ["other-bureau (另一个局)", "xianning-education-bureau (咸宁市教育局)"]
        assert codes(api.reader, "/targets", unit="咸宁市教育局") == printed("市教育局")

    def test_unit_named_directly_and_through_a_group_is_found_once(self, api: Api) -> None:
        body = {"units": [{"unit": GROUP, "role": "lead"}, {"unit": "嘉鱼县政府", "role": "lead"}]}
        assert api.admin.patch("/api/v1/targets/xianning-2023.57", json=body, headers=MERGE_PATCH).status_code == 200
        assert codes(api.reader, "/targets", unit="嘉鱼县政府", role="lead") == ["xianning-2023.53", "xianning-2023.57"]


class TestGetTarget:
    def test_truth_table(self, api: Api) -> None:
        assert told(api, "GET", "/targets/xianning-2023.58") == {"anonymous": 401} | ANYONE
        assert told(api, "GET", "/targets/xianning-2023.77") == {"anonymous": 401} | dict.fromkeys(ANYONE, 404)

    def test_every_field(self, api: Api) -> None:
        target = api.reader.get("/api/v1/targets/xianning-2023.58").json()
        assert target.pop("updated_at").endswith("Z")
        assert target == {
            "code": "xianning-2023.58",
            "number": "58",
            "label": None,
            "statement": "实施学前教育学位扩充行动,公办幼儿园在园幼儿占比超过46%。",
            "plan": PLAN,
            "section": ["(四)突出改革创新,千方百计推进科教人才兴市", "办好人民满意教育"],
            "due_on": None,
            "units": [
                {"code": "xianning-education-bureau", "name": "咸宁市教育局", "role": "lead"},
                {"code": "xianning-county-governments", "name": GROUP, "role": "responsible"},
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
            "line": 10,
            "start": 3,
            "end": 33,
        }

    def test_list_shows_the_same(self, api: Api) -> None:
        for item in listed(api.reader, "/targets", q="创新"):
            assert item == api.reader.get(f"/api/v1/targets/{item['code']}").json()

    def test_latest_is_the_newest_figure_of_anyone(self, api: Api) -> None:
        def latest() -> Any:
            (indicator,) = api.reader.get("/api/v1/targets/xianning-2023.60").json()["indicators"]
            return indicator["latest"]

        for client, period, value in [(api.jiayu, "2023-03", 1), (api.jiayu, "2023-05", 0), (api.jiayu, "2023-04", 9)]:
            body = {"indicator": "xianning-2023.60.1", "period": period, "value": value}
            assert client.post("/api/v1/values", json=body).status_code == 201
        assert latest() == {"period": "2023-05", "value": 0}
        body = {"indicator": "xianning-2023.60.1", "period": "2023-06", "value": 2.5, "unit": "咸安区政府"}
        assert api.counties.post("/api/v1/values", json=body).status_code == 201
        assert latest() == {"period": "2023-06", "value": 2.5}

    @pytest.mark.parametrize("code", ["xianning-2023.5", "xianning-2023.058"])
    def test_unknown_404_with_the_nearest(self, api: Api, code: str) -> None:
        response = api.reader.get(f"/api/v1/targets/{code}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert faults(response) == [("/path/target", "unknown_reference")]
        assert suggestions(response)[0].startswith("xianning-2023.5")

    @pytest.mark.parametrize("code", ["x%00", "a%20b", "%E6%95%99", "x" * 101])
    def test_what_cannot_be_a_code_422(self, api: Api, code: str) -> None:
        assert api.reader.get(f"/api/v1/targets/{code}").status_code == 422

    def test_removed_404(self, api: Api, database: Database) -> None:
        add_plan(database, "a-2024", "1.修路。(责任单位:市财政局)\n2.建校。(责任单位:市教育局)")
        add_plan(database, "a-2024", "1.修路。(责任单位:市财政局)")
        assert codes(api.reader, "/targets", plan="a-2024") == ["a-2024.1"]
        assert api.reader.get("/api/v1/targets/a-2024.2").status_code == 404
        assert codes(api.reader, "/assignments", plan="a-2024") == ["a-2024.1:xianning-finance-bureau:responsible"]
