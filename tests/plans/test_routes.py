"""GET /plans, /plans/{plan} and /plans/{plan}/sections."""

import hashlib
from datetime import datetime
from importlib import resources

import pytest

from app.db import Database
from tests.asking import ANYONE, add_plan, codes, faults, listed, suggestions, told
from tests.conftest import Api

PLAN = "xianning-2023"
DOCUMENT = """\
一、经济
(一)工业
1.办工厂。(责任单位:市财政局)
二、民生
2.建校。(责任单位:市教育局)
"""


@pytest.fixture
def other_plan(database: Database) -> str:
    add_plan(database, "ezhou-2024", DOCUMENT, region_code="420700", title="另一个方案", issuer="鄂州市人民政府")
    return "ezhou-2024"


class TestListPlans:
    def test_truth_table(self, api: Api) -> None:
        assert told(api, "GET", "/plans") == {"anonymous": 401} | ANYONE
        assert told(api, "POST", "/plans") == dict.fromkeys(("anonymous", *ANYONE), 405)

    def test_by_code_and_by_each_filter(self, api: Api, other_plan: str) -> None:
        assert codes(api.reader, "/plans") == [other_plan, PLAN]
        assert codes(api.reader, "/plans", year=2023) == [PLAN]
        assert codes(api.reader, "/plans", year=2025) == []
        assert codes(api.reader, "/plans", region_code="420700") == [other_plan]
        assert codes(api.reader, "/plans", region_code="420700", year=2023) == []
        assert codes(api.reader, "/plans", region_code="421200", year=2023) == [PLAN]
        seeded, added = (
            item["updated_at"]
            for item in (api.reader.get(f"/api/v1/plans/{plan}").json() for plan in (PLAN, other_plan))
        )
        assert codes(api.reader, "/plans", updated_after=seeded) == [other_plan]
        assert codes(api.reader, "/plans", updated_after=added) == []

    def test_wrong_filters_422(self, api: Api) -> None:
        for query, fault in {
            "year=23": ("/query/year", "too_small"),
            "year=3000": ("/query/year", "too_large"),
            "year=twenty": ("/query/year", "not_a_whole_number"),
            "year=": ("/query/year", "not_a_whole_number"),
            "region_code=4212": ("/query/region_code", "bad_format"),
            "region_code=42120０": ("/query/region_code", "bad_format"),
            "region_code=421200%0A": ("/query/region_code", "bad_format"),
            "region=421200": ("/query/region", "unknown_parameter"),
            "year=2023&year=2024": ("/query/year", "repeated_parameter"),
        }.items():
            response = api.reader.get(f"/api/v1/plans?{query}")
            assert (response.status_code, faults(response)) == (422, [fault]), query
        assert suggestions(api.reader.get("/api/v1/plans?region=421200"))[0] == "region_code"


class TestGetPlan:
    def test_truth_table(self, api: Api) -> None:
        assert told(api, "GET", f"/plans/{PLAN}") == {"anonymous": 401} | ANYONE
        assert told(api, "GET", "/plans/nothing") == {"anonymous": 401} | dict.fromkeys(ANYONE, 404)

    def test_every_field(self, api: Api) -> None:
        plan = api.reader.get(f"/api/v1/plans/{PLAN}").json()
        document = (resources.files("seed") / PLAN / "plan.txt").read_bytes()
        assert datetime.fromisoformat(plan.pop("updated_at")).utcoffset() is not None
        assert plan.pop("source")
        assert plan == {
            "code": PLAN,
            "title": "(湖北省)2023年咸宁市《政府工作报告》确定的主要目标任务责任分解方案",
            "issuer": "咸宁市人民政府",
            "region_code": "421200",
            "year": 2023,
            "starts_on": "2023-01-01",
            "ends_on": "2023-12-31",
            "approval_required": False,
            "source_sha256": hashlib.sha256(document).hexdigest(),
        }

    def test_list_shows_the_same(self, api: Api, other_plan: str) -> None:
        for item in listed(api.reader, "/plans"):
            assert item == api.reader.get(f"/api/v1/plans/{item['code']}").json()

    def test_unknown_404_with_the_nearest(self, api: Api) -> None:
        response = api.reader.get("/api/v1/plans/xianing-2023", headers={"Accept-Language": "en"})
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert response.json()["detail"] == "There is no plan with the code xianing-2023."
        assert faults(response) == [("/path/plan", "unknown_reference")]
        assert suggestions(response) == [PLAN]

    def test_no_code_422(self, api: Api) -> None:
        for code in ("XIANNING-2023", "-a", "咸宁", "a%20b", "%00", "a%0A", "a" * 101):
            response = api.reader.get(f"/api/v1/plans/{code}")
            assert response.status_code == 422, code
            assert [pointer for pointer, _ in faults(response)] == ["/path/plan"]


class TestListSections:
    def test_truth_table(self, api: Api) -> None:
        assert told(api, "GET", f"/plans/{PLAN}/sections") == {"anonymous": 401} | ANYONE
        assert told(api, "GET", "/plans/nothing/sections") == {"anonymous": 401} | dict.fromkeys(ANYONE, 404)

    def test_tree_in_the_order_of_the_document(self, api: Api) -> None:
        sections = listed(api.reader, f"/plans/{PLAN}/sections")
        assert [(one["code"], one["parent"], one["heading"], one["position"]) for one in sections] == [
            (f"{PLAN}.s1", None, "(四)突出改革创新,千方百计推进科教人才兴市", 1),
            (f"{PLAN}.s2", f"{PLAN}.s1", "办好人民满意教育", 2),
            (f"{PLAN}.s3", f"{PLAN}.s1", "强化科技创新支撑", 3),
            (f"{PLAN}.s4", f"{PLAN}.s1", "实施人才强市工程", 4),
            (f"{PLAN}.s5", f"{PLAN}.s1", "深化重点领域改革", 5),
        ]
        assert [one["line"] for one in sections] == [7, 8, 17, 24, 31]
        assert {one["plan"] for one in sections} == {PLAN}

    def test_of_one_plan_alone(self, api: Api, other_plan: str) -> None:
        sections = listed(api.reader, f"/plans/{other_plan}/sections")
        headings = {one["code"]: one["heading"] for one in sections}
        assert [(one["heading"], headings.get(one["parent"])) for one in sections] == [
            ("一、经济", None),
            ("(一)工业", "一、经济"),
            ("二、民生", None),
        ]
        assert len(listed(api.reader, f"/plans/{PLAN}/sections")) == 5

    def test_unknown_plan_404_with_the_nearest(self, api: Api) -> None:
        response = api.reader.get("/api/v1/plans/xianning-2022/sections")
        assert faults(response) == [("/path/plan", "unknown_reference")]
        assert suggestions(response) == [PLAN]

    def test_removed_headings_are_gone(self, api: Api, database: Database, other_plan: str) -> None:
        add_plan(database, other_plan, DOCUMENT.replace("二、民生\n", ""), title="另一个方案", year=2024)
        assert [one["heading"] for one in listed(api.reader, f"/plans/{other_plan}/sections")] == [
            "一、经济",
            "(一)工业",
        ]
