"""Approval, return and withdrawal of values: who may, which steps there are, and what each leaves behind."""

from typing import Any

import pytest
from httpx2 import Response

from app.db import Database
from tests.asking import listed, told
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, origins_after, snapshot

SHARE = "xianning-2023.58.1"  # led by 市教育局, the six counties answer too
JUNE = f"{SHARE}:xianning-education-bureau:2023-06"
MAY = f"{SHARE}:xianning-education-bureau:2023-05"
REASON = {"reason": "与上月数据不符"}
# by which operation a value comes to a status, and by whom
STEPS = {
    "approved": ("reviewer", "approval"),
    "returned": ("reviewer", "return"),
    "withdrawn": ("education", "withdrawal"),
}
ALLOWED = {
    "submitted": ["approved", "returned", "withdrawn"],
    "approved": ["submitted", "returned", "withdrawn"],
    "returned": ["submitted", "withdrawn"],
    "withdrawn": ["submitted"],
}


def post(client: AppClient, period: str = "2023-06", value: object = 46.8, **fields: object) -> Response:
    body = {"indicator": SHARE, "unit": "市教育局", "period": period, "value": value} | fields
    return client.post("/api/v1/values", json=body)


def step(api: Api, to: str, code: str = JUNE, **body: object) -> Response:
    """Ask for a step of a value's review, by who may take it."""
    client, operation = STEPS[to]
    response: Response = getattr(api, client).post(f"/api/v1/values/{code}/{operation}", json=REASON | body)
    return response


def bring_to(api: Api, status: str) -> dict[str, Any]:
    """A value that stands so."""
    value: dict[str, Any] = post(api.education).json()
    return value if status == "submitted" else step(api, status).json()


def latest(api: Api) -> Any:
    return api.reader.get(f"/api/v1/indicators/{SHARE}").json()["latest"]


class TestAccess:
    @pytest.mark.parametrize("operation", ["approval", "return"])
    def test_review_is_for_reviewers(self, api: Api, database: Database, operation: str) -> None:
        before = snapshot(database)
        assert told(api, "POST", f"/values/{JUNE}/{operation}", json=REASON) == {
            "anonymous": 401,
            "admin": 404,
            "reviewer": 404,
            **dict.fromkeys(("reader", "education", "science", "jiayu", "counties", "unbound"), 403),
        }
        assert snapshot(database) == before

    def test_withdrawal_is_for_who_reports(self, api: Api) -> None:
        post(api.education)
        assert told(api, "POST", f"/values/{JUNE}/withdrawal", json=REASON) == {
            "anonymous": 401,
            "admin": 200,
            "education": 200,
            **dict.fromkeys(("reader", "reviewer", "science", "jiayu", "counties", "unbound"), 403),
        }
        refused = api.science.post(f"/api/v1/values/{JUNE}/withdrawal", json=REASON)
        assert refused.json()["code"] == "not_your_unit"
        assert "咸宁市教育局" in refused.json()["detail"]

    def test_withdrawal_of_a_members_value_by_who_speaks_for_its_group(self, api: Api) -> None:
        code = post(api.jiayu, unit="嘉鱼县政府").json()["code"]
        assert api.counties.post(f"/api/v1/values/{code}/withdrawal", json=REASON).json()["recorded_by"] == "counties"

    def test_list_is_approved_by_reviewers(self, api: Api) -> None:
        assert told(api, "POST", "/values/approvals", json={"values": [{"code": JUNE}]}) == {
            "anonymous": 401,
            "admin": 422,
            "reviewer": 422,
            **dict.fromkeys(("reader", "education", "science", "jiayu", "counties", "unbound"), 403),
        }

    @pytest.mark.parametrize("code", [MAY, f"{SHARE}:nobody:2023-06", "x.1:xianning-education-bureau:2023-06"])
    def test_value_that_is_not_there_404(self, api: Api, code: str) -> None:
        post(api.education)
        for to in STEPS:
            assert (step(api, to, code).status_code, step(api, to, code).json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": None}, {"reason": "x" * 4001}])
    def test_reason_is_needed_422(self, api: Api, database: Database, body: dict[str, object]) -> None:
        post(api.education)
        before = snapshot(database)
        for client, operation in (STEPS["returned"], STEPS["withdrawn"]):
            response = getattr(api, client).post(f"/api/v1/values/{JUNE}/{operation}", json=body)
            assert response.status_code == 422
            assert [fault["pointer"] for fault in response.json()["errors"]] == ["/reason"]
        assert snapshot(database) == before


class TestSteps:
    @pytest.mark.parametrize(
        ("status", "to"), [(status, to) for status in ALLOWED for to in ALLOWED[status] if to in STEPS]
    )
    def test_that_make_sense_are_versions(self, api: Api, database: Database, status: str, to: str) -> None:
        stood = bring_to(api, status)
        number = last_change(database)
        response = step(api, to, expected_version=stood["version"], reason="另一理由")
        assert response.status_code == 200
        value = response.json()
        expected = {"status": to, "version": stood["version"] + 1, "reason": "另一理由", "recorded_by": STEPS[to][0]}
        assert value == stood | expected | {"recorded_at": value["recorded_at"]}
        assert value["recorded_at"] > stood["recorded_at"]
        assert api.reader.get(f"/api/v1/values/{JUNE}").json() == value
        assert changes_after(database, number) == [(f"value.{to}", JUNE, {"version": value["version"]})]
        assert origins_after(database, number) == {(STEPS[to][0], response.headers["X-Request-ID"])}
        revision = listed(api.reader, f"/values/{JUNE}/revisions")[-1]
        assert revision["request_id"] == response.headers["X-Request-ID"]
        names = ("value", "status", "version", "note", "evidence_url", "reason", "recorded_at", "recorded_by")
        assert {name: revision[name] for name in names} == {name: value[name] for name in names}

    @pytest.mark.parametrize(
        ("status", "to"), [("returned", "approved"), ("withdrawn", "approved"), ("withdrawn", "returned")]
    )
    def test_that_make_none_409_name_those_that_do(self, api: Api, database: Database, status: str, to: str) -> None:
        stood = bring_to(api, status)
        before = snapshot(database)
        for body in ({}, {"expected_version": stood["version"]}):
            response = step(api, to, **body)
            assert (response.status_code, response.json()["code"]) == (409, "transition_refused")
            assert response.json()["errors"][0]["suggestions"] == ALLOWED[status]
            assert all(name in response.json()["detail"] for name in ALLOWED[status])
            assert response.json()["current"] == stood
        assert snapshot(database) == before

    @pytest.mark.parametrize("to", list(STEPS))
    def test_taken_again_change_nothing(self, api: Api, database: Database, to: str) -> None:
        stood = bring_to(api, to)
        before = snapshot(database)
        for body in ({}, {"expected_version": stood["version"]}, {"expected_version": stood["version"] - 1}):
            response = step(api, to, **body)
            assert (response.status_code, response.json()) == (200, stood)
        assert snapshot(database) == before

    @pytest.mark.parametrize("to", list(STEPS))
    def test_on_a_version_that_no_longer_stands_409(self, api: Api, database: Database, to: str) -> None:
        post(api.education)
        current = post(api.education, value=47).json()
        before = snapshot(database)
        for version in (1, 3):
            response = step(api, to, expected_version=version)
            assert (response.status_code, response.json()["code"]) == (409, "stale_version")
            assert response.json()["current"] == current
        assert snapshot(database) == before

    def test_approval_needs_no_body(self, api: Api) -> None:
        post(api.education)
        value = api.reviewer.post(f"/api/v1/values/{JUNE}/approval").json()
        assert (value["status"], value["reason"]) == ("approved", None)

    @pytest.mark.parametrize("to", ["returned", "withdrawn"])
    def test_another_reason_is_no_repetition(self, api: Api, to: str) -> None:
        bring_to(api, to)
        response = step(api, to, reason="其他理由")
        assert (response.status_code, response.json()["code"]) == (409, "transition_refused")


class TestCorrection:
    @pytest.mark.parametrize("status", list(STEPS))
    def test_other_figure_is_submitted_again(self, api: Api, status: str) -> None:
        stood = bring_to(api, status)
        value = post(api.education, value=47, expected_version=stood["version"]).json()
        assert (value["status"], value["version"], value["reason"]) == ("submitted", stood["version"] + 1, None)
        assert latest(api) == {"period": "2023-06", "value": 47}

    @pytest.mark.parametrize("status", ["returned", "withdrawn"])
    def test_same_figure_stands_again_only_for_who_has_seen_that_it_does_not(
        self, api: Api, database: Database, status: str
    ) -> None:
        stood = bring_to(api, status)
        before = snapshot(database)
        for body in ({}, {"expected_version": 0}):  # retries of the first post, that come late
            assert (post(api.education, **body).status_code, post(api.education, **body).json()) == (200, stood)
        assert snapshot(database) == before
        again = post(api.education, expected_version=stood["version"]).json()
        assert (again["status"], again["version"], again["reason"]) == ("submitted", stood["version"] + 1, None)
        assert latest(api) == {"period": "2023-06", "value": 46.8}

    def test_late_retry_after_approval_is_no_conflict(self, api: Api, database: Database) -> None:
        post(api.education, expected_version=0)
        post(api.education, value=47, expected_version=1)
        stood = step(api, "approved").json()
        before = snapshot(database)
        retry = post(api.education, value=47, expected_version=1)
        assert (retry.status_code, retry.json()) == (200, stood)
        assert post(api.education, value=47, expected_version=3).json() == stood
        assert post(api.education, expected_version=0).status_code == 409  # what stands is another figure
        assert post(api.admin, value=47, expected_version=1).status_code == 409  # it was another client's
        assert snapshot(database) == before


class TestLateWrites:
    def test_stale_version_of_a_withdrawn_value_is_no_retry(self, api: Api, database: Database) -> None:
        post(api.education, "2023-06")
        step(api, "withdrawn", JUNE)
        before = snapshot(database)
        late = post(api.education, "2023-06", expected_version=1)
        assert (late.status_code, late.json()["code"]) == (409, "stale_version")
        assert snapshot(database) == before


class TestList:
    def approve(self, api: Api, *items: object, query: str = "", **fields: object) -> Response:
        body = {"values": list(items)} | fields
        response: Response = api.reviewer.post(f"/api/v1/values/approvals{query}", json=body)
        return response

    def test_approves_all(self, api: Api, database: Database) -> None:
        for period in ("2023-05", "2023-06"):
            post(api.education, period)
        number = last_change(database)
        response = self.approve(api, {"code": JUNE, "expected_version": 1}, {"code": MAY}, reason="一致")
        report = response.json()
        assert (response.status_code, report["received"], report["updated"], report["committed"]) == (200, 2, 2, True)
        assert sorted(change[:2] for change in changes_after(database, number)) == [
            ("value.approved", MAY),
            ("value.approved", JUNE),
        ]
        for value in listed(api.reader, "/values"):
            assert (value["status"], value["reason"], value["version"]) == ("approved", "一致", 2)
        before = snapshot(database)
        again = self.approve(api, {"code": JUNE, "expected_version": 1}, {"code": MAY})
        assert (again.json()["unchanged"], again.json()["rejected"]) == (2, 0)
        assert snapshot(database) == before

    def test_value_that_is_named_twice_is_a_problem_of_both_rows(self, api: Api, database: Database) -> None:
        for period in ("2023-05", "2023-06"):
            post(api.education, period)
        before = snapshot(database)
        twice = self.approve(api, {"code": MAY, "expected_version": 7}, {"code": JUNE}, {"code": MAY})
        assert twice.status_code == 422
        assert [(one["row"], one["code"]) for one in twice.json()["problems"]] == [
            (1, "row_repeated"),
            (3, "row_repeated"),
        ]
        assert snapshot(database) == before

    def test_one_that_cannot_be_and_none_is_unless_skipped(self, api: Api, database: Database) -> None:
        for period in ("2023-04", "2023-05", "2023-06"):
            post(api.education, period)
        april = MAY.replace("05", "04")
        step(api, "returned", april)
        before = snapshot(database)
        items = [{"code": MAY}, {"code": april}, {"code": JUNE, "expected_version": 7}, {"code": "a:b:2023"}]
        refused = self.approve(api, *items)
        assert (refused.status_code, refused.json()["code"]) == (422, "batch_rejected")
        assert [(one["row"], one["pointer"], one["code"]) for one in refused.json()["problems"]] == [
            (2, "", "transition_refused"),
            (3, "/expected_version", "stale_version"),
            (4, "/code", "not_found"),
        ]
        assert refused.json()["errors"][2]["pointer"] == "/values/3/code"
        assert refused.json()["problems"][1]["current"]["version"] == 1
        assert snapshot(database) == before
        tried = self.approve(api, *items, query="?on_error=skip&dry_run=true").json()
        assert snapshot(database) == before
        done = self.approve(api, *items, query="?on_error=skip").json()
        assert tried | {"committed": True, "dry_run": False} == done
        assert (done["received"], done["updated"], done["rejected"]) == (4, 1, 3)
        assert {value["code"] for value in listed(api.reader, "/values", status="approved")} == {MAY}

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/values"),
            ({"values": []}, "/values"),
            ({"values": [{"code": "x"}]}, "/values/0/code"),
            ({"values": [{"code": JUNE, "expected_version": "1"}]}, "/values/0/expected_version"),
            ({"values": [{"code": JUNE, "reason": "x"}]}, "/values/0/reason"),
        ],
    )
    def test_wrong_body_422(self, api: Api, body: dict[str, object], pointer: str) -> None:
        response = api.reviewer.post("/api/v1/values/approvals", json=body)
        assert response.status_code == 422
        assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]


class TestLatest:
    @pytest.mark.parametrize("to", ["returned", "withdrawn"])
    def test_of_a_newest_that_counts_no_longer_the_one_before_takes_its_place(self, api: Api, to: str) -> None:
        post(api.education, "2023-05", 45)
        bring_to(api, to)
        assert latest(api) == {"period": "2023-05", "value": 45}
        step(api, to, MAY)
        assert latest(api) is None
        post(api.education, value=46)
        assert latest(api) == {"period": "2023-06", "value": 46}

    def test_where_the_plan_wants_approval_only_what_is_approved_counts(self, api: Api) -> None:
        wanted = api.admin.patch("/api/v1/plans/xianning-2023", json={"approval_required": True}, headers=MERGE_PATCH)
        assert wanted.status_code == 200
        post(api.education, "2023-05", 45)
        post(api.education)
        assert latest(api) is None
        step(api, "approved", MAY)
        assert latest(api) == {"period": "2023-05", "value": 45}
        step(api, "approved")
        assert latest(api) == {"period": "2023-06", "value": 46.8}
        post(api.education, value=47)  # a correction waits for its own approval
        assert latest(api) == {"period": "2023-05", "value": 45}
        step(api, "approved")
        assert latest(api) == {"period": "2023-06", "value": 47}
        step(api, "withdrawn")
        assert latest(api) == {"period": "2023-05", "value": 45}
