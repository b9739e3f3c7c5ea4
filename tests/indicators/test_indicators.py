"""Indicators: reading them with every filter, creating and changing them."""

from datetime import UTC, datetime
from typing import Any

from httpx2 import Response

from app.db import Database
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot

SHARE = "xianning-2023.58.1"
PATH = f"/api/v1/indicators/{SHARE}"
NEW: dict[str, Any] = {
    "target": "xianning-2023.57",
    "name": "新增义务教育学位",
    "measure": "个",
    "comparator": "ge",
    "kind": "increase",
    "goal": 2000,
}


def faults(response: Response) -> list[tuple[str, str]]:
    assert response.status_code == 422, response.text
    return sorted((error["pointer"], error["code"]) for error in response.json()["errors"])


def codes(response: Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["code"].removeprefix("xianning-2023.") for item in response.json()["items"]]


class TestListIndicators:
    def test_truth_table(self, api: Api) -> None:
        assert api.anonymous.get("/api/v1/indicators").status_code == 401
        for client in (api.reader, api.reviewer, api.education, api.unbound, api.admin):
            assert len(client.get("/api/v1/indicators").json()["items"]) == 12
        assert api.reader.get("/api/v1/indicators?plan=none").status_code == 404
        assert api.reader.get("/api/v1/indicators?target=xianning-2023.99").status_code == 404
        assert faults(api.reader.get("/api/v1/indicators?unit=市教肓局")) == [("/query/unit", "unit_unknown")]

    def test_in_the_order_of_the_plan(self, api: Api) -> None:
        whole = ["58.1", "60.1", "66.1", "66.2", "67.1", "67.2", "67.3", "67.4", "69.1", "69.2", "69.3", "70.1"]
        assert codes(api.reader.get("/api/v1/indicators")) == whole
        pages: list[str] = []
        query: dict[str, Any] = {"limit": 5}
        while query.get("cursor", "") is not None:
            response = api.reader.get("/api/v1/indicators", params=query)
            pages += codes(response)
            query["cursor"] = response.json()["next_cursor"]
        assert pages == whole

    def test_each_filter(self, api: Api) -> None:
        def found(**query: str) -> list[str]:
            return codes(api.reader.get("/api/v1/indicators", params=query))

        assert len(found(plan="xianning-2023")) == 12
        assert found(target="xianning-2023.66") == ["66.1", "66.2"]
        assert found(target="xianning-2023.52") == []
        assert found(unit="市教育局") == ["58.1", "60.1"]
        assert found(unit="嘉鱼县政府") == ["58.1", "60.1", "66.1", "66.2", "70.1"]
        assert found(unit="各县市区人民政府") == found(unit="嘉鱼县政府")
        assert found(unit="嘉鱼县政府", target="xianning-2023.60") == ["60.1"]
        assert found(unit="市残联") == []

    def test_updated_after(self, api: Api) -> None:
        newest = max(item["updated_at"] for item in api.reader.get("/api/v1/indicators").json()["items"])
        assert codes(api.reader.get("/api/v1/indicators", params={"updated_after": newest})) == []
        api.admin.patch(PATH, json={"frequency": "month"}, headers=MERGE_PATCH)
        assert codes(api.reader.get("/api/v1/indicators", params={"updated_after": newest})) == ["58.1"]


class TestGetIndicator:
    def test_truth_table(self, api: Api) -> None:
        assert api.anonymous.get(PATH).status_code == 401
        response = api.reader.get("/api/v1/indicators/xianning-2023.58.2")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert response.json()["errors"][0]["suggestions"][0] == SHARE

    def test_as_the_list_shows_it(self, api: Api) -> None:
        for item in api.reader.get("/api/v1/indicators").json()["items"]:
            assert api.reader.get(f"/api/v1/indicators/{item['code']}").json() == item

    def test_as_the_plan_says(self, api: Api) -> None:
        indicator = api.reader.get(PATH).json()
        assert (indicator["comparator"], indicator["goal"], indicator["measure"]) == ("gt", 46, "%")
        assert (indicator["goal_version"], indicator["frequency"], indicator["latest"]) == (1, None, None)
        assert api.reader.get("/api/v1/indicators/xianning-2023.60.1").json()["each_member"] is True
        assert api.reader.get("/api/v1/indicators/xianning-2023.67.1").json()["kind"] == "increase"


class TestCreateIndicator:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        assert api.anonymous.post("/api/v1/indicators", json=NEW).status_code == 401
        for client in (api.reader, api.reviewer, api.education, api.unbound):
            assert client.post("/api/v1/indicators", json=NEW).status_code == 403
        response = api.admin.post("/api/v1/indicators", json=NEW | {"target": "xianning-2023.77"})
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (404, "/target")
        assert snapshot(database) == before

    def test_created_201_with_the_next_code(self, api: Api, database: Database) -> None:
        number = last_change(database)
        response = api.admin.post("/api/v1/indicators", json=NEW)
        assert response.status_code == 201
        created = response.json()
        assert created == NEW | {
            "code": "xianning-2023.57.1",
            "goal_to": None,
            "goal_version": 1,
            "baseline": None,
            "each_member": False,
            "frequency": None,
            "quality": None,
            "latest": None,
            "text": None,
            "line": None,
            "start": None,
            "end": None,
            "updated_at": created["updated_at"],
        }
        assert response.headers["Location"] == "/api/v1/indicators/xianning-2023.57.1"
        assert api.reader.get(response.headers["Location"]).json() == created
        assert changes_after(database, number) == [("indicator.created", "xianning-2023.57.1", created)]
        again = api.admin.post("/api/v1/indicators", json=NEW | {"target": "xianning-2023.67"})
        assert again.json()["code"] == "xianning-2023.67.5"

    def test_every_field_is_kept_exactly(self, api: Api) -> None:
        fields = {"comparator": "range", "goal": 0.000001, "goal_to": 999999999999.999, "baseline": -0.5}
        more = {"each_member": True, "frequency": "quarter", "kind": "level"}
        created = api.admin.post("/api/v1/indicators", json=NEW | fields | more).json()
        assert NEW | fields | more == {name: created[name] for name in NEW | fields | more}

    def test_values_follow_at_once(self, api: Api) -> None:
        api.admin.post("/api/v1/indicators", json=NEW | {"frequency": "quarter"})
        body = {"indicator": "xianning-2023.57.1", "period": "2023-Q1", "value": 500}
        assert api.education.post("/api/v1/values", json=body).status_code == 201
        (indicator,) = api.reader.get("/api/v1/targets/xianning-2023.57").json()["indicators"]
        assert indicator["latest"] == {"period": "2023-Q1", "value": 500}

    def test_wrong_fields_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for fields, fault in (
            ({"comparator": "range"}, ("/goal_to", "goal_to_needed")),
            ({"goal_to": 3000}, ("/goal_to", "goal_to_needed")),
            ({"comparator": "range", "goal_to": 2000}, ("/goal_to", "goal_order")),
            ({"comparator": "range", "goal_to": 1999.999999}, ("/goal_to", "goal_order")),
            ({"comparator": ">="}, ("/comparator", "not_allowed")),
            ({"kind": None}, ("/kind", "not_allowed")),
            ({"goal": "2000"}, ("/goal", "not_a_figure")),
            ({"goal": None}, ("/goal", "not_a_figure")),
            ({"baseline": 1234567890123456}, ("/baseline", "too_many_digits")),
            ({"frequency": "weekly"}, ("/frequency", "not_allowed")),
            ({"each_member": "yes"}, ("/each_member", "not_true_or_false")),
            ({"each_member": 1}, ("/each_member", "not_true_or_false")),
            ({"each_member": None}, ("/each_member", "not_true_or_false")),
            ({"name": " "}, ("/name", "too_short")),
            ({"name": "x" * 201}, ("/name", "too_long")),
            ({"measure": "x" * 51}, ("/measure", "too_long")),
            ({"measure": ""}, ("/measure", "too_short")),
            ({"code": "xianning-2023.57.9"}, ("/code", "unknown_field")),
        ):
            assert faults(api.admin.post("/api/v1/indicators", json=NEW | fields)) == [fault], fields
        required = sorted((f"/{name}", "required") for name in NEW)
        assert faults(api.admin.post("/api/v1/indicators", json={})) == required
        assert snapshot(database) == before


class TestUpdateIndicator:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        body = {"frequency": "month"}
        assert api.anonymous.patch(PATH, json=body, headers=MERGE_PATCH).status_code == 401
        for client in (api.reader, api.reviewer, api.education, api.unbound):
            assert client.patch(PATH, json=body, headers=MERGE_PATCH).status_code == 403
        unknown = api.admin.patch("/api/v1/indicators/xianning-2023.58.2", json=body, headers=MERGE_PATCH)
        assert unknown.status_code == 404
        assert api.admin.patch(PATH, json=body).status_code == 415
        assert snapshot(database) == before

    def test_frequency_that_values_do_not_have_409_until_they_are_withdrawn(self, api: Api, database: Database) -> None:
        value = {"indicator": "xianning-2023.58.1", "unit": "市教育局", "period": "2023-06", "value": 46.8}
        recorded = api.admin.post("/api/v1/values", json=value)
        before = snapshot(database)
        refused = api.admin.patch(PATH, json={"frequency": "quarter"}, headers=MERGE_PATCH)
        assert (refused.status_code, refused.json()["code"]) == (409, "values_of_other_periods")
        assert refused.json()["errors"][0]["pointer"] == "/frequency"
        assert "2023-06" in refused.json()["detail"]
        assert snapshot(database) == before
        assert api.admin.patch(PATH, json={"frequency": "month"}, headers=MERGE_PATCH).status_code == 200
        api.admin.post(f"{recorded.headers['Location']}/withdrawal", json={"reason": "试报"})
        assert api.admin.patch(PATH, json={"frequency": "quarter"}, headers=MERGE_PATCH).status_code == 200

    def test_each_field(self, api: Api, database: Database) -> None:
        indicator = api.reader.get(PATH).json()
        for fields in (
            {"name": "公办园占比", "measure": "百分点"},
            {"kind": "increase"},
            {"baseline": 44.1, "frequency": "month", "each_member": True},
            {"baseline": None, "frequency": None},
        ):
            number = last_change(database)
            response = api.admin.patch(PATH, json=fields, headers=MERGE_PATCH)
            assert response.status_code == 200
            changed = response.json()
            assert changed == indicator | fields | {"updated_at": changed["updated_at"]}
            assert changed["updated_at"] > indicator["updated_at"]
            assert changes_after(database, number) == [("indicator.changed", SHARE, changed)]
            assert api.reader.get(PATH).json() == changed
            indicator = changed

    def test_other_comparator_is_a_revision_of_the_goal(self, api: Api, database: Database) -> None:
        """The figures ask for other values then: the history of the goal must tell it, and versions must move."""
        indicator = api.reader.get(PATH).json()
        number = last_change(database)
        response = api.admin.patch(PATH, json={"name": "占比", "comparator": "lt"}, headers=MERGE_PATCH)
        assert response.status_code == 200
        changed = response.json()
        told = {"name": "占比", "comparator": "lt", "goal_version": 2, "updated_at": changed["updated_at"]}
        assert changed == indicator | told
        first, goal = api.reader.get(f"{PATH}/goals").json()["items"]
        assert (first["version"], first["comparator"]) == (1, "gt")
        assert goal == {
            "indicator": SHARE,
            "version": 2,
            "goal": 46,
            "goal_to": None,
            "previous_goal": 46,
            "previous_goal_to": None,
            "comparator": "lt",
            "previous_comparator": "gt",
            "reason": None,
            "document_number": None,
            "recorded_at": changed["updated_at"],
            "recorded_by": "admin",
            "request_id": response.headers["X-Request-ID"],
        }
        changes = [("goal.revised", SHARE, goal), ("indicator.changed", SHARE, changed)]
        assert changes_after(database, number) == changes

    def test_other_comparator_makes_goal_and_etag_stale(self, api: Api) -> None:
        seen = api.reader.get(PATH)
        api.admin.patch(PATH, json={"comparator": "lt"}, headers=MERGE_PATCH)
        why = {"reason": "调整", "document_number": "咸政办发〔2023〕12号"}
        revision = {"goal": 48, "expected_version": seen.json()["goal_version"]} | why
        stale = api.admin.post(f"{PATH}/goals", json=revision)
        assert (stale.status_code, stale.json()["code"]) == (409, "stale_version")
        assert stale.json()["current"]["comparator"] == "lt"
        headers = MERGE_PATCH | {"If-Match": seen.headers["ETag"]}
        assert api.admin.patch(PATH, json={"comparator": "gt"}, headers=headers).status_code == 412
        revised = api.admin.post(f"{PATH}/goals", json=revision | {"expected_version": 2})
        assert (revised.status_code, revised.json()["comparator"]) == (201, "lt")

    def test_as_of_before_another_comparator(self, api: Api) -> None:
        paths = (PATH, f"{PATH}/goals", "/api/v1/targets/xianning-2023.58")
        states = []
        for comparator in ("gt", "lt", "ge"):
            response = api.admin.patch(PATH, json={"comparator": comparator}, headers=MERGE_PATCH)
            assert response.json()["comparator"] == comparator
            answers = [api.reader.get(path).json() for path in paths]
            states.append((datetime.now(UTC).isoformat(), answers))
        assert [answers[0]["comparator"] for _, answers in states] == ["gt", "lt", "ge"]
        assert [len(answers[1]["items"]) for _, answers in states] == [1, 2, 3]
        for at, answers in states:
            assert [api.reader.get(path, params={"as_of": at}).json() for path in paths] == answers

    def test_nothing_new_writes_nothing(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        indicator = api.reader.get(PATH).json()
        for fields in ({}, {"measure": "%"}, {"name": indicator["name"], "comparator": "gt", "each_member": False}):
            response = api.admin.patch(PATH, json=fields, headers=MERGE_PATCH)
            assert (response.status_code, response.json()) == (200, indicator)
        assert snapshot(database) == before

    def test_if_match(self, api: Api, database: Database) -> None:
        etag = api.reader.get(PATH).headers["ETag"]
        first = api.admin.patch(PATH, json={"frequency": "month"}, headers=MERGE_PATCH | {"If-Match": etag})
        assert first.status_code == 200
        before = snapshot(database)
        stale = api.admin.patch(PATH, json={"frequency": "year"}, headers=MERGE_PATCH | {"If-Match": etag})
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
        assert stale.json()["current"] == first.json()
        assert snapshot(database) == before
        headers = MERGE_PATCH | {"If-Match": stale.headers["ETag"]}
        assert api.admin.patch(PATH, json={"frequency": "year"}, headers=headers).status_code == 200

    def test_new_value_makes_the_etag_stale(self, api: Api) -> None:
        """The newest value is part of what the client has read, so it is part of what it may have decided by."""
        etag = api.reader.get(PATH).headers["ETag"]
        api.education.post("/api/v1/values", json={"indicator": SHARE, "period": "2023-06", "value": 46.8})
        headers = MERGE_PATCH | {"If-Match": etag}
        assert api.admin.patch(PATH, json={"frequency": "month"}, headers=headers).status_code == 412

    def test_wrong_fields_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for fields, fault in (
            ({"comparator": "range"}, ("/comparator", "goal_to_needed")),
            ({"comparator": None}, ("/comparator", "not_allowed")),
            ({"name": None}, ("/name", "not_text")),
            ({"each_member": "true"}, ("/each_member", "not_true_or_false")),
            ({"baseline": "44"}, ("/baseline", "not_a_figure")),
            ({"goal": 47}, ("/goal", "unknown_field")),
            ({"code": "x.1"}, ("/code", "unknown_field")),
        ):
            assert faults(api.admin.patch(PATH, json=fields, headers=MERGE_PATCH)) == [fault], fields
        assert faults(api.admin.patch(PATH, content="[]", headers=MERGE_PATCH)) == [("", "not_an_object")]
        assert snapshot(database) == before
