"""PATCH /plans/{plan}: its words and days, and whether values count at once or when they are approved."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import select, update
from sqlmodel import col

from app.auth import Caller
from app.counting import recount
from app.db import Database
from app.indicators.schemas import IndicatorCreate
from app.indicators.service import create_indicator
from app.plans.schemas import PlanUpdate
from app.plans.service import update_plan
from app.tables import Indicator, Value
from tests.asking import ANYONE, add_plan, faults, listed, suggestions, told
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot
from tests.importing import PLAN as DOCUMENT
from tests.importing import post as import_plan
from tests.test_concurrency import at_once

CODE = "xianning-2023"
PATH = f"/api/v1/plans/{CODE}"
SHARE = f"{CODE}.58.1"
COUNTIES = ("嘉鱼县人民政府", "赤壁市人民政府", "通城县人民政府", "崇阳县人民政府")
REFUSED = dict.fromkeys(ANYONE, 403)


def patch(api: Api, headers: dict[str, str] | None = None, **fields: object) -> Response:
    return api.admin.patch(PATH, json=fields, headers=MERGE_PATCH | (headers or {}))


def report(api: Api, period: str, value: float, indicator: str = SHARE, **more: object) -> None:
    body = {"indicator": indicator, "period": period, "value": value} | more
    assert api.admin.post("/api/v1/values", json={"unit": "市教育局"} | body).status_code == 201


def judge(database: Database, period: str, status: str) -> None:
    """Give the values of a period a status."""
    with database.writing() as session:
        session.execute(update(Value).where(col(Value.period) == period).values(status=status))


def latest(api: Api) -> list[Any]:
    """The newest value of the indicator as each place shows it."""
    (of_target,) = api.reader.get(f"/api/v1/targets/{CODE}.58").json()["indicators"]
    assigned = listed(api.reader, "/assignments", target=f"{CODE}.58", unit="市教育局", role="lead")
    (of_assignment,) = assigned[0]["target"]["indicators"]
    own = api.reader.get(f"/api/v1/indicators/{SHARE}").json()
    return [own["latest"], of_target["latest"], of_assignment["latest"]]


class TestUpdatePlan:
    def test_truth_table(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        sent: dict[str, Any] = {"json": {}, "headers": MERGE_PATCH}
        assert told(api, "PATCH", f"/plans/{CODE}", **sent) == {"anonymous": 401} | REFUSED | {"admin": 200}
        assert told(api, "PATCH", "/plans/nothing", **sent) == {"anonymous": 401} | REFUSED | {"admin": 404}
        other = api.admin.patch(PATH, json={})
        assert (other.status_code, other.headers["Accept-Patch"]) == (415, MERGE_PATCH["Content-Type"])
        unknown = api.admin.patch("/api/v1/plans/xianing-2023", **sent)
        assert (faults(unknown), suggestions(unknown)) == ([("/path/plan", "unknown_reference")], [CODE])
        assert snapshot(database) == before

    def test_each_field(self, api: Api, database: Database) -> None:
        plan = api.reader.get(PATH).json()
        for fields in (
            {"title": "咸宁市2023年重点工作"},
            {"issuer": None, "region_code": None},
            {"issuer": "咸宁市委", "region_code": "421202"},
            {"starts_on": "2022-12-01", "ends_on": "2024-01-31"},
            {"approval_required": True},
            {"starts_on": "2023-02-01", "approval_required": False},
        ):
            number = last_change(database)
            response = patch(api, **fields)
            assert response.status_code == 200
            changed = response.json()
            assert changed == plan | fields | {"updated_at": changed["updated_at"]}
            assert changed["updated_at"] > plan["updated_at"]
            assert changes_after(database, number) == [("plan.changed", CODE, changed)]
            read = api.reader.get(PATH)
            assert (read.json(), read.headers["ETag"]) == (changed, response.headers["ETag"])
            plan = changed

    def test_nothing_new_writes_nothing(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        plan = api.reader.get(PATH).json()
        same = {name: plan[name] for name in PlanUpdate.model_fields}
        for fields in ({}, same, {"title": f" {plan['title']} "}, {"approval_required": False}):
            response = patch(api, **fields)
            assert (response.status_code, response.json()) == (200, plan)
        assert snapshot(database) == before

    def test_if_match(self, api: Api, database: Database) -> None:
        etag = api.reader.get(PATH).headers["ETag"]
        first = patch(api, {"If-Match": etag}, issuer="咸宁市委")
        assert first.status_code == 200
        before = snapshot(database)
        stale = patch(api, {"If-Match": etag}, issuer="另一个")
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
        assert stale.json()["current"] == first.json()
        assert "admin" in stale.json()["detail"]
        assert snapshot(database) == before
        assert patch(api, {"If-Match": first.headers["ETag"]}, issuer="另一个").status_code == 200

    def test_wrong_fields_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for fields, fault in (
            ({"title": None}, ("/title", "not_text")),
            ({"title": " "}, ("/title", "too_short")),
            ({"title": "x" * 201}, ("/title", "too_long")),
            ({"issuer": ""}, ("/issuer", "too_short")),
            ({"issuer": "a\0"}, ("/issuer", "bad_characters")),
            ({"region_code": "4212"}, ("/region_code", "bad_format")),
            ({"starts_on": None}, ("/starts_on", "date_invalid")),
            ({"ends_on": "2023-02-30"}, ("/ends_on", "date_invalid")),
            ({"ends_on": 20231231}, ("/ends_on", "date_invalid")),
            ({"ends_on": "2022-12-31"}, ("/ends_on", "date_order")),
            ({"starts_on": "2024-01-01"}, ("/starts_on", "date_order")),
            ({"starts_on": "2023-05-02", "ends_on": "2023-05-01"}, ("/ends_on", "date_order")),
            ({"approval_required": None}, ("/approval_required", "not_true_or_false")),
            ({"approval_required": "true"}, ("/approval_required", "not_true_or_false")),
            ({"approval_required": 1}, ("/approval_required", "not_true_or_false")),
            ({"year": 2024}, ("/year", "unknown_field")),
            ({"code": "x"}, ("/code", "unknown_field")),
            ({"approval": True}, ("/approval", "unknown_field")),
        ):
            response = patch(api, **fields)
            assert (response.status_code, faults(response)) == (422, [fault]), fields
        assert suggestions(patch(api, approval=True))[0] == "approval_required"
        assert snapshot(database) == before


class TestDays:
    def test_that_leave_values_outside_409_say_how_many_and_what_would_do(self, api: Api, database: Database) -> None:
        report(api, "2023-03", 44)
        report(api, "2023-Q3", 45)
        report(api, "2023-09", 45)
        before = snapshot(database)
        response = patch(api, {"Accept-Language": "en"}, ends_on="2023-08-31")
        assert (response.status_code, response.json()["code"]) == (409, "values_outside_plan")
        assert response.json()["detail"].startswith("2 value(s) have periods outside 2023-01-01 to 2023-08-31.")
        assert faults(response) == [("/ends_on", "values_outside_plan")]
        assert suggestions(response) == ["2023-09-30"]
        assert suggestions(patch(api, starts_on="2023-03-02")) == ["2023-03-01"]
        both = patch(api, {"Accept-Language": "en"}, starts_on="2023-09-02", ends_on="2023-09-29")
        assert faults(both) == [("/starts_on", "values_outside_plan"), ("/ends_on", "values_outside_plan")]
        assert both.json()["detail"].startswith("3 value(s)")
        assert snapshot(database) == before
        assert patch(api, starts_on="2023-03-01", ends_on="2023-09-30").status_code == 200
        late = {"indicator": SHARE, "period": "2023-10", "value": 46, "unit": "市教育局"}
        assert faults(api.admin.post("/api/v1/values", json=late)) == [("/period", "period_outside_plan")]

    def test_withdrawn_values_and_removed_indicators_do_not_stand_in_the_way(
        self, api: Api, database: Database
    ) -> None:
        report(api, "2023-11", 44)
        report(api, "2023-12", 44, indicator=f"{CODE}.60.1")
        judge(database, "2023-11", "withdrawn")
        assert patch(api, ends_on="2023-10-31").status_code == 409
        with database.writing() as session:
            gone = update(Indicator).where(col(Indicator.code) == f"{CODE}.60.1")
            session.execute(gone.values(removed_at=datetime.now(UTC)))
        assert patch(api, ends_on="2023-10-31").status_code == 200

    def test_other_plans_do_not_matter(self, api: Api, database: Database) -> None:
        add_plan(database, "other-2024", "1.办好10个园区。(牵头单位:市教育局)\n")
        report(api, "2023-06", 44)
        path = "/api/v1/plans/other-2024"
        assert api.admin.patch(path, json={"starts_on": "2024-06-01"}, headers=MERGE_PATCH).status_code == 200


class TestApprovalRequired:
    def test_decides_at_once_what_is_the_latest(self, api: Api, database: Database) -> None:
        report(api, "2023-03", 44)
        report(api, "2023-06", 45)
        report(api, "2023-09", 46)
        judge(database, "2023-03", "approved")
        judge(database, "2023-09", "returned")
        patch(api, approval_required=True)
        assert latest(api) == [{"period": "2023-03", "value": 44}] * 3
        patch(api, approval_required=False)
        assert latest(api) == [{"period": "2023-06", "value": 45}] * 3
        judge(database, "2023-03", "submitted")
        patch(api, approval_required=True)
        assert latest(api) == [None] * 3

    def test_of_each_member_by_itself(self, api: Api, database: Database) -> None:
        counties = f"{CODE}.60.1"
        report(api, "2023-06", 1, indicator=counties, unit="嘉鱼县人民政府")
        report(api, "2023-09", 2, indicator=counties, unit="赤壁市人民政府")
        judge(database, "2023-06", "approved")
        patch(api, approval_required=True)

        def shown(unit: str) -> Any:
            (found,) = listed(api.reader, "/assignments", target=f"{CODE}.60", unit=unit)
            return found["target"]["indicators"][0]["latest"]

        assert (shown("嘉鱼县人民政府"), shown("赤壁市人民政府")) == ({"period": "2023-06", "value": 1}, None)
        patch(api, approval_required=False)
        assert shown("赤壁市人民政府") == {"period": "2023-09", "value": 2}

    def test_other_plans_keep_theirs(self, api: Api, database: Database) -> None:
        add_plan(database, "other-2024", "1.办好10个园区。(牵头单位:市教育局)\n")
        report(api, "2023-06", 44)
        path = "/api/v1/plans/other-2024"
        assert api.admin.patch(path, json={"approval_required": True}, headers=MERGE_PATCH).status_code == 200
        assert latest(api) == [{"period": "2023-06", "value": 44}] * 3


class TestNextImport:
    def test_same_document_is_unchanged_and_keeps_what_was_set(self, api: Api, database: Database) -> None:
        changed = patch(api, title="另一个题目", issuer=None, ends_on="2024-01-31", approval_required=True).json()
        before = snapshot(database)
        answer = import_plan(api, DOCUMENT)
        assert (answer.status_code, answer.json()["counts"]["unchanged"]) == (200, 25)
        assert snapshot(database) == before
        assert api.reader.get(PATH).json() == changed

    def test_corrected_document_keeps_it_too(self, api: Api) -> None:
        changed = patch(api, title="另一个题目", ends_on="2024-01-31", approval_required=True).json()
        assert import_plan(api, DOCUMENT.replace("46%", "47%")).status_code == 201
        now = api.reader.get(PATH).json()
        moving = {"updated_at", "source", "source_sha256"}
        assert {name: now[name] for name in now.keys() - moving} == {
            name: changed[name] for name in changed.keys() - moving
        }

    def test_parameter_that_names_another_is_a_change_of_its_own(self, api: Api, database: Database) -> None:
        patch(api, title="另一个题目", approval_required=True)
        number = last_change(database)
        import_plan(api, DOCUMENT, title="又一个题目")
        kinds = [
            (kind, data.get("title"), data.get("approval_required"))
            for kind, _, data in changes_after(database, number)
        ]
        assert kinds[0] == ("plan.changed", "又一个题目", True)


class TestAtOnce:
    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_who_records_a_value_or_adds_an_indicator_waits(self, api: Api, database: Database) -> None:
        body = PlanUpdate(approval_required=True)
        new = IndicatorCreate.model_validate(
            {"target": f"{CODE}.57", "name": "学位", "measure": "个", "comparator": "ge", "kind": "level", "goal": 1}
        )

        def add() -> None:
            with database.writing() as session:
                create_indicator(session, Caller.command_line(), new)

        with ThreadPoolExecutor(2) as pool:
            with database.writing() as session:
                update_plan(session, Caller.command_line(), CODE, body, None)
                waiting = [pool.submit(report, api, "2023-06", 44), pool.submit(add)]
                for one in waiting:
                    with pytest.raises(TimeoutError):
                        one.result(timeout=0.3)
            for one in waiting:
                one.result(timeout=20)

    def test_latest_values_are_right_after_writers_and_switches(self, api: Api, database: Database) -> None:
        """Two switch the plan while four record; the newest values are then those that a recount finds."""

        def work(thread: int) -> list[int]:
            answers = []
            for month in range(1, 7):
                if thread < 2:
                    answers.append(patch(api, approval_required=month % 2 == thread))
                    continue
                body = {"indicator": f"{CODE}.60.1", "period": f"2023-{month:02}", "unit": COUNTIES[thread - 2]}
                answers.append(api.admin.post("/api/v1/values", json=body | {"value": month}))
            return [answer.status_code for answer in answers]

        assert {status for statuses in at_once(work) for status in statuses} == {200, 201}
        found = snapshot(database)["latest_values"]
        with database.writing() as session:
            recount(session, list(session.execute(select(col(Indicator.id))).scalars()))
        assert snapshot(database)["latest_values"] == found


class TestAsOf:
    def test_what_counted_then(self, api: Api) -> None:
        report(api, "2023-06", 44)
        before = now()
        patch(api, approval_required=True, title="另一个题目")
        assert latest(api) == [None] * 3
        then = {"as_of": before}
        assert api.reader.get(PATH, params=then).json()["approval_required"] is False
        indicator = api.reader.get(f"/api/v1/indicators/{SHARE}", params=then).json()
        assert indicator["latest"] == {"period": "2023-06", "value": 44}
        assert listed(api.reader, "/plans", as_of=before)[0]["title"] != "另一个题目"


def now() -> str:
    return datetime.now(UTC).isoformat()
